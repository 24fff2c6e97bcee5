"""A conversation as one person sees it: what the thread's template prints."""

import dataclasses
import datetime
import uuid

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import User
from accountsstore.db import uuid7
from accountsstore.money import format_minor
from accountsstore.rows import row_find
from chat.models import Conversation, Message, MessageVersion, Participant, Ticket
from chat.notes import message_text
from chat.presence import online_if_known
from chat.selectors import PAGE_SIZE, blocks_between, messages_before, others_in
from chat.services.attachments import Attached, attached
from chat.services.changes import may_still_change
from chat.services.messages import preview
from chat.ticket_pages import ticket_of
from payments.models import Order
from payments.states import HELD


@dataclasses.dataclass(frozen=True)
class Line:
    """One message. `state` is how far an own one has come: sent, delivered or read."""

    message: Message
    # Its numbers as the page's script reads them, in no language's digits.
    seq: str
    change: str
    text: str
    is_mine: bool
    state: str
    clock: str
    written_at: str
    day: str
    # The words between yesterday's messages and today's; empty when the day goes on.
    day_label: str
    # The first message that was unread when the page was asked for.
    is_first_unread: bool
    files: list[Attached]
    # Where the writer changes it; empty when nobody may any more.
    change_url: str

    @property
    def is_deleted(self) -> bool:
        return self.message.deleted_at is not None

    @property
    def is_note(self) -> bool:
        return self.message.kind == Message.Kind.SYSTEM


@dataclasses.dataclass(frozen=True)
class Thread:
    conversation: Conversation
    mine: Participant
    other: Participant | None
    lines: list[Line]
    # "Earlier messages" asks for those before this number; 0 when there are none.
    earlier: int
    # The page shows an earlier part, not the newest messages.
    is_past: bool
    order: Order | None
    ticket: Ticket | None
    is_other_online: bool
    # Whether the person has blocked the other side, and the other side the person.
    has_blocked: bool
    is_blocked: bool
    time_zone: str
    # The form's id of the next message, so that a double click sends once.
    client_id: str

    @property
    def last_seq(self) -> int:
        """The newest message that the page shows: what comes after it arrives over the socket."""
        return self.lines[-1].message.seq if self.lines else 0

    @property
    def name(self) -> str:
        """Whom the person talks with."""
        return self.other.user.name if self.other else settings.STORE_NAME

    @property
    def why_closed(self) -> str:
        """Why nothing can be written; empty when it can."""
        if self.ticket and self.ticket.state == Ticket.State.CLOSED:
            return _("This ticket is closed. If you need us again, open a new one.")
        if self.conversation.is_locked:
            return _("Staff have closed this conversation. You can read it, but nothing new can be written.")
        if self.other and not self.other.user.is_active:
            return _("%(name)s cannot receive messages right now.") % {"name": self.name}
        if self.conversation.kind == Conversation.Kind.DIRECT and self.has_blocked:
            return _("You have blocked %(name)s. Lift the block to write to them.") % {"name": self.name}
        if self.conversation.kind == Conversation.Kind.DIRECT and self.is_blocked:
            return _("%(name)s does not want to hear from you outside orders.") % {"name": self.name}
        return ""

    @property
    def edit_minutes(self) -> int:
        return int(settings.MESSAGE_CHANGE_MINUTES)

    @property
    def money_line(self) -> str:
        """Where the order's money is, in one line above the thread."""
        if self.order is None:
            return ""
        price = format_minor(self.order.price_minor, self.order.currency)
        return _("%(price)s is in escrow") % {"price": price} if self.order.state in HELD else price


