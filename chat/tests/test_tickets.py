import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.errors import OwnCase
from accounts.models import AuditEvent, User
from accounts.tests.factories import StaffFactory
from accountsstore import clock
from accountsstore.errors import NotAllowed, StoreError
from accountsstore.models import OutboxEvent, OutboxMail
from chat.errors import BadMessage, ConversationLocked, TicketConflict, TooManyTickets
from chat.models import Conversation, Message, Notification, Participant, Ticket, TicketNote
from chat.services.messages import message_send
from chat.services.missed import missed_messages_mail
from chat.services.receipts import message_read
from chat.services.ticket_desk import (
    ticket_answer,
    ticket_assign,
    ticket_claim,
    ticket_note_add,
    ticket_priority_set,
    ticket_release,
    ticket_reopen,
    ticket_resolve,
)
from chat.services.tickets import ticket_open, ticket_solve, tickets_tick
from chat.tests.factories import OrderFactory
from chat.tests.test_messages import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.stack]

S = Ticket.State


@pytest.fixture
def ticket(buyer: User) -> Ticket:
    return ask(buyer)


def ask(user: User, number: int = 0, body: str = "My deposit does not arrive.", **more: Any) -> Ticket:
    return ticket_open(user=user, topic="money", body=body, client_id=f"ask-{number:06}", **more)


def answer(ticket: Ticket, staff: User, body: str = "We look at it.", number: int = 0) -> Message:
    return ticket_answer(ticket=ticket, staff=staff, client_id=f"answer-{number:04}", body=body)


def write(ticket: Ticket, body: str = "Thanks", number: int = 1) -> Message:
    return message_send(
        conversation_id=ticket.conversation.pk, sender=ticket.user, client_id=f"client-{number:04}", body=body
    )


def fresh(ticket: Ticket) -> Ticket:
    return Ticket.objects.get(pk=ticket.pk)


def happenings() -> list[str]:
    rows = OutboxEvent.objects.filter(topic="ticket.changed").order_by("created_at", "pk")
    return [row.payload["happening"] for row in rows]


def later(days: float) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(days=days)


# ---------------------------------------------------------------- asking


def test_a_question_is_a_ticket_with_a_conversation_and_staff_hear_of_it(ticket: Ticket, buyer: User) -> None:
    assert (ticket.state, ticket.priority, ticket.gist) == (S.OPEN, 2, "My deposit does not arrive.")
    assert ticket.number.startswith("TK-")
    assert list(Message.objects.values_list("conversation", "body")) == [
        (ticket.conversation_id, "My deposit does not arrive.")
    ]
    event = OutboxEvent.objects.get(topic="ticket.changed")
    assert event.payload["happening"] == "open"
    assert set(event.groups) == {f"user.{buyer.pk.hex}", "staff.chat.answer_ticket"}
    due = ticket.created_at + datetime.timedelta(hours=settings.TICKET_REPLY_HOURS)
    assert ticket.reply_due_at
    assert abs(ticket.reply_due_at - due) < datetime.timedelta(seconds=5)


def test_the_form_sent_twice_asks_once(buyer: User, stranger: User) -> None:
    assert ask(buyer).pk == ask(buyer, body="Changed").pk
    assert ask(stranger).pk != ask(buyer).pk
    assert (Ticket.objects.count(), Message.objects.count()) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_eight_threads_that_send_one_form_open_one_ticket_and_eight_forms_get_eight_numbers(
    buyer: User, settings: Any
) -> None:
    settings.TICKETS_PER_DAY = 100
    assert set(at_once(lambda _: ask(buyer).number, 8)) == {Ticket.objects.get().number}
    assert Conversation.objects.count() == Message.objects.count() == 1
    numbers = at_once(lambda n: ask(buyer, n + 1).number, 8)
    assert len(set(numbers)) == 8
    assert all(number.startswith("TK-") for number in numbers)


def test_a_ticket_is_about_an_order_of_ones_own_only(buyer: User, seller: User, stranger: User) -> None:
    order = OrderFactory(buyer=buyer, seller=seller)
    assert ask(buyer, order=order).order == order
    assert ask(seller, order=order).order == order
    with pytest.raises(NotAllowed):
        ask(stranger, order=order)


