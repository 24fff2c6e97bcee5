import datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import AuditEvent, User
from accountsstore.errors import NotAllowed
from accountsstore.models import OutboxEvent
from payments.errors import BadDecision, DepositConflict, ReferenceUsed, SecondPersonNeeded
from payments.models import Deadline, Deposit, LedgerTransaction
from payments.selectors import wallet
from payments.services.approvals import approval_decline, deposit_reversal_confirm, deposit_reversal_request
from payments.services.deposits import (
    BadDeposit,
    deposit_approve,
    deposit_ask,
    deposit_claim,
    deposit_code_new,
    deposit_reject,
    deposit_resubmit,
    deposit_submit,
    deposit_unclaim,
    reference_key,
)
from payments.states import DepositState
from payments.tests.conftest import fund
from payments.tests.factories import DepositFactory, DepositMethodFactory, receipt
from uploads.errors import BadFile

S = DepositState
pytestmark = [pytest.mark.django_db, pytest.mark.stack]


def claimed(staff: User, **kwargs: object) -> Deposit:
    deposit = DepositFactory(**kwargs)
    deposit_claim(deposit=deposit, staff=staff)
    return deposit


def test_a_deposit_waits_for_review_and_credits_nothing_yet(buyer):
    deposit = DepositFactory(user=buyer)
    assert (deposit.state, wallet(buyer).available_minor, wallet(buyer).in_review_minor) == (S.SUBMITTED, 0, 5_000)
    assert Deadline.objects.get(subject=f"deposit:{deposit.pk.hex}").kind == "review_deposit"
    deposit.proof.refresh_from_db()
    assert deposit.proof.attached_to == f"deposit:{deposit.pk.hex}"


def test_approving_credits_the_wallet_once_and_leaves_an_audit_row(buyer, staff):
    deposit = claimed(staff, user=buyer)
    deposit_approve(deposit=deposit, staff=staff)
    deposit_approve(deposit=deposit, staff=staff)
    assert wallet(buyer).available_minor == 5_000
    assert AuditEvent.objects.get(action="deposit.approved").actor == staff
    assert not Deadline.objects.filter(is_open=True).exists()
    told = OutboxEvent.objects.filter(topic="deposit.changed").order_by("-created_at").first()
    assert told.payload["state"] == "approved"


def test_another_amount_than_declared_takes_a_reason(buyer, staff):
    deposit = claimed(staff, user=buyer)
    with pytest.raises(BadDecision):
        deposit_approve(deposit=deposit, staff=staff, credited_minor=4_900)
    deposit_approve(deposit=deposit, staff=staff, credited_minor=4_900, reason="The receipt says 49.00.")
    assert wallet(buyer).available_minor == 4_900


def test_a_reference_is_used_once_however_it_is_typed(buyer, stranger):
    DepositFactory(user=buyer, transfer_reference="AB-12 34 56")
    with pytest.raises(ReferenceUsed) as refused:
        DepositFactory(user=stranger, transfer_reference="ab123456")
    assert refused.value.field == "transfer_reference"
    assert Deposit.objects.count() == 1


def test_the_same_reference_of_another_method_is_another_payment(buyer):
    DepositFactory(user=buyer, transfer_reference="AB123456")
    DepositFactory(user=buyer, transfer_reference="AB123456", method=DepositMethodFactory(code="wallet"))
    assert Deposit.objects.count() == 2


def test_a_rejected_reference_may_be_claimed_again(buyer, staff):
    deposit = claimed(staff, user=buyer, transfer_reference="AB123456")
    deposit_reject(deposit=deposit, staff=staff, reason="The picture cannot be read.")
    assert deposit.reason == "The picture cannot be read."
    assert DepositFactory(user=buyer, transfer_reference="AB123456").state == S.SUBMITTED


def test_a_second_submit_of_one_form_is_one_deposit(buyer):
    code, method = deposit_code_new(), DepositMethodFactory()
    first, second = (
        deposit_submit(
            user=buyer, method=method, amount_minor=5_000, transfer_reference="AB123456", upload=receipt("a"), code=code
        )
        for _ in range(2)
    )
    assert first == second
    assert Deposit.objects.count() == 1


def test_another_payment_under_a_code_that_was_used_is_not_taken_for_a_repeat(buyer):
    """The page shows the code of an older session when Redis has forgotten the newest."""
    code, method = deposit_code_new(), DepositMethodFactory()
    first, second = (
        deposit_submit(
            user=buyer, method=method, amount_minor=5_000, transfer_reference=reference, upload=receipt("a"), code=code
        )
        for reference in ("AB123456", "CD123456")
    )
    assert (first.code, first.transfer_reference, second.transfer_reference) == (code, "AB123456", "CD123456")
    assert Deposit.objects.count() == 2


