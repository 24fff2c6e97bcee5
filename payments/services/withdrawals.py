"""Withdrawals: the money leaves the wallet when it is asked for, and the store when two members of staff have acted."""

import datetime
import hashlib
import re

import msgspec
from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services import audit_record, password_require, user_require_active
from accountsstore import codes, vault
from accountsstore.db import atomic, uuid7
from accountsstore.errors import NotAllowed, StoreError
from accountsstore.events import WalletChanged, WithdrawalChanged, staff_group
from accountsstore.money import format_minor
from accountsstore.outbox import publish
from payments.errors import BadDecision, PayoutConflict, SecondPersonNeeded
from payments.models import Deadline, PayoutMethod, Withdrawal
from payments.services.deadlines import deadline_set, deadlines_close
from payments.services.ledger import (
    Move,
    balance,
    cash,
    credit_moves,
    ledger_post,
    user_available,
    user_debt,
    withdrawal_held,
)
from payments.states import WithdrawalState

S = WithdrawalState
APPROVE = "payments.approve_withdrawal"
SEND = "payments.send_withdrawal"
STAFF_HOURS = 24
METHODS_LIMIT = 5


class BadPayout(StoreError):
    code = "bad_payout"


# ---------------------------------------------------------------- where to


def payout_method_add(*, user: User, kind: str, holder: str, details: str, password: str) -> PayoutMethod:
    """Add a place to be paid to. `details` is the IBAN, account or wallet number; pages only ever show its end.

    Usable after the cool-off (PAYOUT_COOL_OFF_HOURS). Raises WrongPassword, NotAllowed, BadPayout.
    """
    password_require(user=user, password=password)
    number = re.sub(r"[\s-]", "", details).upper()
    if kind not in PayoutMethod.Kind.values:
        raise BadPayout(_("Choose how you are paid."), field="kind")
    if not holder.strip():
        raise BadPayout(_("Write the name that the account is held under."), field="holder")
    if not re.fullmatch(r"[+0-9A-Z@._]{6,60}", number):
        raise BadPayout(_("Write the account number or IBAN: 6 to 60 letters and digits."), field="details")
    return _payout_method_add(user, kind, holder.strip()[:120], number)


@atomic
def _payout_method_add(user: User, kind: str, holder: str, number: str) -> PayoutMethod:
    user_require_active(user)
    if PayoutMethod.objects.filter(user=user, is_removed=False).count() >= METHODS_LIMIT:
        raise BadPayout(_("You have %(limit)d payout methods. Remove one first.") % {"limit": METHODS_LIMIT})
    method = PayoutMethod(
        id=uuid7(),
        user=user,
        kind=kind,
        holder=holder,
        masked=f"•••• {number[-4:]}",
        usable_at=timezone.now() + datetime.timedelta(hours=settings.PAYOUT_COOL_OFF_HOURS),
    )
    sealed = vault.seal(msgspec.json.encode(number), belongs_to=f"payout:{method.pk.hex}")
    method.ciphertext, method.wrapped_key, method.key_id = sealed.ciphertext, sealed.wrapped_key, sealed.key_id
    method.save(force_insert=True)
    return method


@atomic
def payout_method_remove(*, method: PayoutMethod, user: User) -> None:
    """Stop using a payout method. Safe to repeat; withdrawals that run keep it."""
    if method.user_id != user.pk:
        raise NotAllowed
    PayoutMethod.objects.filter(pk=method.pk).update(is_removed=True)


@atomic
def payout_details_open(*, withdrawal: Withdrawal, staff: User) -> str:
    """The full number, for whoever sends the money; leaves an audit row. Raises NotAllowed, vault.VaultError."""
    if not staff.has_perm(SEND):
        raise NotAllowed
    audit_record(
        actor=staff,
        action="payout.open",
        subject=f"withdrawal:{withdrawal.pk.hex}",
        subject_text=withdrawal.code,
    )
    method = withdrawal.payout_method
    sealed = vault.Sealed(bytes(method.ciphertext), bytes(method.wrapped_key), method.key_id)
    return msgspec.json.decode(vault.open_sealed(sealed, belongs_to=f"payout:{method.pk.hex}"), type=str)


@atomic
def payout_method_rewrap(method: PayoutMethod) -> None:
    """Wrap the data key with the current key. Safe to repeat and to interrupt."""
    sealed = vault.Sealed(bytes(method.ciphertext), bytes(method.wrapped_key), method.key_id)
    new = vault.rewrap(sealed, belongs_to=f"payout:{method.pk.hex}")
    PayoutMethod.objects.filter(pk=method.pk, key_id=method.key_id).update(
        wrapped_key=new.wrapped_key, key_id=new.key_id
    )


