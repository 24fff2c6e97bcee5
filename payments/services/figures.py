"""What the orders say: figures of sellers, listings and the store. Computed from orders, never counted up by hand."""

import datetime
import statistics
import uuid
from typing import Any

from django.conf import settings
from django.db.models import Sum

from accounts.models import SellerProfile
from accountsstore.db import atomic
from listings.models import Listing, Review, SellerFigures, StoreFigures
from payments.models import Dispute, Order
from payments.states import OrderState

S = OrderState
# Ended after money was held: what "finished" means in every figure. Disputed and refunded orders are included.
COUNTED = (S.RELEASED, S.REFUNDED, S.SPLIT)
SOLD = (S.ACCEPTED, S.RELEASED, S.SPLIT)
# The newest deliveries say how fast a seller is now; also the bound of the read.
MEDIAN_OF = 200
STORE_DAYS = 30


def _median_delivery_seconds(rows: list[tuple[Any, Any]]) -> int | None:
    # Two hosts' clocks differ: what is delivered at once may carry a moment before it was paid.
    return round(statistics.median(max(0, (done - start).total_seconds()) for start, done in rows)) if rows else None


@atomic
def seller_figures_refresh(*, seller_id: uuid.UUID) -> SellerFigures:
    """Count a seller's orders and reviews anew. Safe to repeat and to run twice at once."""
    sold = Order.objects.filter(seller_id=seller_id)
    figures, _ = SellerFigures.objects.get_or_create(seller_id=seller_id)
    delivered = sold.filter(delivered_at__isnull=False, funded_at__isnull=False).order_by("-created_at")
    reviews = Review.objects.filter(seller_id=seller_id, is_hidden=False)
    figures.orders_finished = sold.filter(state__in=COUNTED).count()
    figures.orders_disputed = Dispute.objects.filter(seller_id=seller_id).count()
    figures.orders_cancelled = sold.filter(state=S.CANCELLED).count()
    figures.median_delivery_seconds = _median_delivery_seconds(
        list(delivered.values_list("funded_at", "delivered_at")[:MEDIAN_OF])
    )
    figures.rating_count = reviews.count()
    figures.rating_sum = reviews.aggregate(total=Sum("rating"))["total"] or 0
    figures.save()
    return figures


@atomic
def listing_figures_refresh(*, listing_id: uuid.UUID) -> None:
    """Count a listing's sales anew. Safe to repeat."""
    Listing.objects.filter(pk=listing_id).update(
        sold_count=Order.objects.filter(listing_id=listing_id, state__in=SOLD).count()
    )


def store_figures_refresh(now: datetime.datetime) -> bool:
    """Count the last 30 days of the whole store anew. Safe to repeat."""
    since = now - datetime.timedelta(days=STORE_DAYS)
    orders = Order.objects.filter(finished_at__gte=since, finished_at__lte=now, state__in=COUNTED)
    delivered = orders.filter(delivered_at__isnull=False).order_by("-finished_at")
    _store_figures_write(
        orders_finished=orders.count(),
        orders_disputed=Dispute.objects.filter(created_at__gte=since, created_at__lte=now).count(),
        refunded_minor=orders.aggregate(total=Sum("refunded_minor"))["total"] or 0,
        currency=settings.STORE_CURRENCY,
        median_delivery_seconds=_median_delivery_seconds(
            list(delivered.values_list("funded_at", "delivered_at")[:MEDIAN_OF])
        ),
        listings_active=Listing.objects.filter(state=Listing.State.ACTIVE).count(),
        sellers_active=SellerProfile.objects.filter(state=SellerProfile.State.APPROVED).count(),
    )
    return True


@atomic
def _store_figures_write(**values: object) -> None:
    StoreFigures.objects.update_or_create(key="store", defaults=values)
