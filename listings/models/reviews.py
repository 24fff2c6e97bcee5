"""What people say of a listing: buyers in reviews, anybody in reports."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from listings.models.listings import Listing


class Review(Row):
    """What the buyer of a finished order says of it. One per order; the seller may answer."""

    order_id = models.UUIDField(unique=True)
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="reviews")
    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews_received")
    buyer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    rating = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])
    text = models.TextField(max_length=1000, blank=True)
    reply = models.TextField(max_length=1000, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)
    # A later refund takes the review out of sight and out of the figures.
    is_hidden = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        indexes: ClassVar = [
            models.Index(fields=["listing", "is_hidden", "-created_at"], name="review_listing"),
            models.Index(fields=["seller", "is_hidden", "-created_at"], name="review_seller"),
            models.Index(fields=["rating", "-id"], name="review_rating"),
        ]

    def __str__(self) -> str:
        return f"{self.rating} {self.order_id}"


class ListingReport(Row):
    """Somebody says that a listing breaks the rules."""

    class Reason(models.TextChoices):
        STOLEN = "stolen", _("Stolen or not the seller's")
        FORBIDDEN = "forbidden", _("Forbidden thing")
        MISLEADING = "misleading", _("Not what it says")
        OFF_SITE = "off_site", _("Asks to pay outside the store")
        OTHER = "other", _("Something else")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        UPHELD = "upheld", _("Upheld")
        DISMISSED = "dismissed", _("Dismissed")

    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="reports")
    # Empty for a visitor who is not signed in.
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(max_length=12, choices=Reason.choices)
    text = models.TextField(max_length=1000, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    decision = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["listing", "reporter"], condition=models.Q(state="open"), name="one_open_report"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["state", "created_at"], name="report_queue")]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}, {self.created_at:%Y-%m-%d}"
