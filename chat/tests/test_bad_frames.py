"""What a client may not do: each kind of it gets an error or a close code, and the socket, or the site, lives on."""

import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import User
from chat import consumers
from chat.models import Conversation, Participant
from chat.services.messages import message_send
from chat.tests.conftest import running_site
from chat.tests.tabs import Tab, WireTab

pytestmark = pytest.mark.django_db(transaction=True)


# ---------------------------------------------------------------- garbage and floods

GARBAGE = [
    "",
    "not json",
    "[]",
    "null",
    "1e999",
    '"ping"',
    "{}",
    '{"type": "nonsense"}',
    '{"type": ["ping"]}',
    '{"type": "ping", "extra": 1}',
    '{"type": "message.send"}',
    '{"type": "message.send", "conversation": 5, "client_id": "client-0001", "body": "x"}',
    '{"type": "message.send", "conversation": "../../etc", "client_id": "client-0001", "body": "x"}',
    '{"type": "message.read", "conversation": "' + "0" * 32 + '", "seq": -1}',
    '{"type": "message.read", "conversation": "' + "0" * 32 + '", "seq": 1.5}',
    '{"type": "message.read", "conversation": "' + "0" * 32 + '", "seq": 99999999999999999999}',
    '{"type": "resume", "since": {}}',
    '{"type": "resume", "since": {"x": 1}}',
    '{"type": "ping", "x": ' + "[" * 50_000,
]


async def test_every_kind_of_garbage_gets_an_error_and_the_socket_lives_on(
    buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "STRIKES", 1000)
    monkeypatch.setattr(consumers, "FRAMES_AT_ONCE", 1000)
    async with Tab(buyer) as tab:
        for text in GARBAGE:
            await tab.raw(text)
            error = await tab.next()
            assert error.get("type") == "error", (text[:80], error)
        await tab.socket.send_to(bytes_data=b"\x00\xff")
        assert (await tab.next())["code"] == "bad_frame"
        await tab.raw('{"type": "ping"}' + " " * 65_536)
        assert (await tab.next())["code"] == "too_large"
        assert await tab.settle() == []


async def test_who_goes_on_with_garbage_is_closed(buyer: User) -> None:
    async with Tab(buyer) as tab:
        for _ in range(consumers.STRIKES + 1):
            await tab.raw("garbage")
        assert await tab.closes() == 4400


async def test_a_flood_is_told_to_slow_down_and_then_closed(buyer: User) -> None:
    async with Tab(buyer) as tab:
        for _ in range(1000):
            await tab.say("ping")
        frames: list[dict[str, Any]] = []
        while "closed" not in (frame := await tab.next()):
            frames.append(frame)
        assert frame["closed"] == 4400
        assert sum(f["type"] == "error" for f in frames) <= consumers.STRIKES + 2
        assert {f["code"] for f in frames if f["type"] == "error"} == {"slow_down"}


KEYS = st.sampled_from(
    ["type", "conversation", "conversations", "client_id", "body", "files", "confirmed", "seq", "since", "changes", "x"]
)
TYPES = st.sampled_from(
    [
        "message.send",
        "message.edit",
        "message.delete",
        "message.read",
        "message.delivered",
        "typing",
        "subscribe",
        "resume",
        "ping",
        "welcome",
        "deliver",
        "",
        "x",
    ]
)
HEX = st.sampled_from(["0" * 32, "f" * 32, "F" * 32, "0" * 31, "real"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60) | HEX
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | HEX, inner, max_size=3), max_leaves=8
)
FRAMES = st.one_of(
    st.text(max_size=80),
    st.builds(json.dumps, VALUES),
    st.builds(lambda kind, fields: json.dumps({**fields, "type": kind}), TYPES, st.dictionaries(KEYS, VALUES)),
)


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(frames=st.lists(FRAMES, min_size=1, max_size=25))
def test_no_frames_at_all_kill_the_socket(
    talk: Conversation, buyer: User, monkeypatch: pytest.MonkeyPatch, frames: list[str]
) -> None:
    monkeypatch.setattr(consumers, "STRIKES", 1000)
    monkeypatch.setattr(consumers, "FRAMES_AT_ONCE", 1000)

    async def play() -> None:
        async with Tab(buyer) as tab:
            for text in frames:
                await tab.raw(text.replace('"real"', f'"{talk.pk.hex}"'))
            await tab.say("message.send", conversation=talk.pk.hex, client_id="client-0001", body="Still here")
            answers = []
            while (frame := await tab.next()).get("type") != "message.ack":
                assert "closed" not in frame, frames
                answers.append(frame)
            assert not [frame for frame in answers if frame.get("code") == "failed"]

    async_to_sync(play)()


# ---------------------------------------------------------------- well-formed and wrong


async def test_a_number_from_the_future_is_refused_and_nothing_is_written(
    talk: Conversation, buyer: User, seller: User
) -> None:
    await sync_to_async(message_send)(conversation_id=talk.pk, sender=seller, client_id="client-0001", body="Hello")
    key = talk.pk.hex
    async with Tab(buyer) as tab, Tab(seller) as other:
        for frame in (
            {"type": "message.read", "conversation": key, "seq": 2},
            {"type": "message.delivered", "conversation": key, "seq": 10**15},
            {"type": "resume", "since": {key: 2}},
            {"type": "resume", "since": {key: 1}, "changes": {key: 1}},
        ):
            await tab.raw(json.dumps(frame))
            error = await tab.next()
            assert (error["type"], error["code"], error["conversation"]) == ("error", "seq_ahead", key)
        assert await other.settle() == []
    mine = await Participant.objects.aget(user=buyer)
    assert (mine.read_seq, mine.delivered_seq) == (0, 0)


async def test_who_comes_with_a_session_that_has_expired_is_told_to_sign_in(buyer: User) -> None:
    tab = Tab(buyer)
    cookies = await tab.cookies()

    async def as_before() -> str:
        return cookies

    tab.cookies = as_before  # type: ignore[method-assign]
    await Session.objects.aupdate(expire_date=timezone.now())
    await sync_to_async(caches["sessions"].clear)()
    await tab.open()
    assert await tab.closes() == 4401


# ---------------------------------------------------------------- over the network


@pytest.mark.slow
def test_frames_of_a_megabyte_are_refused_larger_ones_end_the_socket_and_others_notice_nothing(
    buyer: User, seller: User, tmp_path: Path
) -> None:
    async def play(port: int) -> None:
        async with WireTab(seller, port) as other:
            async with WireTab(buyer, port) as tab:
                await tab.raw('{"type": "ping"}'.ljust(1024 * 1024))
                assert (await tab.next())["code"] == "too_large"
                assert await tab.settle() == []
                await tab.raw('{"type": "ping"}'.ljust(1024 * 1024 + 1))
                assert await tab.closes() == 1009
            async with WireTab(buyer, port) as tab:
                for _ in range(consumers.STRIKES + 1):
                    await tab.raw(" " * 1024 * 1024)
                assert await tab.closes() == 4400
            assert await other.settle() == []

    with running_site(tmp_path) as (port, _):
        async_to_sync(play)(port)
    assert "Traceback" not in (tmp_path / "site.log").read_text()
