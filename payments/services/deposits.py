"""Deposits: a claim with a proof, reviewed by staff, credited once."""

import datetime
import re

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services import audit_record, user_require_active
from accountsstore import codes
from accountsstore.db import atomic
from accountsstore.errors import NotAllowed, StoreError
from accountsstore.events import DepositChanged, WalletChanged, staff_group
from accountsstore.money import format_minor
from accountsstore.outbox import publish
from payments.errors import BadDecision, DepositConflict, ReferenceUsed
from payments.models import Deadline, Deposit, DepositMethod
from payments.services.deadlines import deadline_set, deadlines_close
from payments.services.ledger import Move, cash, credit_moves, debit_moves, ledger_post
from payments.states import DepositState
from uploads.models import StoredFile
from uploads.selectors import lookalikes
from uploads.services import file_attach, file_store

S = DepositState
REVIEW = "payments.review_deposit"
# Bank references in use are 4 to 35 characters (SEPA's end-to-end id has 35).
REFERENCE_MIN, REFERENCE_MAX = 4, 40
# States that hold a transfer reference: nobody else may claim it.
HOLDS_REFERENCE = (S.SUBMITTED, S.UNDER_REVIEW, S.NEEDS_INFO, S.APPROVED, S.REVERSED)


class BadDeposit(StoreError):
    code = "bad_deposit"


def deposit_code_new() -> str:
    """The store's own reference, shown before paying so that the payer can quote it."""
    return codes.new_code("DP")


def reference_key(reference: str) -> str:
    """A reference as compared: "ab-12 34" and "AB1234" are the same. Raises BadDeposit for too short or long ones."""
    key = re.sub(r"[^0-9A-Z]", "", reference.upper())
    if not REFERENCE_MIN <= len(key) <= REFERENCE_MAX:
        raise BadDeposit(
            _("Write the reference as it stands on your receipt: %(min)d to %(max)d letters and digits.")
            % {"min": REFERENCE_MIN, "max": REFERENCE_MAX},
            field="transfer_reference",
        )
    return key


def deposit_submit(
    *,
    user: User,
    method: DepositMethod,
    amount_minor: int,
    transfer_reference: str,
    upload: UploadedFile | None,
    code: str,
) -> Deposit:
    """Claim a payment into `method`. `code` comes from `deposit_code_new` and makes a second submit find the first; with
    another transfer reference it is no repeat but another payment, and gets a code of its own.

    Raises NotAllowed, BadDeposit (amount or reference), ReferenceUsed, uploads' BadFile; each names its field.
    """
    key = reference_key(transfer_reference)
    if first := Deposit.objects.filter(code=code).first():
        if first.user_id != user.pk:
            raise NotAllowed
        if first.reference_key == key:
            return first
        # The session that remembers the code may be an old one: a cache that failed over has forgotten the newest.
        code = deposit_code_new()
    user_require_active(user)
    _require_amount(amount_minor, method)
    _require_unused(method, key)
    if upload is None:
        raise BadDeposit(_("Attach the receipt of your payment."), field="proof")
    # Bytes are stored before the transaction; a file that ends up unattached is pruned.
    proof = file_store(owner=user, purpose=StoredFile.Purpose.PAYMENT_PROOF, upload=upload, field="proof")
    similar = _deposits_with(lookalikes(proof))
    try:
        return _deposit_create(
            user=user,
            method=method,
            amount_minor=amount_minor,
            transfer_reference=transfer_reference.strip(),
            key=key,
            proof=proof,
            lookalikes=similar,
            code=code,
        )
    except IntegrityError:
        if first := Deposit.objects.filter(code=code, user=user, reference_key=key).first():
            return first
        raise ReferenceUsed(field="transfer_reference") from None


def _require_amount(amount_minor: int, method: DepositMethod) -> None:
    low, high = settings.DEPOSIT_MIN_MINOR, settings.DEPOSIT_MAX_MINOR
    if not method.is_active:
        raise BadDeposit(_("This way to pay is not offered any more. Choose another."), field="method")
    if amount_minor < low:
        raise BadDeposit(
            _("The smallest deposit is %(amount)s.") % {"amount": format_minor(low, method.currency)}, field="amount"
        )
    if amount_minor > high:
        raise BadDeposit(
            _("The largest deposit is %(amount)s.") % {"amount": format_minor(high, method.currency)}, field="amount"
        )


def _require_unused(method: DepositMethod, key: str, but: Deposit | None = None) -> None:
    rows = Deposit.objects.filter(method=method, reference_key=key, state__in=HOLDS_REFERENCE)
    if but:
        rows = rows.exclude(pk=but.pk)
    if rows.exists():
        raise ReferenceUsed(field="transfer_reference")


