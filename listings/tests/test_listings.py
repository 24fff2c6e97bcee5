import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import SellerProfile, User
from accounts.services import user_restore, user_restrict
from accounts.tests.factories import SellerFactory
from accountsstore.errors import Conflict, NotAllowed, StoreError
from listings.errors import BadListing, CategoryClosed, ListingChangedMeanwhile, NotASeller, NothingInStock
from listings.models import Category, Listing, ListingTerm, StockItem
from listings.services.listings import (
    listing_create,
    listing_pause,
    listing_publish,
    listing_remove,
    listing_resume,
    listing_update,
)
from listings.services.stock import BadStock, stock_add_manual, stock_load, stock_take
from listings.tests.factories import CategoryFactory, ListingFactory

State = Listing.State
pytestmark = [pytest.mark.django_db, pytest.mark.stack]

GOOD: dict[str, Any] = {
    "title": "Knight of level 62, three mounts",
    "description": "Raised over two seasons. The mail address comes with it.",
    "price_minor": 3800,
    "attributes": {"game": "Emberfall", "level": "62", "region": "Europe", "email_included": "yes"},
    "delivery": "manual",
    "asks_first": False,
}


def create(seller: User, **changes: Any) -> Listing:
    return listing_create(seller=seller, **{"category": CategoryFactory(), **GOOD, **changes})


def update(listing: Listing, **changes: Any) -> Listing:
    now = {name: getattr(listing, name) for name in GOOD}
    expected = changes.pop("expected_version", listing.version)
    seller = changes.pop("seller", listing.seller)
    return listing_update(listing=listing, seller=seller, expected_version=expected, **{**now, **changes})


# ---------------------------------------------------------------- writing


