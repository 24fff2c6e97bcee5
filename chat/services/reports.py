"""Reports of messages: people ask, staff look and decide."""

import datetime

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import get_usage

from accounts.errors import OwnCase
from accounts.models import User
from accounts.services import audit_record
from accountsstore.db import atomic, uuid7
from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.events import MessageReportChanged, staff_group
from accountsstore.outbox import publish
from chat.errors import AlreadyReported, NotAMember, TooManyReports
from chat.models import Conversation, Message, MessageReport, Participant
from chat.services.conversations import conversation_lock_record
from chat.services.messages import system_message

MODERATE = "chat.moderate_message"
REPORT_RATE = "10/h"
S = MessageReport.State


def message_report(
    *, conversation: Conversation, reporter: User, reason: str, text: str, seq: int | None = None
) -> MessageReport:
    """Ask staff to look at message number `seq`, or at the whole conversation, because of what the other side wrote.

    Raises NotAMember, AlreadyReported (while the person's first one is open), TooManyReports, StoreError naming the
    field. Call it outside a transaction.
    """
    people = list(Participant.objects.filter(conversation=conversation, left_at=None).select_related("user"))
    others = [person.user for person in people if person.user_id != reporter.pk]
    if len(others) == len(people):
        raise NotAMember
    if not others:
        raise StoreError(_("In a support ticket you talk with staff. Write to them there."))
    if reason not in MessageReport.Reason.values:
        raise StoreError(_("Choose what is wrong."), field="reason")
    text = text.strip()
    if reason == MessageReport.Reason.OTHER and not text:
        raise StoreError(_("Write what is wrong, so that staff know where to look."), field="text")
    message = None
    if seq is not None:
        message = Message.objects.filter(conversation=conversation, seq=seq).first()
        if message is None or message.sender_id not in {other.pk for other in others}:
            raise StoreError(_("Choose a message that the other side wrote."), field="message")
    usage = get_usage(
        None, group="message_report", key=lambda group, request: reporter.pk.hex, rate=REPORT_RATE, increment=True
    )
    if usage is not None and usage["should_limit"]:
        raise TooManyReports
    try:
        return _report_create(
            conversation=conversation,
            message=message,
            about=f"message:{message.pk.hex}" if message else f"conversation:{conversation.pk.hex}",
            body=message.body if message else "",
            reporter=reporter,
            reported=next(other for other in others if message is None or other.pk == message.sender_id),
            reason=reason,
            text=text[:1000],
        )
    except IntegrityError:
        raise AlreadyReported from None


@atomic
def _report_create(**fields: object) -> MessageReport:
    report = MessageReport.objects.create(**fields)
    _told(report)
    return report


def _told(report: MessageReport) -> None:
    publish(MessageReportChanged(report=report.pk.hex, state=str(report.state)), groups=[staff_group(MODERATE)])


# ---------------------------------------------------------------- staff


def _require_moderator(report: MessageReport, staff: User) -> None:
    if not staff.has_perm(MODERATE):
        raise NotAllowed
    if staff.pk in (report.reporter_id, report.reported_id):
        raise OwnCase


@atomic
def report_claim(*, report: MessageReport, staff: User) -> None:
    """Take a report. The claim is a lease: it runs out by itself, and repeating it extends it.

    Raises NotAllowed, OwnCase, Conflict (a colleague holds it, or it is decided).
    """
    _require_moderator(report, staff)
    now = timezone.now()
    free = Q(claimed_by=None) | Q(claimed_by=staff) | Q(lease_until__lt=now)
    won = MessageReport.objects.filter(free, pk=report.pk, state=S.OPEN).update(
        claimed_by=staff, lease_until=now + datetime.timedelta(minutes=settings.DEPOSIT_CLAIM_MINUTES)
    )
    report.refresh_from_db()
    if not won:
        if report.state == S.OPEN and report.claimed_by:
            raise Conflict(_("%(name)s looks at this report.") % {"name": report.claimed_by.name})
        raise Conflict(_("A colleague has decided this report already."))
    _told(report)


def _require_claim(report: MessageReport, staff: User) -> None:
    _require_moderator(report, staff)
    report.refresh_from_db()
    if report.state != S.OPEN:
        raise Conflict(_("A colleague has decided this report already."))
    if report.claimed_by_id != staff.pk:
        raise Conflict(_("Claim this report first. A colleague may hold it."))


@atomic
def report_context_open(*, report: MessageReport, staff: User) -> None:
    """Record that staff read around the reported message, before any of it is shown; the report is the reason.

    Raises NotAllowed, OwnCase, Conflict (not claimed, or decided).
    """
    _require_claim(report, staff)
    audit_record(
        actor=staff,
        action="conversation.read",
        subject=f"conversation:{report.conversation_id.hex}",
        subject_text=str(report.conversation),
        reason=str(_("Report: %(reason)s") % {"reason": report.get_reason_display()}),
    )


@atomic
def report_decide(*, report: MessageReport, staff: User, outcome: str, reason: str) -> None:
    """Close a claimed report: dismissed, warned, or locked, which closes the conversation in the same step.

    The reporter is told the outcome, and who was warned reads `reason`. Raises NotAllowed, OwnCase, StoreError without a
    reason, Conflict when it is not claimed or decided already.
    """
    if outcome not in (S.DISMISSED, S.WARNED, S.LOCKED):
        raise StoreError(_("Choose what happens."))
    if not reason.strip():
        raise StoreError(_("Give a reason: it is kept with your name."), field="reason")
    _require_claim(report, staff)
    won = MessageReport.objects.filter(pk=report.pk, state=S.OPEN, claimed_by=staff).update(
        state=outcome, decision=reason.strip()[:300], decided_by=staff, decided_at=timezone.now(), lease_until=None
    )
    if not won:
        raise Conflict(_("A colleague has decided this report already."))
    report.refresh_from_db()
    audit_record(
        actor=staff,
        action=f"message_report.{outcome}",
        subject=f"messagereport:{report.pk.hex}",
        subject_text=str(report.reported),
        before={"state": str(S.OPEN)},
        after={"state": str(outcome)},
        reason=reason.strip(),
    )
    if outcome == S.LOCKED:
        conversation_lock_record(conversation=report.conversation, staff=staff, reason=reason)
        system_message(conversation=report.conversation, note="conversation_locked", key=uuid7().hex)
    _told(report)
