"""Deadlines are rows: who must act by when. The clock works through those that are due."""

import datetime

from accounts.models import User
from accountsstore.db import atomic
from payments.models import Deadline, Order

Kind = Deadline.Kind
# The kinds that move an order, as against reminders: the one shown on lists (Order.due_at).
MOVES = frozenset({Kind.RESPOND, Kind.DELIVER, Kind.INSPECT, Kind.WARRANTY, Kind.DECIDE_DISPUTE})
# Reminders go out when these shares of the time are over.
REMINDER_SHARES = (50, 90)


@atomic
def deadline_set(
    *,
    kind: str,
    due_at: datetime.datetime,
    owner: User | None,
    order: Order | None = None,
    subject: str = "",
    round: str = "1",
    reminder: str = "",
    begins_at: datetime.datetime | None = None,
) -> None:
    """Open a deadline. `owner` is who must act, None for staff. `round` tells repeats of one kind apart. `reminder` is
    the kind of the reminders that go out at 50 % and at 90 % of the time between `begins_at` and `due_at`."""
    about = f"order:{order.pk.hex}" if order else subject
    times = [(kind, round, due_at)]
    if reminder and begins_at:
        lasts = due_at - begins_at
        times += [(reminder, str(share), begins_at + lasts * share / 100) for share in REMINDER_SHARES]
    if order and kind in MOVES:
        order.due_at = due_at
        Order.objects.filter(pk=order.pk).update(due_at=due_at)
    Deadline.objects.bulk_create(
        Deadline(kind=each, key=f"{about}:{each}:{number}", order=order, subject=subject, owner=owner, due_at=at)
        for each, number, at in times
    )


@atomic
def deadlines_close(*, now: datetime.datetime, order: Order | None = None, subject: str = "") -> None:
    """Close every open deadline of an order or of another subject: what they waited for has happened."""
    rows = Deadline.objects.filter(order=order) if order else Deadline.objects.filter(subject=subject)
    rows.filter(is_open=True).update(is_open=False, closed_at=now)
    if order:
        order.due_at = None
        Order.objects.filter(pk=order.pk).update(due_at=None)