@pytest.mark.parametrize(
    ("topic", "body", "field"), [("bribe", "x", "topic"), ("money", " \n", "body"), ("money", "x" * 4001, "body")]
)
def test_a_faulty_question_opens_nothing(buyer: User, topic: str, body: str, field: str) -> None:
    with pytest.raises(StoreError) as refused:
        ticket_open(user=buyer, topic=topic, body=body, client_id="ask-000001")
    assert refused.value.field == field
    with pytest.raises(BadMessage):
        ticket_open(user=buyer, topic="money", body="x", client_id="!")
    assert not Ticket.objects.exists() and not Conversation.objects.exists()


def test_a_person_opens_so_many_tickets_in_a_day(buyer: User, settings: Any) -> None:
    settings.TICKETS_PER_DAY = 2
    ask(buyer, 1)
    ask(buyer, 2)
    with pytest.raises(TooManyTickets):
        ask(buyer, 3)
    assert ask(buyer, 2).gist  # a repeat is no new one


@pytest.mark.django_db(transaction=True)
def test_forms_sent_at_one_moment_open_no_more_tickets_than_the_day_allows(
    buyer: User, stranger: User, settings: Any
) -> None:
    settings.TICKETS_PER_DAY = 3
    answers = at_once(lambda number: ask(buyer, number), 8)
    assert sorted(type(answer).__name__ for answer in answers) == ["Ticket"] * 3 + ["TooManyTickets"] * 5
    assert Ticket.objects.count() == Conversation.objects.count() == Message.objects.count() == 3
    assert ask(stranger).pk
    # The next day is another.
    for talk in Conversation.objects.filter(participants__user=buyer):
        talk.subject = talk.subject.replace(timezone.now().date().isoformat(), "2020-01-01")
        talk.save()
    assert ask(buyer, 9).pk


# ---------------------------------------------------------------- answering


def test_an_answer_is_the_stores_and_names_no_member_of_staff(ticket: Ticket, staff: User, buyer: User) -> None:
    message = answer(ticket, staff)
    assert (message.sender, message.seq, message.author_id) == (None, 2, staff.pk)
    event = OutboxEvent.objects.get(topic="message.new", payload__seq=2)
    assert (event.payload["sender"], event.payload["sender_name"]) == ("", settings.STORE_NAME)
    assert event.groups == [f"user.{buyer.pk.hex}"]
    told = str(event.payload) + str([row.payload for row in OutboxEvent.objects.filter(topic="ticket.changed")])
    for secret in (staff.pk.hex, staff.username, staff.email, staff.name):
        assert secret not in told
    now = fresh(ticket)
    assert (now.state, now.assignee, now.reply_due_at) == (S.WAITING_USER, staff, None)
    assert now.first_replied_at == Message.objects.get(seq=2).created_at


def test_the_turn_goes_back_and_forth_and_the_first_answer_is_measured_once(ticket: Ticket, staff: User) -> None:
    answer(ticket, staff)
    first = fresh(ticket).first_replied_at
    write(ticket)
    now = fresh(ticket)
    assert (now.state, now.assignee) == (S.WAITING_STAFF, staff)
    assert now.reply_due_at
    answer(ticket, staff, number=2)
    answer(ticket, staff, "One more thing", number=3)
    now = fresh(ticket)
    assert (now.state, now.reply_due_at, now.first_replied_at) == (S.WAITING_USER, None, first)
    assert happenings() == ["open", "answer", "write", "answer", "write"]


def test_an_answer_sent_twice_is_stored_once(ticket: Ticket, staff: User) -> None:
    assert answer(ticket, staff).pk == answer(ticket, staff, "again").pk
    assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_answer_from_six_threads_at_once_is_stored_once(ticket: Ticket, staff: User) -> None:
    assert len(set(at_once(lambda _: answer(ticket, staff).pk, 6))) == 1
    assert Message.objects.count() == 2
    assert Conversation.objects.get().last_seq == 2


def test_who_may_not_answer_does_nothing(ticket: Ticket, buyer: User, stranger: User, staff: User) -> None:
    with pytest.raises(NotAllowed):
        answer(ticket, stranger)
    own = ask(staff)
    with pytest.raises(OwnCase):
        answer(own, staff)
    with pytest.raises(OwnCase):
        ticket_claim(ticket=own, staff=staff)
    with pytest.raises(NotAllowed):
        ticket_note_add(ticket=ticket, staff=buyer, text="x")
    assert Message.objects.count() == 2


# ---------------------------------------------------------------- who holds it


