"""What the money does about what happened: figures follow the orders."""

import datetime

from accountsstore.db import atomic
from accountsstore.events import OrderChanged
from accountsstore.outbox import subscriber
from listings.models import Review
from payments.models import Order
from payments.services.figures import listing_figures_refresh, seller_figures_refresh
from payments.states import OrderState

# Happenings that change no figure.
QUIET = frozenset({"request", "reveal", "redeliver", "offer"})


@subscriber(OrderChanged)
def figures_follow(event: OrderChanged, at: datetime.datetime) -> None:
    if event.happening in QUIET:
        return
    order = Order.objects.get(pk=event.order)
    if order.state == OrderState.REFUNDED:
        review_hide(order)
    seller_figures_refresh(seller_id=order.seller_id)
    listing_figures_refresh(listing_id=order.listing_id)


@atomic
def review_hide(order: Order) -> None:
    """A refunded order's review is no longer shown or counted. Safe to repeat."""
    Review.objects.filter(order_id=order.pk).update(is_hidden=True)
