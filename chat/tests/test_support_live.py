"""A ticket is asked and answered live, over sockets."""

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from accounts.tests.factories import UserFactory
from chat.models import Message
from chat.services.blocks import block_set
from chat.services.conversations import conversation_direct
from chat.services.ticket_desk import ticket_answer, ticket_note_add
from chat.services.tickets import ticket_open
from chat.tests.tabs import Tab

pytestmark = pytest.mark.django_db(transaction=True)


async def test_agents_hear_of_a_ticket_and_the_customer_of_the_answer_and_nobody_else(
    staff: User, buyer: User, stranger: User
) -> None:
    other_staff = await sync_to_async(UserFactory)(is_staff=True)
    async with Tab(staff) as agent, Tab(buyer) as page, Tab(stranger) as elsewhere, Tab(other_staff) as other:
        ticket = await sync_to_async(ticket_open)(user=buyer, topic="other", body="Help", client_id="ask-000001")
        assert (await agent.expect("ticket.changed"))["number"] == ticket.number
        await page.expect("ticket.changed", happening="open")
        await sync_to_async(ticket_answer)(ticket=ticket, staff=staff, client_id="answer-0001", body="Yes")
        got = await page.expect("message.new", seq=2)
        assert (got["body"], got["sender"], got["client_id"]) == ("Yes", "", "")
        await agent.expect("ticket.changed", happening="answer")
        # The customer goes on over the socket, and the staff see that it is their turn.
        await page.say("message.send", conversation=ticket.conversation_id.hex, client_id="client-0001", body="Thanks")
        await page.expect("message.ack")
        assert (await agent.expect("ticket.changed", happening="write"))["state"] == "waiting_staff"
        await sync_to_async(ticket_note_add)(ticket=ticket, staff=staff, text="Internal")
        await agent.expect("ticket.changed", happening="note")
        assert not [frame for frame in await page.settle() if frame.get("happening") == "note"]
        assert await elsewhere.settle() == []
        assert await other.settle() == []


async def test_what_was_missed_of_a_ticket_comes_with_resume_and_names_the_store(staff: User, buyer: User) -> None:
    ticket = await sync_to_async(ticket_open)(user=buyer, topic="other", body="Help", client_id="ask-000001")
    await sync_to_async(ticket_answer)(ticket=ticket, staff=staff, client_id="answer-0001", body="Yes")
    async with Tab(buyer) as page:
        await page.say("resume", since={ticket.conversation_id.hex: 1})
        got = await page.expect("message.new", seq=2)
        assert (got["sender"], got["client_id"]) == ("", "")
        assert staff.pk.hex not in str(got)


async def test_the_blocked_are_refused_over_the_socket_and_their_typing_is_not_passed_on(
    buyer: User, seller: User
) -> None:
    talk = await sync_to_async(conversation_direct)(user=buyer, other=seller)
    await sync_to_async(block_set)(user=buyer, other=seller)
    async with Tab(seller) as blocked, Tab(buyer) as blocker:
        await blocked.say("message.send", conversation=talk.pk.hex, client_id="client-0001", body="Hello?")
        assert (await blocked.expect("error"))["code"] == "blocked"
        await blocked.say("typing", conversation=talk.pk.hex)
        await blocked.settle()
        assert await blocker.settle() == []
    assert not await Message.objects.aexists()
