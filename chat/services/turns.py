"""Whose turn a support ticket is, and who is told of it."""

import datetime

from django.conf import settings
from django.utils import timezone

from accountsstore.db import atomic
from accountsstore.events import TicketChanged, staff_group
from accountsstore.outbox import publish
from chat.models import Message, Ticket

ANSWER = "chat.answer_ticket"
S = Ticket.State


def reply_due(now: datetime.datetime) -> datetime.datetime:
    return now + datetime.timedelta(hours=settings.TICKET_REPLY_HOURS)


@atomic
def customer_wrote(message: Message) -> None:
    """A message of the customer's makes it the staff's turn, and opens what was solved. Inside the message's own
    transaction, whose number is taken: no answer of the staff comes between."""
    ticket = Ticket.objects.get(conversation=message.conversation_id)
    happening = "open" if message.seq == 1 else "reopen" if ticket.state == S.RESOLVED else "write"
    Ticket.objects.filter(pk=ticket.pk, state__in=[S.WAITING_USER, S.RESOLVED]).update(
        state=S.WAITING_STAFF, reply_due_at=reply_due(timezone.now()), resolved_at=None
    )
    ticket.refresh_from_db()
    ticket_told(ticket, happening)


def ticket_told(ticket: Ticket, happening: str, *, customer: bool = True) -> None:
    """Tell the staff's open queues, and the customer's pages unless it is none of theirs. Inside a transaction."""
    event = TicketChanged(
        ticket=ticket.pk.hex,
        number=ticket.number,
        conversation=ticket.conversation_id.hex,
        state=str(ticket.state),
        happening=happening,
    )
    publish(event, to=[ticket.user_id] if customer else [], groups=[staff_group(ANSWER)])
