"""Money: the ledger, and the orders, deposits and withdrawals that post to it.

Amounts are whole minor units. Only `payments.services.ledger` writes the ledger's rows.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from listings.models import Category, Listing, StockItem, in_language
from payments.states import CLAIMS_STOCK, DepositState, OrderState, WithdrawalState
from uploads.models import StoredFile

USER = settings.AUTH_USER_MODEL


class LedgerAccount(Row):
    """A place where money is. Credit is positive: what the store owes is above zero, its cash and people's debts below.

    Accounts of people, orders and withdrawals carry their balance. System accounts (cash, income, expense) do not, so
    that no row is written by every order: theirs is the last closing plus the entries since.
    """

    class Kind(models.TextChoices):
        CASH = "cash", _("Cash")
        USER_AVAILABLE = "user_available", _("Wallet")
        ORDER_HELD = "order_held", _("Held for an order")
        WITHDRAWAL_HELD = "withdrawal_held", _("Held for a withdrawal")
        USER_DEBT = "user_debt", _("Owed by a person")
        FEE_INCOME = "fee_income", _("Fee income")
        EXPENSE = "expense", _("Expense")
        SUSPENSE = "suspense", _("Suspense")

    # Never below zero, whatever happens.
    GUARDED: ClassVar = frozenset({Kind.USER_AVAILABLE, Kind.ORDER_HELD, Kind.WITHDRAWAL_HELD})
    SYSTEM: ClassVar = frozenset({Kind.CASH, Kind.FEE_INCOME, Kind.EXPENSE, Kind.SUSPENSE})

    # "<kind>:<owner's id or method code>:<currency>"
    code = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # The user, order or withdrawal; empty for a system account.
    owner_id = models.UUIDField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    balance_minor = models.BigIntegerField(null=True, blank=True)
    # How many entries have moved the balance; each of them carries its number.
    entry_count = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("ledger account")
        verbose_name_plural = _("ledger accounts")
        indexes: ClassVar = [
            models.Index(fields=["code"], name="ledgeraccount_code"),
            models.Index(fields=["kind", "owner_id"], name="ledgeraccount_owner"),
        ]

    def __str__(self) -> str:
        return self.code


class LedgerTransaction(Row):
    """Why money moved. `(kind, source)` is unique: a happening posts once, however often it is reported."""

    kind = models.CharField(max_length=32)
    # "order:<id>", "deposit:<id>", "withdrawal:<id>", …
    source = models.CharField(max_length=100)
    actor = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = _("ledger transaction")
        verbose_name_plural = _("ledger transactions")
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "source"], name="posting_once")]
        indexes: ClassVar = [
            models.Index(fields=["source"], name="ledgertransaction_source"),
            models.Index(fields=["-created_at"], name="ledgertransaction_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source}"


class LedgerEntry(Row):
    """One movement on one account. Only ever inserted."""

    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries")
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="entries")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    # For accounts that carry a balance: the entry's number on it, gap-free, and the balance after it.
    seq = models.PositiveBigIntegerField(null=True, blank=True)
    balance_after_minor = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        indexes: ClassVar = [
            models.Index(fields=["account", "-seq"], name="ledgerentry_statement"),
            models.Index(fields=["account", "-created_at"], name="ledgerentry_account"),
            models.Index(fields=["transaction"], name="ledgerentry_transaction"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.amount_minor}"


class LedgerClosing(Row):
    """The balance of a system account over all entries made before `until`."""

    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="closings")
    until = models.DateTimeField()
    balance_minor = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "until"], name="closing_once")]
        indexes: ClassVar = [models.Index(fields=["account", "-until"], name="closing_newest")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.until}"


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
            models.Index(fields=["number"], name="order_number"),
            models.Index(fields=["checkout_key"], name="order_checkout_key"),
            models.Index(fields=["buyer", "-created_at"], name="order_buyer"),
            models.Index(fields=["seller", "-created_at"], name="order_seller"),
            models.Index(fields=["buyer", "state", "-created_at"], name="order_buyer_state"),
            models.Index(fields=["seller", "state", "-created_at"], name="order_seller_state"),
            models.Index(fields=["state", "due_at"], name="order_state_due"),
            models.Index(fields=["listing", "state"], name="order_listing"),
            models.Index(fields=["stock_item"], name="order_stock_item"),
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
            models.Index(fields=["is_open", "due_at"], name="deadline_due"),
            models.Index(fields=["order", "is_open"], name="deadline_order"),
            models.Index(fields=["subject", "is_open"], name="deadline_subject"),
            models.Index(fields=["key"], name="deadline_key"),
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
        indexes: ClassVar = [models.Index(fields=["is_open", "created_at"], name="dispute_queue")]

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
            models.Index(fields=["is_open", "created_at"], name="approval_queue"),
            models.Index(fields=["kind", "subject"], name="approval_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_text}"


class DepositMethod(Row):
    """A way to pay money in, by hand: what the buyer is told, and within which limits."""

    code = models.SlugField(max_length=30, unique=True)
    name_en = models.CharField(_("name (English)"), max_length=60)
    name_ar = models.CharField(_("name (Arabic)"), max_length=60, blank=True)
    instructions_en = models.TextField(_("how to pay (English)"), max_length=2000)
    instructions_ar = models.TextField(_("how to pay (Arabic)"), max_length=2000, blank=True)
    # What the payer's receipt calls its reference.
    reference_label_en = models.CharField(_("name of the reference (English)"), max_length=60, default="Transfer reference")
    reference_label_ar = models.CharField(_("name of the reference (Arabic)"), max_length=60, blank=True)
    currency = models.CharField(max_length=3)
    is_active = models.BooleanField(_("offered"), default=True)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("deposit method")
        verbose_name_plural = _("deposit methods")
        ordering: ClassVar = ["position", "code"]
        indexes: ClassVar = [models.Index(fields=["is_active", "position"], name="depositmethod_offered")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)

    @property
    def instructions(self) -> str:
        return in_language(self.instructions_en, self.instructions_ar)

    @property
    def reference_label(self) -> str:
        return in_language(self.reference_label_en, self.reference_label_ar)


class Deposit(Row):
    """A claim to have paid money in, with its proof. Credited once staff have approved it."""

    State = DepositState

    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="deposits")
    method = models.ForeignKey(DepositMethod, on_delete=models.PROTECT, related_name="+")
    # The store's own reference, which the payer quotes in the transfer.
    code = models.CharField(max_length=12, unique=True)
    # The bank's reference as typed, and as compared: capitals and digits only.
    transfer_reference = models.CharField(max_length=64)
    reference_key = models.CharField(max_length=64)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    credited_minor = models.BigIntegerField(default=0)
    proof = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="+")
    # Deposits whose proof looks the same: [deposit id, …], found when it was submitted.
    lookalikes = models.JSONField(default=list, blank=True)
    state = models.CharField(max_length=12, choices=DepositState.choices, default=DepositState.SUBMITTED)
    claimed_by = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    lease_until = models.DateTimeField(null=True, blank=True)
    reviewer = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("deposit")
        verbose_name_plural = _("deposits")
        permissions: ClassVar = [
            ("review_deposit", "Can claim and decide deposits"),
            ("reverse_deposit", "Can reverse deposits (two people)"),
        ]
        constraints: ClassVar = [
            # A rejected claim may be made again with the same reference.
            models.UniqueConstraint(
                fields=["method", "reference_key"],
                condition=models.Q(state__in=["submitted", "under_review", "needs_info", "approved", "reversed"]),
                name="deposit_reference_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["method", "reference_key"], name="deposit_reference"),
            models.Index(fields=["state", "created_at"], name="deposit_queue"),
            models.Index(fields=["user", "-created_at"], name="deposit_user"),
            models.Index(fields=["code"], name="deposit_code"),
            models.Index(fields=["proof"], name="deposit_proof"),
        ]

    def __str__(self) -> str:
        return self.code


class PayoutMethod(Row):
    """Where a person's money goes out to. The details are ciphertext; `masked` is what pages show."""

    class Kind(models.TextChoices):
        BANK = "bank", _("Bank transfer")
        WALLET = "wallet", _("E-wallet")

    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="payout_methods")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    holder = models.CharField(_("name of the holder"), max_length=120)
    masked = models.CharField(max_length=40)
    ciphertext = models.BinaryField()
    wrapped_key = models.BinaryField()
    key_id = models.CharField(max_length=32)
    usable_at = models.DateTimeField()
    is_removed = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "is_removed"], name="payoutmethod_user"),
            models.Index(fields=["key_id"], name="payoutmethod_key"),
        ]

    def __str__(self) -> str:
        return self.masked


class Withdrawal(Row):
    """Money on its way out. One member of staff approves, another sends."""

    State = WithdrawalState

    code = models.CharField(max_length=12, unique=True)
    # One key per form: a second submit finds the first withdrawal.
    request_key = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="withdrawals")
    payout_method = models.ForeignKey(PayoutMethod, on_delete=models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=WithdrawalState.choices, default=WithdrawalState.REQUESTED)
    maker = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    checker = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # The bank's reference of the payment out.
    external_reference = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("withdrawal")
        verbose_name_plural = _("withdrawals")
        permissions: ClassVar = [
            ("approve_withdrawal", "Can approve and reject withdrawals"),
            ("send_withdrawal", "Can mark withdrawals sent, settled or failed"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "created_at"], name="withdrawal_queue"),
            models.Index(fields=["user", "-created_at"], name="withdrawal_user"),
            models.Index(fields=["code"], name="withdrawal_code"),
            models.Index(fields=["request_key"], name="withdrawal_request_key"),
        ]

    def __str__(self) -> str:
        return self.code