@pytest.mark.django_db(transaction=True)
def test_of_six_who_claim_at_once_one_holds_it(ticket: Ticket) -> None:
    agents = [StaffFactory() for _ in range(6)]
    results = at_once(lambda n: ticket_claim(ticket=fresh(ticket), staff=agents[n]), 6)
    assert sum(result is None for result in results) == 1
    assert all(isinstance(result, TicketConflict) for result in results if result)
    assert fresh(ticket).assignee == agents[results.index(None)]


@pytest.mark.django_db(transaction=True)
def test_two_who_answer_a_free_ticket_at_once_do_not_both(ticket: Ticket, staff: User, second_staff: User) -> None:
    results = at_once(lambda n: answer(ticket, [staff, second_staff][n]), 2)
    assert sum(isinstance(result, Message) for result in results) == 1
    assert Message.objects.count() == 2
    assert Conversation.objects.get().last_seq == 2


def test_a_held_ticket_is_its_holders_until_it_is_released_or_taken_over(
    ticket: Ticket, staff: User, second_staff: User
) -> None:
    ticket_claim(ticket=ticket, staff=staff)
    ticket_claim(ticket=ticket, staff=staff)
    for work in (ticket_claim, ticket_release, ticket_resolve):
        with pytest.raises(TicketConflict):
            work(ticket=fresh(ticket), staff=second_staff)
    with pytest.raises(TicketConflict, match="ines"):
        answer(ticket, second_staff)
    ticket_release(ticket=fresh(ticket), staff=staff)
    ticket_claim(ticket=fresh(ticket), staff=second_staff)
    ticket_assign(ticket=fresh(ticket), staff=staff, to=staff)
    assert fresh(ticket).assignee == staff
    [row] = AuditEvent.objects.filter(action="ticket.assign")
    assert (row.actor, row.before["held_by"], row.after["held_by"]) == (staff, second_staff.pk.hex, staff.pk.hex)


def test_a_ticket_that_changed_hands_is_not_assigned_from_an_old_page(
    ticket: Ticket, staff: User, second_staff: User, buyer: User
) -> None:
    seen = fresh(ticket)
    ticket_claim(ticket=ticket, staff=second_staff)
    with pytest.raises(TicketConflict):
        ticket_assign(ticket=seen, staff=staff, to=staff)
    with pytest.raises(NotAllowed):
        ticket_assign(ticket=fresh(ticket), staff=staff, to=buyer)
    assert fresh(ticket).assignee == second_staff


# ---------------------------------------------------------------- priority, notes, the end


def test_priority_and_end_leave_audit_rows(ticket: Ticket, staff: User) -> None:
    ticket_priority_set(ticket=ticket, staff=staff, priority=4)
    ticket_priority_set(ticket=ticket, staff=staff, priority=4)
    ticket_resolve(ticket=fresh(ticket), staff=staff)
    ticket_reopen(ticket=fresh(ticket), staff=staff)
    rows = AuditEvent.objects.order_by("created_at", "pk").values_list("action", "subject_text")
    assert list(rows) == [(f"ticket.{deed}", ticket.number) for deed in ("priority", "resolve", "reopen")]
    with pytest.raises(StoreError):
        ticket_priority_set(ticket=ticket, staff=staff, priority=9)


def test_notes_of_staff_are_no_messages(ticket: Ticket, staff: User, buyer: User) -> None:
    ticket_note_add(ticket=ticket, staff=staff, text=" Looks like fraud ")
    assert TicketNote.objects.get().text == "Looks like fraud"
    assert Message.objects.count() == 1
    hint = OutboxEvent.objects.get(payload__happening="note")
    assert hint.groups == ["staff.chat.answer_ticket"]
    assert not OutboxEvent.objects.filter(payload__icontains="fraud").exists()
    with pytest.raises(StoreError):
        ticket_note_add(ticket=ticket, staff=staff, text=" ")


def test_a_solved_ticket_is_opened_again_by_writing(ticket: Ticket, staff: User) -> None:
    ticket_resolve(ticket=ticket, staff=staff, words="It is credited now.")
    with pytest.raises(TicketConflict):
        ticket_resolve(ticket=fresh(ticket), staff=staff, words="It is credited now.")
    now = fresh(ticket)
    assert (now.state, now.is_overdue) == (S.RESOLVED, False)
    assert now.resolved_at
    assert now.first_replied_at
    assert list(Message.objects.order_by("seq").values_list("body", flat=True)) == [
        "My deposit does not arrive.",
        "It is credited now.",
        "ticket_resolve",
    ]
    write(ticket, "No, it is not")
    now = fresh(ticket)
    assert (now.state, now.resolved_at, now.assignee) == (S.WAITING_STAFF, None, staff)
    assert happenings()[-1] == "reopen"


