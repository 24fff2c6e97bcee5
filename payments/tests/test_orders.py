import datetime

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.errors import WrongPassword
from accounts.models import User
from accounts.tests.factories import PASSWORD
from accountsstore.errors import NotAllowed
from accountsstore.models import OutboxEvent
from listings.credentials import BadCredential
from listings.models import Credential, Listing, SellerFigures, StockItem
from listings.tests.factories import ListingFactory
from payments.errors import (
    InsufficientFunds,
    ListingGone,
    OrderConflict,
    OwnListing,
    PriceChanged,
    SoldOut,
    TermsNotAccepted,
)
from payments.models import Deadline, FeePolicy, LedgerTransaction, Order
from payments.selectors import order_for, wallet
from payments.services import disputes
from payments.services.approvals import early_release_confirm, early_release_request
from payments.services.orders import (
    BuyerCannotPay,
    order_accept,
    order_agree,
    order_buy,
    order_cancel,
    order_decline,
    order_deliver,
    order_redeliver,
    order_release,
    order_reveal,
    order_withdraw,
)
from payments.services.reviews import review_write
from payments.states import OrderState
from payments.tests.conftest import CREDENTIAL, buy, fund

pytestmark = pytest.mark.stack

S = OrderState


def refused(exception, call):
    """The call is refused, and nothing in the store has changed."""
    before = (Order.objects.count(), LedgerTransaction.objects.count(), OutboxEvent.objects.count())
    with pytest.raises(exception) as caught:
        call()
    assert (Order.objects.count(), LedgerTransaction.objects.count(), OutboxEvent.objects.count()) == before
    return caught.value


def test_buying_holds_the_price_in_escrow_and_tells_the_seller(buyer, seller, listing):
    fund(buyer, 3_000)
    order = buy(buyer, listing)
    assert order.state == S.FUNDED
    assert (wallet(buyer).available_minor, wallet(buyer).held_minor) == (500, 2_500)
    assert order.stock_item.state == StockItem.State.RESERVED
    listing.refresh_from_db()
    assert (listing.stock_count, listing.state) == (0, Listing.State.SOLD_OUT)
    told = OutboxEvent.objects.get(topic="order.changed")
    assert f"user.{seller.pk.hex}" in told.groups
    assert told.payload["happening"] == "fund"


def test_an_item_from_stock_is_delivered_at_once(buyer, seller):
    listing = ListingFactory(seller=seller, from_stock=[CREDENTIAL])
    fund(buyer)
    order = buy(buyer, listing)
    assert order.state == S.DELIVERED
    assert order.stock_item.state == StockItem.State.DELIVERED
    assert order_reveal(order=order, user=buyer, field="password", password=PASSWORD) == CREDENTIAL["password"]


def test_the_same_checkout_submitted_twice_is_one_order(buyer, listing, postings):
    fund(buyer)
    first, second = buy(buyer, listing, key="page"), buy(buyer, listing, key="page")
    assert first == second
    assert postings(first) == ["order_fund"]


def test_another_buyers_checkout_key_does_not_give_away_the_order(buyer, stranger, listing):
    fund(buyer), fund(stranger)
    buy(buyer, listing, key="page")
    with pytest.raises(SoldOut):
        buy(stranger, listing, key="page")


def test_a_wallet_that_does_not_cover_the_price_buys_nothing(buyer, listing):
    fund(buyer, 1_000)
    error = refused(InsufficientFunds, lambda: buy(buyer, listing))
    assert error.shortfall_minor == 1_500
    listing.refresh_from_db()
    assert listing.stock_count == 1


def test_a_price_that_changed_since_the_page_was_loaded_asks_again(buyer, listing):
    fund(buyer)
    Listing.objects.filter(pk=listing.pk).update(price_minor=2_600, version=2)
    error = refused(PriceChanged, lambda: buy(buyer, listing))
    assert (error.price_minor, error.version) == (2_600, 2)


def test_nobody_buys_their_own_listing(seller, listing):
    fund(seller)
    refused(OwnListing, lambda: buy(seller, listing))


