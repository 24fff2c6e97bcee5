"""The ledger's rows. Only `payments.services.ledger` writes them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row

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
