"""Lists of orders, cut by a cursor: what needs doing, what waits, what is over."""

import dataclasses
import uuid

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from accountsstore.rows import Figure, rows_figures, rows_find
from payments.models import Order
from payments.order_facts import Facts
from payments.order_steps import Step, order_step
from payments.states import FINAL, OrderState

S = OrderState
PAGE = 20
NEWEST = ("-created_at", "-id")
# What a row says of others than the order.
SHOWN = ("buyer", "seller", "listing")
# Counts of tabs stop here: "99+" tells as much as the number would.
COUNT_LIMIT = 100

# What waits for the buyer, or for the seller, to act.
TODO = {"buyer": frozenset({S.DELIVERED, S.DISPUTED}), "seller": frozenset({S.REQUESTED, S.FUNDED, S.DISPUTED})}
RUNNING = {
    "buyer": frozenset({S.REQUESTED, S.FUNDED, S.ACCEPTED}),
    "seller": frozenset({S.DELIVERED, S.ACCEPTED}),
}
TABS = ("todo", "running", "over", "all")


@dataclasses.dataclass(frozen=True)
class OrderRow:
    order: Order
    other: User
    step: Step
    amount: str


@dataclasses.dataclass(frozen=True)
class OrderList:
    rows: list[OrderRow]
    next_cursor: str  # empty on the last page


def _of(user: User, role: str) -> QuerySet[Order]:
    return Order.objects.filter(buyer=user) if role == "buyer" else Order.objects.filter(seller=user)


def _states(role: str, tab: str) -> frozenset[OrderState] | None:
    return {"todo": TODO[role], "running": RUNNING[role], "over": FINAL}.get(tab)


def orders_page(user: User, *, role: str, tab: str, cursor: str = "") -> OrderList:
    """One page of the orders that `user` bought or sold, newest first. Two queries at most."""
    states = _states(role, tab)
    last = _cursor_row(user, role, cursor)
    if last:
        rows = _of(user, role).select_related(*SHOWN)
        if states is not None:
            rows = rows.filter(state__in=sorted(states))
        rows = rows.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk))
        found = list(rows.order_by(*NEWEST)[: PAGE + 1])
    else:
        equal = {role: user.pk} | ({} if states is None else {"state": sorted(states)})
        found = rows_find(Order, *SHOWN, order_by=NEWEST, limit=PAGE + 1, **equal)
    more = len(found) > PAGE
    return OrderList(order_rows(found[:PAGE], user), found[PAGE - 1].pk.hex if more else "")


def _cursor_row(user: User, role: str, cursor: str) -> Order | None:
    try:
        return _of(user, role).filter(pk=uuid.UUID(cursor)).only("created_at").first() if cursor else None
    except ValueError:
        return None


def order_rows(orders: list[Order], viewer: User) -> list[OrderRow]:
    """Rows of a list: no query, since neither badge nor title need more than the order."""
    now = timezone.now()
    rows = []
    for order in orders:
        facts = Facts(order, viewer, now, [], [], None, None, None)
        rows.append(OrderRow(order, facts.other, order_step(facts), facts.words["price"]))
    return rows


def orders_todo(seller: User, limit: int = 10) -> list[OrderRow]:
    """What a seller has to do, soonest deadline first."""
    states = sorted(TODO["seller"])
    found = rows_find(Order, *SHOWN, order_by=["due_at", "id"], limit=limit, seller=seller.pk, state=states)
    return order_rows(found, seller)


def todo_figure(user: User) -> Figure:
    """How many orders wait for this person, as buyer or as seller; counted up to COUNT_LIMIT."""
    either = [{role: user.pk, "state": sorted(states)} for role, states in TODO.items()]
    return Figure(Order, any_of=either, limit=COUNT_LIMIT)


def tab_counts(user: User, role: str) -> dict[str, int]:
    """{tab: how many orders it lists, counted up to COUNT_LIMIT} of the tabs that show it."""
    states = {"todo": TODO[role], "running": RUNNING[role]}
    figures = [Figure(Order, {role: user.pk, "state": sorted(each)}, limit=COUNT_LIMIT) for each in states.values()]
    return dict(zip(states, rows_figures(*figures), strict=True))


def has_sold(user: User) -> bool:
    return bool(rows_find(Order, limit=1, seller=user.pk))