def test_terms_of_another_day_are_not_accepted(buyer, listing):
    fund(buyer)
    refused(
        TermsNotAccepted,
        lambda: order_buy(
            buyer=buyer,
            listing_id=listing.pk,
            expected_price_minor=2_500,
            expected_version=1,
            checkout_key="k",
            terms_version="2001-01",
        ),
    )


@pytest.mark.parametrize(
    "state", [Listing.State.PAUSED, Listing.State.REMOVED, Listing.State.REJECTED, Listing.State.DRAFT]
)
def test_a_listing_that_is_not_on_sale_is_not_sold(buyer, listing, state):
    fund(buyer)
    Listing.objects.filter(pk=listing.pk).update(state=state)
    refused(ListingGone, lambda: buy(buyer, listing))


def test_a_category_switched_off_sells_nothing(buyer, listing):
    fund(buyer)
    listing.category.is_allowed = False
    listing.category.save()
    refused(ListingGone, lambda: buy(buyer, listing))


@pytest.mark.parametrize("status", [User.Status.RESTRICTED, User.Status.SUSPENDED])
def test_a_restricted_person_neither_buys_nor_is_bought_from(buyer, seller, listing, status):
    fund(buyer)
    User.objects.filter(pk=seller.pk).update(status=status)
    refused(ListingGone, lambda: buy(buyer, listing))
    User.objects.filter(pk=seller.pk).update(status=User.Status.ACTIVE)
    User.objects.filter(pk=buyer.pk).update(status=status)
    refused(NotAllowed, lambda: buy(buyer, listing))


def test_delivering_hands_over_ciphertext_only_and_starts_the_buyers_clock(order, buyer, seller):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    assert order.state == S.DELIVERED
    credential = Credential.objects.get(stock_item=order.stock_item)
    assert CREDENTIAL["password"].encode() not in bytes(credential.ciphertext)
    kinds = set(Deadline.objects.filter(order=order, is_open=True).values_list("kind", flat=True))
    assert kinds == {"inspect", "inspect_reminder"}
    order.refresh_from_db()
    assert order.due_at == order.delivered_at + datetime.timedelta(hours=48)


def test_a_second_click_on_deliver_changes_nothing(order, seller):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_deliver(order=order, seller=seller, values=CREDENTIAL | {"password": "another"})
    assert Credential.objects.filter(stock_item=order.stock_item).count() == 1


def test_a_delivery_with_a_field_missing_is_refused_beside_the_field(order, seller):
    error = refused(BadCredential, lambda: order_deliver(order=order, seller=seller, values={"login": "x"}))
    assert error.field == "password"
    order.refresh_from_db()
    assert order.state == S.FUNDED


def test_only_the_seller_delivers_and_only_the_buyer_accepts(order, buyer, seller, stranger):
    for person in (buyer, stranger):
        refused(NotAllowed, lambda person=person: order_deliver(order=order, seller=person, values=CREDENTIAL))
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    for person in (seller, stranger):
        refused(NotAllowed, lambda person=person: order_accept(order=order, buyer=person))


def test_a_correction_is_what_the_buyer_reveals_and_the_first_version_stays(order, buyer, seller):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_redeliver(order=order, seller=seller, values=CREDENTIAL | {"password": "right one"})
    assert order_reveal(order=order, user=buyer, field="password", stepped_up=True) == "right one"
    assert Credential.objects.filter(stock_item=order.stock_item).count() == 2


def test_a_reveal_takes_the_password_and_leaves_a_row_that_both_sides_see(order, buyer, seller):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    with pytest.raises(WrongPassword):
        order_reveal(order=order, user=buyer, field="login", password="wrong")
    assert not order.reveals.exists()
    assert order_reveal(order=order, user=buyer, field="login", password=PASSWORD) == CREDENTIAL["login"]
    row = order.reveals.get()
    assert (row.user, row.field) == (buyer, "login")
    order.refresh_from_db()
    assert order.revealed_at


def test_nobody_else_reveals_and_nothing_is_revealed_before_delivery(order, buyer, stranger, seller):
    refused(OrderConflict, lambda: order_reveal(order=order, user=buyer, field="login", stepped_up=True))
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    refused(NotAllowed, lambda: order_reveal(order=order, user=stranger, field="login", stepped_up=True))
    refused(OrderConflict, lambda: order_reveal(order=order, user=buyer, field="no_such", stepped_up=True))


