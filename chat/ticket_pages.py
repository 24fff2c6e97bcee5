"""Tickets as pages show them: the customer's list and strip, and the desk's thread."""

import dataclasses
import datetime
from collections.abc import Sequence

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from accounts.models import User
from accountsstore.templatetags.store import split_left
from chat.models import Conversation, Message, Participant, Ticket, TicketNote
from chat.notes import message_text
from chat.selectors import messages_before
from chat.services.attachments import Attached, attached
from chat.services.turns import ANSWER
from payments.models import Order

ORDERS_OFFERED = 50
NOTES_SHOWN = 100
STAFF_LIMIT = 200


def ticket_of(conversation: Conversation) -> Ticket | None:
    """The ticket that the conversation belongs to, with its order."""
    if conversation.kind != Conversation.Kind.TICKET:
        return None
    return Ticket.objects.filter(conversation=conversation).select_related("order").first()


def orders_to_ask_about(user: User) -> list[Order]:
    """The newest orders of a person, bought and sold."""
    return list(Order.objects.filter(Q(buyer=user) | Q(seller=user)).order_by("-id")[:ORDERS_OFFERED])


@dataclasses.dataclass(frozen=True)
class TicketRow:
    """A ticket in its customer's list."""

    ticket: Ticket
    mine: Participant


def ticket_rows(user: User, tickets: Sequence[Ticket]) -> list[TicketRow]:
    """One query for all of them."""
    places = {
        place.conversation_id: place
        for place in Participant.objects.filter(conversation__in=[t.conversation_id for t in tickets], user=user)
    }
    return [TicketRow(ticket, places[ticket.conversation_id]) for ticket in tickets]


# ---------------------------------------------------------------- the desk


def agents() -> list[User]:
    """The members of staff who may answer tickets, by name: five queries, however many there are."""
    app, _dot, name = ANSWER.partition(".")
    permission = Permission.objects.get(content_type__app_label=app, codename=name)
    groups = Group.permissions.through.objects.filter(permission=permission).values_list("group", flat=True)
    members = User.groups.through.objects.filter(group__in=list(groups)).values_list("user", flat=True)
    named = User.user_permissions.through.objects.filter(permission=permission).values_list("user", flat=True)
    may = Q(is_superuser=True) | Q(pk__in=[*members, *named])
    staff = User.objects.filter(may, is_staff=True, status=User.Status.ACTIVE)[:STAFF_LIMIT]
    return sorted(staff, key=lambda person: person.name.lower())


@dataclasses.dataclass(frozen=True)
class DeskLine:
    """A message as the desk shows it. `is_read` is whether the customer has read an answer."""

    message: Message
    text: str
    files: list[Attached]
    author: str
    is_store: bool
    is_read: bool

    @property
    def is_note(self) -> bool:
        return self.message.kind == Message.Kind.SYSTEM


@dataclasses.dataclass(frozen=True)
class Desk:
    ticket: Ticket
    lines: list[DeskLine]
    # Earlier messages stand before this number; 0 when there are none.
    earlier: int
    notes: list[TicketNote]

    @property
    def first_reply(self) -> str:
        """How long the first answer took, in words; empty before it."""
        ticket = self.ticket
        return span(ticket.first_replied_at - ticket.created_at) if ticket.first_replied_at else ""


def span(time: datetime.timedelta) -> str:
    return split_left(int(time.total_seconds()))


def desk_of(ticket: Ticket, staff: User, before: int | None = None) -> Desk:
    """The newest messages, or those before number `before`, with the names of who answered: five queries. Links to
    files are `staff`'s."""
    found, has_earlier = messages_before(ticket.conversation, before)
    customer = Participant.objects.filter(conversation=ticket.conversation_id, user=ticket.user_id).first()
    read_seq = customer.read_seq if customer else 0
    authors = User.objects.in_bulk({message.author_id for message in found if message.author_id})
    notes = TicketNote.objects.filter(ticket=ticket).order_by("-id").select_related("author")[:NOTES_SHOWN]
    return Desk(
        ticket=ticket,
        lines=[
            DeskLine(
                message=message,
                text=message_text(message),
                files=attached(message.files, staff),
                author=authors[message.author_id].name if message.author_id in authors else "",
                is_store=message.sender_id is None,
                is_read=message.sender_id is None and message.seq <= read_seq,
            )
            for message in found
        ],
        earlier=found[0].seq if has_earlier else 0,
        notes=list(notes)[::-1],
    )
