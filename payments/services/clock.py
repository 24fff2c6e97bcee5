"""What happens to orders by itself. Every due deadline is one row and one transaction; two clocks do no more than one."""

import datetime
import logging
from collections.abc import Callable

from django.db.models import F

from accountsstore.db import atomic
from accountsstore.errors import Conflict
from accountsstore.events import DeadlineNear
from accountsstore.outbox import publish
from payments.models import Deadline, Order
from payments.services.orders import order_accept_by_clock, order_expire, order_lapse, order_release

logger = logging.getLogger(__name__)

Kind = Deadline.Kind
BATCH = 200
# A late reminder leaves at least this share of the time to check.
GRACE_SHARE = 10

MOVES: dict[str, Callable[..., None]] = {
    Kind.RESPOND: order_expire,
    Kind.DELIVER: order_lapse,
    Kind.INSPECT: order_accept_by_clock,
    Kind.WARRANTY: order_release,
}
REMINDERS = (Kind.DELIVER_REMINDER, Kind.INSPECT_REMINDER)
# Deadlines of staff have nothing that happens by itself: they stay open and are shown as overdue.
HANDLED = sorted([*MOVES, *REMINDERS])


def clock_tick(now: datetime.datetime) -> int:
    """Work through what was due at `now`, oldest first, at most BATCH. Returns how many deadlines were handled.

    Safe to repeat and to run twice at once. One order that fails is logged and does not keep the others waiting.
    """
    due = (
        Deadline.objects.filter(is_open=True, due_at__lte=now, kind__in=HANDLED)
        .select_related("order")
        .order_by("due_at")[:BATCH]
    )
    handled = 0
    for deadline in due:
        assert deadline.order is not None
        try:
            if deadline.kind in REMINDERS:
                remind(deadline=deadline, now=now)
            elif Deadline.objects.filter(pk=deadline.pk, is_open=True, due_at__lte=now).exists():
                # Still due: a reminder just before may have put it off.
                MOVES[deadline.kind](order=deadline.order, now=now)
            handled += 1
        except Conflict:
            # Somebody was faster; the deadline was closed with their step.
            logger.info("deadline overtaken", extra={"deadline": deadline.key})
        except Exception:
            logger.exception("deadline failed", extra={"deadline": deadline.key})
    return handled


@atomic
def remind(*, deadline: Deadline, now: datetime.datetime) -> None:
    """Tell who must act that time runs out. Safe to run twice at once: one UPDATE closes the reminder."""
    if not Deadline.objects.filter(pk=deadline.pk, is_open=True).update(is_open=False, closed_at=now):
        return
    order = Order.objects.get(pk=deadline.order_id)  # type: ignore[misc]  # these kinds have an order
    moves = Kind.INSPECT if deadline.kind == Kind.INSPECT_REMINDER else Kind.DELIVER
    main = Deadline.objects.filter(order=order, kind=moves, is_open=True).first()
    if main is None or deadline.owner_id is None:
        return
    if moves == Kind.INSPECT:
        Order.objects.filter(pk=order.pk).update(reminders_sent=F("reminders_sent") + 1)
        _leave_time(main, order, now)
    publish(
        DeadlineNear(
            order=order.pk.hex, number=order.number, kind=moves, due_at=main.due_at.isoformat(timespec="seconds")
        ),
        to=[deadline.owner_id],
    )


def _leave_time(main: Deadline, order: Order, now: datetime.datetime) -> None:
    """After a stopped clock the reminders come late: the buyer still gets a tenth of the time to check."""
    earliest = now + datetime.timedelta(hours=order.inspect_hours) * GRACE_SHARE / 100
    if not order.revealed_at and main.due_at < earliest:
        Deadline.objects.filter(pk=main.pk, is_open=True).update(due_at=earliest)
        Order.objects.filter(pk=order.pk).update(due_at=earliest)
        main.due_at = earliest
