"""The catalogue of everything the store says in realtime. `accountsstore.outbox.publish` says it.

A frame is a hint: the database is the truth, and a client that was away asks it. No event ever carries a credential,
a token or a person's mail address.
"""

import dataclasses
import uuid
from typing import Any, ClassVar

CATALOGUE: dict[str, type["Event"]] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """Base of the catalogue. Fields are JSON values or UUIDs; `type` is what clients switch on."""

    type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        CATALOGUE[cls.type] = cls

    def payload(self) -> dict[str, Any]:
        return {
            name: value.hex if isinstance(value, uuid.UUID) else value
            for name, value in dataclasses.asdict(self).items()
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrderChanged(Event):
    """An order moved to `state`. `happening` is the transition's name, such as "deliver"."""

    type: ClassVar[str] = "order.changed"
    order: str
    number: str
    state: str
    happening: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeadlineNear(Event):
    """A share of the time that somebody has for a step is over. `kind` as in payments.models.Deadline."""

    type: ClassVar[str] = "deadline.near"
    order: str
    number: str
    kind: str
    due_at: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class WalletChanged(Event):
    """A balance of the receiver changed, or a deposit or withdrawal of theirs moved."""

    type: ClassVar[str] = "wallet.changed"
    user: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class DepositChanged(Event):
    """A deposit moved to `state`: also for the staff who review deposits."""

    type: ClassVar[str] = "deposit.changed"
    deposit: str
    user: str
    state: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithdrawalChanged(Event):
    """A withdrawal moved to `state`: also for the staff who approve and send them."""

    type: ClassVar[str] = "withdrawal.changed"
    withdrawal: str
    user: str
    state: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SellerChanged(Event):
    """A seller application was decided, or a seller's standing changed."""

    type: ClassVar[str] = "seller.changed"
    user: str
    state: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListingChanged(Event):
    """A listing was approved, rejected, paused, sold out or removed."""

    type: ClassVar[str] = "listing.changed"
    listing: str
    seller: str
    state: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class MessageNew(Event):
    """A message stands in the conversation at `seq`. The body comes with it, so that no fetch is needed."""

    type: ClassVar[str] = "message.new"
    conversation: str
    seq: int
    sender: str
    sender_name: str
    client_id: str
    kind: str
    body: str
    at: str
    # {"id", "name", "mime", "size", "width", "height"} of each. Pictures stand at /files/<id>/card, others at
    # /files/<id>/original.
    files: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    # Said in answer to `resume` alone: what is new was not changed yet.
    edited: bool = False
    deleted: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class MessageChanged(Event):
    """The message at `seq` was edited or deleted: this is what it says now. `change` counts the changes of the
    conversation without a gap; who missed one asks for it with `resume`."""

    type: ClassVar[str] = "message.changed"
    conversation: str
    seq: int
    change: int
    sender: str
    client_id: str
    body: str
    files: list[dict[str, Any]]
    deleted: bool
    # It is the newest message: what a list of conversations shows changes with it.
    newest: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Receipt(Event):
    """How far `user` has received and read the conversation."""

    type: ClassVar[str] = "receipt"
    conversation: str
    user: str
    delivered_seq: int
    read_seq: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class TicketChanged(Event):
    """Something happened to a support ticket, which is in `state` now: also for the staff who answer tickets.
    `happening` is open, write, answer, claim, release, priority, note, resolve, solve, reopen, overdue or close."""

    type: ClassVar[str] = "ticket.changed"
    ticket: str
    number: str
    conversation: str
    state: str
    happening: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class MessageReportChanged(Event):
    """A report of a message came in, was claimed or decided: for the staff who decide them."""

    type: ClassVar[str] = "message_report.changed"
    report: str
    state: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class NotificationNew(Event):
    """Something new in the receiver's notifications, in their language; `unread` is how many there are now."""

    type: ClassVar[str] = "notification.new"
    notification: str
    text: str
    url: str
    unread: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionRevoked(Event):
    """The receiver's sockets close now (4401): suspended, signed out everywhere, or the password changed."""

    type: ClassVar[str] = "session.revoked"
    reason: str
    # Hash of the one session to close; empty closes all of the user's.
    session: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Announced(Event):
    """What the store says to everybody, by language ("en" is always there), until `ends_at`. Without texts it has
    nothing to say any more."""

    type: ClassVar[str] = "announcement"
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    ends_at: str = ""


# Every open page of everybody.
ALL_GROUP = "all"


def user_group(user_id: uuid.UUID | str) -> str:
    return f"user.{user_id.hex if isinstance(user_id, uuid.UUID) else user_id}"


def staff_group(permission: str) -> str:
    """Everybody who holds `permission`, such as "payments.review_deposit"."""
    return f"staff.{permission}"