def _deposits_with(proofs: list[StoredFile]) -> list[str]:
    found = Deposit.objects.filter(proof__in=[file.pk for file in proofs]).values_list("pk", flat=True)[:10]
    return [pk.hex for pk in found]


@atomic
def _deposit_create(
    *,
    user: User,
    method: DepositMethod,
    amount_minor: int,
    transfer_reference: str,
    key: str,
    proof: StoredFile,
    lookalikes: list[str],
    code: str,
) -> Deposit:
    deposit = Deposit.objects.create(
        user=user,
        method=method,
        code=code,
        transfer_reference=transfer_reference,
        reference_key=key,
        amount_minor=amount_minor,
        currency=method.currency,
        proof=proof,
        lookalikes=lookalikes,
    )
    file_attach(file=proof, to=f"deposit:{deposit.pk.hex}")
    _changed(deposit)
    _review_deadline(deposit)
    return deposit


def _review_deadline(deposit: Deposit) -> None:
    now = timezone.now()
    deadline_set(
        kind=Deadline.Kind.REVIEW_DEPOSIT,
        due_at=now + datetime.timedelta(hours=settings.DEPOSIT_REVIEW_HOURS),
        owner=None,
        subject=f"deposit:{deposit.pk.hex}",
        round=now.isoformat(),
    )


def _changed(deposit: Deposit) -> None:
    event = DepositChanged(deposit=deposit.pk.hex, user=deposit.user_id.hex, state=deposit.state)
    publish(event, to=[deposit.user_id], groups=[staff_group(REVIEW)])
    publish(WalletChanged(user=deposit.user_id.hex), to=[deposit.user_id])


# ---------------------------------------------------------------- review


@atomic
def deposit_claim(*, deposit: Deposit, staff: User) -> None:
    """Take a deposit for review. The claim is a lease: it runs out by itself, and repeating it extends it.

    Raises NotAllowed (no permission, own deposit), DepositConflict (somebody else holds it, or it is decided).
    """
    now = timezone.now()
    _require_reviewer(deposit, staff)
    free = (
        Q(state=S.SUBMITTED) | Q(state=S.UNDER_REVIEW, lease_until__lt=now) | Q(state=S.UNDER_REVIEW, claimed_by=staff)
    )
    won = Deposit.objects.filter(free, pk=deposit.pk).update(
        state=S.UNDER_REVIEW,
        claimed_by=staff,
        lease_until=now + datetime.timedelta(minutes=settings.DEPOSIT_CLAIM_MINUTES),
    )
    deposit.refresh_from_db()
    if not won:
        if deposit.state == S.UNDER_REVIEW and deposit.claimed_by:
            raise DepositConflict(_("%(name)s is reviewing this deposit.") % {"name": deposit.claimed_by.name})
        raise DepositConflict
    _changed(deposit)


@atomic
def deposit_unclaim(*, deposit: Deposit, staff: User) -> None:
    """Give a claimed deposit back to the queue. Raises DepositConflict when it is not theirs."""
    won = Deposit.objects.filter(pk=deposit.pk, state=S.UNDER_REVIEW, claimed_by=staff).update(
        state=S.SUBMITTED, claimed_by=None, lease_until=None
    )
    deposit.refresh_from_db()
    if not won:
        raise DepositConflict
    _changed(deposit)


def _require_reviewer(deposit: Deposit, staff: User) -> None:
    if not staff.has_perm(REVIEW):
        raise NotAllowed
    if deposit.user_id == staff.pk:
        raise NotAllowed(_("Nobody decides their own deposit."))


def _decide(deposit: Deposit, staff: User, state: str, *, reason: str = "", credited_minor: int = 0) -> bool:
    """One UPDATE decides: only who holds the claim, only once. False: they decided so before."""
    _require_reviewer(deposit, staff)
    now = timezone.now()
    won = Deposit.objects.filter(pk=deposit.pk, state=S.UNDER_REVIEW, claimed_by=staff).update(
        state=state, reviewer=staff, reason=reason, decided_at=now, lease_until=None, credited_minor=credited_minor
    )
    before = deposit.state
    deposit.refresh_from_db()
    if not won:
        if deposit.state == state and deposit.reviewer_id == staff.pk:
            return False
        raise DepositConflict(
            _("Claim this deposit before you decide it. Somebody else may hold it or have decided it.")
        )
    deadlines_close(subject=f"deposit:{deposit.pk.hex}", now=now)
    audit_record(
        actor=staff,
        action=f"deposit.{state}",
        subject=f"deposit:{deposit.pk.hex}",
        subject_text=deposit.code,
        before={"state": before},
        after={"state": state, "credited_minor": credited_minor},
        reason=reason,
    )
    return True


