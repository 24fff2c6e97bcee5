"""What orders say of sellers and of the store. Computed by payments, never typed in."""

from django.conf import settings
from django.db import models

from accountsstore.models import Row


class SellerFigures(Row):
    """What a seller's orders say of them. Computed from orders by payments, never typed in."""

    seller = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="figures")
    orders_finished = models.PositiveIntegerField(default=0)
    orders_disputed = models.PositiveIntegerField(default=0)
    orders_cancelled = models.PositiveIntegerField(default=0)
    median_delivery_seconds = models.PositiveIntegerField(null=True, blank=True)
    rating_count = models.PositiveIntegerField(default=0)
    rating_sum = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.seller_id}"

    @property
    def rating_text(self) -> str:
        """ "4.9", or nothing without reviews."""
        return f"{self.rating_sum / self.rating_count:.1f}" if self.rating_count else ""

    @property
    def dispute_rate_text(self) -> str:
        return f"{100 * self.orders_disputed / self.orders_finished:.1f}%" if self.orders_finished else ""


class StoreFigures(Row):
    """The store's last 30 days for the home page. Computed from orders by the clock; one row."""

    key = models.CharField(max_length=10, unique=True, default="store")
    orders_finished = models.PositiveIntegerField(default=0)
    orders_disputed = models.PositiveIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    median_delivery_seconds = models.PositiveIntegerField(null=True, blank=True)
    listings_active = models.PositiveIntegerField(default=0)
    sellers_active = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.key
