import datetime

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.tests.factories import UserFactory
from accountsstore.money import share_minor
from payments.errors import InsufficientFunds
from payments.models import LedgerAccount, LedgerClosing, LedgerEntry, LedgerTransaction
from payments.selectors import statement, statement_rows, wallet
from payments.services.ledger import (
    Move,
    balance,
    cash,
    credit_moves,
    debit_moves,
    fee_income,
    ledger_close,
    ledger_post,
    user_available,
    user_debt,
)
from payments.tests.conftest import fund

pytestmark = pytest.mark.stack

USD = settings.STORE_CURRENCY


def test_a_posting_that_does_not_sum_to_zero_is_refused(buyer):
    with pytest.raises(ValueError, match="does not sum to zero"):
        ledger_post(kind="x", source="x:1", moves=[Move(user_available(buyer.pk, USD), 5)])
    assert not LedgerTransaction.objects.exists()


def test_a_wallet_never_goes_below_zero_and_the_refusal_says_what_is_missing(buyer):
    fund(buyer, 300)
    with pytest.raises(InsufficientFunds) as refused:
        ledger_post(
            kind="x",
            source="x:1",
            moves=[Move(user_available(buyer.pk, USD), -1_000), Move(cash("bank", USD), 1_000)],
        )
    assert refused.value.shortfall_minor == 700
    assert balance(user_available(buyer.pk, USD)) == 300
    assert LedgerTransaction.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_happening_posts_once():
    user = UserFactory()
    moves = [Move(cash("bank", USD), -100), Move(user_available(user.pk, USD), 100)]
    ledger_post(kind="deposit_test", source="happening:1", moves=moves)
    with pytest.raises(IntegrityError):
        ledger_post(kind="deposit_test", source="happening:1", moves=moves)
    assert balance(user_available(user.pk, USD)) == 100


def test_system_accounts_carry_no_balance_that_every_order_would_write(buyer):
    fund(buyer, 100)
    account = LedgerAccount.objects.get(kind=LedgerAccount.Kind.CASH)
    assert account.balance_minor is None
    assert balance(cash("bank", USD)) == -100


def test_a_closing_and_the_entries_since_give_the_same_balance_as_all_entries(buyer):
    fund(buyer, 100)
    LedgerEntry.objects.update(created_at=timezone.now() - datetime.timedelta(hours=1))
    assert ledger_close(timezone.now()) == 1
    assert LedgerClosing.objects.get().balance_minor == -100
    fund(buyer, 40)
    assert balance(cash("bank", USD)) == -140
    assert ledger_close(timezone.now()) == 0, "one closing a day is enough"


def test_a_debt_is_repaid_by_the_next_credits_before_the_wallet_grows(buyer):
    fund(buyer, 200)
    moves = [Move(cash("bank", USD), 500), *debit_moves(buyer.pk, 500, USD)]
    ledger_post(kind="reversal_test", source="t:1", moves=moves)
    assert (balance(user_available(buyer.pk, USD)), balance(user_debt(buyer.pk, USD))) == (0, -300)
    for number, (amount, wallet_after, debt_after) in enumerate([(100, 0, -200), (250, 50, 0)]):
        moves = [Move(cash("bank", USD), -amount), *credit_moves(buyer.pk, amount, USD)]
        ledger_post(kind="credit_test", source=f"t:{number}", moves=moves)
        assert (balance(user_available(buyer.pk, USD)), balance(user_debt(buyer.pk, USD))) == (wallet_after, debt_after)
    assert wallet(buyer).debt_minor == 0


def test_the_statement_opens_where_the_time_begins_and_closes_with_its_entries(buyer):
    now = timezone.now()
    for days, amount in [(5, 100), (3, 30), (1, 7)]:
        fund(buyer, amount)
        newest = LedgerTransaction.objects.order_by("-id").first()
        LedgerEntry.objects.filter(transaction=newest).update(created_at=now - datetime.timedelta(days=days))
    between = statement(buyer, now - datetime.timedelta(days=4), now)
    assert (between.opening_minor, between.closing_minor) == (100, 137)
    assert [entry.amount_minor for entry in between.entries] == [7, 30]
    assert between.opening_minor + sum(e.amount_minor for e in between.entries) == between.closing_minor
    quiet = statement(buyer, now - datetime.timedelta(hours=5), now)
    assert (quiet.opening_minor, quiet.closing_minor, quiet.entries) == (137, 137, [])
    assert [e.amount_minor for e in statement_rows(buyer, now - datetime.timedelta(days=9), now)] == [100, 30, 7]


def test_a_statement_shows_nobody_elses_movements(buyer, stranger):
    fund(buyer, 100)
    theirs = statement(stranger, timezone.now() - datetime.timedelta(days=1), timezone.now())
    assert (theirs.opening_minor, theirs.closing_minor, theirs.entries) == (0, 0, [])


@given(amount=st.integers(0, 10**12), refund=st.integers(0, 10**12), bp=st.integers(0, 5_000))
def test_any_split_of_any_price_is_conserved(amount, refund, bp):
    refund = min(refund, amount)
    fee = share_minor(amount - refund, bp)
    released = amount - refund - fee
    assert released >= 0
    assert released + refund + fee == amount


@pytest.mark.parametrize(
    ("amount", "bp", "fee"), [(1999, 800, 160), (1, 800, 0), (625, 800, 50), (6, 800, 0), (7, 800, 1)]
)
def test_the_fee_is_rounded_half_up(amount, bp, fee):
    assert share_minor(amount, bp) == fee


def test_fee_income_is_the_sum_of_its_entries(buyer):
    fund(buyer, 100)
    moves = [Move(user_available(buyer.pk, USD), -40), Move(fee_income(USD), 40)]
    ledger_post(kind="fee_test", source="t:1", moves=moves)
    assert balance(fee_income(USD)) == 40
