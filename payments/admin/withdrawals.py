"""The withdrawal queue: one member of staff approves, another sends."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import ActionForm, Page, StaffAdmin, reason_action
from accounts.models import User
from accountsstore.money import format_minor
from payments.models import Withdrawal
from payments.services.withdrawals import (
    payout_details_open,
    withdrawal_approve,
    withdrawal_fail,
    withdrawal_reject,
    withdrawal_send,
    withdrawal_settle,
)
from payments.states import WithdrawalState

APPROVE, SEND = "payments.approve_withdrawal", "payments.send_withdrawal"
S = WithdrawalState
COLOURS = {
    S.REQUESTED: "warning",
    S.APPROVED: "info",
    S.SENT: "info",
    S.SETTLED: "success",
    S.REJECTED: "danger",
    S.FAILED: "danger",
    S.CANCELLED: "default",
}


class SendForm(ActionForm):
    external_reference = forms.CharField(
        label=_("The bank's reference"),
        max_length=64,
        help_text=_("Send the money first, then write the reference of that payment here."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def facts(withdrawal: Withdrawal) -> list[tuple[Any, Any]]:
    method = withdrawal.payout_method
    return [
        (_("Person"), withdrawal.user),
        (_("Amount"), format_minor(withdrawal.amount_minor, withdrawal.currency)),
        (_("To"), f"{method.get_kind_display()} {method.masked}, {method.holder}"),
        (_("Number"), withdrawal.code),
    ]


def open_details(withdrawal: Withdrawal, staff: User, data: dict[str, Any]) -> Page:
    number = payout_details_open(withdrawal=withdrawal, staff=staff)
    return Page("payments/admin/payout_details.html", {"number": number, "withdrawal": withdrawal})


@admin.register(Withdrawal)
class WithdrawalAdmin(StaffAdmin):
    open_to = (APPROVE, SEND)
    list_display = ("code", "user", "amount", "payout_method", "state_label", "maker", "checker", "created_at")
    list_select_related = ("user", "payout_method", "maker", "checker")
    list_filter = ("state",)
    search_fields = ("code__exact", "external_reference__exact", "user__username__exact", "user__email__exact")
    ordering = ("id",)
    fields = (
        "code",
        "user",
        "amount",
        "to",
        "state",
        "maker",
        "approved_at",
        "checker",
        "external_reference",
        "sent_at",
        "finished_at",
        "reason",
        "created_at",
    )
    actions_detail: ClassVar = ("approve", "details", "send", "settle", "reject", "fail")

    approve = reason_action(
        label=_("Approve"),
        permission=APPROVE,
        form=None,
        question=_("The person may have this money. Somebody else sends it."),
        facts=facts,
        call=lambda withdrawal, staff, data: withdrawal_approve(withdrawal=withdrawal, staff=staff),
        shown=lambda withdrawal: withdrawal.state == S.REQUESTED,
        done=_("Approved. Somebody else sends it next."),
        icon="check",
    )
    details = reason_action(
        label=_("Show the account number"),
        permission=SEND,
        form=None,
        question=_("The full number is shown once, and the audit keeps that you opened it."),
        facts=facts,
        call=open_details,
        shown=lambda withdrawal: withdrawal.state == S.APPROVED,
        icon="visibility",
    )
    send = reason_action(
        label=_("Mark as sent"),
        permission=SEND,
        form=SendForm,
        facts=facts,
        call=lambda withdrawal, staff, data: withdrawal_send(withdrawal=withdrawal, staff=staff, **data),
        shown=lambda withdrawal: withdrawal.state == S.APPROVED,
        done=_("Sent. Settle it when it stands on the bank's statement."),
        icon="send",
    )
    settle = reason_action(
        label=_("Settle"),
        permission=SEND,
        form=None,
        question=_("The payment stands on the bank's statement."),
        facts=facts,
        call=lambda withdrawal, staff, data: withdrawal_settle(withdrawal=withdrawal, staff=staff),
        shown=lambda withdrawal: withdrawal.state == S.SENT,
        done=_("Settled. The money has left the store."),
        icon="done_all",
    )
    reject = reason_action(
        label=_("Reject"),
        permission=APPROVE,
        question=_("The money returns to the wallet."),
        facts=facts,
        call=lambda withdrawal, staff, data: withdrawal_reject(
            withdrawal=withdrawal, staff=staff, reason=data["reason"]
        ),
        shown=lambda withdrawal: withdrawal.state in (S.REQUESTED, S.APPROVED),
        done=_("Rejected. The money is back in the wallet."),
        icon="close",
        danger=True,
    )
    fail = reason_action(
        label=_("Mark as failed"),
        permission=SEND,
        question=_("The bank sent it back: the money returns to the wallet."),
        facts=facts,
        call=lambda withdrawal, staff, data: withdrawal_fail(withdrawal=withdrawal, staff=staff, reason=data["reason"]),
        shown=lambda withdrawal: withdrawal.state in (S.APPROVED, S.SENT),
        done=_("Failed. The money is back in the wallet."),
        icon="error",
        danger=True,
    )

    @display(description=_("Amount"))
    def amount(self, withdrawal: Withdrawal) -> str:
        return format_minor(withdrawal.amount_minor, withdrawal.currency)

    @display(description=_("To"))
    def to(self, withdrawal: Withdrawal) -> str:
        method = withdrawal.payout_method
        return f"{method.get_kind_display()} {method.masked}, {method.holder}"

    @display(description=_("State"), label=COLOURS)
    def state_label(self, withdrawal: Withdrawal) -> tuple[str, str]:
        return withdrawal.state, withdrawal.get_state_display()