# ---------------------------------------------------------------- the person


def withdrawal_request(
    *, user: User, payout_method: PayoutMethod, amount_minor: int, password: str, request_key: str
) -> Withdrawal:
    """Ask for money out; it leaves the wallet at once and waits in an account of its own.

    Safe to repeat with the same `request_key`. Raises WrongPassword, NotAllowed, BadPayout (amount, cool-off, debt),
    InsufficientFunds.
    """
    key = hashlib.sha256(f"{user.pk.hex}:{request_key}".encode()).hexdigest()
    if first := Withdrawal.objects.filter(request_key=key).first():
        return first
    password_require(user=user, password=password)
    try:
        return _withdrawal_request(user, payout_method, amount_minor, key)
    except IntegrityError:
        if first := Withdrawal.objects.filter(request_key=key).first():
            return first
        raise


@atomic
def _withdrawal_request(user: User, method: PayoutMethod, amount_minor: int, key: str) -> Withdrawal:
    now = timezone.now()
    currency = settings.STORE_CURRENCY
    user_require_active(user)
    method.refresh_from_db()
    if method.user_id != user.pk or method.is_removed:
        raise BadPayout(_("Choose one of your payout methods."), field="payout_method")
    usable_at = method.usable_at
    if user.secured_at:
        usable_at = max(usable_at, user.secured_at + datetime.timedelta(hours=settings.PAYOUT_COOL_OFF_HOURS))
    if usable_at > now:
        raise BadPayout(
            _("For your safety, money can go out %(hours)d hours after a new payout method or password.")
            % {"hours": settings.PAYOUT_COOL_OFF_HOURS},
            field="payout_method",
        )
    if amount_minor < settings.WITHDRAWAL_MIN_MINOR:
        raise BadPayout(
            _("The smallest withdrawal is %(amount)s.")
            % {"amount": format_minor(settings.WITHDRAWAL_MIN_MINOR, currency)},
            field="amount",
        )
    if balance(user_debt(user.pk, currency)):
        raise BadPayout(_("A reversed deposit left a debt. Withdrawals open again when it is repaid."))
    withdrawal = Withdrawal.objects.create(
        code=codes.new_code("WD"),
        request_key=key,
        user=user,
        payout_method=method,
        amount_minor=amount_minor,
        currency=currency,
    )
    ledger_post(
        kind="withdrawal_request",
        source=_subject(withdrawal),
        actor=user,
        moves=[
            Move(user_available(user.pk, currency), -amount_minor),
            Move(withdrawal_held(withdrawal.pk, currency), amount_minor),
        ],
    )
    _staff_deadline(withdrawal, Deadline.Kind.APPROVE_WITHDRAWAL, now)
    _changed(withdrawal)
    return withdrawal


@atomic
def withdrawal_cancel(*, withdrawal: Withdrawal, user: User) -> None:
    """The person takes it back before it is approved. Safe to repeat. Raises NotAllowed, PayoutConflict."""
    if withdrawal.user_id != user.pk:
        raise NotAllowed
    _end(withdrawal, (S.REQUESTED,), S.CANCELLED, actor=user)


# ---------------------------------------------------------------- staff


@atomic
def withdrawal_approve(*, withdrawal: Withdrawal, staff: User) -> None:
    """The first of two. Safe to repeat. Raises NotAllowed (own, or no permission), PayoutConflict."""
    now = timezone.now()
    _require_staff(withdrawal, staff, APPROVE)
    if _move(withdrawal, (S.REQUESTED,), S.APPROVED, maker=staff, approved_at=now):
        deadlines_close(subject=_subject(withdrawal), now=now)
        _staff_deadline(withdrawal, Deadline.Kind.SEND_WITHDRAWAL, now)
        _audit(withdrawal, staff, "approve")
        _changed(withdrawal)


@atomic
def withdrawal_reject(*, withdrawal: Withdrawal, staff: User, reason: str) -> None:
    """Refuse; the money returns to the wallet, and the person reads the reason.

    Safe to repeat. Raises NotAllowed, BadDecision, PayoutConflict.
    """
    _require_staff(withdrawal, staff, APPROVE)
    if not reason.strip():
        raise BadDecision(field="reason")
    if _end(withdrawal, (S.REQUESTED, S.APPROVED), S.REJECTED, actor=staff, reason=reason.strip()):
        _audit(withdrawal, staff, "reject", reason.strip())


