"""Two people talk, in two browsers, over the real socket."""

import dataclasses
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect

from accounts.models import User
from accounts.services import user_suspend
from accountsstore.socket_writer import RESTARTING
from chat.models import Conversation, Message
from chat.services.changes import message_delete, message_edit
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.messages import message_send, system_message
from chat.services.notifications import notification_create
from chat.tests.conftest import wait_for
from chat.tests.factories import OrderFactory
from chat.tests.looks import LOOKS, Look, is_accessible
from payments.models import Order
from uploads.models import StoredFile
from uploads.tests.factories import stored_file
from uploads.tests.samples import drawing, encoded, pdf

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

DROPS = 100
Open = Callable[..., Page]


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller, state="delivered"))


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message to").fill(text)
    page.keyboard.press("Enter")


def lines(page: Page) -> list[str]:
    """The thread as it is read, top to bottom, once the store has taken every line."""
    expect(page.locator("[data-chat-pending] .msg")).to_have_count(0)
    texts: list[str] = page.locator("[data-chat-lines] .msg[data-seq] .bubble").all_inner_texts()
    return [text.split("\n")[-1].split(": ", 1)[-1].strip() for text in texts]


def count(page: Page, name: str) -> Locator:
    return page.locator(f"header [data-count={name}]")


def state(page: Page, text: str) -> Locator:
    return page.locator(".msg.me", has_text=text).locator("[data-state]")


def types_until_seen(field: Locator, page: Page, status: str) -> None:
    """That somebody types is told once in a few seconds, and not at all while that would take long."""

    def seen() -> bool:
        field.fill("")
        field.press_sequentially("Yes")
        try:
            page.get_by_role("status", name=status).wait_for(timeout=4_000)
        except TimeoutError:
            return False
        return True

    wait_for(seen, 60)


