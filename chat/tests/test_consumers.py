import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import DatabaseError
from django.test import Client

from accounts.models import User
from accounts.services import user_suspend
from accountsstore.db import atomic
from accountsstore.events import ALL_GROUP, DepositChanged, WalletChanged, staff_group, user_group
from accountsstore.layer import ClusterChannelLayer
from accountsstore.outbox import publish
from accountsstore.realtime import group_send
from accountsstore.tests.layer.conftest import until
from chat import consumers, socket_work
from chat.frames import Resync
from chat.models import Conversation, Message, Participant
from chat.presence import presence
from chat.services.blocks import block_set
from chat.services.changes import message_delete, message_edit
from chat.services.conversations import conversation_for_order
from chat.services.messages import message_send, system_message
from chat.services.tickets import ticket_open
from chat.tests.factories import OrderFactory
from chat.tests.tabs import Tab
from uploads.models import StoredFile
from uploads.tests.factories import stored_file

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))


async def in_thread(work: Any, *args: Any, **kwargs: Any) -> Any:
    """As a page view or a job runs it: outside the event loop."""
    return await sync_to_async(work)(*args, **kwargs)


async def say(tab: Tab, talk: Conversation, body: str, client_id: str) -> None:
    await tab.say("message.send", conversation=talk.pk.hex, client_id=client_id, body=body)


# ---------------------------------------------------------------- coming in


async def test_a_visitor_is_told_to_sign_in_by_a_close_code(db: None) -> None:
    tab = Tab(None)
    await tab.open()
    assert tab.accepted
    assert await tab.closes() == 4401


async def test_a_page_of_another_site_is_refused(buyer: User) -> None:
    tab = Tab(buyer, origin="https://elsewhere.example")
    await tab.open()
    assert not tab.accepted


async def test_who_was_suspended_before_is_not_let_in(buyer: User) -> None:
    tab = Tab(buyer)
    tab.session_key = await in_thread(tab._sign_in)
    await User.objects.filter(pk=buyer.pk).aupdate(status=User.Status.SUSPENDED)
    tab._sign_in = lambda: tab.session_key  # type: ignore[method-assign]
    await tab.open()
    assert await tab.closes() == 4401


# ---------------------------------------------------------------- what the store says


async def test_an_event_published_by_ordinary_code_reaches_every_tab_of_the_person_and_nobody_else(
    buyer: User, seller: User
) -> None:
    @atomic
    def tell() -> None:
        publish(WalletChanged(user=buyer.pk.hex), to=[buyer.pk])

    async with Tab(buyer) as first, Tab(buyer) as second, Tab(seller) as other:
        await in_thread(tell)
        assert (await first.expect("wallet.changed"))["user"] == buyer.pk.hex
        await second.expect("wallet.changed")
        assert await other.settle() == []


async def test_staff_hear_of_queues_they_may_work_on_and_customers_do_not(staff: User, buyer: User) -> None:
    @atomic
    def tell() -> None:
        event = DepositChanged(deposit="0" * 32, user=buyer.pk.hex, state="submitted")
        publish(event, groups=[staff_group("payments.review_deposit")])

    async with Tab(staff) as desk, Tab(buyer) as page:
        await in_thread(tell)
        assert (await desk.expect("deposit.changed"))["state"] == "submitted"
        assert await page.settle() == []


# ---------------------------------------------------------------- talking


async def test_a_message_reaches_both_sides_and_the_sender_gets_its_number(
    talk: Conversation, buyer: User, seller: User
) -> None:
    async with Tab(buyer) as b, Tab(seller) as s:
        await say(b, talk, "Is the email included?", "client-0001")
        ack = await b.expect("message.ack", client_id="client-0001")
        assert (ack["seq"], ack["conversation"]) == (1, talk.pk.hex)
        got = await s.expect("message.new", seq=1)
        assert (got["body"], got["sender"], got["client_id"]) == (
            "Is the email included?",
            buyer.pk.hex,
            "client-0001",
        )
        assert (await b.expect("message.new"))["seq"] == 1


