"""What is late, and what waits for a second person."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import StaffAdmin, reason_action
from accounts.models import User
from accountsstore.templatetags.store import split_left, time_left
from payments.models import Approval, Deadline
from payments.services.approvals import (
    PERMISSIONS,
    approval_decline,
    deposit_reversal_confirm,
    early_release_confirm,
)

Kind = Approval.Kind
CONFIRM = {Kind.EARLY_RELEASE: early_release_confirm, Kind.DEPOSIT_REVERSAL: deposit_reversal_confirm}


def subject_url(subject: str) -> str:
    """The admin page of "order:<hex>", "deposit:<hex>" or "withdrawal:<hex>"."""
    kind, __, hex_id = subject.partition(":")
    return reverse(f"admin:payments_{kind}_change", args=[hex_id]) if hex_id else ""


class OverdueFilter(admin.SimpleListFilter):
    title = _("time")
    parameter_name = "overdue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Overdue")), ("no", _("Still in time"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return queryset.filter(is_open=True, due_at__lt=timezone.now())
        if self.value() == "no":
            return queryset.filter(is_open=True, due_at__gte=timezone.now())
        return queryset


@admin.register(Deadline)
class DeadlineAdmin(StaffAdmin):
    open_to = (
        "payments.view_deadline",
        "payments.review_deposit",
        "payments.approve_withdrawal",
        "payments.send_withdrawal",
        "payments.decide_dispute",
    )
    list_display = ("kind_label", "about", "who", "due_at", "late", "is_open")
    list_select_related = ("order", "owner")
    list_filter = (OverdueFilter, "is_open", "kind")
    ordering = ("-is_open", "due_at", "id")
    fields = ("kind", "about", "who", "due_at", "is_open", "closed_at", "key")

    @display(description=_("What"))
    def kind_label(self, deadline: Deadline) -> str:
        return deadline.get_kind_display()

    @display(description=_("About"))
    def about(self, deadline: Deadline) -> str:
        subject = f"order:{deadline.order_id.hex}" if deadline.order_id else deadline.subject
        text = deadline.order.number if deadline.order else subject.partition(":")[0]
        return format_html('<a class="underline" href="{}">{}</a>', subject_url(subject), text)

    @display(description=_("Who must act"))
    def who(self, deadline: Deadline) -> Any:
        return deadline.owner or _("staff")

    @display(description=_("Time"), label={"late": "danger", "near": "warning", "fine": "success", "closed": "default"})
    def late(self, deadline: Deadline) -> tuple[str, str]:
        if not deadline.is_open:
            return "closed", str(_("closed"))
        seconds = int((timezone.now() - deadline.due_at).total_seconds())
        return ("late", split_left(seconds)) if seconds > 0 else ("fine", time_left(deadline.due_at))


def confirm(approval: Approval, staff: User, data: dict[str, Any]) -> None:
    CONFIRM[Kind(approval.kind)](approval=approval, staff=staff)


def facts(approval: Approval) -> list[tuple[Any, Any]]:
    return [
        (_("Decision"), approval.get_kind_display()),
        (_("About"), approval.subject_text),
        (_("Asked by"), approval.maker),
        (_("Reason"), approval.reason),
    ]


def _deeds(kind: Kind) -> tuple[Any, Any]:
    """Confirm and decline under the permission that this kind of decision takes."""
    common = {
        "permission": PERMISSIONS[kind],
        "facts": facts,
        "shown": lambda approval: approval.is_open and approval.kind == kind,
    }
    return (
        reason_action(
            label=_("Confirm"),
            form=None,
            question=_("It happens at once. Who asked for it cannot confirm it."),
            call=confirm,
            done=_("Confirmed and done."),
            icon="check",
            **common,
        ),
        reason_action(
            label=_("Decline"),
            call=lambda approval, staff, data: approval_decline(approval=approval, staff=staff, reason=data["reason"]),
            done=_("Declined. Nothing was changed."),
            icon="close",
            danger=True,
            **common,
        ),
    )


@admin.register(Approval)
class ApprovalAdmin(StaffAdmin):
    open_to = tuple(PERMISSIONS.values())
    list_display = ("kind_label", "about", "reason", "maker", "open_label", "checker", "created_at")
    list_select_related = ("maker", "checker")
    list_filter = ("is_open", "kind")
    ordering = ("-is_open", "id")
    fields = ("kind_label", "about", "reason", "maker", "created_at", "is_open", "checker", "decided_at")
    actions_detail: ClassVar = ("confirm_release", "decline_release", "confirm_reversal", "decline_reversal")

    confirm_release, decline_release = _deeds(Kind.EARLY_RELEASE)
    confirm_reversal, decline_reversal = _deeds(Kind.DEPOSIT_REVERSAL)

    @display(description=_("Decision"))
    def kind_label(self, approval: Approval) -> str:
        return approval.get_kind_display()

    @display(description=_("About"))
    def about(self, approval: Approval) -> str:
        return format_html(
            '<a class="underline" href="{}">{}</a>', subject_url(approval.subject), approval.subject_text
        )

    @display(description=_("State"), label={"open": "warning", "closed": "default"})
    def open_label(self, approval: Approval) -> tuple[str, Any]:
        return ("open", _("Waits for a second person")) if approval.is_open else ("closed", _("Decided"))
