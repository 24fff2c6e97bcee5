"""The deposit queue: the picture beside the figures, what looks the same, and one decision."""

import uuid
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import ActionForm, ReasonForm, StaffAdmin, reason_action
from accounts.models import User
from accountsstore.money import format_minor
from accountsstore.templatetags.store import time_left
from payments.forms import AmountField
from payments.models import Approval, Deadline, Deposit
from payments.services.approvals import deposit_reversal_request
from payments.services.deposits import (
    deposit_approve,
    deposit_ask,
    deposit_claim,
    deposit_reject,
    deposit_unclaim,
)
from payments.states import DepositState
from uploads.links import file_url

REVIEW, REVERSE = "payments.review_deposit", "payments.reverse_deposit"
S = DepositState
COLOURS = {
    S.SUBMITTED: "warning",
    S.UNDER_REVIEW: "info",
    S.NEEDS_INFO: "info",
    S.APPROVED: "success",
    S.REJECTED: "danger",
    S.REVERSED: "danger",
}


class ApproveForm(ActionForm):
    credited = AmountField(
        label=_("Another amount than declared"),
        required=False,
        help_text=_("Empty credits what the payer declared. Fill it in when the receipt says otherwise."),
    )
    reason = forms.CharField(
        label=_("Why another amount"), required=False, max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )


