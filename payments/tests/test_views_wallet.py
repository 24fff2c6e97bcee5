import csv
import datetime
import io
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accountsstore.money import parse_minor
from listings.tests.factories import ListingFactory
from payments.models import LedgerAccount, LedgerEntry, LedgerTransaction, Order
from payments.selectors import wallet_available
from payments.services.deposits import deposit_approve, deposit_ask, deposit_claim
from payments.services.ledger import Move, cash, ledger_post, user_available, user_debt
from payments.services.orders import order_cancel
from payments.tests.conftest import buy, fund
from payments.tests.factories import DepositFactory
from payments.views.wallet import LONGEST_DAYS, plain_cell

WALLET, STATEMENT, CSV = (reverse(f"payments:{name}") for name in ("wallet", "statement", "statement_csv"))


def rows_of(response: Any) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def entries_move_to(user: User, at: datetime.datetime) -> None:
    accounts = list(LedgerAccount.objects.filter(owner_id=user.pk))
    LedgerEntry.objects.filter(account__in=accounts).update(created_at=at)


# ---------------------------------------------------------------- wallet


def test_a_new_wallet_is_empty_and_says_what_to_do(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    html = client.get(WALLET).content.decode()
    assert "$0.00" in html
    assert "No money here yet" in html
    assert reverse("payments:deposit_new") in html


def test_balances_and_what_waits_are_told_with_their_next_step(client: Client, buyer: User, order: Order) -> None:
    DepositFactory(user=buyer, amount_minor=5_000)
    client.force_login(buyer)
    page = client.get(WALLET).context["page"]
    assert page.amounts["available"] == "$75.00"
    assert page.amounts["held"] == "$25.00"
    assert page.amounts["in_review"] == "$50.00"
    assert [item.amount for item in page.waiting] == ["$50.00", "$25.00"]
    assert "Our staff compare the proof with the bank" in page.waiting[0].next
    assert "northpine delivers by" in page.waiting[1].next


def test_a_question_of_staff_stands_on_the_wallet(client: Client, buyer: User, staff: User) -> None:
    deposit = DepositFactory(user=buyer)
    deposit_claim(deposit=deposit, staff=staff)
    deposit_ask(deposit=deposit, staff=staff, reason="Send the second page.")
    client.force_login(buyer)
    assert "Your turn: Send the second page." in client.get(WALLET).content.decode()


def test_a_debt_is_said_plainly(client: Client, buyer: User) -> None:
    ledger_post(
        kind="opening",
        source="opening:debt",
        moves=[
            Move(cash("bank", settings.STORE_CURRENCY), 700),
            Move(user_debt(buyer.pk, settings.STORE_CURRENCY), -700),
        ],
    )
    client.force_login(buyer)
    html = client.get(WALLET).content.decode()
    assert "You owe the store money." in html
    assert "$7.00" in html


@pytest.mark.stack
def test_nobody_elses_money_is_on_the_page(client: Client, buyer: User, stranger: User, order: Order) -> None:
    DepositFactory(user=buyer)
    client.force_login(stranger)
    page = client.get(WALLET).context["page"]
    assert (page.waiting, page.movements, page.wallet.available_minor) == ([], [], 0)


@pytest.mark.stack
def test_the_wallet_is_a_bounded_number_of_queries(
    client: Client, buyer: User, seller: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fund(buyer, 100_000)
    listing = ListingFactory(seller=seller, stock=9)
    for _ in range(6):
        listing.refresh_from_db()
        buy(buyer, listing)
        DepositFactory(user=buyer)
    client.force_login(buyer)
    client.get(WALLET)
    with django_assert_max_num_queries(24):
        client.get(WALLET)


# ---------------------------------------------------------------- statement


@pytest.mark.stack
def test_opening_and_movements_make_the_closing_balance(client: Client, buyer: User, listing: Any) -> None:
    fund(buyer, 10_000)
    entries_move_to(buyer, timezone.now() - datetime.timedelta(days=60))
    order = buy(buyer, listing)
    order_cancel(order=order, actor=order.seller)
    client.force_login(buyer)
    context = client.get(STATEMENT).context
    assert (context["opening"], context["closing"]) == ("$100.00", "$100.00")
    assert [row.amount for row in context["movements"]] == ["+$25.00", "−$25.00"]
    assert [row.title for row in context["movements"]] == ["Refund", "Paid into escrow"]
    assert context["movements"][0].url == order.get_absolute_url()


@pytest.mark.stack
def test_days_without_movements_keep_the_balance_of_before(client: Client, buyer: User) -> None:
    fund(buyer, 4_200)
    entries_move_to(buyer, timezone.now() - datetime.timedelta(days=60))
    client.force_login(buyer)
    context = client.get(STATEMENT).context
    assert (context["opening"], context["closing"], context["movements"]) == ("$42.00", "$42.00", [])


@pytest.mark.stack
def test_the_last_day_is_included(client: Client, buyer: User) -> None:
    fund(buyer, 4_200)
    today = timezone.localdate().isoformat()
    client.force_login(buyer)
    context = client.get(STATEMENT, {"since": today, "until": today}).context
    assert (context["opening"], context["closing"]) == ("$0.00", "$42.00")


@pytest.mark.parametrize(
    ("since", "until", "sentence"),
    [
        ("2026-02-10", "2026-02-01", "The last day is before the first."),
        ("2020-01-01", "2026-01-01", f"A statement covers at most {LONGEST_DAYS} days."),
        ("yesterday", "2026-01-01", "Enter a valid date."),
    ],
)
def test_days_that_cannot_be_are_answered_beside_the_field(
    client: Client, buyer: User, since: str, until: str, sentence: str
) -> None:
    client.force_login(buyer)
    for url in (STATEMENT, CSV):
        response = client.get(url, {"since": since, "until": until})
        assert response.status_code == 422
        assert sentence in response.content.decode()


@pytest.mark.stack
def test_the_file_has_every_movement_and_adds_up(client: Client, buyer: User, listing: Any) -> None:
    fund(buyer, 10_000)
    order = buy(buyer, listing)
    client.force_login(buyer)
    response = client.get(CSV)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in response.headers["Cache-Control"]
    head, opening, *moves, closing = rows_of(response)
    assert head == ["Time (UTC)", "What", "Reference", "Amount", "Balance", "Currency"]
    assert [row[3] for row in moves] == ["100.00", "-25.00"]
    assert moves[1][2] == order.number
    assert parse_minor(opening[4]) + sum(int(float(row[3]) * 100) for row in moves) == parse_minor(closing[4])
    assert parse_minor(closing[4]) == wallet_available(buyer)


@pytest.mark.stack
def test_the_file_of_a_cut_statement_still_opens_with_the_true_balance(
    client: Client, buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.selectors.STATEMENT_LIMIT", 3)
    for _ in range(5):
        fund(buyer, 1_000)
    client.force_login(buyer)
    page = client.get(STATEMENT)
    assert page.context["is_cut"] is True
    assert "Only the newest" in page.content.decode()
    _head, opening, *moves, closing = rows_of(client.get(CSV))
    assert (opening[4], len(moves), closing[4]) == ("0.00", 5, "50.00")


def test_the_file_is_one_persons_own(client: Client, buyer: User, stranger: User) -> None:
    fund(buyer)
    client.force_login(stranger)
    assert len(rows_of(client.get(CSV))) == 3
    client.logout()
    assert client.get(CSV).status_code == 302


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert plain_cell(text) == f"'{text}"


def test_plain_text_stays_as_it_is() -> None:
    assert plain_cell("Paid into escrow") == "Paid into escrow"


def test_every_kind_of_posting_on_a_wallet_has_a_name(client: Client, buyer: User, staff: User) -> None:
    from payments.movements import _TITLES

    deposit = DepositFactory(user=buyer)
    deposit_claim(deposit=deposit, staff=staff)
    deposit_approve(deposit=deposit, staff=staff)
    client.force_login(buyer)
    movement = client.get(STATEMENT).context["movements"][0]
    assert (movement.title, movement.reference) == ("Deposit credited", deposit.code)
    kinds = set(LedgerTransaction.objects.values_list("kind", flat=True))
    assert kinds <= set(_TITLES)


def test_a_posting_of_an_unknown_kind_is_shown_by_its_kind(client: Client, buyer: User) -> None:
    currency = settings.STORE_CURRENCY
    ledger_post(
        kind="goodwill",
        source="note:1",
        moves=[Move(cash("bank", currency), -5), Move(user_available(buyer.pk, currency), 5)],
    )
    client.force_login(buyer)
    movement = client.get(STATEMENT).context["movements"][0]
    assert (movement.title, movement.reference, movement.url) == ("goodwill", "", "")
