"""The pages of tickets, blocks, mutes and reports: the customer's, and the staff's."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.tests.factories import UserFactory
from chat.models import Block, Conversation, Message, MessageReport, Participant, Ticket, TicketNote
from chat.selectors import unread_notifications
from chat.services.blocks import block_set
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.messages import message_send
from chat.services.reports import message_report, report_claim
from chat.services.ticket_desk import ticket_answer, ticket_claim, ticket_note_add, ticket_resolve
from chat.services.tickets import ticket_open
from chat.tests.factories import OrderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client: Client, buyer: User) -> Client:
    """The buyer's browser."""
    client.force_login(buyer)
    return client


@pytest.fixture
def desk(staff: User) -> Client:
    """A browser of staff."""
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def ticket(buyer: User) -> Ticket:
    return ticket_open(user=buyer, topic="money", body="Where is my deposit?", client_id="ask-000001")


def text_of(response: Any) -> str:
    return response.content.decode()


def agent(permission: str) -> User:
    user = UserFactory(is_staff=True)
    app, _, name = permission.partition(".")
    user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=name))
    return user


# ---------------------------------------------------------------- the customer


@pytest.mark.parametrize("name", ["tickets", "ticket_new", "blocks"])
def test_visitors_are_asked_to_sign_in(client: Client, name: str) -> None:
    assert "/account/login/" in client.get(reverse(f"chat:{name}")).url


@pytest.mark.stack
def test_a_question_is_asked_from_an_orders_page_and_stands_in_the_list(
    page: Client, buyer: User, seller: User, stranger: User
) -> None:
    order = OrderFactory(buyer=buyer, seller=seller)
    theirs = OrderFactory(buyer=stranger, seller=seller)
    ask = reverse("chat:ticket_new")
    assert f'href="{ask}?order={order.number}"' in text_of(page.get(order.get_absolute_url()))
    form = page.get(ask, {"order": order.number}).context["form"]
    assert form.initial["order"] == order.number
    assert theirs.number not in str(form)
    fields = {
        "topic": "order",
        "order": order.number,
        "body": "The mount is missing",
        "client_id": form.initial["client_id"],
    }
    first, again = page.post(ask, fields), page.post(ask, fields)
    ticket = Ticket.objects.get()
    assert first.url == again.url == ticket.get_absolute_url()
    assert ticket.order == order
    refused = page.post(ask, fields | {"order": theirs.number, "client_id": "ask-000002"})
    assert refused.status_code == 200
    assert refused.context["form"].errors["order"]
    text = text_of(page.get(reverse("chat:tickets")))
    assert "The mount is missing" in text
    assert ticket.number in text
    assert "New" in text


def test_a_faulty_question_keeps_what_was_written(page: Client) -> None:
    answer = page.post(reverse("chat:ticket_new"), {"topic": "", "body": "Long story", "client_id": "ask-000001"})
    assert "Long story" in text_of(answer)
    assert not Ticket.objects.exists()


@pytest.mark.stack
def test_a_tickets_thread_names_the_store_and_never_who_answered(
    page: Client, ticket: Ticket, buyer: User, staff: User
) -> None:
    User.objects.filter(pk=staff.pk).update(username="secret-agent", display_name="Ines Secretname")
    ticket_answer(ticket=ticket, staff=staff, client_id="answer-0001", body="It arrives today")
    ticket_note_add(ticket=ticket, staff=staff, text="Customer is a known fraudster")
    for url in (ticket.get_absolute_url(), reverse("chat:conversations"), reverse("chat:tickets")):
        text = text_of(page.get(url))
        for secret in ("Secretname", "secret-agent", staff.email, staff.pk.hex, "fraudster"):
            assert secret not in text, url
    text = text_of(page.get(ticket.get_absolute_url()))
    assert "It arrives today" in text
    assert "Answered" in text
    assert "It is solved" in text


@pytest.mark.stack
def test_who_opens_the_thread_has_read_the_notification_of_the_answer(
    page: Client, ticket: Ticket, buyer: User, staff: User, run_jobs: Callable[[], None]
) -> None:
    ticket_answer(ticket=ticket, staff=staff, client_id="answer-0001", body="It arrives today")
    run_jobs()
    assert unread_notifications(buyer) == 1
    page.get(ticket.get_absolute_url())
    assert unread_notifications(buyer) == 0