async def test_a_retry_is_acknowledged_with_the_same_number_and_stores_nothing(talk: Conversation, buyer: User) -> None:
    async with Tab(buyer) as tab:
        for _ in range(3):
            await say(tab, talk, "Hello", "client-0001")
            assert (await tab.expect("message.ack"))["seq"] == 1
    assert await Message.objects.acount() == 1


async def test_receipts_reach_the_other_side(talk: Conversation, buyer: User, seller: User) -> None:
    async with Tab(buyer) as b, Tab(seller) as s:
        await say(b, talk, "Hello", "client-0001")
        await s.expect("message.new")
        await s.say("message.delivered", conversation=talk.pk.hex, seq=1)
        assert (await b.expect("receipt", delivered_seq=1))["read_seq"] == 0
        await s.say("message.read", conversation=talk.pk.hex, seq=1)
        assert (await b.expect("receipt", read_seq=1))["user"] == seller.pk.hex


async def test_typing_reaches_the_other_side_only(talk: Conversation, buyer: User, seller: User) -> None:
    async with Tab(buyer) as b, Tab(seller) as s:
        await b.say("typing", conversation=talk.pk.hex)
        assert (await s.expect("typing"))["user"] == buyer.pk.hex
        assert await b.settle() == []


async def test_a_stranger_gets_nothing_done_in_somebody_elses_conversation(
    talk: Conversation, buyer: User, seller: User, stranger: User
) -> None:
    await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id="client-0001", body="Secret")
    async with Tab(stranger) as tab, Tab(buyer) as b:
        await say(tab, talk, "Let me in", "client-0002")
        refusal = await tab.expect("error", client_id="client-0002")
        assert refusal["code"] == "not_a_member"
        await tab.say("message.read", conversation=talk.pk.hex, seq=1)
        await tab.say("message.delivered", conversation=talk.pk.hex, seq=1)
        await tab.say("typing", conversation=talk.pk.hex)
        await tab.say("resume", since={talk.pk.hex: 0})
        frames = await tab.settle()
        assert {frame["type"] for frame in frames} == {"error"}
        assert "Secret" not in json.dumps(frames)
        assert await b.settle() == []
    assert await Message.objects.acount() == 1


async def test_membership_counts_at_each_send_not_at_the_first(talk: Conversation, buyer: User) -> None:
    async with Tab(buyer) as tab:
        await say(tab, talk, "Hello", "client-0001")
        await tab.expect("message.ack")
        await Participant.objects.filter(user=buyer).adelete()
        await say(tab, talk, "Still here?", "client-0002")
        assert (await tab.expect("error"))["code"] == "not_a_member"


async def test_refusals_come_in_the_language_of_the_page(talk: Conversation, buyer: User) -> None:
    async with Tab(buyer, language="ar") as tab:
        assert socket_work._language({"cookies": {settings.LANGUAGE_COOKIE_NAME: "ar"}, "user": buyer}) == "ar"
        await say(tab, talk, "   ", "client-0001")
        assert (await tab.expect("error"))["code"] == "bad_message"


# ---------------------------------------------------------------- resuming


async def test_what_was_missed_while_away_comes_back_once_and_in_order(
    talk: Conversation, buyer: User, seller: User
) -> None:
    async with Tab(buyer) as tab:
        await say(tab, talk, "one", "client-0001")
        await tab.expect("message.ack")
    for n in range(2, 7):
        await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id=f"client-{n:04}", body=f"m{n}")
    await in_thread(system_message, conversation=talk, note="deliver", key="e1")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 1})
        frames = await tab.settle()
    news = [frame for frame in frames if frame["type"] == "message.new"]
    assert [frame["seq"] for frame in news] == [2, 3, 4, 5, 6, 7]
    assert news[0]["body"] == "m2"
    assert news[-1]["body"] == "Delivered. The check period has started."
    assert frames[-1] == {"type": "resumed", "conversation": talk.pk.hex, "seq": 7, "change": 0}


async def test_resuming_tells_how_far_the_other_is(talk: Conversation, buyer: User, seller: User) -> None:
    async with Tab(buyer) as b, Tab(seller) as s:
        await say(b, talk, "Hello", "client-0001")
        await s.expect("message.new")
        await s.say("message.read", conversation=talk.pk.hex, seq=1)
        await b.expect("receipt", read_seq=1)
        await b.say("resume", since={talk.pk.hex: 1})
        assert (await b.expect("receipt"))["read_seq"] == 1
        await b.expect("resumed", seq=1)