def test_messages_appear_in_both_browsers_at_once_and_say_how_far_they_came(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    amal, north = page_of(buyer), page_of(seller)
    amal.goto(talk.get_absolute_url())
    north.goto("/help/")
    write(amal, "Is the email included?")
    expect(state(amal, "Is the email")).to_have_text("Delivered")
    expect(count(north, "messages")).to_have_text("1 new")

    north.goto(talk.get_absolute_url())
    expect(state(amal, "Is the email")).to_have_text("Read")
    expect(amal.get_by_text("Online now")).to_be_visible()
    types_until_seen(north.get_by_role("textbox", name="Message to"), amal, "northpine is typing")
    north.get_by_role("button", name="Send").click()
    expect(amal.locator(".msg:not(.me)", has_text="Yes")).to_be_visible()
    expect(amal.get_by_role("status", name="northpine is typing")).to_be_hidden()

    for page in (amal, north):
        assert lines(page) == ["Is the email included?", "Yes"]
        page.reload()
        assert lines(page) == ["Is the email included?", "Yes"]
    expect(count(amal, "messages")).to_be_hidden()


def test_what_is_written_without_a_connection_is_sent_once_and_in_order_even_after_a_reload(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    amal, north = page_of(buyer), page_of(seller)
    amal.goto(talk.get_absolute_url())
    north.goto(talk.get_absolute_url())
    write(amal, "before")
    expect(state(amal, "before")).to_have_text("Read")

    amal.context.set_offline(True)
    for name in ("first", "second", "third"):
        write(amal, name)
    expect(amal.get_by_text("There is no connection.")).to_be_visible()
    expect(amal.get_by_text("Waiting to send")).to_have_count(3)
    write(north, "while you were away")
    expect(state(north, "while you were away")).to_have_text("Sent")

    amal.context.set_offline(False)
    amal.reload()
    expect(north.locator(".msg:not(.me)", has_text="third")).to_be_visible()
    expect(amal.get_by_text("Waiting to send")).to_have_count(0)
    for page in (amal, north):
        assert lines(page) == ["before", "while you were away", "first", "second", "third"]
    assert Message.objects.count() == 5
    assert amal.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('store.outbox'))") == []


def test_a_lost_acknowledgement_stores_and_shows_the_message_once(
    page_of: Open, talk: Conversation, buyer: User
) -> None:
    """The store takes the message, but the answer never arrives: the client sends it again."""
    amal = page_of(buyer)
    dropped: list[str] = []

    def between(socket: object) -> None:
        server = socket.connect_to_server()  # type: ignore[attr-defined]

        def to_page(text: str) -> None:
            if not dropped and ('"message.ack"' in text or '"message.new"' in text):
                if '"message.ack"' in text:
                    dropped.append(text)
                    socket.close()  # type: ignore[attr-defined]
                return
            socket.send(text)  # type: ignore[attr-defined]

        server.on_message(to_page)

    amal.route_web_socket("**/ws/", between)
    amal.goto(talk.get_absolute_url())
    write(amal, "Once")
    wait_for(lambda: amal.evaluate("1") and dropped)
    expect(state(amal, "Once")).to_have_text("Sent")
    assert lines(amal) == ["Once"]
    assert Message.objects.count() == 1


def test_a_hundred_drops_in_the_middle_of_a_talk_lose_repeat_and_reorder_nothing(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    amal = page_of(buyer)
    sockets: list[object] = []

    def between(socket: object) -> None:
        server = socket.connect_to_server()  # type: ignore[attr-defined]
        server.on_message(lambda text: socket.send(text))  # type: ignore[attr-defined]
        sockets.append(socket)

    amal.route_web_socket("**/ws/", between)
    amal.goto(talk.get_absolute_url())
    for number in range(DROPS):
        write(amal, f"mine {number}")
        message_send(conversation_id=talk.pk, sender=seller, client_id=f"seller-{number:04}", body=f"theirs {number}")
        if sockets:
            sockets[-1].close()  # type: ignore[attr-defined]
            # Reconnect without the wait that protects a real store from everybody at once.
            amal.evaluate("dispatchEvent(new Event('online'))")
        expect(amal.locator(".msg:not(.me)", has_text=f"theirs {number}").last).to_be_visible()
    expect(amal.get_by_text("Waiting to send")).to_have_count(0)
    stored = list(Message.objects.order_by("seq").values_list("body", flat=True))
    assert lines(amal) == stored
    assert [body for body in stored if body.startswith("mine")] == [f"mine {number}" for number in range(DROPS)]
    assert len(stored) == 2 * DROPS


def test_the_list_shows_what_came_before_the_socket_listened_and_while_it_was_away(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    amal = page_of(buyer)
    sockets: list[object] = []

    def say(text: str) -> None:
        message_send(conversation_id=talk.pk, sender=seller, client_id=uuid.uuid4().hex, body=text)

    def between(socket: object) -> None:
        sockets.append(socket)
        say(f"Unheard {len(sockets)}")
        server = socket.connect_to_server()  # type: ignore[attr-defined]
        server.on_message(lambda text: socket.send(text))  # type: ignore[attr-defined]

    say("Read with the page")
    amal.route_web_socket("**/ws/", between)
    amal.goto("/messages/")
    row = amal.locator("[data-list-text]")
    expect(row).to_have_text("Unheard 1")
    expect(amal.locator("[data-list-unread]")).to_contain_text("2")
    sockets[-1].close()  # type: ignore[attr-defined]
    amal.evaluate("dispatchEvent(new Event('online'))")
    expect(row).to_have_text("Unheard 2")
    # The open one stays marked, and counts nothing.
    amal.goto(talk.get_absolute_url())
    sockets[-1].close()  # type: ignore[attr-defined]
    amal.evaluate("dispatchEvent(new Event('online'))")
    expect(amal.locator("[data-conversation] [aria-current=page]")).to_have_count(1)
    expect(amal.locator("[data-list-text]")).to_have_text(f"Unheard {len(sockets)}")
    expect(amal.locator("[data-list-unread]")).to_be_hidden()


def test_a_page_whose_process_stops_comes_back_soon_and_at_a_moment_of_chance(page_of: Open, buyer: User) -> None:
    amal = page_of(buyer)
    sockets: list[object] = []

    def between(socket: object) -> None:
        socket.connect_to_server()  # type: ignore[attr-defined]
        sockets.append(socket)

    amal.add_init_script(
        "Math.random = () => 0.9; const wait = window.setTimeout; window.waits = [];"
        "window.setTimeout = (work, ms) => { window.waits.push(ms); return wait(work, ms); };"
        "addEventListener('store:connection', (event) => { window.up = event.detail.up; });"
    )
    amal.route_web_socket("**/ws/", between)
    amal.goto("/messages/")
    wait_for(lambda: amal.evaluate("window.up === true"))
    sockets[0].close(code=RESTARTING)  # type: ignore[attr-defined]
    # Nine tenths of a second and a half; after any other close, of half a second.
    wait_for(lambda: amal.evaluate("window.waits.includes(1350)"))
    wait_for(lambda: amal.evaluate("window.up === true"))
    assert len(sockets) == 2


def test_a_refused_message_says_why_and_can_be_deleted(page_of: Open, talk: Conversation, buyer: User) -> None:
    amal = page_of(buyer)
    amal.goto(talk.get_absolute_url())
    Conversation.objects.update(is_locked=True)
    write(amal, "Too late")
    expect(amal.get_by_text("Staff have closed this conversation.")).to_be_visible()
    amal.get_by_role("button", name="Delete").click()
    expect(amal.get_by_text("Too late")).to_have_count(0)
    amal.reload()
    expect(amal.get_by_text("Too late")).to_have_count(0)


def test_a_message_is_text_whatever_it_contains(page_of: Open, talk: Conversation, buyer: User, seller: User) -> None:
    amal = page_of(buyer)
    amal.goto(talk.get_absolute_url())
    body = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"
    message_send(conversation_id=talk.pk, sender=seller, client_id="client-0001", body=body)
    expect(amal.locator(".msg:not(.me)", has_text="<b>bold</b>")).to_be_visible()
    assert amal.title() != "owned"
    assert amal.locator("[data-chat-lines] img").count() == 0


def test_earlier_messages_come_in_above_without_a_jump(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    for number in range(120):
        message_send(conversation_id=talk.pk, sender=seller, client_id=f"client-{number:04}", body=f"Number {number}")
    amal = page_of(buyer)
    amal.goto(talk.get_absolute_url())
    first = amal.locator(".msg[data-seq='71']")
    for _ in range(2):
        amal.get_by_role("link", name="Earlier messages").scroll_into_view_if_needed()
        before = first.bounding_box()
        count_before = len(lines(amal))
        amal.get_by_role("link", name="Earlier messages").click()
        wait_for(lambda many=count_before: len(lines(amal)) > many)
        after = first.bounding_box()
        if before and after and count_before == 50:
            # The line that stood at the top stays where it was, less the button that went.
            assert abs(after["y"] - before["y"]) < 80
    assert lines(amal) == [f"Number {number}" for number in range(120)]
    expect(amal.get_by_role("link", name="Earlier messages")).to_have_count(0)
    assert amal.locator("[data-day]").count() == 1


def test_the_conversation_stands_on_the_orders_page_too(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    message_send(conversation_id=talk.pk, sender=seller, client_id="client-0001", body="Delivered")
    amal, north = page_of(buyer), page_of(seller)
    north.goto(talk.get_absolute_url())
    amal.goto(f"/orders/{Order.objects.get().number}/")
    expect(amal.locator(".msg:not(.me)", has_text="Delivered")).to_be_visible()
    write(amal, "It works")
    expect(north.locator(".msg:not(.me)", has_text="It works")).to_be_visible()
    expect(state(amal, "It works")).to_have_text("Read")
    # Who has seen the panel has read what stands in it.
    expect(state(north, "Delivered")).to_have_text("Read")
    assert amal.evaluate("document.documentElement.scrollHeight") < 3000


def test_a_notification_shows_at_once_on_any_page(page_of: Open, buyer: User) -> None:
    amal = page_of(buyer)
    amal.goto("/help/")
    expect(count(amal, "notifications")).to_be_hidden()
    # When the socket is up the page says so itself.
    amal.evaluate(
        "new Promise((done) => document.body.addEventListener('store:pong', done, { once: true })"
        " || setInterval(() => document.body.dispatchEvent("
        "new CustomEvent('store:send', { detail: { type: 'ping' } })), 50))"
    )
    params = {"title": "Knight", "seller": "northpine"}
    notification_create(user=buyer, kind="order.finished", params=params, url="/orders/", dedupe_key="n1")
    expect(amal.get_by_text("Say how it went in a review.")).to_be_visible()
    expect(count(amal, "notifications")).to_have_text("1 new")


def test_a_suspended_person_is_shown_the_door_at_once(
    page_of: Open, talk: Conversation, buyer: User, staff: User
) -> None:
    amal = page_of(buyer)
    amal.goto(talk.get_absolute_url())
    write(amal, "Hello")
    expect(state(amal, "Hello")).to_have_text("Sent")
    user_suspend(user=buyer, staff=staff, reason="Chargeback fraud")
    expect(amal.get_by_text("Chargeback fraud")).to_be_visible(timeout=15_000)
    expect(amal.get_by_role("textbox", name="Message to")).to_have_count(0)


def test_an_edit_and_a_deletion_show_in_both_browsers_and_after_a_drop(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    amal, north = page_of(buyer), page_of(seller)
    amal.goto(talk.get_absolute_url())
    north.goto(talk.get_absolute_url())
    for text in ("Alpha", "Bravo"):
        write(amal, text)
        expect(state(amal, text)).to_have_text("Read")
    # Now it stands in the list beside the thread.
    north.reload()
    amal.locator(".msg.me", has_text="Alpha").get_by_role("link", name="Edit").click()
    amal.get_by_role("textbox", name="Edit message").fill("Alpha, corrected")
    amal.keyboard.press("Enter")
    for page in (amal, north):
        line = page.locator("#m1")
        expect(line.locator(".bubble")).to_contain_text("Alpha, corrected")
        expect(line.get_by_text("edited")).to_be_visible()

    north.context.set_offline(True)
    expect(north.get_by_text("There is no connection.")).to_be_visible()
    amal.locator(".msg.me", has_text="Bravo").get_by_role("link", name="Edit").click()
    amal.get_by_role("button", name="Delete").click()
    expect(amal.locator("#m2 .bubble")).to_contain_text("Message deleted")
    expect(amal.locator("#m2").get_by_role("link", name="Edit")).to_have_count(0)
    north.context.set_offline(False)
    expect(north.locator("#m2 .bubble")).to_contain_text("Message deleted")
    expect(north.locator("[data-list-text]")).to_have_text("Message deleted")
    for page in (amal, north):
        before = lines(page)
        page.reload()
        assert lines(page) == before == ["Alpha, corrected", "Message deleted"]


def test_files_are_uploaded_shown_and_opened_by_the_other_side(
    page_of: Open, talk: Conversation, buyer: User, seller: User, tmp_path: Path
) -> None:
    (tmp_path / "level.jpg").write_bytes(encoded(drawing()))
    (tmp_path / "invoice.pdf").write_bytes(pdf())
    (tmp_path / "setup.exe").write_bytes(b"MZ")
    amal, north = page_of(buyer), page_of(seller)
    amal.goto(talk.get_absolute_url())
    north.goto(talk.get_absolute_url())
    field = amal.get_by_label("Attach files")
    field.set_input_files(tmp_path / "setup.exe")
    expect(amal.get_by_text("setup.exe: This is not a picture.")).to_be_visible()
    field.set_input_files([tmp_path / "level.jpg", tmp_path / "invoice.pdf"])
    rows = amal.locator("[data-attach-rows] > li")
    expect(rows).to_have_count(2)
    expect(rows.locator("progress:visible")).to_have_count(0)
    amal.get_by_role("button", name="Remove this file: invoice.pdf").click()
    expect(rows).to_have_count(1)
    field.set_input_files(tmp_path / "invoice.pdf")
    expect(rows.locator("progress:visible")).to_have_count(0)
    expect(rows).to_have_count(2)
    # Sent before the last one has arrived: it goes when it has.
    field.set_input_files(tmp_path / "level.jpg")
    amal.get_by_role("button", name="Send").click()
    expect(rows).to_have_count(0)
    expect(amal.locator("#m1 [data-files] > *")).to_have_count(3)
    for page in (amal, north):
        picture = page.get_by_role("img", name="Picture: level.jpg").first
        expect(picture).to_be_visible()
        wait_for(lambda seen=picture: seen.evaluate("image => image.complete && image.naturalWidth > 0"))
        # The frame is as wide as what it holds, its two lines aside.
        assert picture.evaluate("image => image.parentElement.offsetWidth - image.offsetWidth") == 2
        with page.expect_download() as download:
            page.get_by_role("link", name="invoice.pdf").click()
        assert download.value.suggested_filename == "invoice.pdf"
        page.reload()
        expect(page.get_by_role("img", name="Picture: level.jpg")).to_have_count(2)


def test_contact_details_are_warned_of_before_they_are_sent(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    amal = page_of(buyer)
    amal.goto(talk.get_absolute_url())
    write(amal, "Write to sam@mailbox.example")
    expect(amal.get_by_text("not protected by escrow")).to_be_visible()
    amal.reload()
    amal.locator("[data-chat-pending]").get_by_role("button", name="Edit").click()
    expect(amal.get_by_role("textbox", name="Message to")).to_have_value("Write to sam@mailbox.example")
    amal.keyboard.press("Enter")
    amal.get_by_role("button", name="Send anyway").click()
    expect(state(amal, "sam@mailbox.example")).to_have_text("Sent")
    assert Message.objects.count() == 1


def test_a_search_leads_to_the_place_in_the_thread(
    page_of: Open, talk: Conversation, buyer: User, seller: User
) -> None:
    for number in range(120):
        body = "The needle" if number == 9 else f"Straw {number}"
        message_send(conversation_id=talk.pk, sender=seller, client_id=f"client-{number:04}", body=body)
    amal = page_of(buyer)
    amal.goto(talk.get_absolute_url())
    amal.get_by_role("link", name="Search this conversation").click()
    amal.get_by_role("searchbox", name="Words of a message").fill("needle")
    amal.keyboard.press("Enter")
    amal.get_by_role("link", name="The needle").click()
    expect(amal.locator("#m10")).to_be_in_viewport()


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_pages_are_accessible_and_fit(
    page_of: Open, talk: Conversation, buyer: User, seller: User, look: Look
) -> None:
    system_message(conversation=talk, note="deliver", key="e1")
    for number, (sender, body) in enumerate([(seller, "Delivered. " * 30), (buyer, "شكرا"), (seller, "x" * 2000)]):
        message_send(conversation_id=talk.pk, sender=sender, client_id=f"client-{number:04}", body=body)
    files = [stored_file(buyer, StoredFile.Purpose.CHAT).pk, stored_file(buyer, StoredFile.Purpose.CHAT, pdf()).pk]
    message_send(conversation_id=talk.pk, sender=buyer, client_id="client-0010", body="", files=files)
    message_send(conversation_id=talk.pk, sender=buyer, client_id="client-0011", body="Wrong")
    message_delete(conversation=talk, sender=buyer, client_id="client-0011")
    message_edit(conversation=talk, sender=buyer, client_id="client-0001", body="شكرا جزيلا")
    other = conversation_direct(user=buyer, other=seller)
    message_send(conversation_id=other.pk, sender=seller, client_id="client-0009", body="A question")
    params = {"title": "T" * 100, "buyer": "Amal", "seller": "northpine", "price_minor": 100, "currency": "USD"}
    notification_create(user=buyer, kind="order.declined", params=params, url="/help/", dedupe_key="n1")
    page = page_of(buyer, **dataclasses.asdict(look))
    search = f"{talk.get_absolute_url()}search/?q=delivered"
    change = f"{talk.get_absolute_url()}mine/client-0001/"
    for url in (
        "/messages/",
        talk.get_absolute_url(),
        search,
        change,
        "/notifications/",
        "/me/notifications/",
        "/messages/?q=nobody",
    ):
        page.goto(url)
        is_accessible(page)
    page.goto(talk.get_absolute_url())
    assert page.evaluate("document.documentElement.scrollHeight") <= 900, "the page scrolls beside the thread"
