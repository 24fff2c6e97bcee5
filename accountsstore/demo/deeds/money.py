"""Paying in with a receipt, and being paid out by two members of staff."""

import datetime

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accountsstore.demo.deeds.people import user_named
from accountsstore.demo.drawings import receipt_picture
from accountsstore.demo.made_up import made_up
from accountsstore.demo.people import PASSWORD
from accountsstore.money import format_minor
from payments.models import Approval, Deposit, DepositMethod, PayoutMethod, Withdrawal
from payments.services import approvals, deposits, withdrawals
from uploads.storage import bytes_read

BANKS = ("Meridian Bank", "Halden Savings", "Corvo Pay")


def pay_in(username: str, amount_minor: int, number: int = 1, *, proof_of: Deposit | None = None) -> Deposit:
    """Claim a deposit; `number` counts the person's own. `proof_of` shows the receipt of that one once more."""
    user = user_named(username)
    reference = f"TR{made_up(username, number, 'transfer')}"
    if found := Deposit.objects.filter(user=user, transfer_reference=reference).first():
        return found
    bank = BANKS[int(made_up(username, length=4), 16) % len(BANKS)]
    method = DepositMethod.objects.get(code="wallet" if bank == "Corvo Pay" else "bank")
    code = deposits.deposit_code_new()
    receipt = (proof_of and bytes_read(proof_of.proof.storage_key)) or receipt_picture(
        bank=bank,
        amount=format_minor(amount_minor, method.currency),
        reference=reference,
        date=(timezone.now() - datetime.timedelta(minutes=20)).strftime("%d %b %Y, %H:%M"),
        payer=username.title(),
        note=code,
    )
    return deposits.deposit_submit(
        user=user,
        method=method,
        amount_minor=amount_minor,
        transfer_reference=reference,
        upload=SimpleUploadedFile("receipt.jpg", receipt, "image/jpeg"),
        code=code,
    )


def claim(deposit: Deposit, staff: str) -> None:
    deposit.refresh_from_db()
    if deposit.state == Deposit.State.SUBMITTED:
        deposits.deposit_claim(deposit=deposit, staff=user_named(staff))


def credit(deposit: Deposit, staff: str, amount_minor: int | None = None, reason: str = "") -> None:
    claim(deposit, staff)
    if deposit.state == Deposit.State.UNDER_REVIEW:
        deposits.deposit_approve(deposit=deposit, staff=user_named(staff), credited_minor=amount_minor, reason=reason)


def refuse(deposit: Deposit, staff: str, reason: str) -> None:
    claim(deposit, staff)
    if deposit.state == Deposit.State.UNDER_REVIEW:
        deposits.deposit_reject(deposit=deposit, staff=user_named(staff), reason=reason)


def ask_payer(deposit: Deposit, staff: str, reason: str) -> None:
    claim(deposit, staff)
    if deposit.state == Deposit.State.UNDER_REVIEW:
        deposits.deposit_ask(deposit=deposit, staff=user_named(staff), reason=reason)


def ask_reversal(deposit: Deposit, staff: str, reason: str) -> Approval:
    found = Approval.objects.filter(subject=f"deposit:{deposit.pk.hex}").first()
    deposit.refresh_from_db()
    return found or approvals.deposit_reversal_request(deposit=deposit, staff=user_named(staff), reason=reason)


def confirm_reversal(approval: Approval, staff: str) -> None:
    approval.refresh_from_db()
    if approval.is_open:
        approvals.deposit_reversal_confirm(approval=approval, staff=user_named(staff))


# ---------------------------------------------------------------- out


def payout_method(username: str) -> PayoutMethod:
    """Where the person is paid to; made the first time."""
    user = user_named(username)
    number = f"XX00 DEMO {int(made_up(username, 'iban'), 16) % 10**12:012d}"
    return PayoutMethod.objects.filter(user=user, is_removed=False).first() or withdrawals.payout_method_add(
        user=user, kind=PayoutMethod.Kind.BANK, holder=user.name, details=number, password=PASSWORD
    )


def ask_payout(username: str, amount_minor: int, number: int = 1) -> Withdrawal:
    """`number` counts the person's own."""
    return withdrawals.withdrawal_request(
        user=user_named(username),
        payout_method=payout_method(username),
        amount_minor=amount_minor,
        password=PASSWORD,
        request_key=f"demo:{number}",
    )


def approve_payout(withdrawal: Withdrawal) -> None:
    if _is(withdrawal, Withdrawal.State.REQUESTED):
        withdrawals.withdrawal_approve(withdrawal=withdrawal, staff=user_named("ines"))


def refuse_payout(withdrawal: Withdrawal, reason: str) -> None:
    if _is(withdrawal, Withdrawal.State.REQUESTED):
        withdrawals.withdrawal_reject(withdrawal=withdrawal, staff=user_named("ines"), reason=reason)


def take_back_payout(withdrawal: Withdrawal) -> None:
    if _is(withdrawal, Withdrawal.State.REQUESTED):
        withdrawals.withdrawal_cancel(withdrawal=withdrawal, user=withdrawal.user)


def send_payout(withdrawal: Withdrawal) -> None:
    if _is(withdrawal, Withdrawal.State.APPROVED):
        reference = f"OUT{made_up(withdrawal.code, length=8)}"
        withdrawals.withdrawal_send(withdrawal=withdrawal, staff=user_named("jonas"), external_reference=reference)


def settle_payout(withdrawal: Withdrawal) -> None:
    if _is(withdrawal, Withdrawal.State.SENT):
        withdrawals.withdrawal_settle(withdrawal=withdrawal, staff=user_named("jonas"))


def bounce_payout(withdrawal: Withdrawal, reason: str) -> None:
    """The bank sent it back."""
    if _is(withdrawal, Withdrawal.State.SENT):
        withdrawals.withdrawal_fail(withdrawal=withdrawal, staff=user_named("jonas"), reason=reason)


def _is(withdrawal: Withdrawal, state: str) -> bool:
    withdrawal.refresh_from_db()
    return withdrawal.state == state
