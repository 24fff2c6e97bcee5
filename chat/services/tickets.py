"""Support tickets. One UPDATE decides each race: who holds a ticket, and what state it is in."""

import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import get_usage

from accounts.errors import OwnCase
from accounts.models import User
from accounts.services import audit_record
from accountsstore import codes
from accountsstore.db import atomic, uuid7
from accountsstore.errors import NotAllowed, StoreError
from chat.errors import BadMessage, TicketConflict, TooManyTickets
from chat.models import Conversation, Message, Participant, Ticket, TicketNote
from chat.services.messages import CLIENT_ID, clean_body, message_send, preview, store_message, system_message
from chat.services.turns import ANSWER, reply_due, ticket_told
from payments.models import Order

S = Ticket.State
BATCH = 200


# ---------------------------------------------------------------- the customer


def ticket_open(*, user: User, topic: str, body: str, client_id: str, order: Order | None = None) -> Ticket:
    """Ask the staff something, about one of one's own orders if `order` is given. `body` as in `message_send`.

    Safe to repeat and to run at once with itself: a person's `client_id` gives the first ticket back. Raises BadMessage,
    NotAllowed (somebody else's order), TooManyTickets, StoreError naming the field. Call it outside a transaction.
    """
    if not CLIENT_ID.fullmatch(client_id):
        raise BadMessage(_("The message has no valid id. Load the page again."))
    if topic not in Ticket.Topic.values:
        raise StoreError(_("Choose what it is about."), field="topic")
    if order and user.pk not in (order.buyer_id, order.seller_id):
        raise NotAllowed
    body = clean_body(body)
    key = f"{user.pk.hex}:{client_id}"
    if first := Ticket.objects.filter(opened_key=key).first():
        return first
    usage = get_usage(
        None, group="ticket", key=lambda group, request: user.pk.hex, rate=f"{settings.TICKETS_PER_DAY}/d", increment=True
    )
    if usage is not None and usage["should_limit"]:
        raise TooManyTickets
    try:
        return _ticket_open(user=user, topic=topic, body=body, client_id=client_id, key=key, order=order)
    except IntegrityError:
        # The form was sent twice at once, and the other one was first.
        first = Ticket.objects.filter(opened_key=key).first()
        if first is None:
            raise
        return first


@atomic
def _ticket_open(*, user: User, topic: str, body: str, client_id: str, key: str, order: Order | None) -> Ticket:
    ticket_id = uuid7()
    number = codes.new_code("TK")
    conversation = Conversation.objects.create(
        kind=Conversation.Kind.TICKET, subject=f"ticket:{ticket_id.hex}", title=number
    )
    Participant.objects.create(conversation=conversation, user=user)
    ticket = Ticket.objects.create(
        id=ticket_id,
        number=number,
        user=user,
        conversation=conversation,
        topic=topic,
        gist=preview(body),
        order=order,
        reply_due_at=reply_due(timezone.now()),
        opened_key=key,
    )
    # Nobody else knows this conversation yet, so the message cannot be a repeat; it tells the staff.
    message_send(conversation=conversation, sender=user, client_id=client_id, body=body)
    return ticket


@atomic
def ticket_solve(*, ticket: Ticket, user: User) -> None:
    """The customer needs no more. Safe to repeat. Raises NotAllowed."""
    if ticket.user_id != user.pk:
        raise NotAllowed
    if _move(ticket, Ticket.RUNNING, S.RESOLVED, resolved_at=timezone.now(), reply_due_at=None, is_overdue=False):
        _note(ticket, "ticket_solve")
        ticket_told(ticket, "solve")


def _move(ticket: Ticket, sources: Any, target: str, **fields: Any) -> bool:
    """Whether this call moved it: it was in one of `sources`. The row is as the database has it now."""
    won = Ticket.objects.filter(pk=ticket.pk, state__in=list(sources)).update(state=target, **fields)
    ticket.refresh_from_db()
    return bool(won)


def _note(ticket: Ticket, note: str) -> None:
    # A key of its own each time: it cannot be a repeat, and a ticket may be solved more than once.
    system_message(conversation=ticket.conversation, note=note, key=uuid7().hex)


# ---------------------------------------------------------------- staff: who holds it


def _require_agent(ticket: Ticket, staff: User) -> None:
    if not staff.has_perm(ANSWER):
        raise NotAllowed
    if ticket.user_id == staff.pk:
        raise OwnCase