@atomic
def deposit_approve(*, deposit: Deposit, staff: User, credited_minor: int | None = None, reason: str = "") -> None:
    """Credit the wallet: the declared amount, or `credited_minor` with a reason when the receipt says otherwise.

    Safe to repeat: credited once. Raises NotAllowed, BadDecision, DepositConflict.
    """
    amount = deposit.amount_minor if credited_minor is None else credited_minor
    if not 0 < amount <= settings.DEPOSIT_MAX_MINOR:
        raise BadDecision(_("The credited amount is not a possible deposit."), field="credited")
    if amount != deposit.amount_minor and not reason.strip():
        raise BadDecision(_("Say why another amount is credited than was declared."), field="reason")
    if _decide(deposit, staff, S.APPROVED, reason=reason.strip(), credited_minor=amount):
        ledger_post(
            kind="deposit",
            source=f"deposit:{deposit.pk.hex}",
            actor=staff,
            moves=[
                Move(cash(deposit.method.code, deposit.currency), -amount),
                *credit_moves(deposit.user_id, amount, deposit.currency),
            ],
        )
        _changed(deposit)


@atomic
def deposit_reject(*, deposit: Deposit, staff: User, reason: str) -> None:
    """Refuse the claim; the payer reads the reason. Safe to repeat. Raises NotAllowed, BadDecision, DepositConflict."""
    if not reason.strip():
        raise BadDecision(field="reason")
    if _decide(deposit, staff, S.REJECTED, reason=reason.strip()):
        _changed(deposit)


@atomic
def deposit_ask(*, deposit: Deposit, staff: User, reason: str) -> None:
    """Ask the payer for more. Safe to repeat. Raises NotAllowed, BadDecision, DepositConflict."""
    if not reason.strip():
        raise BadDecision(_("Say what the payer should send."), field="reason")
    if _decide(deposit, staff, S.NEEDS_INFO, reason=reason.strip()):
        _changed(deposit)


def deposit_resubmit(
    *, deposit: Deposit, user: User, transfer_reference: str, upload: UploadedFile | None = None
) -> Deposit:
    """The payer answers a question: a corrected reference, a new proof, or both.

    Raises NotAllowed, BadDeposit, ReferenceUsed, BadFile, DepositConflict (nothing was asked).
    """
    if deposit.user_id != user.pk:
        raise NotAllowed
    if deposit.state != S.NEEDS_INFO:
        raise DepositConflict
    key = reference_key(transfer_reference)
    _require_unused(deposit.method, key, but=deposit)
    proof = None
    if upload:
        proof = file_store(owner=user, purpose=StoredFile.Purpose.PAYMENT_PROOF, upload=upload, field="proof")
    similar = _deposits_with(lookalikes(proof)) if proof else deposit.lookalikes
    try:
        _resubmit(deposit, transfer_reference.strip(), key, proof, similar)
    except IntegrityError:
        raise ReferenceUsed(field="transfer_reference") from None
    return deposit


@atomic
def _resubmit(deposit: Deposit, reference: str, key: str, proof: StoredFile | None, similar: list[str]) -> None:
    won = Deposit.objects.filter(pk=deposit.pk, state=S.NEEDS_INFO).update(
        state=S.SUBMITTED,
        transfer_reference=reference,
        reference_key=key,
        claimed_by=None,
        proof=proof or deposit.proof_id,
        lookalikes=similar,
    )
    if not won:
        raise DepositConflict
    if proof:
        file_attach(file=proof, to=f"deposit:{deposit.pk.hex}")
    deposit.refresh_from_db()
    _changed(deposit)
    _review_deadline(deposit)


@atomic
def deposit_reverse(*, deposit: Deposit, actor: User, reason: str) -> None:
    """Take a credit back; what is already spent becomes a debt that the next credits repay.

    `payments.services.approvals` sees to the two people. Safe to repeat. Raises DepositConflict.
    """
    won = Deposit.objects.filter(pk=deposit.pk, state=S.APPROVED).update(state=S.REVERSED, reason=reason)
    deposit.refresh_from_db()
    if not won:
        if deposit.state == S.REVERSED:
            return
        raise DepositConflict
    ledger_post(
        kind="deposit_reversal",
        source=f"deposit:{deposit.pk.hex}",
        actor=actor,
        reason=reason[:300],
        moves=[
            Move(cash(deposit.method.code, deposit.currency), deposit.credited_minor),
            *debit_moves(deposit.user_id, deposit.credited_minor, deposit.currency),
        ],
    )
    _changed(deposit)