def test_acceptance_starts_the_warranty_and_its_end_pays_the_seller_less_the_fee(order, buyer, seller, run_jobs):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    assert wallet(seller).available_minor == 0
    order.refresh_from_db()
    assert order.due_at == order.accepted_at + datetime.timedelta(days=7)
    order_release(order=order, now=timezone.now())
    assert order.state == S.RELEASED
    assert (order.released_minor, order.fee_minor, order.refunded_minor) == (2_300, 200, 0)
    assert wallet(seller).available_minor == 2_300
    run_jobs()
    figures = SellerFigures.objects.get(seller=seller)
    assert (figures.orders_finished, figures.orders_disputed) == (1, 0)
    order.listing.refresh_from_db()
    assert order.listing.sold_count == 1


def test_a_delivery_that_a_slow_clock_put_before_the_payment_took_no_time(order, seller, run_jobs):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    Order.objects.filter(pk=order.pk).update(funded_at=timezone.now() + datetime.timedelta(seconds=90))
    run_jobs()
    assert SellerFigures.objects.get(seller=seller).median_delivery_seconds == 0


def test_the_fee_is_the_one_in_force_when_the_order_was_funded(buyer, seller, listing):
    fund(buyer)
    FeePolicy.objects.create(starts_at=timezone.now(), basis_points=500)
    order = buy(buyer, listing)
    FeePolicy.objects.create(starts_at=timezone.now(), basis_points=2_000)
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    order_release(order=order, now=timezone.now())
    assert order.fee_minor == 125


def test_a_categorys_own_fee_and_durations_win(buyer, listing):
    fund(buyer)
    FeePolicy.objects.create(starts_at=timezone.now(), basis_points=500)
    FeePolicy.objects.create(starts_at=timezone.now(), basis_points=300, category=listing.category)
    listing.category.warranty_days, listing.category.inspect_hours = 0, 12
    listing.category.save()
    order = buy(buyer, listing)
    assert (order.fee_basis_points, order.warranty_days, order.inspect_hours) == (300, 0, 12)


def test_the_seller_cancels_at_any_time_and_the_item_is_on_sale_again(order, buyer, seller):
    order_cancel(order=order, actor=seller)
    assert order.state == S.CANCELLED
    assert wallet(buyer).available_minor == 10_000
    order.listing.refresh_from_db()
    assert (order.listing.stock_count, order.listing.state) == (1, Listing.State.ACTIVE)


def test_the_buyer_cancels_only_when_delivery_is_overdue(order, buyer):
    refused(NotAllowed, lambda: order_cancel(order=order, actor=buyer))
    Order.objects.filter(pk=order.pk).update(due_at=timezone.now() - datetime.timedelta(minutes=1))
    order_cancel(order=order, actor=buyer)
    assert order.state == S.CANCELLED


def test_a_listing_that_asks_first_holds_no_money_until_the_seller_agrees(buyer, seller):
    listing = ListingFactory(seller=seller, asks_first=True)
    fund(buyer, 2_500)
    order = buy(buyer, listing)
    assert (order.state, wallet(buyer).available_minor) == (S.REQUESTED, 2_500)
    order_agree(order=order, seller=seller)
    assert (order.state, wallet(buyer).available_minor, wallet(buyer).held_minor) == (S.FUNDED, 0, 2_500)


def test_a_request_that_the_buyer_can_no_longer_pay_stays_open(buyer, seller):
    order = buy(buyer, ListingFactory(seller=seller, asks_first=True))
    refused(BuyerCannotPay, lambda: order_agree(order=order, seller=seller))
    order.refresh_from_db()
    assert order.state == S.REQUESTED
    assert Deadline.objects.filter(order=order, is_open=True).count() == 1


def test_a_request_is_declined_by_the_seller_or_withdrawn_by_the_buyer(buyer, seller):
    listing = ListingFactory(seller=seller, asks_first=True)
    declined, withdrawn = buy(buyer, listing), buy(buyer, listing)
    order_decline(order=declined, seller=seller, note="Not today")
    order_withdraw(order=withdrawn, buyer=buyer)
    assert (declined.state, withdrawn.state) == (S.DECLINED, S.WITHDRAWN)
    refused(OrderConflict, lambda: order_agree(order=declined, seller=seller))


