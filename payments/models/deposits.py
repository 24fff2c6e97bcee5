"""Money in, by hand."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from listings.models import in_language
from payments.states import DepositState
from uploads.models import StoredFile

USER = settings.AUTH_USER_MODEL


class DepositMethod(Row):
    """A way to pay money in, by hand: what the buyer is told, and within which limits."""

    code = models.SlugField(max_length=30, unique=True)
    name_en = models.CharField(_("name (English)"), max_length=60)
    name_ar = models.CharField(_("name (Arabic)"), max_length=60, blank=True)
    instructions_en = models.TextField(_("how to pay (English)"), max_length=2000)
    instructions_ar = models.TextField(_("how to pay (Arabic)"), max_length=2000, blank=True)
    # What the payer's receipt calls its reference.
    reference_label_en = models.CharField(
        _("name of the reference (English)"), max_length=60, default="Transfer reference"
    )
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
            models.Index(fields=["reference_key", "method"], name="deposit_reference"),
            models.Index(fields=["state", "created_at"], name="deposit_queue"),
            models.Index(fields=["user", "-created_at"], name="deposit_user"),
        ]

    def __str__(self) -> str:
        return self.code
