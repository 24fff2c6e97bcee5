"""Reports of messages: claimed, read in their context, decided."""

from typing import Any, ClassVar

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import Page, StaffAdmin, reason_action
from accounts.models import User
from accountsstore.templatetags.store import time_left
from chat.admin.tickets import LIVE
from chat.models import MessageReport
from chat.services.reports import MODERATE, report_claim, report_context_open, report_decide
from chat.threads import staff_lines

S = MessageReport.State
# So many messages after the reported one are shown with those before it.
AFTERWARDS = 10


def facts(report: MessageReport) -> list[tuple[Any, Any]]:
    return [
        (_("Written by"), report.reported),
        (_("Reported by"), report.reporter),
        (_("Reason"), report.get_reason_display()),
        (_("Reported words"), report.body or _("The whole conversation")),
        (_("What staff should know"), report.text or "–"),
    ]


def _read(report: MessageReport, staff: User, data: dict[str, Any]) -> Page:
    report_context_open(report=report, staff=staff)
    until = report.message.seq + AFTERWARDS if report.message else None
    lines, _earlier = staff_lines(report.conversation, until, staff)
    return Page("chat/admin/report_context.html", {"title": str(report), "lines": lines, "reported": report.message})


def _decision(outcome: str, label: Any, icon: str, question: Any, done: Any, danger: bool = False) -> Any:
    return reason_action(
        label=label,
        permission=MODERATE,
        icon=icon,
        question=question,
        facts=facts,
        danger=danger,
        call=lambda report, staff, data: report_decide(
            report=report, staff=staff, outcome=outcome, reason=data["reason"]
        ),
        shown=lambda report: report.state == S.OPEN,
        done=done,
    )


@admin.register(MessageReport)
class MessageReportAdmin(StaffAdmin):
    """The queue: the oldest on top."""

    open_to = (MODERATE,)
    list_display = ("created_at", "reason", "reported", "reporter", "kind", "state_label", "held_by")
    list_select_related = ("reporter", "reported", "conversation", "claimed_by")
    list_filter = ("state", "reason")
    search_fields = ("reported__username__exact", "reporter__username__exact")
    ordering = ("id",)
    fields = (
        "created_at",
        "reason",
        "body",
        "text",
        "person",
        "reporter",
        "kind",
        "state",
        "held_by",
        "decision",
        "decided_by",
        "decided_at",
    )
    actions_detail: ClassVar = ("claim", "read", "dismiss", "warn", "lock")
    actions_row: ClassVar = ("claim",)

    class Media:
        js = LIVE

    claim = reason_action(
        label=_("Claim"),
        permission=MODERATE,
        form=None,
        question=_("Nobody else can decide it while you hold it. The claim runs out by itself."),
        facts=facts,
        call=lambda report, staff, data: report_claim(report=report, staff=staff),
        shown=lambda report: report.state == S.OPEN,
        done=_("It is yours. Read what stands around it, then decide."),
        icon="front_hand",
    )
    read = reason_action(
        label=_("Read around it"),
        permission=MODERATE,
        form=None,
        question=_(
            "These messages are private. That you read them is kept in the audit, with this report as the reason."
        ),
        call=_read,
        shown=lambda report: report.state == S.OPEN,
        icon="visibility",
    )
    dismiss = _decision(
        S.DISMISSED,
        _("Dismiss"),
        "close",
        _("Nothing is against the rules. Only the audit keeps the reason."),
        _("Dismissed. The reporter is told."),
    )
    warn = _decision(
        S.WARNED,
        _("Warn"),
        "campaign",
        _("Who wrote it reads the reason, under Notifications and by mail."),
        _("Warned. Both are told."),
    )
    lock = _decision(
        S.LOCKED,
        _("Close the conversation"),
        "lock",
        _("Neither side writes in it any more. Who wrote it reads the reason. An order's steps go on without it."),
        _("Closed. Both are told."),
        danger=True,
    )

    @display(
        description=_("State"), label={"open": "warning", "dismissed": "success", "warned": "info", "locked": "danger"}
    )
    def state_label(self, report: MessageReport) -> tuple[str, str]:
        return report.state, report.get_state_display()

    @display(description=_("Conversation"))
    def kind(self, report: MessageReport) -> str:
        return report.conversation.get_kind_display()

    @display(description=_("Written by"))
    def person(self, report: MessageReport) -> str:
        """With the way to restrict or suspend them, which is another deed with a permission of its own."""
        page = reverse("admin:accounts_user_change", args=[report.reported_id])
        return format_html('<a class="underline" href="{}">{}</a>', page, report.reported)

    @display(description=_("Held by"))
    def held_by(self, report: MessageReport) -> str:
        if report.state != S.OPEN or report.claimed_by is None:
            return "–"
        return f"{report.claimed_by.name}, {time_left(report.lease_until)}"
