"""A ticket is asked and answered in two browsers; the pages of support and conduct as they look."""

import dataclasses
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from chat.models import Ticket, TicketNote
from chat.services.blocks import block_set
from chat.services.conversations import conversation_direct
from chat.services.messages import message_send
from chat.services.reports import message_report
from chat.services.ticket_desk import ticket_answer, ticket_note_add
from chat.services.tickets import ticket_open
from chat.tests.conftest import wait_for
from chat.tests.looks import LOOKS, Look, fits, is_accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

Open = Callable[..., Page]


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


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_pages_of_support_and_conduct_are_accessible_and_fit(
    page_of: Open, buyer: User, seller: User, staff: User, look: Look
) -> None:
    ticket = ticket_open(user=buyer, topic="money", body="My deposit does not arrive. " * 30, client_id="ask-000001")
    ticket_answer(ticket=ticket, staff=staff, client_id="answer-0001", body="We look at it.")
    ticket_note_add(ticket=ticket, staff=staff, text="Compared with the bank")
    talk = conversation_direct(user=buyer, other=seller)
    message_send(conversation_id=talk.pk, sender=seller, client_id="client-0001", body="Pay me by gift card")
    report = message_report(conversation=talk, reporter=buyer, reason="off_site", text="", seq=1)
    page = page_of(buyer, **dataclasses.asdict(look))
    pages = ["/support/", "/support/new/", ticket.get_absolute_url(), f"/messages/{talk.pk.hex}/report/", "/me/blocks/"]
    for url in pages:
        page.goto(url)
        is_accessible(page)
        if url.startswith("/messages/") and not url.endswith("report/"):
            page.locator("main summary.icon-b").click()
            is_accessible(page)
    block_set(user=buyer, other=seller)
    for url in (talk.get_absolute_url(), "/me/blocks/"):
        page.goto(url)
        is_accessible(page)
    desk = page_of(staff, **dataclasses.asdict(look))
    for url in (
        "/admin/chat/ticket/",
        f"/admin/chat/ticket/{ticket.pk}/change/",
        f"/admin/chat/messagereport/{report.pk}/change/",
    ):
        desk.goto(url)
        desk.locator("h1").first.wait_for()
        # axe finds faults in the frame around the desk's pages, which is django-unfold's.
        fits(desk)
