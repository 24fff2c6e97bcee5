"""What a seller earned, and what is still held, by day."""

import dataclasses
import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import User
from accountsstore.money import format_minor, share_minor
from payments.models import Order
from payments.states import HELD, OrderState

DAYS = 30
# Orders read for the sums of one seller. A seller above it sees the newest of them.
ORDERS_LIMIT = 5_000
COMING_LIMIT = 10
# The chart, in its own units.
WIDTH, HEIGHT, LEFT, BOTTOM, BAR = 660, 224, 64, 196, 12


@dataclasses.dataclass(frozen=True)
class Bar:
    x: float
    y: float
    height: float


@dataclasses.dataclass(frozen=True)
class Label:
    at: float
    text: str

    @property
    def text_at(self) -> float:
        """A line's label stands a little lower, so that its middle is on the line."""
        return self.at + 4


@dataclasses.dataclass(frozen=True)
class Chart:
    """Positions for an SVG of WIDTH x HEIGHT, ready to print."""

    bars: list[Bar]
    lines: list[Label]
    days: list[Label]
    summary: str


@dataclasses.dataclass(frozen=True)
class Coming:
    """A held order that pays out at a known time if nobody objects."""

    order: Order
    net: str


@dataclasses.dataclass(frozen=True)
class Earnings:
    paid: str
    orders_paid: int
    pending: str
    orders_pending: int
    coming: list[Coming]
    chart: Chart
    by_day: list[tuple[str, str]]


def net_minor(price_minor: int, basis_points: int) -> int:
    return price_minor - share_minor(price_minor, basis_points)


def earnings(seller: User, now: datetime.datetime | None = None) -> Earnings:
    """The last 30 days, in the store's time zone. Three queries."""
    now = now or timezone.now()
    sold = Order.objects.filter(seller=seller)
    since = now - datetime.timedelta(days=DAYS - 1)
    paid = list(
        sold.filter(finished_at__gte=since, released_minor__gt=0)
        .order_by("-finished_at")
        .values_list("finished_at", "released_minor")[:ORDERS_LIMIT]
    )
    held = list(
        sold.filter(state__in=sorted(HELD))
        .order_by("-created_at")
        .values_list("price_minor", "fee_basis_points")[:ORDERS_LIMIT]
    )
    coming = sold.filter(state=OrderState.ACCEPTED).order_by("due_at", "id")[:COMING_LIMIT]
    days = {timezone.localdate(since) + datetime.timedelta(days=n): 0 for n in range(DAYS)}
    for finished_at, released in paid:
        days[timezone.localdate(finished_at)] = days.get(timezone.localdate(finished_at), 0) + released
    return Earnings(
        paid=format_minor(sum(released for __, released in paid)),
        orders_paid=len(paid),
        pending=format_minor(sum(net_minor(*row) for row in held)),
        orders_pending=len(held),
        coming=[
            Coming(order, format_minor(net_minor(order.price_minor, order.fee_basis_points), order.currency))
            for order in coming
        ],
        chart=_chart(days),
        by_day=[(_day(day), format_minor(amount)) for day, amount in sorted(days.items(), reverse=True) if amount],
    )


def _day(day: datetime.date) -> str:
    return date_format(day, _("j M"))


def _chart(days: dict[datetime.date, int]) -> Chart:
    top = _round_up(max([*days.values(), 1]))
    step = (WIDTH - LEFT) / len(days)
    scale = (BOTTOM - 16) / top
    ordered = sorted(days.items())
    bars = [
        Bar(round(LEFT + n * step, 1), round(BOTTOM - amount * scale, 1), round(amount * scale, 1))
        for n, (__, amount) in enumerate(ordered)
        if amount
    ]
    # Gridlines stand at whole sums.
    lines = [
        Label(round(BOTTOM - top * part / 4 * scale, 1), format_minor(top * part // 4).replace(".00", ""))
        for part in range(5)
    ]
    weeks = [Label(round(LEFT + n * step + BAR / 2, 1), _day(day)) for n, (day, __) in enumerate(ordered) if n % 7 == 0]
    best_day, best = max(ordered, key=lambda pair: pair[1])
    summary = _("Nothing was paid out in the last %(days)d days.") % {"days": len(days)}
    if best:
        words = {"days": len(days), "day": _day(best_day), "amount": format_minor(best)}
        summary = _("Paid out by day, last %(days)d days. Most on %(day)s: %(amount)s.") % words
    return Chart(bars, lines, weeks, summary)


def _round_up(amount: int) -> int:
    """The next 1, 2 or 5 with zeros behind it, four times a whole: gridlines at round sums."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step * 4 >= amount:
                return factor * step * 4
        step *= 10