def test_a_strangers_ticket_does_not_exist(client: Client, ticket: Ticket, stranger: User) -> None:
    client.force_login(stranger)
    assert client.get(ticket.get_absolute_url()).status_code == 404
    assert client.get(reverse("chat:ticket_strip", args=[ticket.number])).status_code == 404
    assert client.post(reverse("chat:ticket_solved", args=[ticket.number])).status_code == 404
    assert ticket.number not in text_of(client.get(reverse("chat:tickets")))


def test_the_customer_marks_a_ticket_as_solved_and_a_closed_one_says_what_to_do(page: Client, ticket: Ticket) -> None:
    assert page.post(reverse("chat:ticket_solved", args=[ticket.number])).url == ticket.get_absolute_url()
    ticket.refresh_from_db()
    assert ticket.state == "resolved"
    Ticket.objects.update(state="closed")
    Conversation.objects.update(is_locked=True)
    text = text_of(page.get(ticket.get_absolute_url()))
    assert "This ticket is closed." in text
    assert "data-chat-form" not in text


@pytest.mark.stack
def test_the_lists_take_no_query_per_ticket(
    page: Client, buyer: User, settings: Any, django_assert_max_num_queries: Any
) -> None:
    settings.TICKETS_PER_DAY = 100
    for n in range(20):
        ticket_open(user=buyer, topic="other", body=f"Question {n}", client_id=f"ask-{n:06}")
    for name in ("tickets", "conversations"):
        with django_assert_max_num_queries(14):
            assert "Question 7" in text_of(page.get(reverse(f"chat:{name}")))


# ---------------------------------------------------------------- mute, block, report


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    talk = conversation_direct(user=buyer, other=seller)
    message_send(conversation_id=talk.pk, sender=seller, client_id="client-0001", body="Pay me by gift card")
    return talk


@pytest.mark.stack
def test_a_conversation_is_muted_and_unmuted(page: Client, talk: Conversation, buyer: User) -> None:
    url = reverse("chat:mute", args=[talk.pk.hex])
    page.post(url, {"muted": "1"})
    assert Participant.objects.get(user=buyer).is_muted
    assert "Mail me again" in text_of(page.get(talk.get_absolute_url()))
    page.post(url, {"muted": "0"})
    assert not Participant.objects.get(user=buyer).is_muted


@pytest.mark.stack
def test_who_is_blocked_reads_why_and_the_blocker_undoes_it_in_the_account(
    page: Client, talk: Conversation, buyer: User, seller: User
) -> None:
    page.post(reverse("chat:block", args=[seller.username]), {"next": talk.get_absolute_url()}, follow=True)
    assert Block.objects.get().blocked == seller
    assert "You have blocked northpine." in text_of(page.get(talk.get_absolute_url()))
    assert "northpine" in text_of(page.get(reverse("chat:blocks")))
    other = Client()
    other.force_login(seller)
    assert "Amal does not want to hear from you outside orders." in text_of(other.get(talk.get_absolute_url()))
    sent = other.post(reverse("chat:conversation_send", args=[talk.pk.hex]), {"body": "x", "client_id": "client-0002"})
    assert sent.status_code == 403
    page.post(reverse("chat:unblock", args=[seller.username]), {"next": "https://evil.example/"})
    assert not Block.objects.exists()
    assert page.post(reverse("chat:block", args=["nobody"])).status_code == 404


def test_an_orders_conversation_stays_open_to_the_blocked(page: Client, buyer: User, seller: User) -> None:
    order = conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))
    block_set(user=buyer, other=seller)
    text = text_of(page.get(order.get_absolute_url()))
    assert "data-chat-form" in text
    assert "Lift the block" in text


def test_a_seller_is_blocked_from_their_page(page: Client, seller: User) -> None:
    text = text_of(page.get(reverse("listings:seller", args=[seller.username])))
    assert reverse("chat:block", args=[seller.username]) in text
    assert "orders have to be finished" in text


