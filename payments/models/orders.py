"""Orders, their steps, deadlines and disputes, and what the seller pays."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from listings.models import Category, Listing, StockItem
from payments.states import CLAIMS_STOCK, OrderState

USER = settings.AUTH_USER_MODEL


class FeePolicy(Row):
    """What the seller pays, from a moment on. The row in force is copied onto an order when it is funded."""

    starts_at = models.DateTimeField(_("in force from"))
    # Empty: every category without a policy of its own.
    category = models.ForeignKey(Category, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    basis_points = models.PositiveIntegerField(_("basis points"), help_text=_("Hundredths of a percent: 800 is 8 %."))

    class Meta:
        verbose_name = _("fee policy")
        verbose_name_plural = _("fee policies")
        indexes: ClassVar = [models.Index(fields=["category", "-starts_at"], name="feepolicy_category")]

    def __str__(self) -> str:
        return f"{self.basis_points / 100:g} %"


class Order(Row):
    """A purchase and its escrow. Moved only by `payments.services.orders`, along the table in `payments.states`."""

    State = OrderState

    # Random with a check character: it tells nobody how many orders there are.
    number = models.CharField(max_length=12, unique=True)
    buyer = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="orders_bought")
    seller = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="orders_sold")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="orders")
    # Empty until funded.
    stock_item = models.ForeignKey(StockItem, on_delete=models.PROTECT, null=True, blank=True, related_name="orders")
    state = models.CharField(max_length=10, choices=OrderState.choices)
    # What was agreed: later changes of the listing, the category or the fee do not touch it.
    title = models.CharField(max_length=100)
    listing_version = models.PositiveIntegerField()
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    fee_basis_points = models.PositiveIntegerField()
    deliver_hours = models.PositiveIntegerField()
    inspect_hours = models.PositiveIntegerField()
    warranty_days = models.PositiveIntegerField()
    terms_version = models.CharField(max_length=20)
    # How the price ended: released (seller's net) + refunded + fee = price. All zero while it runs.
    released_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    fee_minor = models.BigIntegerField(default=0)
    # One key per checkout page: a second submit finds the first order.
    checkout_key = models.CharField(max_length=64, unique=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    funded_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    revealed_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # The open deadline that moves the order next, copied from its Deadline row for lists.
    due_at = models.DateTimeField(null=True, blank=True)
    reminders_sent = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        permissions: ClassVar = [
            ("decide_dispute", "Can decide disputes"),
            ("release_early", "Can pay a seller before the warranty ends (two people)"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stock_item"],
                condition=models.Q(state__in=sorted(CLAIMS_STOCK)),
                name="stock_item_sold_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["buyer", "-created_at"], name="order_buyer"),
            models.Index(fields=["seller", "-created_at"], name="order_seller"),
            models.Index(fields=["buyer", "state", "-created_at"], name="order_buyer_state"),
            models.Index(fields=["seller", "state", "-created_at"], name="order_seller_state"),
            models.Index(fields=["state", "due_at"], name="order_state_due"),
            models.Index(fields=["listing", "state"], name="order_listing"),
            models.Index(fields=["-finished_at"], name="order_finished"),
        ]

    def __str__(self) -> str:
        return self.number

    def get_absolute_url(self) -> str:
        return reverse("payments:order", args=[self.number])


class OrderEvent(Row):
    """A step of an order, for its timeline. Only ever inserted."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
    # A transition's name, or "request", "fund", "reveal", "redeliver", "remind", "offer".
    happening = models.CharField(max_length=20)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    # Empty: the clock.
    actor = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["order", "created_at"], name="orderevent_order")]

    def __str__(self) -> str:
        return f"{self.happening} {self.order_id}"


class Deadline(Row):
    """Something that happens by itself, or is overdue, at `due_at`. The clock job works through the open ones."""

    class Kind(models.TextChoices):
        RESPOND = "respond", _("Seller answers")
        DELIVER = "deliver", _("Seller delivers")
        DELIVER_REMINDER = "deliver_reminder", _("Reminder to deliver")
        INSPECT = "inspect", _("Buyer checks")
        INSPECT_REMINDER = "inspect_reminder", _("Reminder to check")
        WARRANTY = "warranty", _("Warranty ends")
        REVIEW_DEPOSIT = "review_deposit", _("Staff review a deposit")
        APPROVE_WITHDRAWAL = "approve_withdrawal", _("Staff approve a withdrawal")
        SEND_WITHDRAWAL = "send_withdrawal", _("Staff send a withdrawal")
        DECIDE_DISPUTE = "decide_dispute", _("Staff decide a dispute")

    kind = models.CharField(max_length=20, choices=Kind.choices)
    # "order:<id>:<kind and round>": unique, so that setting it twice is setting it once.
    key = models.CharField(max_length=120, unique=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="deadlines")
    # "deposit:<id>" or "withdrawal:<id>" where it is not about an order.
    subject = models.CharField(max_length=80, blank=True)
    # Who is to act; empty means staff.
    owner = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    due_at = models.DateTimeField()
    is_open = models.BooleanField(default=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("deadline")
        verbose_name_plural = _("deadlines")
        indexes: ClassVar = [
            models.Index(fields=["-is_open", "due_at", "id"], name="deadline_due"),
            models.Index(fields=["order", "is_open"], name="deadline_order"),
            models.Index(fields=["subject", "is_open"], name="deadline_subject"),
        ]

    def __str__(self) -> str:
        return self.key


class Reveal(Row):
    """Somebody opened one field of the credentials. Buyer and seller both see the list."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="reveals")
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    field = models.CharField(max_length=40)
    label = models.CharField(max_length=60)
    ip = models.CharField(max_length=45, blank=True)
    device = models.CharField(max_length=80, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["order", "-created_at"], name="reveal_order")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.field}"


class Dispute(Row):
    """Why the buyer does not accept, what the parties offer, and how it ended."""

    class Reason(models.TextChoices):
        NOT_DELIVERED = "not_delivered", _("Not delivered")
        DOES_NOT_WORK = "does_not_work", _("The login does not work")
        NOT_AS_DESCRIBED = "not_as_described", _("Not as described")
        TAKEN_BACK = "taken_back", _("Taken back by somebody else")
        OTHER = "other", _("Something else")

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="dispute")
    # The order's, so that a seller's disputes are found by an index.
    seller = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=20, choices=Reason.choices)
    text = models.TextField(max_length=2000)
    # The last offer on the table: what the buyer would get back, and whose offer it is.
    offer_minor = models.BigIntegerField(null=True, blank=True)
    offer_by = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    is_open = models.BooleanField(default=True)
    decided_by = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decision_reason = models.CharField(max_length=1000, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        indexes: ClassVar = [
            models.Index(fields=["is_open", "created_at"], name="dispute_queue"),
            models.Index(fields=["created_at"], name="dispute_created"),
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.order_id}"


class Approval(Row):
    """A decision that takes two people: one asks, another confirms."""

    class Kind(models.TextChoices):
        EARLY_RELEASE = "early_release", _("Pay a seller before the warranty ends")
        DEPOSIT_REVERSAL = "deposit_reversal", _("Reverse a deposit")

    kind = models.CharField(max_length=20, choices=Kind.choices)
    subject = models.CharField(max_length=80)
    subject_text = models.CharField(max_length=100, blank=True)
    maker = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    checker = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=500)
    is_open = models.BooleanField(default=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("second approval")
        verbose_name_plural = _("second approvals")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=models.Q(is_open=True), name="one_open_approval"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["-is_open", "id"], name="approval_queue"),
            models.Index(fields=["kind", "subject"], name="approval_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject_text}"
