"""Rivals with real threads on a real database file: one UPDATE decides, and the others hear a clear refusal."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import PASSWORD, SellerFactory, StaffFactory, UserFactory
from accountsstore.errors import StoreError
from listings.models import Credential, StockItem
from listings.tests.factories import ListingFactory
from payments.models import Deposit, LedgerTransaction, Order, Withdrawal
from payments.selectors import wallet
from payments.services.clock import clock_tick
from payments.services.deposits import deposit_approve, deposit_claim
from payments.services.disputes import dispute_open
from payments.services.orders import (
    order_accept,
    order_accept_by_clock,
    order_cancel,
    order_deliver,
    order_lapse,
    order_release,
)
from payments.services.verification import ledger_verify
from payments.services.withdrawals import withdrawal_approve, withdrawal_request, withdrawal_send, withdrawal_settle
from payments.states import OrderState
from payments.tests.conftest import CREDENTIAL, buy, fund
from payments.tests.factories import DepositFactory, PayoutMethodFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

S = OrderState


def race(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at once, each in a thread with a connection of its own. Returns what each gave or refused."""
    results: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(number: int, call: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[number] = call()
        except StoreError as refusal:
            results[number] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n, call)) for n, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger_verify().faults == []
    return results


def kinds(results: list[Any]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


@pytest.mark.parametrize("from_stock", [True, False], ids=["loaded stock", "by hand"])
def test_fifty_buyers_at_one_item_are_one_sale_and_forty_nine_clear_refusals(from_stock):
    listing = ListingFactory(from_stock=[CREDENTIAL]) if from_stock else ListingFactory()
    buyers = UserFactory.create_batch(50)
    for person in buyers:
        fund(person, 2_500)
    results = race(*(lambda person=person: buy(person, listing) for person in buyers))
    assert kinds(results) == {"Order": 1, "SoldOut": 49}
    assert all("sold" in str(refusal) for refusal in results if isinstance(refusal, StoreError))
    order = Order.objects.get()
    assert StockItem.objects.count() == 1
    losers = [person for person in buyers if person.pk != order.buyer_id]
    assert all(wallet(person).available_minor == 2_500 for person in losers), "nobody else was charged"
    assert LedgerTransaction.objects.filter(kind="order_fund").count() == 1


def test_n_items_make_exactly_n_sales():
    listing = ListingFactory(stock=5)
    buyers = UserFactory.create_batch(12)
    for person in buyers:
        fund(person, 2_500)
    results = race(*(lambda person=person: buy(person, listing) for person in buyers))
    assert kinds(results) == {"Order": 5, "SoldOut": 7}


def test_one_wallet_spent_twice_at_once_pays_for_one_order():
    buyer = UserFactory()
    fund(buyer, 2_500)
    listings = [ListingFactory(), ListingFactory()]
    results = race(*(lambda listing=listing: buy(buyer, listing) for listing in listings))
    assert kinds(results) == {"Order": 1, "InsufficientFunds": 1}
    assert wallet(buyer).available_minor == 0


def test_a_double_click_on_pay_is_one_order():
    buyer, listing = UserFactory(), ListingFactory(stock=3)
    fund(buyer)
    results = race(*(lambda: buy(buyer, listing, key="the page") for _ in range(6)))
    assert {result.pk for result in results} == {Order.objects.get().pk}
    assert wallet(buyer).available_minor == 7_500


def test_twenty_approvals_of_one_deposit_credit_it_once():
    staff = StaffFactory.create_batch(4)
    deposit = DepositFactory(amount_minor=5_000)
    deposit_claim(deposit=deposit, staff=staff[0])
    copies = [Deposit.objects.get(pk=deposit.pk) for _ in range(20)]
    results = race(
        *(
            lambda copy=copy, person=staff[n % 4]: deposit_approve(deposit=copy, staff=person)
            for n, copy in enumerate(copies)
        )
    )
    assert kinds(results) == {"NoneType": 5, "DepositConflict": 15}, "who holds the claim approves, however often"
    assert wallet(deposit.user).available_minor == 5_000
    assert LedgerTransaction.objects.filter(kind="deposit").count() == 1


def test_two_reviewers_cannot_hold_one_deposit():
    staff = StaffFactory.create_batch(5)
    deposit = DepositFactory()
    results = race(
        *(
            lambda person=person: deposit_claim(deposit=Deposit.objects.get(pk=deposit.pk), staff=person)
            for person in staff
        )
    )
    assert kinds(results) == {"NoneType": 1, "DepositConflict": 4}


def funded() -> Order:
    buyer = UserFactory()
    fund(buyer, 2_500)
    return buy(buyer, ListingFactory(seller=SellerFactory()))


def delivered() -> Order:
    order = funded()
    order_deliver(order=order, seller=order.seller, values=CREDENTIAL)
    return order


def again(order: Order) -> Order:
    """The order as a rival read it."""
    return Order.objects.select_related("buyer", "seller", "listing__category", "stock_item").get(pk=order.pk)


# Each pair of rivals may win; what matters is that exactly one does, and that the money is in one place.
RIVALS = {
    "delivery against the overdue refund": (
        funded,
        lambda o: order_deliver(order=o, seller=o.seller, values=CREDENTIAL),
        lambda o: order_lapse(order=o, now=timezone.now()),
        {S.DELIVERED, S.REFUNDED},
    ),
    "cancelling against delivery": (
        funded,
        lambda o: order_cancel(order=o, actor=o.seller),
        lambda o: order_deliver(order=o, seller=o.seller, values=CREDENTIAL),
        {S.CANCELLED, S.DELIVERED},
    ),
    "disputing against the clock's acceptance": (
        delivered,
        lambda o: dispute_open(order=o, buyer=o.buyer, reason="other", text="Wrong."),
        lambda o: order_accept_by_clock(order=o, now=timezone.now()),
        {S.DISPUTED},
    ),
}


@pytest.mark.parametrize("name", RIVALS)
def test_of_two_rivals_exactly_one_wins(name):
    make, one, other, ends = RIVALS[name]
    order = make()
    Order.objects.filter(pk=order.pk).update(reminders_sent=2)
    rivals = [lambda o=again(order): one(o), lambda o=again(order): other(o)]
    results = race(*rivals * 1)
    order.refresh_from_db()
    assert order.state in ends
    if name != "disputing against the clock's acceptance":
        assert kinds(results) == {"NoneType": 1, "OrderConflict": 1}
    held = order.price_minor if order.state in (S.DELIVERED, S.DISPUTED) else 0
    assert wallet(order.buyer).held_minor == held
    assert wallet(order.buyer).available_minor == order.price_minor - held


def test_accepting_against_the_clock_accepts_once():
    order = delivered()
    Order.objects.filter(pk=order.pk).update(reminders_sent=2)
    race(
        *(lambda o=again(order): order_accept(order=o, buyer=o.buyer) for _ in range(3)),
        *(lambda o=again(order): order_accept_by_clock(order=o, now=timezone.now()) for _ in range(3)),
    )
    order.refresh_from_db()
    assert order.state == S.ACCEPTED
    assert order.events.filter(happening="accept").count() == 1
    assert order.deadlines.filter(kind="warranty").count() == 1


def test_a_double_click_on_deliver_hands_over_once():
    order = funded()
    race(*(lambda o=again(order): order_deliver(order=o, seller=o.seller, values=CREDENTIAL) for _ in range(6)))
    assert Credential.objects.count() == 1


def test_two_clocks_at_once_pay_the_seller_once():
    order = delivered()
    order_accept(order=order, buyer=order.buyer)
    later = order.due_at
    race(*(lambda: clock_tick(later) for _ in range(4)), lambda o=again(order): order_release(order=o, now=later))
    order.refresh_from_db()
    assert order.state == S.RELEASED
    assert wallet(order.seller).available_minor == 2_300


def test_withdrawals_at_once_never_exceed_the_wallet():
    person = UserFactory()
    fund(person, 5_000)
    method = PayoutMethodFactory(user=person)
    results = race(
        *(
            lambda n=n: withdrawal_request(
                user=person, payout_method=method, amount_minor=2_000, password=PASSWORD, request_key=f"form {n}"
            )
            for n in range(5)
        )
    )
    assert kinds(results) == {"Withdrawal": 2, "InsufficientFunds": 3}
    assert wallet(person).available_minor == 1_000


def test_a_double_click_on_withdraw_and_on_every_staff_button_acts_once():
    person, maker, checker = UserFactory(), StaffFactory(), StaffFactory()
    fund(person, 5_000)
    method = PayoutMethodFactory(user=person)
    asked = race(
        *(
            lambda: withdrawal_request(
                user=person, payout_method=method, amount_minor=2_000, password=PASSWORD, request_key="one form"
            )
            for _ in range(4)
        )
    )
    assert {row.pk for row in asked} == {Withdrawal.objects.get().pk}

    def copies(call: Callable[[Withdrawal], None]) -> list[Callable[[], None]]:
        return [lambda w=Withdrawal.objects.get(): call(w) for _ in range(4)]

    race(*copies(lambda w: withdrawal_approve(withdrawal=w, staff=maker)))
    race(*copies(lambda w: withdrawal_send(withdrawal=w, staff=checker, external_reference="BANK-77")))
    race(*copies(lambda w: withdrawal_settle(withdrawal=w, staff=checker)))
    assert Withdrawal.objects.get().state == "settled"
    assert wallet(person).available_minor == 3_000
    assert list(LedgerTransaction.objects.filter(kind__startswith="withdrawal").values_list("kind", flat=True)) == [
        "withdrawal_request",
        "withdrawal_settle",
    ]