def test_a_new_listing_is_a_draft_with_its_values_in_their_kinds(seller: User) -> None:
    listing = create(seller)
    assert listing.state == State.DRAFT
    assert listing.attributes == {"game": "Emberfall", "level": 62, "region": "Europe", "email_included": True}
    assert listing.currency == settings.STORE_CURRENCY


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("title", {"title": "  short "}),
        ("title", {"title": "x" * 101}),
        ("description", {"description": "too short"}),
        ("description", {"description": "x" * 5001}),
        ("price", {"price_minor": settings.LISTING_PRICE_MIN_MINOR - 1}),
        ("price", {"price_minor": settings.LISTING_PRICE_MAX_MINOR + 1}),
        ("price", {"price_minor": -2500}),
        ("delivery", {"delivery": "pigeon"}),
        ("attr_level", {"attributes": {"level": "sixty"}}),
        ("attr_level", {"attributes": {"level": "-3"}}),
        ("attr_level", {"attributes": {"level": "9" * 30}}),
        ("attr_region", {"attributes": {"region": "Atlantis"}}),
        ("attr_email_included", {"attributes": {"email_included": "perhaps"}}),
        ("attr_game", {"attributes": {"game": "x" * 201}}),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_made(seller: User, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(BadListing) as refused:
        create(seller, **changes)
    assert refused.value.field == field
    assert not Listing.objects.exists()


def test_what_a_category_requires_must_be_there(seller: User) -> None:
    category = CategoryFactory(fields=[{"use": "attribute", "key": "server", "label_en": "Server"}])
    with pytest.raises(BadListing) as refused:
        create(seller, category=category, attributes={"game": "Emberfall"})
    assert refused.value.field == "attr_server"
    assert create(seller, category=category, attributes={"server": "North", "unknown": "x"}).attributes == {
        "server": "North"
    }


def test_arabic_digits_are_numbers(seller: User) -> None:
    assert create(seller, attributes={"level": "٦٢"}).attributes["level"] == 62


def test_only_an_approved_active_seller_offers(seller: User, buyer: User, staff: User) -> None:
    with pytest.raises(NotASeller):
        create(buyer)
    user_restrict(user=seller, staff=staff, reason="Two complaints")
    with pytest.raises(NotASeller):
        create(seller)
    user_restore(user=seller, staff=staff, reason="Cleared")
    SellerProfile.objects.filter(user=seller).update(state=SellerProfile.State.SUSPENDED)
    with pytest.raises(NotASeller):
        create(seller)


def test_a_category_that_is_not_allowed_takes_nothing_new_and_sells_nothing(seller: User) -> None:
    category = CategoryFactory()
    listing = ListingFactory(seller=seller, category=category, state=State.PAUSED)
    Category.objects.filter(pk=category.pk).update(is_allowed=False)
    category.refresh_from_db()
    with pytest.raises(CategoryClosed):
        create(seller, category=category)
    with pytest.raises(CategoryClosed):
        listing_resume(listing=Listing.objects.get(pk=listing.pk), seller=seller)


# ---------------------------------------------------------------- changing


@pytest.mark.parametrize(
    "change",
    [
        {"price_minor": 4000},
        {"title": "Knight of level 63, four mounts"},
        {"description": "Raised over three seasons, with everything."},
        {"attributes": {"level": 63}},
        {"asks_first": True},
    ],
)
def test_every_change_of_what_is_offered_makes_a_new_version(seller: User, change: dict[str, Any]) -> None:
    listing = ListingFactory(seller=seller)
    assert update(listing, **change).version == 2


def test_saving_the_same_again_makes_no_new_version(seller: User) -> None:
    listing = ListingFactory(seller=seller)
    assert update(listing).version == 1


def test_the_second_window_is_told_and_changes_nothing(seller: User) -> None:
    listing = ListingFactory(seller=seller)
    second = Listing.objects.get(pk=listing.pk)
    update(listing, price_minor=4000, expected_version=1)
    with pytest.raises(ListingChangedMeanwhile):
        update(second, price_minor=100, expected_version=1)
    listing.refresh_from_db()
    assert (listing.price_minor, listing.version) == (4000, 2)


def test_another_seller_changes_nothing(seller: User) -> None:
    listing = ListingFactory(seller=seller)
    other = SellerFactory()
    for attempt in (
        lambda: update(listing, seller=other, price_minor=100),
        lambda: listing_pause(listing=listing, seller=other),
        lambda: listing_remove(listing=listing, seller=other),
        lambda: listing_publish(listing=listing, seller=other),
        lambda: stock_add_manual(listing=listing, seller=other, count=1),
    ):
        with pytest.raises(NotAllowed):
            attempt()
    fresh = Listing.objects.get(pk=listing.pk)
    assert (fresh.state, fresh.price_minor, fresh.stock_count) == (State.ACTIVE, 2500, 1)


def test_delivery_is_settled_while_something_is_in_stock_or_paid_for(seller: User) -> None:
    listing = ListingFactory(seller=seller)
    stock_take(listing)
    with pytest.raises(BadListing) as refused:
        update(listing, delivery="stock")
    assert refused.value.field == "delivery"
    StockItem.objects.update(state=StockItem.State.DELIVERED)
    assert update(listing, delivery="stock").delivery == "stock"


def test_the_category_moves_only_before_there_was_stock(seller: User) -> None:
    draft, sold = create(seller), ListingFactory(seller=seller)
    other = CategoryFactory()
    assert update(draft, category=other).category == other
    with pytest.raises(BadListing):
        update(sold, category=other)


@pytest.mark.django_db(transaction=True)
def test_of_two_windows_saving_at_once_exactly_one_wins() -> None:
    listing = ListingFactory()
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def save(price: int) -> None:
        mine = Listing.objects.get(pk=listing.pk)
        start.wait()
        try:
            update(mine, price_minor=price, expected_version=1)
            outcomes.append(str(price))
        except ListingChangedMeanwhile:
            outcomes.append("told")
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(price,)) for price in (3000, 3100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listing.refresh_from_db()
    assert sorted(outcomes) == sorted(["told", str(listing.price_minor)])
    assert listing.version == 2


# ---------------------------------------------------------------- on sale and off


def test_a_draft_without_stock_is_not_published(seller: User) -> None:
    listing = create(seller)
    with pytest.raises(NothingInStock):
        listing_publish(listing=listing, seller=seller)
    stock_add_manual(listing=listing, seller=seller, count=2)
    listing_publish(listing=listing, seller=seller)
    assert listing.state == State.ACTIVE
    published_at = listing.published_at
    listing_publish(listing=listing, seller=seller)  # a second click
    assert Listing.objects.get(pk=listing.pk).published_at == published_at


def test_a_paused_listing_comes_back_at_its_old_place(seller: User) -> None:
    listing = ListingFactory(seller=seller)
    before = listing.published_at
    listing_pause(listing=listing, seller=seller)
    assert listing.state == State.PAUSED
    listing_resume(listing=listing, seller=seller)
    assert (listing.state, listing.published_at) == (State.ACTIVE, before)


def test_a_paused_listing_that_sold_its_last_piece_asks_for_stock(seller: User) -> None:
    listing = ListingFactory(seller=seller)
    listing_pause(listing=listing, seller=seller)
    stock_take(listing)
    with pytest.raises(NothingInStock):
        listing_resume(listing=listing, seller=seller)


def test_removing_takes_unsold_items_back_and_leaves_orders_alone(seller: User) -> None:
    secret = {"login": "rook", "password": "s3cret"}
    listing = ListingFactory(seller=seller, from_stock=[secret, {"login": "b", "password": "b"}])
    sold = stock_take(listing)
    kept = StockItem.objects.exclude(pk=sold.pk).get()
    listing_remove(listing=listing, seller=seller)
    sold.refresh_from_db()
    kept.refresh_from_db()
    assert (sold.state, kept.state) == (StockItem.State.RESERVED, StockItem.State.WITHDRAWN)
    assert (listing.state, listing.stock_count) == (State.REMOVED, 0)
    assert not ListingTerm.objects.filter(listing=listing).exists()
    listing_remove(listing=listing, seller=seller)
    with pytest.raises(Conflict):
        listing_pause(listing=listing, seller=seller)
    with pytest.raises(Conflict):
        update(listing, price_minor=4000)


def test_what_was_taken_back_unseen_may_be_offered_again(seller: User) -> None:
    secret = {"login": "rook", "password": "s3cret"}
    first = ListingFactory(seller=seller, from_stock=[secret])
    with pytest.raises(BadStock):
        ListingFactory(seller=seller, category=first.category, from_stock=[secret])
    listing_remove(listing=first, seller=seller)
    assert ListingFactory(seller=seller, category=first.category, from_stock=[secret]).stock_count == 1


@pytest.mark.django_db(transaction=True)
def test_loading_a_credential_twice_loads_nothing_the_second_time(seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[{"login": "rook", "password": "a"}])
    with pytest.raises(BadStock) as refused:
        stock_load(
            listing=listing,
            seller=seller,
            credentials=[{"login": "new", "password": "b"}, {"login": " rook ", "password": "a"}],
        )
    assert refused.value.field == "credentials"
    listing.refresh_from_db()
    assert (listing.stock_count, StockItem.objects.count()) == (1, 1)


def test_loading_many_credentials_takes_no_query_for_each(seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[{"login": "rook", "password": "a"}])

    def queries(count: int) -> int:
        credentials = [{"login": f"{count}-{n}", "password": "b"} for n in range(count)]
        with CaptureQueriesContext(connection) as caught:
            stock_load(listing=listing, seller=seller, credentials=credentials)
        return len(caught)

    few, many = queries(2), queries(40)
    assert many <= few


def test_restocking_a_sold_out_listing_puts_it_on_sale(seller: User) -> None:
    listing = ListingFactory(seller=seller)
    stock_take(listing)
    listing.refresh_from_db()
    assert listing.state == State.SOLD_OUT
    stock_add_manual(listing=listing, seller=seller, count=1)
    listing.refresh_from_db()
    assert listing.state == State.ACTIVE


# ---------------------------------------------------------------- the seller's standing


def test_listings_of_a_suspended_seller_hide_and_come_back(
    seller: User, staff: User, run_jobs: Callable[[], None]
) -> None:
    on_sale, paused = ListingFactory(seller=seller), ListingFactory(seller=seller)
    listing_pause(listing=paused, seller=seller)
    user_restrict(user=seller, staff=staff, reason="Two complaints")
    run_jobs()
    assert set(Listing.objects.values_list("state", flat=True)) == {State.PAUSED}
    with pytest.raises(StoreError):
        listing_resume(listing=on_sale, seller=seller)
    user_restore(user=seller, staff=staff, reason="Cleared")
    run_jobs()
    assert Listing.objects.get(pk=on_sale.pk).state == State.ACTIVE
    assert Listing.objects.get(pk=paused.pk).state == State.PAUSED
