"""What the order page is made from, read once: the order and everything about it that the viewer may know."""

import dataclasses
import datetime

from django.utils import timezone

from accounts.models import User
from accountsstore.money import format_minor, share_minor
from accountsstore.rows import Rows, rows_find_together
from listings.models import Credential, Review
from payments.models import Dispute, Order, OrderEvent, Reveal

# An order has a dozen steps; corrections, offers and reveals may repeat without end.
EVENT_LIMIT = 60
REVEAL_LIMIT = 20


@dataclasses.dataclass(frozen=True)
class Facts:
    """An order as `viewer`, its buyer or its seller, sees it at `now`."""

    order: Order
    viewer: User
    now: datetime.datetime
    events: list[OrderEvent]
    reveals: list[Reveal]
    dispute: Dispute | None
    review: Review | None
    credential: Credential | None

    @property
    def is_buyer(self) -> bool:
        return self.viewer.pk == self.order.buyer_id

    @property
    def role(self) -> str:
        return "buyer" if self.is_buyer else "seller"

    @property
    def other(self) -> User:
        return self.order.seller if self.is_buyer else self.order.buyer

    @property
    def fee_minor(self) -> int:
        """The fee on the whole price: what it costs the seller if nothing is refunded."""
        return share_minor(self.order.price_minor, self.order.fee_basis_points)

    @property
    def is_overdue(self) -> bool:
        return self.order.due_at is not None and self.order.due_at <= self.now

    def money(self, amount_minor: int) -> str:
        return format_minor(amount_minor, self.order.currency)

    def minus(self, amount_minor: int) -> str:
        return f"−{self.money(amount_minor)}"

    @property
    def words(self) -> dict[str, str]:
        """What the sentences about this order are filled in with."""
        order = self.order
        return {
            "buyer": order.buyer.name,
            "seller": order.seller.name,
            "other": self.other.name,
            "price": self.money(order.price_minor),
            "net": self.money(order.price_minor - self.fee_minor),
            "released": self.money(order.released_minor),
            "refunded": self.money(order.refunded_minor),
        }


def order_facts(order: Order, viewer: User, now: datetime.datetime | None = None) -> Facts:
    """One query. `order` comes with its buyer, seller, listing and stock item."""
    mine = {"order": order.pk}
    delivered = [order.stock_item_id] if order.stock_item_id and order.delivered_at else []
    events, reveals, disputes, reviews, credentials = rows_find_together(
        Rows(OrderEvent, mine, joined=["actor"], order_by=["created_at", "id"], limit=EVENT_LIMIT),
        Rows(Reveal, mine, joined=["user"], order_by=["-created_at"], limit=REVEAL_LIMIT),
        Rows(Dispute, mine, joined=["offer_by", "decided_by"]),
        Rows(Review, {"order_id": order.pk}),
        Rows(Credential, {"stock_item": delivered}, order_by=["-version"], limit=1),
    )
    return Facts(
        order=order,
        viewer=viewer,
        now=now or timezone.now(),
        events=events,
        reveals=reveals,
        dispute=disputes[0] if disputes else None,
        review=reviews[0] if reviews else None,
        credential=credentials[0] if credentials else None,
    )
