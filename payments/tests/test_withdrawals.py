import datetime

import pytest
from django.utils import timezone

from accounts.errors import WrongPassword
from accounts.models import AuditEvent, User
from accounts.tests.factories import PASSWORD, StaffFactory
from accountsstore.errors import NotAllowed
from payments.errors import BadDecision, InsufficientFunds, PayoutConflict, SecondPersonNeeded
from payments.models import PayoutMethod, Withdrawal
from payments.selectors import wallet
from payments.services.withdrawals import (
    BadPayout,
    payout_details_open,
    payout_method_add,
    payout_method_remove,
    withdrawal_approve,
    withdrawal_cancel,
    withdrawal_fail,
    withdrawal_reject,
    withdrawal_request,
    withdrawal_send,
    withdrawal_settle,
)
from payments.states import WithdrawalState
from payments.tests.conftest import fund
from payments.tests.factories import PayoutMethodFactory

pytestmark = pytest.mark.stack

S = WithdrawalState
IBAN = "DE89370400440532013000"


@pytest.fixture
def method(seller: User) -> PayoutMethod:
    fund(seller, 5_000)
    return PayoutMethodFactory(user=seller)


def ask(seller: User, method: PayoutMethod, amount: int = 2_000, key: str = "form") -> Withdrawal:
    return withdrawal_request(
        user=seller, payout_method=method, amount_minor=amount, password=PASSWORD, request_key=key
    )


def test_asking_takes_the_money_out_of_the_wallet_at_once(seller, method):
    withdrawal = ask(seller, method)
    assert withdrawal.state == S.REQUESTED
    assert (wallet(seller).available_minor, wallet(seller).withdrawing_minor) == (3_000, 2_000)


def test_two_members_of_staff_pay_out_and_it_settles(seller, method, staff, second_staff, postings):
    withdrawal = ask(seller, method)
    withdrawal_approve(withdrawal=withdrawal, staff=staff)
    withdrawal_send(withdrawal=withdrawal, staff=second_staff, external_reference="BANK-2026-77")
    withdrawal_settle(withdrawal=withdrawal, staff=second_staff)
    assert (withdrawal.state, withdrawal.external_reference) == (S.SETTLED, "BANK-2026-77")
    assert (wallet(seller).available_minor, wallet(seller).withdrawing_minor) == (3_000, 0)
    assert postings(withdrawal) == ["withdrawal_request", "withdrawal_settle"]
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {
        "withdrawal.approve",
        "withdrawal.send",
        "withdrawal.settle",
    }


def test_who_approved_does_not_send(seller, method, staff):
    withdrawal = ask(seller, method)
    withdrawal_approve(withdrawal=withdrawal, staff=staff)
    with pytest.raises(SecondPersonNeeded):
        withdrawal_send(withdrawal=withdrawal, staff=staff, external_reference="BANK-2026-77")
    assert withdrawal.state == S.APPROVED


def test_nothing_is_sent_without_a_reference_or_before_the_approval(seller, method, staff, second_staff):
    withdrawal = ask(seller, method)
    with pytest.raises(PayoutConflict):
        withdrawal_send(withdrawal=withdrawal, staff=second_staff, external_reference="BANK-2026-77")
    withdrawal_approve(withdrawal=withdrawal, staff=staff)
    with pytest.raises(BadDecision):
        withdrawal_send(withdrawal=withdrawal, staff=second_staff, external_reference=" ")
    with pytest.raises(PayoutConflict):
        withdrawal_settle(withdrawal=withdrawal, staff=second_staff)