def test_the_customer_marks_it_as_solved_and_nobody_else_does(ticket: Ticket, buyer: User, stranger: User) -> None:
    with pytest.raises(NotAllowed):
        ticket_solve(ticket=ticket, user=stranger)
    ticket_solve(ticket=ticket, user=buyer)
    ticket_solve(ticket=ticket, user=buyer)
    assert fresh(ticket).state == S.RESOLVED
    assert happenings() == ["open", "solve"]
    assert Message.objects.filter(kind="system").count() == 1


def test_a_solved_ticket_is_closed_after_some_days_and_then_nothing_is_written(
    ticket: Ticket, staff: User, buyer: User
) -> None:
    ticket_solve(ticket=ticket, user=buyer)
    assert tickets_tick(later(settings.TICKET_REOPEN_DAYS - 0.1)) == 0
    assert tickets_tick(later(settings.TICKET_REOPEN_DAYS + 0.1)) == 1
    assert tickets_tick(later(settings.TICKET_REOPEN_DAYS + 0.1)) == 0
    assert fresh(ticket).state == S.CLOSED
    with pytest.raises(ConversationLocked):
        write(ticket)
    with pytest.raises(TicketConflict):
        answer(ticket, staff)
    assert Message.objects.filter(kind="text").count() == 1
    ticket_reopen(ticket=fresh(ticket), staff=staff)
    write(ticket)
    assert fresh(ticket).state == S.WAITING_STAFF


@pytest.mark.django_db(transaction=True)
def test_who_writes_while_the_clock_closes_is_heard_or_told(buyer: User, staff: User) -> None:
    for number in range(5):
        ticket = ask(buyer, number)
        ticket_solve(ticket=ticket, user=buyer)
        at = later(settings.TICKET_REOPEN_DAYS + 1)
        work = [lambda t=ticket: write(t), lambda at=at: tickets_tick(at), lambda at=at: tickets_tick(at)]
        results = at_once(lambda n, work=work: work[n](), 3)
        state = fresh(ticket).state
        if isinstance(results[0], Message):
            assert state == S.WAITING_STAFF
            assert not Conversation.objects.get(pk=ticket.conversation_id).is_locked
        else:
            assert isinstance(results[0], ConversationLocked)
            assert state == S.CLOSED


def test_the_clock_puts_the_overdue_on_top_once_and_an_answer_takes_them_down(ticket: Ticket, staff: User) -> None:
    assert tickets_tick(later(0)) == 0
    assert clock._parts["tickets"].run(later(2)) == 1
    assert tickets_tick(later(2)) == 0
    assert fresh(ticket).is_overdue
    assert happenings() == ["open", "overdue"]
    answer(ticket, staff)
    assert not fresh(ticket).is_overdue
    assert tickets_tick(later(9)) == 0


# ---------------------------------------------------------------- telling the customer


def test_answers_in_a_row_notify_once_and_mail_once_when_the_customer_is_away(
    ticket: Ticket, staff: User, buyer: User, run_jobs: Callable[[], None]
) -> None:
    answer(ticket, staff, "My words stay in the store", 1)
    answer(ticket, staff, "One more", 2)
    ticket_resolve(ticket=fresh(ticket), staff=staff)
    run_jobs()
    kinds = sorted(Notification.objects.filter(user=buyer).values_list("kind", flat=True))
    assert kinds == ["ticket.answered", "ticket.resolved"]
    assert not OutboxMail.objects.exists()
    assert missed_messages_mail(later(0.1)) == 1
    assert missed_messages_mail(later(1)) == 0
    [mail] = OutboxMail.objects.all()
    assert mail.to == buyer.email
    assert mail.subject.startswith(f"{settings.STORE_NAME} wrote to you")
    assert "My words" not in mail.body_text
    for secret in (staff.username, staff.name, staff.email):
        assert secret not in mail.body_text + mail.body_html


def test_an_answer_that_was_read_is_not_mailed(ticket: Ticket, staff: User, buyer: User) -> None:
    message_read(conversation=ticket.conversation, user=buyer, seq=answer(ticket, staff).seq)
    assert missed_messages_mail(later(0.1)) == 0
    assert Participant.objects.get().mail_due_at is None
