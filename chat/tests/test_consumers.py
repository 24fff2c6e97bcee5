"""The socket of a page: what it is told, and what it may say."""

import json
from typing import Any

import pytest
from django.conf import settings

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.events import ALL_GROUP, DepositChanged, WalletChanged, staff_group
from accountsstore.outbox import publish
from accountsstore.realtime import group_send
from chat import socket_work
from chat.models import Conversation, Message, Participant
from chat.presence import presence
from chat.services.blocks import block_set
from chat.services.messages import message_send
from chat.services.tickets import ticket_open
from chat.tests.tabs import Tab, in_thread, say
from uploads.models import StoredFile
from uploads.tests.factories import stored_file

pytestmark = pytest.mark.django_db(transaction=True)


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