@pytest.mark.parametrize("end", ["reject", "fail", "cancel"])
def test_what_is_not_paid_out_returns_to_the_wallet_once(seller, method, staff, second_staff, end):
    withdrawal = ask(seller, method)
    if end == "reject":
        withdrawal_reject(withdrawal=withdrawal, staff=staff, reason="The name does not match.")
        withdrawal_reject(withdrawal=withdrawal, staff=staff, reason="The name does not match.")
    elif end == "fail":
        withdrawal_approve(withdrawal=withdrawal, staff=staff)
        withdrawal_send(withdrawal=withdrawal, staff=second_staff, external_reference="BANK-1")
        withdrawal_fail(withdrawal=withdrawal, staff=second_staff, reason="The account is closed.")
    else:
        withdrawal_cancel(withdrawal=withdrawal, user=seller)
        withdrawal_cancel(withdrawal=withdrawal, user=seller)
    assert (wallet(seller).available_minor, wallet(seller).withdrawing_minor) == (5_000, 0)


def test_a_wrong_password_moves_no_money(seller, method):
    with pytest.raises(WrongPassword):
        withdrawal_request(user=seller, payout_method=method, amount_minor=2_000, password="no", request_key="k")
    assert wallet(seller).available_minor == 5_000


def test_more_than_the_wallet_holds_is_refused(seller, method):
    with pytest.raises(InsufficientFunds):
        ask(seller, method, amount=5_001)
    assert not Withdrawal.objects.exists()


@pytest.mark.parametrize("amount", [999, 0, -2_000])
def test_an_amount_below_the_smallest_is_refused_beside_its_field(seller, method, amount):
    with pytest.raises(BadPayout) as refused:
        ask(seller, method, amount=amount)
    assert refused.value.field == "amount"


def test_another_persons_payout_method_is_refused(seller, method, stranger):
    with pytest.raises(BadPayout):
        ask(seller, PayoutMethodFactory(user=stranger))


def test_a_removed_payout_method_is_refused(seller, method):
    payout_method_remove(method=method, user=seller)
    with pytest.raises(BadPayout):
        ask(seller, method)


def test_money_waits_after_a_new_payout_method_and_after_a_new_password(seller, method, settings):
    settings.PAYOUT_COOL_OFF_HOURS = 24
    fresh = payout_method_add(user=seller, kind="bank", holder="N", details="GB33BUKB20201555555555", password=PASSWORD)
    with pytest.raises(BadPayout, match="24 hours"):
        ask(seller, fresh)
    seller.secured_at = timezone.now() - datetime.timedelta(hours=23)
    with pytest.raises(BadPayout, match="24 hours"):
        ask(seller, method)
    seller.secured_at = timezone.now() - datetime.timedelta(hours=25)
    assert ask(seller, method).state == S.REQUESTED


def test_the_number_is_ciphertext_and_opening_it_leaves_an_audit_row(seller, method, staff):
    assert IBAN.encode() not in bytes(method.ciphertext)
    assert method.masked == "•••• 3000"
    withdrawal = ask(seller, method)
    assert payout_details_open(withdrawal=withdrawal, staff=staff) == IBAN
    assert AuditEvent.objects.get(action="payout.open").actor == staff
    with pytest.raises(NotAllowed):
        payout_details_open(withdrawal=withdrawal, staff=seller)


@pytest.mark.django_db
def test_nobody_decides_their_own_withdrawal():
    person = StaffFactory()
    fund(person, 5_000)
    withdrawal = ask(person, PayoutMethodFactory(user=person))
    with pytest.raises(NotAllowed):
        withdrawal_approve(withdrawal=withdrawal, staff=person)


def test_another_person_cannot_cancel_it(seller, method, stranger):
    with pytest.raises(NotAllowed):
        withdrawal_cancel(withdrawal=ask(seller, method), user=stranger)


@pytest.mark.parametrize(
    ("change", "field"), [({"kind": "cheque"}, "kind"), ({"holder": " "}, "holder"), ({"details": "12"}, "details")]
)
def test_a_payout_method_that_cannot_be_right_is_refused_beside_its_field(seller, change, field):
    values = {"kind": "bank", "holder": "N", "details": IBAN} | change
    with pytest.raises(BadPayout) as refused:
        payout_method_add(user=seller, password=PASSWORD, **values)
    assert refused.value.field == field
