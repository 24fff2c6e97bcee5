"""The list of conversations while a page is open, and reporting one message, in a browser."""

from collections.abc import Callable

import pytest
from django.utils import translation
from playwright.sync_api import Page, expect

from accounts.models import User
from chat.models import Conversation
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.messages import message_send
from chat.tests.factories import OrderFactory

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

Open = Callable[..., Page]


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller, state="delivered"))


def send(talk: Conversation, sender: User, number: int, body: str) -> None:
    message_send(conversation_id=talk.pk, sender=sender, client_id=f"client-{number:04}", body=body)


def open_live(page: Page, address: str) -> None:
    """Open the page and wait until it hears what the store says."""
    page.add_init_script(
        "addEventListener('store:connection', (event) => { document.documentElement.dataset.up = event.detail.up; });"
    )
    page.goto(address)
    is_live(page)


def is_live(page: Page) -> None:
    expect(page.locator("html[data-up=true]")).to_be_attached(timeout=30_000)


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("ar", True)])
def test_a_conversation_that_begins_appears_in_the_open_list_with_its_count(
    page_of: Open, buyer: User, seller: User, stranger: User, language: str, dark: bool
) -> None:
    north = page_of(seller, language=language, dark=dark)
    open_live(north, "/messages/")
    empty = north.locator("[data-list-empty]")
    expect(empty).to_be_visible()
    first = conversation_direct(user=stranger, other=seller)
    send(first, stranger, 1, "Is the account still for sale?")
    rows = north.locator("[data-conversation]")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Is the account still for sale?")
    expect(empty).to_have_count(0)
    send(first, stranger, 2, "And does it come with the email?")
    figure = rows.locator("[data-list-unread] [data-figure]")
    expect(figure).to_have_text("2")
    # The frame of a message that the row has counted already, as when it comes after the row, or again.
    again = {"conversation": first.pk.hex, "seq": 2, "sender": stranger.pk.hex, "body": "Again", "files": []}
    north.evaluate(
        "(detail) => document.body.dispatchEvent(new CustomEvent('store:message.new', { detail, bubbles: true }))",
        again | {"at": "2026-01-01T00:00:00Z"},
    )
    expect(figure).to_have_text("2")
    expect(rows).not_to_contain_text("Again")

    # Beside a thread that is open, above it, and the thread stays.
    rows.get_by_role("link").click()
    expect(north.locator("#m2")).to_be_visible()
    is_live(north)
    send(conversation_direct(user=buyer, other=seller), buyer, 1, "Hello")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Amal")
    expect(rows.first.locator("[data-list-unread] [data-figure]")).to_have_text("1")
    with translation.override(language):
        expect(rows.first).to_contain_text(translation.gettext("Direct message"))
    expect(rows.nth(1).locator("[aria-current=page]")).to_have_count(1)


def test_each_message_of_the_other_side_is_reported_by_a_link_of_its_own(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    send(talk, seller, 0, "Pay me outside the store")
    for number in range(1, 12):
        send(talk, seller, number, f"Filler {number}")
    send(talk, buyer, 12, "No")
    amal = page_of(buyer)
    amal.goto(talk.get_absolute_url())
    expect(amal.locator(".msg.me [data-report]")).to_have_count(0)
    link = amal.locator("#m1").get_by_role("link", name="Report")
    expect(link).to_have_css("opacity", "0")
    link.focus()
    expect(link).to_have_css("opacity", "1")
    link.press("Enter")
    expect(amal.get_by_role("radio", name="Pay me outside the store")).to_be_checked()

    open_live(amal, talk.get_absolute_url())
    send(talk, seller, 13, "I know where you live")
    amal.locator("#m14").get_by_role("link", name="Report").click()
    expect(amal.get_by_role("radio", name="I know where you live")).to_be_checked()