def thread_of(mine: Participant, user: User, before: int | None = None) -> Thread:
    """The newest messages, or those before number `before`, with everything around them. At most eight queries."""
    conversation = mine.conversation
    others = others_in(conversation.pk, user)
    other = others[0] if others else None
    has_blocked, is_blocked = blocks_between(user, other.user) if other else (False, False)
    found, has_earlier = messages_before(conversation, before)
    return Thread(
        conversation=conversation,
        mine=mine,
        other=other,
        lines=_lines(found, mine, other, user),
        earlier=found[0].seq if has_earlier else 0,
        is_past=before is not None and before <= mine.last_seq,
        order=row_find(Order, pk=conversation.order_id) if conversation.order_id else None,
        ticket=ticket_of(conversation),
        is_other_online=bool(other and not is_blocked and online_if_known([other.user_id])),
        has_blocked=has_blocked,
        is_blocked=is_blocked,
        time_zone=settings.STORE_TIME_ZONE,
        client_id=uuid7().hex,
    )


def seq_from(text: str) -> int | None:
    """A message's number as an address carries it; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _lines(found: list[Message], mine: Participant, other: Participant | None, user: User) -> list[Line]:
    lines = []
    now = timezone.now()
    last_day: datetime.date | None = None
    first_unread = next((m.seq for m in found if m.seq > mine.read_seq and m.sender_id != mine.user_id), 0)
    # A page that begins with unread messages may have more of them above: no line says where they begin.
    if first_unread and first_unread == found[0].seq and first_unread > mine.read_seq + 1:
        first_unread = 0
    for message in found:
        local = timezone.localtime(message.created_at)
        day = local.date()
        lines.append(
            Line(
                message=message,
                seq=str(message.seq),
                change=str(message.change),
                text=message_text(message),
                is_mine=message.sender_id == mine.user_id,
                state=_state(message.seq, other),
                clock=f"{local:%H:%M}",
                written_at=local.isoformat(),
                day=day.isoformat(),
                day_label=day_words(day) if day != last_day else "",
                is_first_unread=message.seq == first_unread,
                files=attached(message.files, user),
                change_url=_change_url(message)
                if message.sender_id == user.pk and may_still_change(message, now)
                else "",
            )
        )
        last_day = day
    return lines


@dataclasses.dataclass(frozen=True)
class StaffLine:
    message: Message
    text: str
    files: list[Attached]
    # What it was before each edit and the deletion, oldest first.
    earlier: list["StaffVersion"]


@dataclasses.dataclass(frozen=True)
class StaffVersion:
    version: MessageVersion
    files: list[Attached]


def staff_lines(conversation: Conversation, before: int | None, staff: User) -> tuple[list[StaffLine], int]:
    """A page of messages for staff who gave a reason, and the number before which earlier ones stand (0: none)."""
    found, has_earlier = messages_before(conversation, before)
    earlier: dict[uuid.UUID, list[StaffVersion]] = {}
    for version in MessageVersion.objects.filter(message__in=[m.pk for m in found if m.change]).order_by("change"):
        earlier.setdefault(version.message_id, []).append(StaffVersion(version, attached(version.files, staff)))
    lines = [StaffLine(m, message_text(m), attached(m.files, staff), earlier.get(m.pk, [])) for m in found]
    return lines, found[0].seq if has_earlier else 0


@dataclasses.dataclass(frozen=True)
class Hit:
    """A message that a search found. `before` is where its part of the thread ends: half a page after it."""

    message: Message
    text: str
    sender: str
    is_mine: bool
    before: int


def found_lines(messages: list[Message], user: User) -> list[Hit]:
    return [
        Hit(
            message=message,
            text=preview(message.body, message.files),
            sender=message.sender.name if message.sender else settings.STORE_NAME,
            is_mine=message.sender_id == user.pk,
            before=message.seq + PAGE_SIZE // 2,
        )
        for message in messages
    ]


def _change_url(message: Message) -> str:
    return reverse("chat:message_change", args=[message.conversation_id.hex, message.client_id])


def _state(seq: int, other: Participant | None) -> str:
    if other and seq <= other.read_seq:
        return "read"
    return "delivered" if other and seq <= other.delivered_seq else "sent"


def day_words(day: datetime.date) -> str:
    """ "Monday 23 November", with the year when it is another. static/js/chat.js writes the same."""
    return date_format(day, _("l j F") if day.year == timezone.localtime().year else _("l j F Y"))