def test_the_same_picture_again_is_flagged_for_the_reviewer(buyer, stranger):
    first = DepositFactory(user=buyer, upload=receipt("paid 5000"))
    second = DepositFactory(user=stranger, upload=receipt("paid 5000"))
    other = DepositFactory(user=stranger, upload=receipt("QQ zz 0099 ~~ !!"))
    assert second.lookalikes == [first.pk.hex]
    assert other.lookalikes == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount_minor": 499}, "amount"),
        ({"amount_minor": -5_000}, "amount"),
        ({"amount_minor": 10**15}, "amount"),
        ({"transfer_reference": "ab"}, "transfer_reference"),
        ({"transfer_reference": "x" * 41}, "transfer_reference"),
        ({"upload": None}, "proof"),
    ],
)
def test_a_deposit_that_cannot_be_right_is_refused_beside_its_field(buyer, change, field):
    with pytest.raises(BadDeposit) as refused:
        DepositFactory(user=buyer, **change)
    assert refused.value.field == field
    assert not Deposit.objects.exists()


def test_a_proof_that_is_no_picture_is_refused(buyer):
    with pytest.raises(BadFile):
        DepositFactory(user=buyer, upload=SimpleUploadedFile("proof.png", b"<html>", "image/png"))
    assert not Deposit.objects.exists()


def test_a_method_that_is_no_longer_offered_takes_nothing(buyer):
    with pytest.raises(BadDeposit):
        DepositFactory(user=buyer, method=DepositMethodFactory(code="old", is_active=False))


def test_a_claim_keeps_others_out_until_its_lease_runs_out(staff, second_staff):
    deposit = claimed(staff)
    with pytest.raises(DepositConflict, match="ines"):
        deposit_claim(deposit=deposit, staff=second_staff)
    with pytest.raises(DepositConflict):
        deposit_approve(deposit=deposit, staff=second_staff)
    Deposit.objects.update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
    deposit_claim(deposit=deposit, staff=second_staff)
    with pytest.raises(DepositConflict):
        deposit_approve(deposit=deposit, staff=staff)
    deposit_approve(deposit=deposit, staff=second_staff)
    assert LedgerTransaction.objects.filter(kind="deposit").count() == 1


def test_a_deposit_can_be_given_back_to_the_queue(staff, second_staff):
    deposit = claimed(staff)
    deposit_unclaim(deposit=deposit, staff=staff)
    deposit_claim(deposit=deposit, staff=second_staff)
    assert deposit.claimed_by == second_staff


def test_nobody_decides_their_own_deposit_and_nobody_without_the_permission(staff, stranger):
    with pytest.raises(NotAllowed):
        deposit_claim(deposit=DepositFactory(user=staff), staff=staff)
    with pytest.raises(NotAllowed):
        deposit_claim(deposit=DepositFactory(), staff=stranger)


def test_a_rejection_without_a_reason_is_refused(staff):
    deposit = claimed(staff)
    with pytest.raises(BadDecision):
        deposit_reject(deposit=deposit, staff=staff, reason="  ")
    deposit.refresh_from_db()
    assert deposit.state == S.UNDER_REVIEW


def test_a_question_is_answered_with_a_better_proof_and_goes_back_to_the_queue(buyer, staff):
    deposit = claimed(staff, user=buyer)
    old = deposit.proof_id
    deposit_ask(deposit=deposit, staff=staff, reason="Send the whole receipt.")
    with pytest.raises(NotAllowed):
        deposit_resubmit(deposit=deposit, user=staff, transfer_reference="AB999999")
    deposit_resubmit(deposit=deposit, user=buyer, transfer_reference="AB999999", upload=receipt("whole"))
    deposit.refresh_from_db()
    assert (deposit.state, deposit.reference_key) == (S.SUBMITTED, "AB999999")
    assert deposit.proof_id != old
    with pytest.raises(DepositConflict):
        deposit_resubmit(deposit=deposit, user=buyer, transfer_reference="AB111111")


def test_a_reversal_takes_two_people_and_what_was_spent_becomes_a_debt(buyer, staff, second_staff):
    deposit = claimed(staff, user=buyer)
    deposit_approve(deposit=deposit, staff=staff)
    from django.conf import settings

    from payments.services.ledger import Move, cash, ledger_post, user_available

    spent = [
        Move(user_available(buyer.pk, settings.STORE_CURRENCY), -3_000),
        Move(cash("x", settings.STORE_CURRENCY), 3_000),
    ]
    ledger_post(kind="spent", source="test:1", moves=spent)
    approval = deposit_reversal_request(deposit=deposit, staff=staff, reason="The bank took it back.")
    with pytest.raises(SecondPersonNeeded):
        deposit_reversal_confirm(approval=approval, staff=staff)
    deposit_reversal_confirm(approval=approval, staff=second_staff)
    deposit.refresh_from_db()
    assert deposit.state == S.REVERSED
    assert (wallet(buyer).available_minor, wallet(buyer).debt_minor) == (0, 3_000)
    fund(buyer, 500)


def test_a_reversal_that_is_declined_changes_no_money(buyer, staff, second_staff):
    deposit = claimed(staff, user=buyer)
    deposit_approve(deposit=deposit, staff=staff)
    approval = deposit_reversal_request(deposit=deposit, staff=staff, reason="A doubt.")
    approval_decline(approval=approval, staff=second_staff, reason="The statement shows it.")
    assert wallet(buyer).available_minor == 5_000


@pytest.mark.parametrize(("typed", "key"), [("ab-12 34", "AB1234"), ("  TRX/2026/0007 ", "TRX20260007")])
def test_references_are_compared_by_capitals_and_digits(typed, key):
    assert reference_key(typed) == key
