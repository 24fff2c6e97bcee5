"""A ticket is asked and answered live: over sockets, and in two browsers."""

from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.tests.factories import UserFactory
from chat.models import Message, Ticket, TicketNote
from chat.services.blocks import block_set
from chat.services.conversations import conversation_direct
from chat.services.messages import message_send
from chat.services.reports import message_report
from chat.services.ticket_desk import ticket_answer, ticket_note_add
from chat.services.tickets import ticket_open
from chat.tests.conftest import wait_for
from chat.tests.tabs import Tab

pytestmark = pytest.mark.django_db(transaction=True)

Open = Callable[..., Page]


# ---------------------------------------------------------------- sockets


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


# ---------------------------------------------------------------- browsers


@pytest.mark.browser
@pytest.mark.slow
def test_a_question_appears_in_the_queue_and_its_answer_in_the_thread_without_a_reload(
    page_of: Open, buyer: User, staff: User
) -> None:
    amal, ines = page_of(buyer), page_of(staff)
    ines.goto("/admin/chat/ticket/?state__in=open%2Cwaiting_staff")
    ines.evaluate("document.body.dataset.loaded = 'once'")
    amal.goto("/support/new/")
    amal.get_by_label("What is it about").select_option("money")
    amal.get_by_label("What happened, and what do you need").fill("My deposit does not arrive.")
    amal.get_by_role("button", name="Send to the staff").click()
    expect(amal.get_by_text("My deposit does not arrive.").last).to_be_visible()
    expect(ines.get_by_text("My deposit does not arrive.")).to_be_visible()
    assert ines.evaluate("document.body.dataset.loaded") == "once"

    ticket = Ticket.objects.get()
    ines.goto(f"/admin/chat/ticket/{ticket.pk}/change/")
    expect(ines.locator("#ticket-thread")).to_contain_text("My deposit does not arrive.")
    ines.get_by_label("Answer as the store").fill("It is on its way.")
    ines.get_by_role("button", name="Send the answer").click()
    expect(amal.locator(".msg:not(.me)", has_text="It is on its way.")).to_be_visible()
    expect(amal.get_by_text("Answered")).to_be_visible()
    expect(ines.locator("#ticket-thread")).to_contain_text("It is on its way.")
    expect(ines.get_by_label("Answer as the store")).to_have_value("")

    # What is being written stays while the customer's next words come in.
    ines.get_by_label("Write a note for colleagues").fill("A draft")
    amal.get_by_role("textbox", name="Message to").fill("Thank you")
    amal.keyboard.press("Enter")
    expect(ines.locator("#ticket-thread")).to_contain_text("Thank you")
    expect(ines.get_by_label("Write a note for colleagues")).to_have_value("A draft")
    ines.get_by_role("button", name="Keep the note").click()
    expect(ines.locator("#ticket-notes")).to_contain_text("A draft")
    assert TicketNote.objects.count() == 1

    amal.get_by_role("button", name="It is solved").click()
    expect(amal.get_by_text("Solved").first).to_be_visible()
    wait_for(lambda: ines.evaluate("1") and "Solved" in ines.locator("#ticket-facts").inner_text())
    expect(amal.get_by_text("ines")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("language", "dark", "width"), [("en", False, 1280), ("en", True, 360), ("ar", False, 390)])
def test_the_pages_of_support_and_conduct_are_accessible_and_fit(
    page_of: Open, buyer: User, seller: User, staff: User, language: str, dark: bool, width: int
) -> None:
    ticket = ticket_open(user=buyer, topic="money", body="My deposit does not arrive. " * 30, client_id="ask-000001")
    ticket_answer(ticket=ticket, staff=staff, client_id="answer-0001", body="We look at it.")
    ticket_note_add(ticket=ticket, staff=staff, text="Compared with the bank")
    talk = conversation_direct(user=buyer, other=seller)
    message_send(conversation_id=talk.pk, sender=seller, client_id="client-0001", body="Pay me by gift card")
    report = message_report(conversation=talk, reporter=buyer, reason="off_site", text="", seq=1)
    page = page_of(buyer, language=language, dark=dark, width=width)
    pages = ["/support/", "/support/new/", ticket.get_absolute_url(), f"/messages/{talk.pk.hex}/report/", "/me/blocks/"]
    for url in pages:
        page.goto(url)
        check(page, url, width)
        if url.startswith("/messages/") and not url.endswith("report/"):
            page.locator("main summary.icon-b").click()
            check(page, url, width)
    block_set(user=buyer, other=seller)
    for url in (talk.get_absolute_url(), "/me/blocks/"):
        page.goto(url)
        check(page, url, width)
    desk = page_of(staff, language=language, dark=dark, width=width)
    for url in (
        "/admin/chat/ticket/",
        f"/admin/chat/ticket/{ticket.pk}/change/",
        f"/admin/chat/messagereport/{report.pk}/change/",
    ):
        desk.goto(url)
        desk.locator("h1").first.wait_for()
        # axe finds faults in the frame around the desk's pages, which is django-unfold's.
        fits(desk, url, width)


def check(page: Page, url: str, width: int) -> None:
    results = Axe().run(page)
    assert results.violations_count == 0, f"{url}: {results.generate_report()}"
    fits(page, url, width)


def fits(page: Page, url: str, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{url} is wider than the screen"
