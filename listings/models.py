"""What is for sale."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from uploads.models import StoredFile


def in_language(english: str, arabic: str) -> str:
    """The text in the reader's language, English where no Arabic was given."""
    return arabic if arabic and get_language() == "ar" else english


class Category(Row):
    """What kind of thing is sold, which fields describe it, and how long its steps take. Made in the admin."""

    class Art(models.TextChoices):
        GAMES = "games", _("Games")
        SOFTWARE = "software", _("Software")
        SUBSCRIPTIONS = "subs", _("Subscriptions")
        GIFT_CODES = "gift", _("Gift codes")
        LEARNING = "learn", _("Learning")

    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    slug = models.SlugField(max_length=60, unique=True)
    name_en = models.CharField(_("name (English)"), max_length=60)
    name_ar = models.CharField(_("name (Arabic)"), max_length=60, blank=True)
    art = models.CharField(_("pattern"), max_length=10, choices=Art.choices, default=Art.GAMES)
    position = models.PositiveIntegerField(default=0)
    # Off: nothing new is listed or sold here; what runs is finished.
    is_allowed = models.BooleanField(_("allowed"), default=True)
    # Empty takes the store's default (ORDER_… settings).
    deliver_hours = models.PositiveIntegerField(_("hours to deliver"), null=True, blank=True)
    inspect_hours = models.PositiveIntegerField(_("hours to inspect"), null=True, blank=True)
    warranty_days = models.PositiveIntegerField(_("days of warranty"), null=True, blank=True)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering: ClassVar = ["position", "slug"]
        indexes: ClassVar = [models.Index(fields=["position", "slug"], name="category_order")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)

    def get_absolute_url(self) -> str:
        return f"{reverse('listings:browse')}?category={self.slug}"


class CategoryField(Row):
    """A field that a category asks for: an attribute everybody sees, or a part of the credentials."""

    class Use(models.TextChoices):
        ATTRIBUTE = "attribute", _("Attribute, shown to everybody")
        CREDENTIAL = "credential", _("Credential, handed to the buyer")

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Whole number")
        CHOICE = "choice", _("One of a list")
        YES_NO = "yes_no", _("Yes or no")

    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="fields")
    use = models.CharField(max_length=12, choices=Use.choices, default=Use.ATTRIBUTE)
    key = models.CharField(max_length=40, validators=[RegexValidator(r"^[a-z][a-z0-9_]*$")])
    label_en = models.CharField(_("label (English)"), max_length=60)
    label_ar = models.CharField(_("label (Arabic)"), max_length=60, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.TEXT)
    choices = models.TextField(
        _("choices"), blank=True, help_text=_("One a line. The Arabic text may follow a bar: Europe | أوروبا")
    )
    is_required = models.BooleanField(_("required"), default=True)
    # Offered as a filter in search (choice and yes/no attributes).
    is_facet = models.BooleanField(_("filter in search"), default=False)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("category field")
        verbose_name_plural = _("category fields")
        ordering: ClassVar = ["position", "key"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["category", "use", "key"], name="category_field_once")]
        indexes: ClassVar = [models.Index(fields=["category", "position"], name="categoryfield_category")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return in_language(self.label_en, self.label_ar)

    @property
    def choice_labels(self) -> dict[str, str]:
        """{stored value: text in the reader's language}, in order."""
        labels = {}
        for line in self.choices.splitlines():
            english, _, arabic = (part.strip() for part in line.partition("|"))
            if english:
                labels[english] = in_language(english, arabic)
        return labels

    @property
    def choice_list(self) -> list[str]:
        return list(self.choice_labels)


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

    class Meta:
        verbose_name = _("listing")
        verbose_name_plural = _("listings")
        permissions: ClassVar = [("moderate_listing", "Can take listings down and restore them")]
        indexes: ClassVar = [
            models.Index(fields=["state", "-published_at", "-id"], name="listing_newest"),
            models.Index(fields=["state", "price_minor", "id"], name="listing_price"),
            models.Index(fields=["category", "state", "-published_at", "-id"], name="listing_category_newest"),
            models.Index(fields=["category", "state", "price_minor", "id"], name="listing_category_price"),
            models.Index(fields=["state", "-sold_count", "-id"], name="listing_sold"),
            models.Index(fields=["seller", "state", "-created_at"], name="listing_seller"),
            models.Index(fields=["code"], name="listing_code"),
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
    """A normalised word of a listing, or one of its facet values: the index of the search. See `listings.words`."""

    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="terms")
    term = models.CharField(max_length=110)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["term", "listing"], name="listing_term_once")]
        indexes: ClassVar = [models.Index(fields=["listing"], name="listingterm_listing")]

    def __str__(self) -> str:
        return self.term


class ListingImage(Row):
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="images")
    file = models.OneToOneField(StoredFile, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["position", "id"]
        indexes: ClassVar = [models.Index(fields=["listing", "position"], name="listingimage_listing")]

    def __str__(self) -> str:
        return f"{self.listing_id} {self.position}"


class StockItem(Row):
    """One thing that can be sold once. Delivered by hand, it carries no credential until the seller hands one over."""

    class State(models.TextChoices):
        AVAILABLE = "available", _("Available")
        RESERVED = "reserved", _("Paid for")
        DELIVERED = "delivered", _("Delivered")
        # Refunded after it was disclosed: never on sale again by itself.
        REVOKED = "revoked", _("Disclosed, off sale")
        WITHDRAWN = "withdrawn", _("Taken back by the seller")

    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="stock")
    state = models.CharField(max_length=10, choices=State.choices, default=State.AVAILABLE)
    # Keyed hash of a loaded credential: the same one cannot be loaded twice by one seller. Empty by hand.
    fingerprint = models.CharField(max_length=64, null=True, blank=True, unique=True)

    class Meta:
        verbose_name = _("stock item")
        verbose_name_plural = _("stock items")
        indexes: ClassVar = [
            models.Index(fields=["listing", "state", "id"], name="stockitem_listing"),
            models.Index(fields=["fingerprint"], name="stockitem_fingerprint"),
        ]

    def __str__(self) -> str:
        return f"{self.listing_id} {self.state}"

    @property
    def short_code(self) -> str:
        """The random end of the id: tells the items of a listing apart."""
        return self.id.hex[-6:].upper()


class Credential(Row):
    """The secret handed over, as ciphertext only. See `listings.credentials`.

    A seller's correction adds a version; the old one stays for a dispute.
    """

    stock_item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="credentials")
    version = models.PositiveIntegerField(default=1)
    # Names of the fields inside, so that a page shows them without decrypting: [["login", "Login name"], …]
    fields = models.JSONField(default=list)
    ciphertext = models.BinaryField()
    wrapped_key = models.BinaryField()
    key_id = models.CharField(max_length=32)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["stock_item", "version"], name="credential_version_once")
        ]
        indexes: ClassVar = [models.Index(fields=["key_id"], name="credential_key")]

    def __str__(self) -> str:
        return f"{self.stock_item_id} v{self.version}"


class Favourite(Row):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourites")
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "listing"], name="favourite_once")]
        indexes: ClassVar = [models.Index(fields=["user", "-created_at"], name="favourite_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.listing_id}"


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
        indexes: ClassVar = [
            models.Index(fields=["order_id"], name="review_order"),
            models.Index(fields=["listing", "is_hidden", "-created_at"], name="review_listing"),
            models.Index(fields=["seller", "is_hidden", "-created_at"], name="review_seller"),
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
        return f"{self.reason} {self.listing_id}"


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