def _require_hold(ticket: Ticket, staff: User) -> None:
    """Take the ticket if it is free. One UPDATE decides. Raises TicketConflict if a colleague holds it."""
    _require_agent(ticket, staff)
    if not Ticket.objects.filter(Q(assignee=None) | Q(assignee=staff), pk=ticket.pk).update(assignee=staff):
        raise _held(ticket)


def _held(ticket: Ticket) -> TicketConflict:
    ticket.refresh_from_db()
    if ticket.assignee:
        return TicketConflict(_("%(name)s holds this ticket.") % {"name": ticket.assignee.name})
    return TicketConflict()


@atomic
def ticket_claim(*, ticket: Ticket, staff: User) -> None:
    """Take a ticket that nobody holds. Safe to repeat.

    Raises NotAllowed, OwnCase, TicketConflict (a colleague was faster).
    """
    _require_hold(ticket, staff)
    ticket.refresh_from_db()
    ticket_told(ticket, "claim", customer=False)


@atomic
def ticket_release(*, ticket: Ticket, staff: User) -> None:
    """Give a ticket back to the queue. Raises NotAllowed, TicketConflict when it is not theirs."""
    _require_agent(ticket, staff)
    if not Ticket.objects.filter(pk=ticket.pk, assignee=staff).update(assignee=None):
        raise _held(ticket)
    ticket.refresh_from_db()
    ticket_told(ticket, "release", customer=False)


@atomic
def ticket_assign(*, ticket: Ticket, staff: User, to: User) -> None:
    """Hand a ticket to a colleague, or take it over from one. It counts only while it is held as `ticket` says.

    Raises NotAllowed (either of the two may not answer tickets), OwnCase, TicketConflict (it changed hands).
    """
    _require_agent(ticket, staff)
    _require_agent(ticket, to)
    before = ticket.assignee_id
    if not Ticket.objects.filter(pk=ticket.pk, assignee=before).update(assignee=to):
        raise _held(ticket)
    ticket.refresh_from_db()
    _audit(ticket, staff, "assign", {"held_by": before.hex if before else ""}, {"held_by": to.pk.hex})
    ticket_told(ticket, "claim", customer=False)


