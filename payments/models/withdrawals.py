"""Money out."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from payments.states import WithdrawalState

USER = settings.AUTH_USER_MODEL


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
            models.Index(fields=["external_reference"], name="withdrawal_reference"),
        ]

    def __str__(self) -> str:
        return self.code