async def test_who_missed_too_much_is_told_to_load_the_page(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_work, "RESUME_LIMIT", 3)
    for n in range(4):
        await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id=f"client-{n:04}", body=f"m{n}")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 0})
        assert await tab.settle() == [{"type": "resync", "conversation": talk.pk.hex}]


async def test_a_hundred_drops_in_the_middle_of_a_talk_lose_and_repeat_nothing(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's part of the promise, in Python: apply the next number, ask again after a jump, forget repeats."""
    monkeypatch.setattr(consumers, "FRAMES_AT_ONCE", 1000)
    known: list[str] = []
    async with Tab(seller) as s:
        for drop in range(100):
            async with Tab(buyer) as b:
                await b.say("resume", since={talk.pk.hex: len(known)})
                await say(s, talk, f"{drop}-a", f"client-{drop:04}-a")
                await s.expect("message.ack")
                while not known or known[-1] != f"{drop}-a":
                    frame = await b.expect("message.new")
                    if frame["seq"] == len(known) + 1:
                        known.append(frame["body"])
                    elif frame["seq"] > len(known) + 1:
                        await b.say("resume", since={talk.pk.hex: len(known)})
            await say(s, talk, f"{drop}-b", f"client-{drop:04}-b")
            await s.expect("message.ack")
    assert known == [f"{drop}-{half}" for drop in range(100) for half in "ab"][:-1]


# ---------------------------------------------------------------- who is here


async def test_who_subscribes_is_told_when_somebody_they_talk_to_comes_and_goes(
    talk: Conversation, buyer: User, seller: User, settings: Any
) -> None:
    settings.PRESENCE_LEASE_SECONDS, settings.PRESENCE_HEARTBEAT_SECONDS = 2, 0.5
    async with Tab(buyer) as b:
        await b.say("subscribe", conversations=[talk.pk.hex])
        assert await b.expect("presence") == {"type": "presence", "user": seller.pk.hex, "online": False}
        async with Tab(seller):
            assert (await b.expect("presence"))["online"] is True
        assert (await b.expect("presence"))["online"] is False
        await b.say("subscribe", conversations=[])
        async with Tab(seller):
            assert await b.settle() == []
    assert not presence()._watched


async def test_nobody_learns_from_a_conversation_of_others_who_is_here(
    talk: Conversation, stranger: User, seller: User
) -> None:
    async with Tab(stranger) as tab, Tab(seller):
        await tab.say("subscribe", conversations=[talk.pk.hex, "0" * 32])
        assert await tab.settle() == []


async def test_who_is_blocked_learns_nothing_of_who_is_here(talk: Conversation, buyer: User, seller: User) -> None:
    await in_thread(block_set, user=seller, other=buyer)
    async with Tab(buyer) as tab, Tab(seller) as other:
        for side in (tab, other):
            await side.say("subscribe", conversations=[talk.pk.hex])
            assert await side.settle() == []


async def test_what_is_said_to_everybody_reaches_every_page(buyer: User, staff: User) -> None:
    async with Tab(buyer) as b, Tab(staff) as s:
        await in_thread(group_send, [ALL_GROUP], {"type": "announcement", "texts": {}})
        for tab in (b, s):
            await tab.expect("announcement")


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


# ---------------------------------------------------------------- edits, deletions, files, warnings


async def test_an_edit_is_acknowledged_and_told_to_both_sides(talk: Conversation, buyer: User, seller: User) -> None:
    async with Tab(buyer) as b, Tab(seller) as s:
        await say(b, talk, "Hello", "client-0001")
        await b.expect("message.ack")
        for _ in range(2):
            await b.say("message.edit", conversation=talk.pk.hex, client_id="client-0001", body="Hello there")
            ack = await b.expect("message.ack", client_id="client-0001")
            assert (ack["seq"], ack["change"]) == (1, 1)
        changed = await s.expect("message.changed")
        assert (changed["seq"], changed["body"], changed["deleted"]) == (1, "Hello there", False)
        await b.say("message.delete", conversation=talk.pk.hex, client_id="client-0001")
        await b.expect("message.ack", change=2)
        assert (await s.expect("message.changed"))["deleted"] is True
        await b.say("message.edit", conversation=talk.pk.hex, client_id="client-0001", body="Back")
        assert (await b.expect("error", client_id="client-0001"))["code"] == "message_deleted"


async def test_who_was_away_learns_of_edits_and_deletions_once(talk: Conversation, buyer: User, seller: User) -> None:
    for n in range(3):
        await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id=f"client-{n:04}", body=f"m{n}")
    change = {"conversation": talk, "sender": seller}
    await in_thread(message_edit, **change, client_id="client-0000", body="m0, changed")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 2}, changes={talk.pk.hex: 0})
        frames = await tab.settle()
        assert [frame["seq"] for frame in frames if frame["type"] == "message.new"] == [3]
        assert [(f["seq"], f["body"]) for f in frames if f["type"] == "message.changed"] == [(1, "m0, changed")]
        assert frames[-1] == {"type": "resumed", "conversation": talk.pk.hex, "seq": 3, "change": 1}
    await in_thread(message_edit, **change, client_id="client-0000", body="m0, again")
    await in_thread(message_delete, **change, client_id="client-0000")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 3}, changes={talk.pk.hex: 1})
        changed = [frame for frame in await tab.settle() if frame["type"] == "message.changed"]
        assert [(frame["seq"], frame["change"], frame["deleted"], frame["body"]) for frame in changed] == [
            (1, 3, True, "")
        ]
        await tab.say("resume", since={talk.pk.hex: 0}, changes={talk.pk.hex: 3})
        frames = await tab.settle()
        assert next((f["seq"], f["deleted"]) for f in frames if f["type"] == "message.new") == (1, True)
        assert not [frame for frame in frames if frame["type"] == "message.changed"]