@pytest.mark.stack
def test_a_message_is_reported_from_a_list_of_the_newest(
    page: Client, talk: Conversation, buyer: User, stranger: User
) -> None:
    message_send(conversation_id=talk.pk, sender=buyer, client_id="client-0002", body="No thanks")
    url = reverse("chat:report", args=[talk.pk.hex])
    text = text_of(page.get(url, {"seq": "1"}))
    assert "Pay me by gift card" in text
    assert "No thanks" not in text
    sent = page.post(url, {"message": "1", "reason": "off_site", "text": ""})
    assert "Staff have your report" in text_of(sent)
    assert MessageReport.objects.get().body == "Pay me by gift card"
    again = page.post(url, {"message": "1", "reason": "spam", "text": "Again"})
    assert "You have reported this already." in text_of(again)
    assert page.post(url, {"message": "2", "reason": "spam"}).context["form"].errors["message"]
    page.force_login(stranger)
    assert page.get(url).status_code == 404


# ---------------------------------------------------------------- the desk


@pytest.mark.stack
def test_the_queue_shows_the_overdue_first_then_the_urgent_then_the_oldest(desk: Client, settings: Any) -> None:
    made = [ticket_open(user=UserFactory(), topic="other", body=f"T{n}", client_id=f"ask-{n:06}") for n in range(4)]
    Ticket.objects.filter(pk=made[3].pk).update(is_overdue=True)
    Ticket.objects.filter(pk=made[2].pk).update(priority=4)
    answer = desk.get(reverse("admin:chat_ticket_changelist"), {"state__in": "open,waiting_staff"})
    assert [ticket.gist for ticket in answer.context["cl"].result_list] == ["T3", "T2", "T0", "T1"]


@pytest.mark.stack
def test_the_queue_is_narrowed_to_ones_own_and_to_what_nobody_holds(
    desk: Client, ticket: Ticket, staff: User, second_staff: User
) -> None:
    other = ticket_open(user=UserFactory(), topic="other", body="Other", client_id="ask-000009")
    free = ticket_open(user=UserFactory(), topic="other", body="Free", client_id="ask-000009")
    ticket_claim(ticket=ticket, staff=staff)
    ticket_claim(ticket=other, staff=second_staff)
    for holder, found in (("me", ticket), ("others", other), ("nobody", free)):
        answer = desk.get(reverse("admin:chat_ticket_changelist"), {"holder": holder})
        assert list(answer.context["cl"].result_list) == [found]


@pytest.mark.stack
def test_the_queue_takes_no_query_per_ticket(desk: Client, django_assert_max_num_queries: Any) -> None:
    for n in range(15):
        ticket_open(user=UserFactory(), topic="other", body=f"T{n}", client_id=f"ask-{n:06}")
    url = reverse("admin:chat_ticket_changelist")
    desk.get(url)
    with django_assert_max_num_queries(30):
        assert "T7" in text_of(desk.get(url))


@pytest.mark.stack
def test_an_agent_answers_and_notes_on_the_tickets_page(desk: Client, ticket: Ticket, staff: User) -> None:
    url = reverse("admin:chat_ticket_change", args=[ticket.pk])
    assert "Where is my deposit?" in text_of(desk.get(url))
    answer = reverse("admin:chat_ticket_answer", args=[ticket.pk])
    body = {"body": "Today", "client_id": "answer-0001"}
    assert desk.post(answer, body).url == url
    assert desk.post(answer, body, headers={"Accept": "application/json"}).json() == {}
    refused = desk.post(answer, {"body": " ", "client_id": "answer-0002"}, headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json()) == (400, {"detail": "Write something first."})
    desk.post(reverse("admin:chat_ticket_note", args=[ticket.pk]), {"text": "Ask treasury"})
    assert Message.objects.count() == 2
    assert TicketNote.objects.get().text == "Ask treasury"
    text = text_of(desk.get(url))
    for words in ("Today", "ines", "Ask treasury", "after "):
        assert words in text