def _audit(ticket: Ticket, staff: User, deed: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    audit_record(
        actor=staff,
        action=f"ticket.{deed}",
        subject=f"ticket:{ticket.pk.hex}",
        subject_text=ticket.number,
        before=before,
        after=after,
    )


# ---------------------------------------------------------------- staff: answering


def ticket_answer(*, ticket: Ticket, staff: User, client_id: str, body: str) -> Message:
    """Answer in the name of the store; `body` and `client_id` as in `message_send`. Who answers holds the ticket.

    Safe to repeat. Raises NotAllowed, OwnCase, TicketConflict (a colleague holds it, or it is closed), BadMessage. Call
    it outside a transaction.
    """
    if not CLIENT_ID.fullmatch(client_id):
        raise BadMessage(_("The message has no valid id. Load the page again."))
    body = clean_body(body)
    try:
        return _ticket_answer(ticket=ticket, staff=staff, client_id=client_id, body=body)
    except IntegrityError:
        # The same answer came twice at once, and the other one was first.
        if first := _sent(ticket, staff, client_id):
            return first
        raise


def _sent(ticket: Ticket, staff: User, client_id: str) -> Message | None:
    return Message.objects.filter(
        conversation=ticket.conversation_id, dedupe_key=f"{staff.pk.hex}:{client_id}"
    ).first()


@atomic
def _ticket_answer(*, ticket: Ticket, staff: User, client_id: str, body: str) -> Message:
    if first := _sent(ticket, staff, client_id):
        return first
    _require_hold(ticket, staff)
    # The number first: a message of the customer's comes wholly before this answer, or wholly after it.
    message = store_message(conversation=ticket.conversation, author=staff, client_id=client_id, body=body)
    ticket.refresh_from_db()
    was = ticket.state
    if not _move(
        ticket,
        [*Ticket.RUNNING, S.RESOLVED],
        S.WAITING_USER,
        reply_due_at=None,
        is_overdue=False,
        resolved_at=None,
    ):
        raise TicketConflict(_("This ticket is closed. Open it again before you write."))
    Ticket.objects.filter(pk=ticket.pk, first_replied_at=None).update(first_replied_at=message.created_at)
    # One notification for several answers in a row.
    ticket_told(ticket, "write" if was == S.WAITING_USER else "answer")
    return message


@atomic
def ticket_note_add(*, ticket: Ticket, staff: User, text: str) -> TicketNote:
    """Write something for colleagues, at most 2000 characters. Raises NotAllowed, OwnCase, StoreError."""
    _require_agent(ticket, staff)
    text = text.strip()
    if not text:
        raise StoreError(_("Write something first."), field="text")
    note = TicketNote.objects.create(ticket=ticket, author=staff, text=text[:2000])
    ticket_told(ticket, "note", customer=False)
    return note


@atomic
def ticket_priority_set(*, ticket: Ticket, staff: User, priority: int) -> None:
    """Safe to repeat. Raises NotAllowed, OwnCase, StoreError for a priority that does not exist."""
    _require_agent(ticket, staff)
    if priority not in Ticket.Priority.values:
        raise StoreError(_("Choose a priority."), field="priority")
    before = ticket.priority
    if not Ticket.objects.filter(pk=ticket.pk).exclude(priority=priority).update(priority=priority):
        return
    ticket.refresh_from_db()
    _audit(ticket, staff, "priority", {"priority": before}, {"priority": priority})
    ticket_told(ticket, "priority", customer=False)


def ticket_resolve(*, ticket: Ticket, staff: User, words: str = "", client_id: str = "") -> None:
    """Mark it as solved, after a last answer if there are `words`. The customer opens it again by writing.

    Raises as `ticket_answer`; TicketConflict too when it is solved already. Call it outside a transaction.
    """
    if words.strip():
        ticket_answer(ticket=ticket, staff=staff, client_id=client_id or uuid7().hex, body=words)
    _ticket_resolve(ticket=ticket, staff=staff)


@atomic
def _ticket_resolve(*, ticket: Ticket, staff: User) -> None:
    _require_hold(ticket, staff)
    before = ticket.state
    if not _move(ticket, Ticket.RUNNING, S.RESOLVED, resolved_at=timezone.now(), reply_due_at=None, is_overdue=False):
        raise TicketConflict
    _note(ticket, "ticket_resolve")
    _audit(ticket, staff, "resolve", {"state": str(before)}, {"state": str(ticket.state)})
    ticket_told(ticket, "resolve")


@atomic
def ticket_reopen(*, ticket: Ticket, staff: User) -> None:
    """Take up what was solved or closed again. Raises NotAllowed, OwnCase, TicketConflict (it runs)."""
    _require_hold(ticket, staff)
    before = ticket.state
    due = reply_due(timezone.now())
    if not _move(ticket, [S.RESOLVED, S.CLOSED], S.WAITING_STAFF, resolved_at=None, reply_due_at=due):
        raise TicketConflict
    Conversation.objects.filter(pk=ticket.conversation_id).update(is_locked=False)
    _note(ticket, "ticket_reopen")
    _audit(ticket, staff, "reopen", {"state": str(before)}, {"state": str(ticket.state)})
    ticket_told(ticket, "reopen")


# ---------------------------------------------------------------- the clock


def tickets_tick(now: datetime.datetime) -> int:
    """Put what is overdue on top of the queue, and close what was solved TICKET_REOPEN_DAYS ago.

    Returns how many tickets moved, at most BATCH of each. Safe to repeat and to run twice at once.
    """
    late = Ticket.objects.filter(is_overdue=False, reply_due_at__lte=now).order_by("reply_due_at")[:BATCH]
    old = now - datetime.timedelta(days=settings.TICKET_REOPEN_DAYS)
    done = Ticket.objects.filter(state=S.RESOLVED, resolved_at__lte=old).order_by("resolved_at")[:BATCH]
    moved = sum(_ticket_overdue(ticket=ticket, now=now) for ticket in list(late))
    return moved + sum(_ticket_close(ticket=ticket, old=old) for ticket in list(done))


@atomic
def _ticket_overdue(*, ticket: Ticket, now: datetime.datetime) -> int:
    late = Ticket.objects.filter(pk=ticket.pk, is_overdue=False, reply_due_at__lte=now)
    if not late.update(is_overdue=True):
        return 0
    ticket_told(ticket, "overdue", customer=False)
    return 1


@atomic
def _ticket_close(*, ticket: Ticket, old: datetime.datetime) -> int:
    """A customer who writes at the same moment comes first, and it stays open, or is told that it is closed."""
    if not Ticket.objects.filter(pk=ticket.pk, state=S.RESOLVED, resolved_at__lte=old).update(state=S.CLOSED):
        return 0
    Conversation.objects.filter(pk=ticket.conversation_id).update(is_locked=True)
    ticket.refresh_from_db()
    ticket_told(ticket, "close")
    return 1
