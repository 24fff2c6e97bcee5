"""Support tickets, as customers and the clock move them. One UPDATE decides each race."""

import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accountsstore import codes
from accountsstore.db import atomic, uuid7
from accountsstore.errors import NotAllowed, StoreError
from chat.errors import BadMessage, TooManyTickets
from chat.models import Conversation, Participant, Ticket
from chat.services.drafts import CLIENT_ID, clean_body
from chat.services.messages import message_send, preview, system_message
from chat.services.turns import reply_due, ticket_told
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
    # Each try that fails here lost to another ticket of the same person.
    for _try in range(settings.TICKETS_PER_DAY):
        try:
            return _ticket_open(user=user, topic=topic, body=body, client_id=client_id, key=key, order=order)
        except IntegrityError:
            # The form was sent twice at once, and the other one was first; or another form took the place.
            if first := Ticket.objects.filter(opened_key=key).first():
                return first
    raise TooManyTickets


def _place_today(user: User) -> str:
    """A subject among the day's TICKETS_PER_DAY (by UTC) that the person has not used. Subjects are unique: who comes at
    the same moment gets another or none. Raises TooManyTickets."""
    day = f"ticket:{user.pk.hex}:{timezone.now().date().isoformat()}"
    places = [f"{day}:{number}" for number in range(settings.TICKETS_PER_DAY)]
    used = set(Conversation.objects.filter(subject__in=places).values_list("subject", flat=True))
    free = next((place for place in places if place not in used), None)
    if free is None:
        raise TooManyTickets
    return free


@atomic
def _ticket_open(*, user: User, topic: str, body: str, client_id: str, key: str, order: Order | None) -> Ticket:
    number = codes.new_code("TK")
    conversation = Conversation.objects.create(kind=Conversation.Kind.TICKET, subject=_place_today(user), title=number)
    Participant.objects.create(conversation=conversation, user=user)
    ticket = Ticket.objects.create(
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
    message_send(conversation_id=conversation.pk, sender=user, client_id=client_id, body=body)
    return ticket


@atomic
def ticket_solve(*, ticket: Ticket, user: User) -> None:
    """The customer needs no more. Safe to repeat. Raises NotAllowed."""
    if ticket.user_id != user.pk:
        raise NotAllowed
    if ticket_move(ticket, Ticket.RUNNING, S.RESOLVED, resolved_at=timezone.now(), reply_due_at=None, is_overdue=False):
        ticket_line(ticket, "ticket_solve")
        ticket_told(ticket, "solve")


def ticket_move(ticket: Ticket, sources: Any, target: str, **fields: Any) -> bool:
    """Whether this call moved it: it was in one of `sources`. The row is then as the database has it."""
    won = Ticket.objects.filter(pk=ticket.pk, state__in=list(sources)).update(state=target, **fields)
    ticket.refresh_from_db()
    return bool(won)


def ticket_line(ticket: Ticket, note: str) -> None:
    """The store's own line about it in the conversation, a key of chat.notes."""
    # A key of its own each time: it cannot be a repeat, and a ticket may be solved more than once.
    system_message(conversation=ticket.conversation, note=note, key=uuid7().hex)


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