@pytest.mark.stack
def test_deeds_at_the_desk_go_through_the_services(
    desk: Client, ticket: Ticket, staff: User, second_staff: User
) -> None:
    def do(deed: str, **fields: Any) -> None:
        answer = desk.post(reverse(f"admin:chat_ticket_{deed}", args=[ticket.pk]), {"sent": "1", **fields})
        assert answer.status_code == 302, answer.context["form"].errors

    do("claim")
    do("set_priority", priority="4")
    do("assign", to=second_staff.pk.hex)
    ticket.refresh_from_db()
    assert (ticket.assignee, ticket.priority) == (second_staff, 4)
    do("resolve", words="")  # a colleague holds it
    ticket.refresh_from_db()
    assert ticket.state == "open"
    do("assign", to=staff.pk.hex)
    do("resolve", words="Done")
    ticket.refresh_from_db()
    assert ticket.state == "resolved"
    do("reopen")
    do("release")
    ticket.refresh_from_db()
    assert (ticket.state, ticket.assignee) == ("waiting_staff", None)


def test_the_desk_is_closed_to_other_staff_and_customers(client: Client, ticket: Ticket, buyer: User) -> None:
    for user in (buyer, agent("listings.moderate_listing")):
        client.force_login(user)
        assert client.get(reverse("admin:chat_ticket_changelist")).status_code in (302, 403)
        for name, fields in (
            ("answer", {"body": "x", "client_id": "answer-0001"}),
            ("note", {"text": "x"}),
            ("claim", {}),
        ):
            assert client.post(reverse(f"admin:chat_ticket_{name}", args=[ticket.pk]), fields).status_code in (302, 403)
    assert Message.objects.count() == 1
    ticket.refresh_from_db()
    assert ticket.assignee is None
    client.force_login(agent("chat.answer_ticket"))
    assert client.get(reverse("admin:chat_ticket_change", args=[ticket.pk])).status_code == 200


@pytest.mark.stack
def test_a_report_is_claimed_read_in_its_context_and_decided(
    client: Client, talk: Conversation, buyer: User, seller: User
) -> None:
    for n in range(20):
        message_send(conversation_id=talk.pk, sender=buyer, client_id=f"later-{n:04}", body=f"Afterwards {n}")
    report = message_report(conversation=talk, reporter=buyer, reason="off_site", text="", seq=1)
    moderator = agent("chat.moderate_message")
    client.force_login(moderator)
    assert "Pay me by gift card" in text_of(client.get(reverse("admin:chat_messagereport_change", args=[report.pk])))
    read = reverse("admin:chat_messagereport_read", args=[report.pk])
    unclaimed = client.post(read, {"sent": "1"})
    assert unclaimed.status_code == 302
    assert not AuditEvent.objects.exists()
    client.post(reverse("admin:chat_messagereport_claim", args=[report.pk]), {"sent": "1"})
    context = client.post(read, {"sent": "1"})
    assert "no-store" in context.headers["Cache-Control"]
    assert "Pay me by gift card" in text_of(context)
    assert "Afterwards 3" in text_of(context)
    assert "Afterwards 15" not in text_of(context)
    assert AuditEvent.objects.get().action == "conversation.read"
    client.post(reverse("admin:chat_messagereport_warn", args=[report.pk]), {"reason": "Gift cards"})
    report.refresh_from_db()
    assert (report.state, report.decided_by) == ("warned", moderator)


def test_the_reports_are_closed_to_other_staff(client: Client, talk: Conversation, buyer: User) -> None:
    report = message_report(conversation=talk, reporter=buyer, reason="spam", text="", seq=1)
    client.force_login(agent("chat.answer_ticket"))
    assert client.get(reverse("admin:chat_messagereport_changelist")).status_code == 403
    assert client.post(reverse("admin:chat_messagereport_claim", args=[report.pk])).status_code == 403
    report_claim(report=report, staff=agent("chat.moderate_message"))


def test_a_ticket_that_is_solved_is_no_longer_in_the_queue(desk: Client, ticket: Ticket, staff: User) -> None:
    queue = {"state__in": "open,waiting_staff"}
    assert len(desk.get(reverse("admin:chat_ticket_changelist"), queue).context["cl"].result_list) == 1
    ticket_resolve(ticket=ticket, staff=staff)
    assert not desk.get(reverse("admin:chat_ticket_changelist"), queue).context["cl"].result_list
