"""Support tickets at the desk: who holds one, answers it and ends it. One UPDATE decides each race."""

from typing import Any

from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.errors import OwnCase
from accounts.models import User
from accounts.services import audit_record
from accountsstore.db import atomic, uuid7
from accountsstore.errors import NotAllowed, StoreError
from chat.errors import BadMessage, TicketConflict
from chat.models import Conversation, Message, Ticket, TicketNote
from chat.services.drafts import CLIENT_ID, clean_body
from chat.services.messages import store_message
from chat.services.tickets import ticket_line, ticket_move
from chat.services.turns import ANSWER, reply_due, ticket_told

S = Ticket.State


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
    return Message.objects.filter(conversation=ticket.conversation_id, dedupe_key=f"{staff.pk.hex}:{client_id}").first()


@atomic
def _ticket_answer(*, ticket: Ticket, staff: User, client_id: str, body: str) -> Message:
    if first := _sent(ticket, staff, client_id):
        return first
    _require_hold(ticket, staff)
    # The number first: a message of the customer's comes wholly before this answer, or wholly after it.
    message = _say(ticket, staff, client_id, body)
    ticket.refresh_from_db()
    was = ticket.state
    if not ticket_move(
        ticket,
        [*Ticket.RUNNING, S.RESOLVED],
        S.WAITING_USER,
        reply_due_at=None,
        is_overdue=False,
        resolved_at=None,
    ):
        raise TicketConflict(_("This ticket is closed. Open it again before you write."))
    # One notification for several answers in a row.
    ticket_told(ticket, "write" if was == S.WAITING_USER else "answer")
    return message


def _say(ticket: Ticket, staff: User, client_id: str, body: str) -> Message:
    """Write it into the conversation, and measure the first answer."""
    message = store_message(conversation=ticket.conversation, author=staff, client_id=client_id, body=body)
    Ticket.objects.filter(pk=ticket.pk, first_replied_at=None).update(first_replied_at=message.created_at)
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


@atomic
def ticket_resolve(*, ticket: Ticket, staff: User, words: str = "") -> None:
    """Mark it as solved, with a last answer if there are `words`. The customer opens it again by writing.

    Raises as `ticket_answer`; TicketConflict too when it is solved already, so that nothing is said twice.
    """
    body = clean_body(words) if words.strip() else ""
    _require_hold(ticket, staff)
    before = ticket.state
    if not ticket_move(
        ticket, Ticket.RUNNING, S.RESOLVED, resolved_at=timezone.now(), reply_due_at=None, is_overdue=False
    ):
        raise TicketConflict
    if body:
        _say(ticket, staff, uuid7().hex, body)
    ticket_line(ticket, "ticket_resolve")
    _audit(ticket, staff, "resolve", {"state": str(before)}, {"state": str(ticket.state)})
    ticket_told(ticket, "resolve")


@atomic
def ticket_reopen(*, ticket: Ticket, staff: User) -> None:
    """Take up what was solved or closed again. Raises NotAllowed, OwnCase, TicketConflict (it runs)."""
    _require_hold(ticket, staff)
    before = ticket.state
    due = reply_due(timezone.now())
    if not ticket_move(ticket, [S.RESOLVED, S.CLOSED], S.WAITING_STAFF, resolved_at=None, reply_due_at=due):
        raise TicketConflict
    Conversation.objects.filter(pk=ticket.conversation_id).update(is_locked=False)
    ticket_line(ticket, "ticket_reopen")
    _audit(ticket, staff, "reopen", {"state": str(before)}, {"state": str(ticket.state)})
    ticket_told(ticket, "reopen")
