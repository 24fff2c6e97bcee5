"""What is offered: the listing, what it is found by, its photos, and who keeps it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from accountsstore.indexes import MongoIndex
from accountsstore.models import Row
from listings.models.categories import Category
from uploads.models import StoredFile


class ListingManager(models.Manager["Listing"]):
    def get_queryset(self) -> models.QuerySet["Listing"]:
        return super().get_queryset().defer("terms", "terms_signature")


class Listing(Row):
    """What is on sale. `version` grows with every change of what a buyer agreed to (price, title, attributes…)."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("On sale")
        PAUSED = "paused", _("Paused")
        SOLD_OUT = "sold_out", _("Sold out")
        REJECTED = "rejected", _("Taken down by staff")
        REMOVED = "removed", _("Removed")

    class Delivery(models.TextChoices):
        MANUAL = "manual", _("By hand, after payment")
        STOCK = "stock", _("At once, from stock")

    PUBLIC: ClassVar = [State.ACTIVE, State.PAUSED, State.SOLD_OUT]

    code = models.CharField(max_length=12, unique=True)
    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="listings")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="listings")
    title = models.CharField(_("title"), max_length=100)
    description = models.TextField(_("description"), max_length=5000)
    price_minor = models.BigIntegerField(_("price"))
    currency = models.CharField(max_length=3)
    # {field key: text, number or bool}, as the category's attribute fields ask.
    attributes = models.JSONField(default=dict, blank=True)
    delivery = models.CharField(max_length=8, choices=Delivery.choices, default=Delivery.MANUAL)
    # The seller is asked first and the buyer pays when the seller agrees.
    asks_first = models.BooleanField(_("ask me before a sale"), default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    state_reason = models.CharField(max_length=300, blank=True)
    # What staff, or the seller's suspension, interrupted: the state to go back to.
    state_before = models.CharField(max_length=10, choices=State.choices, blank=True)
    version = models.PositiveIntegerField(default=1)
    # Count of StockItems available; the items are the truth, a sale and a restock move both in one transaction.
    stock_count = models.IntegerField(default=0)
    cover = models.ForeignKey(StoredFile, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)
    # Finished sales, counted from orders (payments.services.figures).
    sold_count = models.PositiveIntegerField(default=0)
    # On MongoDB, what the listing is found by (listings.terms); lists do not read it.
    terms = models.JSONField(default=list, blank=True, editable=False)
    terms_signature = models.BinaryField(default=bytes, editable=False)

    objects = ListingManager()

    class Meta:
        verbose_name = _("listing")
        verbose_name_plural = _("listings")
        base_manager_name = "objects"
        permissions: ClassVar = [("moderate_listing", "Can take listings down and restore them")]
        indexes: ClassVar = [
            models.Index(fields=["state", "-published_at", "-id"], name="listing_newest"),
            models.Index(fields=["state", "price_minor", "id"], name="listing_price"),
            models.Index(fields=["category", "state", "-published_at", "-id"], name="listing_category_newest"),
            models.Index(fields=["category", "state", "price_minor", "id"], name="listing_category_price"),
            models.Index(fields=["state", "-sold_count", "-id"], name="listing_sold"),
            models.Index(fields=["category", "state", "-sold_count", "-id"], name="listing_category_sold"),
            models.Index(fields=["seller", "state", "-created_at"], name="listing_seller"),
            # One for each sort: without an index that ends in the price, the cheapest of a common word took 1.4 s.
            MongoIndex(fields=["terms", "state", "-published_at", "-id"], name="listing_terms_newest"),
            MongoIndex(fields=["terms", "state", "price_minor", "id"], name="listing_terms_price"),
            MongoIndex(fields=["terms", "state", "-sold_count", "-id"], name="listing_terms_sold"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("listings:listing", args=[self.code, slugify(self.title, allow_unicode=True) or "listing"])

    @property
    def is_buyable(self) -> bool:
        return self.state == self.State.ACTIVE and self.stock_count > 0

    @property
    def is_instant(self) -> bool:
        return self.delivery == self.Delivery.STOCK

    @property
    def art_variant(self) -> int:
        """Which of its category's three patterns stands in for a picture: always the same one."""
        return self.id.int % 3 + 1

    @property
    def is_art_mirrored(self) -> bool:
        return self.id.int % 2 == 1


class ListingTerm(Row):
    """A normalised word of a listing, or one of its facet values: the index of the search on SQLite (`listings.terms`)."""

    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="+")
    term = models.CharField(max_length=110)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["term", "listing"], name="listing_term_once")]

    def __str__(self) -> str:
        return self.term


class ListingImage(Row):
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="images")
    file = models.OneToOneField(StoredFile, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")
        ordering: ClassVar = ["position", "id"]
        indexes: ClassVar = [models.Index(fields=["listing", "position"], name="listingimage_listing")]

    def __str__(self) -> str:
        return f"{self.listing_id} {self.position}"


class Favourite(Row):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourites")
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "listing"], name="favourite_once")]
        indexes: ClassVar = [models.Index(fields=["user", "-created_at"], name="favourite_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.listing_id}"