def test_a_dispute_stops_every_clock_and_agreement_ends_it(order, buyer, seller):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    disputes.dispute_open(order=order, buyer=buyer, reason="does_not_work", text="The password is refused.")
    assert order.state == S.DISPUTED
    assert set(Deadline.objects.filter(order=order, is_open=True).values_list("kind", flat=True)) == {"decide_dispute"}
    disputes.dispute_offer(order=order, actor=seller, refund_minor=1_000)
    refused(NotAllowed, lambda: disputes.dispute_offer_accept(order=order, actor=seller, expected_refund_minor=1_000))
    refused(OrderConflict, lambda: disputes.dispute_offer_accept(order=order, actor=buyer, expected_refund_minor=900))
    disputes.dispute_offer_accept(order=order, actor=buyer, expected_refund_minor=1_000)
    assert order.state == S.SPLIT
    assert (order.refunded_minor, order.fee_minor, order.released_minor) == (1_000, 120, 1_380)


@pytest.mark.parametrize(
    ("refund", "state", "item"),
    [(0, S.RELEASED, "delivered"), (2_500, S.REFUNDED, "revoked"), (700, S.SPLIT, "delivered")],
)
def test_staff_decide_a_dispute_with_a_reason_and_a_disclosed_item_never_returns_to_sale(
    order, buyer, seller, staff, refund, state, item
):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    disputes.dispute_open(order=order, buyer=buyer, reason="other", text="Not mine.")
    with pytest.raises(Exception, match="reason"):
        disputes.dispute_decide(order=order, staff=staff, refund_minor=refund, reason=" ")
    disputes.dispute_decide(order=order, staff=staff, refund_minor=refund, reason="The log shows it.")
    order.stock_item.refresh_from_db()
    assert (order.state, order.stock_item.state) == (state, item)
    order.listing.refresh_from_db()
    assert order.listing.stock_count == 0
    refused(OrderConflict, lambda: disputes.dispute_decide(order=order, staff=staff, refund_minor=0, reason="Again."))


def test_a_dispute_in_the_warranty_freezes_the_payment_and_can_refund_all_of_it(order, buyer, seller, staff):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    disputes.dispute_open(order=order, buyer=buyer, reason="taken_back", text="It was taken back.")
    refused(OrderConflict, lambda: order_release(order=order, now=timezone.now()))
    disputes.dispute_decide(order=order, staff=staff, refund_minor=2_500, reason="Taken back by its first owner.")
    assert wallet(buyer).available_minor == 10_000


def test_an_early_release_takes_two_people(order, buyer, seller, staff, second_staff):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    approval = early_release_request(order=order, staff=staff, reason="A seller we know.")
    refused(NotAllowed, lambda: early_release_confirm(approval=approval, staff=staff))
    early_release_confirm(approval=approval, staff=second_staff)
    order.refresh_from_db()
    assert order.state == S.RELEASED


def test_a_stranger_does_not_find_the_order(order, buyer, seller, stranger):
    assert order_for(buyer, order.number) == order_for(seller, order.number) == order
    with pytest.raises(Order.DoesNotExist):
        order_for(stranger, order.number)


def test_a_refunded_orders_review_no_longer_counts(order, buyer, seller, staff, run_jobs):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    review_write(order=order, buyer=buyer, rating=5, text="Fine.")
    assert SellerFigures.objects.get(seller=seller).rating_count == 1
    disputes.dispute_open(order=order, buyer=buyer, reason="other", text="It stopped working.")
    disputes.dispute_decide(order=order, staff=staff, refund_minor=2_500, reason="Proven.")
    run_jobs()
    assert SellerFigures.objects.get(seller=seller).rating_count == 0


def test_settings_decide_the_durations_of_a_category_without_its_own(order):
    assert order.deliver_hours == settings.ORDER_DELIVER_HOURS
    assert order.due_at == order.funded_at + datetime.timedelta(hours=settings.ORDER_DELIVER_HOURS)