async def test_who_missed_too_many_changes_is_told_to_load_the_page(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_work, "RESUME_LIMIT", 2)
    await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id="client-0001", body="m")
    for n in range(3):
        await in_thread(message_edit, conversation=talk, sender=seller, client_id="client-0001", body=f"m{n}")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 1}, changes={talk.pk.hex: 0})
        assert await tab.settle() == [{"type": "resync", "conversation": talk.pk.hex}]


async def test_contact_details_are_warned_of_and_sent_when_confirmed(talk: Conversation, buyer: User) -> None:
    said = {"conversation": talk.pk.hex, "client_id": "client-0001", "body": "Write to sam@mailbox.example"}
    async with Tab(buyer) as tab:
        await tab.say("message.send", **said)
        warning = await tab.expect("message.warning", client_id="client-0001")
        assert "escrow" in warning["detail"]
        assert await Message.objects.acount() == 0
        await tab.say("message.send", **said, confirmed=True)
        await tab.expect("message.ack", client_id="client-0001")
        await tab.say("message.edit", **{**said, "body": "Call me on 0505550123"})
        await tab.expect("message.warning", client_id="client-0001")


async def test_support_is_told_contact_details_without_a_warning(buyer: User) -> None:
    ticket = await in_thread(
        ticket_open, user=buyer, topic="money", body="Where is my deposit?", client_id="ask-000001"
    )
    async with Tab(buyer) as tab:
        await say(tab, ticket.conversation, "Call me on 0505550123", "client-0001")
        await tab.expect("message.ack")


async def test_files_reach_the_other_side_with_the_message(talk: Conversation, buyer: User, seller: User) -> None:
    file = await in_thread(stored_file, buyer, StoredFile.Purpose.CHAT)
    async with Tab(buyer) as b, Tab(seller) as s:
        message = {"conversation": talk.pk.hex, "body": "", "files": [file.pk.hex]}
        await b.say("message.send", **message, client_id="client-0001")
        await b.expect("message.ack")
        assert (await s.expect("message.new"))["files"][0]["id"] == file.pk.hex
        await b.say("message.send", **message, client_id="client-0002")
        assert (await b.expect("error", client_id="client-0002"))["code"] == "file_taken"