@atomic
def withdrawal_send(*, withdrawal: Withdrawal, staff: User, external_reference: str) -> None:
    """The second of two: the bank has it, under this reference.

    Safe to repeat. Raises NotAllowed, SecondPersonNeeded (who approved does not send), BadDecision, PayoutConflict.
    """
    now = timezone.now()
    _require_staff(withdrawal, staff, SEND)
    withdrawal.refresh_from_db()
    if withdrawal.maker_id == staff.pk:
        raise SecondPersonNeeded(_("You approved this withdrawal; somebody else sends it."))
    if len(external_reference.strip()) < 4:
        raise BadDecision(_("Write the bank's reference of the payment."), field="external_reference")
    reference = external_reference.strip()[:64]
    if _move(withdrawal, (S.APPROVED,), S.SENT, checker=staff, external_reference=reference, sent_at=now):
        deadlines_close(subject=_subject(withdrawal), now=now)
        _audit(withdrawal, staff, "send", reference)
        _changed(withdrawal)


@atomic
def withdrawal_settle(*, withdrawal: Withdrawal, staff: User) -> None:
    """It stands on the statement: the money has left the store. Safe to repeat. Raises NotAllowed, PayoutConflict."""
    _require_staff(withdrawal, staff, SEND)
    if not _move(withdrawal, (S.SENT,), S.SETTLED, finished_at=timezone.now()):
        return
    amount, currency = withdrawal.amount_minor, withdrawal.currency
    ledger_post(
        kind="withdrawal_settle",
        source=_subject(withdrawal),
        actor=staff,
        moves=[
            Move(withdrawal_held(withdrawal.pk, currency), -amount),
            Move(cash(withdrawal.payout_method.kind, currency), amount),
        ],
    )
    _audit(withdrawal, staff, "settle")
    _changed(withdrawal)


@atomic
def withdrawal_fail(*, withdrawal: Withdrawal, staff: User, reason: str) -> None:
    """The bank sent it back: the money returns to the wallet.

    Safe to repeat. Raises NotAllowed, BadDecision, PayoutConflict.
    """
    _require_staff(withdrawal, staff, SEND)
    if not reason.strip():
        raise BadDecision(field="reason")
    if _end(withdrawal, (S.APPROVED, S.SENT), S.FAILED, actor=staff, reason=reason.strip()):
        _audit(withdrawal, staff, "fail", reason.strip())


# ---------------------------------------------------------------- shared


def _subject(withdrawal: Withdrawal) -> str:
    return f"withdrawal:{withdrawal.pk.hex}"


def _require_staff(withdrawal: Withdrawal, staff: User, permission: str) -> None:
    if not staff.has_perm(permission):
        raise NotAllowed
    if withdrawal.user_id == staff.pk:
        raise NotAllowed(_("Nobody decides their own withdrawal."))


def _move(withdrawal: Withdrawal, sources: tuple[str, ...], target: str, **changes: object) -> bool:
    """One UPDATE decides. False: it was there already. Raises PayoutConflict."""
    won = Withdrawal.objects.filter(pk=withdrawal.pk, state__in=sources).update(state=target, **changes)
    withdrawal.refresh_from_db()
    if not won and withdrawal.state != target:
        raise PayoutConflict
    return bool(won)


def _end(withdrawal: Withdrawal, sources: tuple[str, ...], target: str, *, actor: User, reason: str = "") -> bool:
    """End without a payment: the held money returns, exactly once."""
    now = timezone.now()
    if not _move(withdrawal, sources, target, reason=reason, finished_at=now):
        return False
    amount, currency = withdrawal.amount_minor, withdrawal.currency
    ledger_post(
        kind="withdrawal_return",
        source=_subject(withdrawal),
        actor=actor,
        moves=[
            Move(withdrawal_held(withdrawal.pk, currency), -amount),
            *credit_moves(withdrawal.user_id, amount, currency),
        ],
    )
    deadlines_close(subject=_subject(withdrawal), now=now)
    _changed(withdrawal)
    return True


def _staff_deadline(withdrawal: Withdrawal, kind: str, now: datetime.datetime) -> None:
    deadline_set(
        kind=kind, due_at=now + datetime.timedelta(hours=STAFF_HOURS), owner=None, subject=_subject(withdrawal)
    )


def _audit(withdrawal: Withdrawal, staff: User, action: str, reason: str = "") -> None:
    audit_record(
        actor=staff,
        action=f"withdrawal.{action}",
        subject=_subject(withdrawal),
        subject_text=withdrawal.code,
        after={"state": withdrawal.state},
        reason=reason,
    )


def _changed(withdrawal: Withdrawal) -> None:
    event = WithdrawalChanged(withdrawal=withdrawal.pk.hex, user=withdrawal.user_id.hex, state=withdrawal.state)
    publish(event, to=[withdrawal.user_id], groups=[staff_group(APPROVE), staff_group(SEND)])
    publish(WalletChanged(user=withdrawal.user_id.hex), to=[withdrawal.user_id])