class AskForm(ReasonForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("What should the payer send?")


def facts(deposit: Deposit) -> list[tuple[Any, Any]]:
    return [
        (_("Payer"), deposit.user),
        (_("Amount"), format_minor(deposit.amount_minor, deposit.currency)),
        (_("Method"), deposit.method.name),
        (deposit.method.reference_label, deposit.transfer_reference),
        (_("Our reference"), deposit.code),
    ]


def is_held(deposit: Deposit) -> bool:
    return deposit.state == S.UNDER_REVIEW


def approve(deposit: Deposit, staff: User, data: dict[str, Any]) -> str:
    deposit_approve(deposit=deposit, staff=staff, credited_minor=data["credited"], reason=data["reason"])
    return str(_("%(amount)s is in the payer's wallet.")) % {
        "amount": format_minor(deposit.credited_minor, deposit.currency)
    }


@admin.register(Deposit)
class DepositAdmin(StaffAdmin):
    open_to = (REVIEW, REVERSE)
    list_display = (
        "code",
        "user",
        "method",
        "amount",
        "transfer_reference",
        "state_label",
        "waits",
        "flags",
        "held_by",
    )
    list_select_related = ("user", "method", "claimed_by")
    list_filter = ("state", "method")
    search_fields = ("code__exact", "reference_key__exact", "user__username__exact", "user__email__exact")
    search_help_text = _("Our reference, the bank's reference, the payer's username or mail address")
    ordering = ("id",)
    change_form_before_template = "payments/admin/deposit.html"
    fields = (
        "code",
        "user",
        "method",
        "amount",
        "credited",
        "transfer_reference",
        "state",
        "reason",
        "held_by",
        "reviewer",
        "created_at",
        "decided_at",
    )
    actions_detail: ClassVar = ("claim", "approve", "ask", "reject", "unclaim", "reverse")
    actions_row: ClassVar = ("claim",)

    claim = reason_action(
        label=_("Claim"),
        permission=REVIEW,
        form=None,
        question=_("Nobody else can decide it while you hold it. The claim runs out by itself."),
        facts=facts,
        call=lambda deposit, staff, data: deposit_claim(deposit=deposit, staff=staff),
        shown=lambda deposit: deposit.state in (S.SUBMITTED, S.UNDER_REVIEW),
        done=_("It is yours. Compare the proof with the bank, then decide."),
        icon="front_hand",
    )
    approve = reason_action(
        label=_("Approve"),
        permission=REVIEW,
        form=ApproveForm,
        question=_("The bank has this payment, and the proof shows it."),
        facts=facts,
        call=approve,
        shown=is_held,
        icon="check",
    )
    ask = reason_action(
        label=_("Ask for more"),
        permission=REVIEW,
        form=AskForm,
        facts=facts,
        call=lambda deposit, staff, data: deposit_ask(deposit=deposit, staff=staff, reason=data["reason"]),
        shown=is_held,
        done=_("Asked. It comes back to the queue with the answer."),
        icon="help",
    )
    reject = reason_action(
        label=_("Reject"),
        permission=REVIEW,
        facts=facts,
        call=lambda deposit, staff, data: deposit_reject(deposit=deposit, staff=staff, reason=data["reason"]),
        shown=is_held,
        done=_("Rejected. The payer reads the reason."),
        icon="close",
        danger=True,
    )
    unclaim = reason_action(
        label=_("Give back"),
        permission=REVIEW,
        form=None,
        call=lambda deposit, staff, data: deposit_unclaim(deposit=deposit, staff=staff),
        shown=is_held,
        done=_("Back in the queue."),
        icon="undo",
    )
    reverse = reason_action(
        label=_("Ask to reverse"),
        permission=REVERSE,
        question=_("A second person confirms it. What is spent already becomes a debt of the payer."),
        facts=facts,
        call=lambda deposit, staff, data: ask_reversal(deposit, staff, data),
        shown=lambda deposit: deposit.state == S.APPROVED,
        done=_("Asked. A second person confirms it under “Second approvals”."),
        icon="history",
        danger=True,
    )

    @display(description=_("Amount"))
    def amount(self, deposit: Deposit) -> str:
        return format_minor(deposit.amount_minor, deposit.currency)

    @display(description=_("Credited"))
    def credited(self, deposit: Deposit) -> str:
        return format_minor(deposit.credited_minor, deposit.currency) if deposit.credited_minor else "–"

    @display(description=_("State"), label=COLOURS)
    def state_label(self, deposit: Deposit) -> tuple[str, str]:
        return deposit.state, deposit.get_state_display()

    @display(description=_("Looks like"), label={"same": "danger"})
    def flags(self, deposit: Deposit) -> tuple[str, str] | None:
        count = len(deposit.lookalikes)
        return ("same", str(_("%(count)d with the same picture") % {"count": count})) if count else None

    @display(description=_("Held by"))
    def held_by(self, deposit: Deposit) -> str:
        if deposit.state != S.UNDER_REVIEW or deposit.claimed_by is None:
            return "–"
        return gettext(", ").join([str(deposit.claimed_by), time_left(deposit.lease_until)])

    @display(description=_("Due"))
    def waits(self, deposit: Deposit) -> str:
        return time_left(getattr(deposit, "due_at", None)) or "–"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The deadlines of the whole page in one query."""
        page = super().get_changelist_instance(request)
        subjects = {f"deposit:{deposit.pk.hex}": deposit for deposit in page.result_list}
        for subject, due_at in Deadline.objects.filter(subject__in=list(subjects), is_open=True).values_list(
            "subject", "due_at"
        ):
            subjects[subject].due_at = due_at
        return page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        deposit = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(review_context(deposit, request.user) if deposit else {})}
        return super().change_view(request, object_id, form_url, context)


def ask_reversal(deposit: Deposit, staff: User, data: dict[str, Any]) -> Approval:
    return deposit_reversal_request(deposit=deposit, staff=staff, reason=data["reason"])


def review_context(deposit: Deposit, staff: User) -> dict[str, Any]:
    """The proof and what looks like it, for the page of one deposit."""
    similar = Deposit.objects.filter(pk__in=[uuid.UUID(pk) for pk in deposit.lookalikes]).select_related("user")
    deadline = Deadline.objects.filter(subject=f"deposit:{deposit.pk.hex}", is_open=True).first()
    return {
        "proof_url": file_url(deposit.proof, "large", user=staff),
        "original_url": file_url(deposit.proof, "original", user=staff),
        "due_at": deadline.due_at if deadline else None,
        "facts": facts(deposit),
        "similar": [
            {
                "code": other.code,
                "user": other.user,
                "state": other.get_state_display(),
                "amount": format_minor(other.amount_minor, other.currency),
                "when": other.created_at,
                "url": reverse("admin:payments_deposit_change", args=[other.pk]),
                "proof_url": file_url(other.proof, "thumb", user=staff),
            }
            for other in similar.select_related("user", "proof")
        ],
    }
