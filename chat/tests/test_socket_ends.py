"""How sockets end: with their session, or when they do not read; and what does not end them."""

from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import DatabaseError
from django.test import Client

from accounts.models import User
from accounts.services import user_suspend
from accountsstore.events import user_group
from accountsstore.layer import ClusterChannelLayer
from accountsstore.tests.layer.conftest import until
from chat import consumers, socket_work
from chat.frames import Resync
from chat.models import Conversation, Message
from chat.services.messages import message_send
from chat.tests.tabs import Tab, in_thread, say

pytestmark = pytest.mark.django_db(transaction=True)


# ---------------------------------------------------------------- sessions that end


async def test_a_gap_while_the_database_is_away_too_leaves_the_session_to_the_next_ping(
    buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_allowed = socket_work.is_allowed
    noted: list[str] = []
    monkeypatch.setattr(consumers.logger, "warning", lambda text, **fields: noted.append(text))

    def away(scope: dict[str, Any]) -> bool:
        raise DatabaseError("away")

    async with Tab(buyer) as tab:
        layer = get_channel_layer()
        assert isinstance(layer, ClusterChannelLayer)
        monkeypatch.setattr(socket_work, "is_allowed", away)
        layer._here()._tell_of_gap(layer.group_name(user_group(buyer.pk)).encode())
        assert await tab.expect("resync") == {"type": "resync", "conversation": ""}
        await until(lambda: noted == ["a session was not looked at again"])
        monkeypatch.setattr(socket_work, "is_allowed", is_allowed)
        await in_thread(SessionStore(tab.session_key).delete)
        await tab.say("ping")
        assert await tab.closes() == 4401


async def test_a_session_that_ended_while_redis_was_away_is_found_once_it_is_back(buyer: User) -> None:
    async with Tab(buyer) as tab:
        await in_thread(SessionStore(tab.session_key).delete)
        layer = get_channel_layer()
        assert isinstance(layer, ClusterChannelLayer)
        layer._here()._tell_of_gap(layer.group_name(user_group(buyer.pk)).encode())
        assert await tab.closes() == 4401


async def test_suspending_somebody_closes_their_sockets(buyer: User, staff: User) -> None:
    async with Tab(buyer) as tab:
        await in_thread(user_suspend, user=buyer, staff=staff, reason="Fraud")
        assert (await tab.expect("session.revoked"))["reason"] == "suspended"
        assert await tab.closes() == 4401


async def test_signing_out_closes_the_sockets_of_this_session_only(buyer: User) -> None:
    async with Tab(buyer) as here, Tab(buyer) as elsewhere:
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = here.session_key
        await in_thread(client.post, "/account/logout/")
        assert await here.closes() == 4401
        assert [f["type"] for f in await elsewhere.settle()] == []


@pytest.mark.parametrize("how", ["session deleted", "password changed", "suspended"])
async def test_a_session_that_ended_unheard_is_found_at_a_ping(
    buyer: User, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0)
    async with Tab(buyer) as tab:
        assert await tab.settle() == []
        if how == "session deleted":
            await in_thread(SessionStore(tab.session_key).delete)
        elif how == "password changed":
            await User.objects.filter(pk=buyer.pk).aupdate(password="other")
        else:
            await User.objects.filter(pk=buyer.pk).aupdate(status=User.Status.SUSPENDED)
        await tab.say("ping")
        assert await tab.closes() == 4401


# ---------------------------------------------------------------- who reads too slowly


async def test_who_does_not_read_is_closed_before_much_waits(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Tab(buyer) as tab:
        monkeypatch.setattr(consumers, "WAITING_BYTES", -1)
        await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id="client-0001", body="Hello")
        assert await tab.closes() == 4408


async def test_what_is_told_during_an_answer_waits_for_it_and_not_without_end(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_meanwhile(scope: Any, frame: Any) -> list[Any]:
        for n in range(5):
            message_send(conversation_id=talk.pk, sender=seller, client_id=f"client-000{n}", body=f"m{n}")
        return [Resync(conversation=talk.pk.hex)]

    monkeypatch.setattr(socket_work, "answer", write_meanwhile)
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 0})
        assert (await tab.next())["type"] == "resync"
        assert [(await tab.next())["seq"] for _ in range(5)] == [1, 2, 3, 4, 5]
        await Message.objects.all().adelete()
        monkeypatch.setattr(consumers, "HELD_LIMIT", 2)
        await tab.say("resume", since={talk.pk.hex: 0})
        assert await tab.closes() == 4408


# ---------------------------------------------------------------- faults below


async def test_a_failure_below_is_an_error_frame_and_not_the_end(
    talk: Conversation, buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the database is away")

    async with Tab(buyer) as tab:
        with monkeypatch.context() as patched:
            patched.setattr(socket_work, "message_send", broken)
            await say(tab, talk, "Hello", "client-0001")
            assert (await tab.expect("error", client_id="client-0001"))["code"] == "failed"
        await say(tab, talk, "Hello", "client-0001")
        assert (await tab.expect("message.ack"))["seq"] == 1
