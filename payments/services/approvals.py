"""Decisions that take two people: one asks with a reason, another confirms, and only then does it happen."""

from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services import audit_record
from accountsstore.db import atomic
from accountsstore.errors import Conflict, NotAllowed
from payments.errors import BadDecision, SecondPersonNeeded
from payments.models import Approval, Deposit, Order
from payments.services.deposits import deposit_reverse
from payments.services.orders import order_release
from payments.states import DepositState, OrderState

PERMISSIONS = {
    Approval.Kind.EARLY_RELEASE: "payments.release_early",
    Approval.Kind.DEPOSIT_REVERSAL: "payments.reverse_deposit",
}


def early_release_request(*, order: Order, staff: User, reason: str) -> Approval:
    """Ask to pay the seller before the warranty ends. Raises NotAllowed, BadDecision, Conflict."""
    if order.state != OrderState.ACCEPTED:
        raise Conflict(_("Only an accepted order can be paid out early."))
    if staff.pk in (order.buyer_id, order.seller_id):
        raise NotAllowed
    return _request(Approval.Kind.EARLY_RELEASE, f"order:{order.pk.hex}", order.number, staff, reason)


@atomic
def early_release_confirm(*, approval: Approval, staff: User) -> None:
    """The second person agrees; the seller is paid. Raises NotAllowed, SecondPersonNeeded, Conflict."""
    _confirm(approval, staff)
    order = Order.objects.get(pk=approval.subject.partition(":")[2])
    if staff.pk in (order.buyer_id, order.seller_id):
        raise NotAllowed
    order_release(order=order, now=timezone.now(), name="release_early", actor=staff, note=approval.reason)


def deposit_reversal_request(*, deposit: Deposit, staff: User, reason: str) -> Approval:
    """Ask to take a credit back. Raises NotAllowed, BadDecision, Conflict."""
    if deposit.state != DepositState.APPROVED:
        raise Conflict(_("Only a credited deposit can be reversed."))
    if deposit.user_id == staff.pk:
        raise NotAllowed
    return _request(Approval.Kind.DEPOSIT_REVERSAL, f"deposit:{deposit.pk.hex}", deposit.code, staff, reason)


@atomic
def deposit_reversal_confirm(*, approval: Approval, staff: User) -> None:
    """The second person agrees; the credit is taken back. Raises NotAllowed, SecondPersonNeeded, Conflict."""
    _confirm(approval, staff)
    deposit = Deposit.objects.get(pk=approval.subject.partition(":")[2])
    if deposit.user_id == staff.pk:
        raise NotAllowed
    deposit_reverse(deposit=deposit, actor=staff, reason=approval.reason)


@atomic
def approval_decline(*, approval: Approval, staff: User, reason: str) -> None:
    """Close a request without doing it; also who asked may. Raises NotAllowed, BadDecision, Conflict."""
    if not reason.strip():
        raise BadDecision(field="reason")
    _close(approval, staff)
    _audit(approval, staff, "decline", reason.strip())


def _request(kind: str, subject: str, subject_text: str, staff: User, reason: str) -> Approval:
    if not reason.strip():
        raise BadDecision(field="reason")
    if not staff.has_perm(PERMISSIONS[Approval.Kind(kind)]):
        raise NotAllowed
    try:
        return _insert(kind, subject, subject_text, staff, reason.strip()[:500])
    except IntegrityError:
        raise Conflict(_("This was asked for already and waits for a second person.")) from None


@atomic
def _insert(kind: str, subject: str, subject_text: str, staff: User, reason: str) -> Approval:
    approval = Approval.objects.create(
        kind=kind, subject=subject, subject_text=subject_text, maker=staff, reason=reason
    )
    _audit(approval, staff, "request", reason)
    return approval


def _confirm(approval: Approval, staff: User) -> None:
    if approval.maker_id == staff.pk:
        raise SecondPersonNeeded
    _close(approval, staff)
    _audit(approval, staff, "confirm", approval.reason)


def _close(approval: Approval, staff: User) -> None:
    if not staff.has_perm(PERMISSIONS[Approval.Kind(approval.kind)]):
        raise NotAllowed
    won = Approval.objects.filter(pk=approval.pk, is_open=True).update(
        is_open=False, checker=staff, decided_at=timezone.now()
    )
    if not won:
        raise Conflict(_("This request was decided already."))


def _audit(approval: Approval, staff: User, action: str, reason: str) -> None:
    audit_record(
        actor=staff,
        action=f"approval.{action}",
        subject=approval.subject,
        subject_text=f"{approval.kind} {approval.subject_text}",
        reason=reason,
    )
