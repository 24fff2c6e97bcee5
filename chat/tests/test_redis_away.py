"""Redis goes away for ten seconds under people who talk: over the network, to a site of its own, with a Redis of its own."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from accountsstore.tests.own_valkey import Valkey, valkey  # noqa: F401  # a fixture
from chat.models import Conversation, Message
from chat.tests.conftest import running_site
from chat.tests.tabs import WireTab

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

AWAY_SECONDS = 10


@pytest.fixture
def port(talk: Conversation, valkey: Valkey, tmp_path: Path) -> Iterator[int]:  # noqa: F811
    with running_site(tmp_path, REDIS_URL=valkey.url) as (port, process):
        yield port
        assert process.poll() is None
    assert "Traceback" not in (tmp_path / "site.log").read_text()


class Reader:
    """A client as the protocol asks for one: it applies the next number, forgets repeats, and asks after a jump."""

    def __init__(self, tab: WireTab, talk: Conversation) -> None:
        self.tab, self.talk = tab, talk
        self.bodies: list[str] = []
        # Each frame of a message that came by itself, not in answer to a resume.
        self.told: list[int] = []

    async def resume(self) -> None:
        await self.tab.say("resume", since={self.talk.pk.hex: len(self.bodies)})
        while True:
            frame = await self.tab.next()
            self.take(frame)
            if frame.get("type") == "resumed":
                return

    def take(self, frame: dict[str, object]) -> None:
        assert "closed" not in frame, frame
        if frame["type"] == "message.new":
            if "event" in frame:
                self.told.append(frame["seq"])
            if frame["seq"] == len(self.bodies) + 1:
                self.bodies.append(frame["body"])

    async def settle(self) -> None:
        for frame in await self.tab.settle():
            self.take(frame)


@pytest.mark.parametrize(
    ("goes", "comes_back"), [(Valkey.freeze, Valkey.thaw), (Valkey.kill, Valkey.start)], ids=["hangs", "starts anew"]
)
async def test_sockets_outlive_a_redis_that_is_away_and_nothing_acknowledged_is_lost_or_doubled(
    port: int,
    talk: Conversation,
    buyer: User,
    seller: User,
    valkey: Valkey,  # noqa: F811
    goes: Callable[[Valkey], None],
    comes_back: Callable[[Valkey], None],
) -> None:
    acknowledged: list[str] = []

    async with WireTab(buyer, port) as writer, WireTab(seller, port) as other:
        reader = Reader(other, talk)

        async def write() -> None:
            body = f"message {len(acknowledged) + 1}"
            await writer.say("message.send", conversation=talk.pk.hex, client_id=f"client-{body[8:]:0>4}", body=body)
            await writer.expect("message.ack")
            acknowledged.append(body)

        await write()
        reader.take(await other.expect("message.new"))
        goes(valkey)
        gone_at = time.monotonic()
        # The talk goes on all the while: each answer is a sign that the sockets stand.
        while time.monotonic() - gone_at < AWAY_SECONDS:
            await write()
            await reader.settle()
            # The store takes ten frames a second from a socket.
            await asyncio.sleep(0.25)
        assert len(acknowledged) > 2
        comes_back(valkey)

        # Both are told that they may have missed something, and ask.
        resync = {"type": "resync", "conversation": ""}
        assert await writer.expect("resync", conversation="") == resync
        while (frame := await other.next()) != resync:
            reader.take(frame)
        await reader.resume()
        assert reader.bodies == acknowledged

        # Each group is heard again, once: a subscription that was made twice would tell everything twice.
        for _ in range(5):
            await write()
        while len(reader.bodies) < len(acknowledged):
            reader.take(await other.next())
        await reader.settle()
        assert reader.bodies == acknowledged
        # What was sent meanwhile was held, and may come as well.
        assert len(set(reader.told)) == len(reader.told)
        assert set(reader.told) >= set(range(len(acknowledged) - 4, len(acknowledged) + 1))
    stored = await sync_to_async(list)(Message.objects.order_by("seq").values_list("body", flat=True))
    assert stored == acknowledged
