"""The public pages: what visitors see, and what nobody may see."""

import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import SellerProfile, User
from accounts.services import user_suspend
from listings.models import Category, Favourite, Listing, ListingReport, Review, SellerFigures, StoreFigures
from listings.tests.factories import CategoryFactory, ListingFactory

pytestmark = pytest.mark.django_db

SCRIPT = '<script>alert("x")</script>'


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


# ---------------------------------------------------------------- home


def test_an_empty_store_has_a_home_page(client: Client) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert "no categories yet" in text(response)


@pytest.mark.stack
def test_home_shows_categories_what_sells_and_the_counted_figures(client: Client) -> None:
    listing = ListingFactory(title="The best of all knights")
    StoreFigures.objects.create(orders_finished=200, orders_disputed=3, refunded_minor=12_300, currency="USD")
    page = text(client.get("/"))
    assert "The best of all knights" in page
    assert listing.category.get_absolute_url() in page
    assert "1.5%" in page
    assert "$123.00" in page


@pytest.mark.stack
def test_home_costs_no_query_per_listing(client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert client.get("/").status_code == 200
        return len(caught)

    category = CategoryFactory()
    ListingFactory(category=category)
    queries()  # fills the cache
    one = queries()
    for _ in range(3):
        ListingFactory(category=category)
    assert queries() == one


# ---------------------------------------------------------------- search


@pytest.mark.stack
def test_the_search_page_narrows_and_names_what_is_in_use(client: Client) -> None:
    category = CategoryFactory(slug="games")
    ListingFactory(category=category, title="Knight of Europe", attributes={"region": "Europe"}, price_minor=2000)
    ListingFactory(category=category, title="Ranger of America", attributes={"region": "Americas"}, price_minor=2000)
    response = client.get("/browse/", {"category": "games", "a_region": "Europe", "min": "10", "max": "30"})
    page = text(response)
    assert "Knight of Europe" in page
    assert "Ranger of America" not in page
    assert [chip.label for chip in response.context["chips"]] == ["Europe", "$10.00 to $30.00"]
    region = next(facet for facet in response.context["facets"] if facet.name == "a_region")
    assert [(value.label, value.count) for value in region.values] == [
        ("Europe", "1"),
        ("Middle East", "0"),
        ("Americas", "1"),
    ]


@pytest.mark.parametrize(("low", "high"), [("abc", ""), ("-5", ""), ("1.234", ""), ("", "ten"), ("30", "10")])
def test_an_amount_that_is_none_gets_a_sentence_and_is_left_out(client: Client, low: str, high: str) -> None:
    ListingFactory(title="Knight with mounts")
    response = client.get("/browse/", {"min": low, "max": high})
    assert response.context["errors"]
    assert "Knight with mounts" in text(response)


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "nonsense"},
        {"sort": "'; drop table"},
        {"category": "no-such"},
        {"a_region": "Europe"},
        {"delivery": "pigeon"},
        {"q": "\x00 %_ '\""},
    ],
)
def test_a_strange_address_is_answered_with_a_page(client: Client, query: dict[str, str]) -> None:
    ListingFactory()
    assert client.get("/browse/", query).status_code == 200


def test_a_search_without_results_says_which_filter_to_drop(client: Client) -> None:
    ListingFactory(title="Knight with mounts", price_minor=2000)
    response = client.get("/browse/", {"q": "knight", "max": "5"})
    assert "Without up to $5.00 there is 1." in text(response)
    assert response.context["way_out"]["chip"].href == "/browse/?q=knight"


@pytest.mark.stack
def test_pages_of_a_search_are_linked_and_keep_the_question(client: Client) -> None:
    category = CategoryFactory(slug="games")
    seller = ListingFactory(category=category).seller
    for _ in range(26):
        ListingFactory(category=category, seller=seller)
    first = client.get("/browse/", {"category": "games", "q": "knight"})
    assert len(first.context["cards"]) == 24
    second = client.get(first.context["next"])
    assert len(second.context["cards"]) == 3
    assert second.context["search"].text == "knight"
    assert client.get(second.context["previous"]).context["cards"][0].listing == first.context["cards"][0].listing


def test_a_part_of_the_search_page_tells_the_address_without_empty_fields(client: Client) -> None:
    response = client.get(
        "/browse/", {"q": "", "min": "", "sort": "newest", "max": "9"}, headers={"hx-request": "true"}
    )
    assert response.headers["HX-Push-Url"] == "/browse/?max=9"


# ---------------------------------------------------------------- a listing


def test_a_listing_page_tells_everything_once(client: Client) -> None:
    listing = ListingFactory(attributes={"game": "Emberfall", "level": 62, "email_included": True})
    SellerFigures.objects.create(
        seller=listing.seller, orders_finished=200, orders_disputed=3, rating_count=10, rating_sum=49
    )
    page = text(client.get(listing.get_absolute_url()))
    for part in (listing.title, "$25.00", "Emberfall", "62", "Login name", "Password", "4.9", "1.5%", "1 in stock"):
        assert part in page
    assert f"/checkout/{listing.code}/" in page


def test_an_old_or_short_address_leads_to_the_present_one(client: Client) -> None:
    listing = ListingFactory()
    for address in (f"/listing/{listing.code}/", f"/listing/{listing.code.lower()}/old-title/"):
        assert client.get(address).headers["Location"] == listing.get_absolute_url()


def test_a_listing_with_an_arabic_title_opens_at_its_address(client: Client) -> None:
    listing = ListingFactory(title="بطاقة سوق المدينة")
    assert listing.title in text(client.get(listing.get_absolute_url()))


def test_what_sellers_write_is_never_run(client: Client) -> None:
    listing = ListingFactory(title=f"Knight {SCRIPT}", description=f"{SCRIPT} {SCRIPT}", attributes={"game": SCRIPT})
    Review.objects.create(
        order_id=uuid.uuid4(), listing=listing, seller=listing.seller, buyer=listing.seller, rating=5, text=SCRIPT
    )
    for address in (listing.get_absolute_url(), "/", "/browse/", f"/sellers/{listing.seller.username}/?show=reviews"):
        page = text(client.get(address))
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("state", "status"),
    [("active", 200), ("paused", 200), ("sold_out", 200), ("draft", 404), ("rejected", 410), ("removed", 410)],
)
@pytest.mark.stack
def test_each_state_has_its_page_and_only_active_ones_are_offered(client: Client, state: str, status: int) -> None:
    listing = ListingFactory(state=state, stock=0 if state == "sold_out" else 1)
    response = client.get(listing.get_absolute_url())
    assert response.status_code == status
    assert (f"/checkout/{listing.code}/" in text(response)) == (state == "active")


def test_the_owner_and_staff_see_a_draft(buyer: User, staff: User) -> None:
    listing = ListingFactory(state="draft")
    assert signed_in(listing.seller).get(listing.get_absolute_url()).status_code == 200
    assert signed_in(staff).get(listing.get_absolute_url()).status_code == 200
    assert signed_in(buyer).get(listing.get_absolute_url()).status_code == 404


def test_the_owner_is_offered_to_edit_and_not_to_buy() -> None:
    listing = ListingFactory()
    page = text(signed_in(listing.seller).get(listing.get_absolute_url()))
    assert f"/sell/listings/{listing.code}/" in page
    assert f"/checkout/{listing.code}/" not in page


def test_a_closed_category_is_not_offered(client: Client) -> None:
    listing = ListingFactory()
    Category.objects.update(is_allowed=False)
    page = text(client.get(listing.get_absolute_url()))
    assert f"/checkout/{listing.code}/" not in page
    assert "does not sell this category" in page


@pytest.mark.parametrize("code", ["nonsense", "L-00000000", "..%2f", "L-5XH40GHQM'"])
def test_a_code_that_is_none_is_not_found(client: Client, code: str) -> None:
    assert client.get(f"/listing/{code}/").status_code == 404


# ---------------------------------------------------------------- people


@pytest.mark.stack
def test_a_seller_page_shows_what_is_on_sale_and_what_buyers_said(client: Client) -> None:
    listing = ListingFactory(title="Knight with mounts")
    ListingFactory(seller=listing.seller, state="draft", title="Secret draft here")
    Review.objects.create(
        order_id=uuid.uuid4(), listing=listing, seller=listing.seller, buyer=listing.seller, rating=4, text="Quick."
    )
    Review.objects.create(
        order_id=uuid.uuid4(),
        listing=listing,
        seller=listing.seller,
        buyer=listing.seller,
        rating=1,
        text="Hidden words",
        is_hidden=True,
    )
    page = text(client.get(f"/sellers/{listing.seller.username}/"))
    assert "Knight with mounts" in page
    assert "Secret draft" not in page
    assert listing.seller.email not in page
    reviews = text(client.get(f"/sellers/{listing.seller.username}/?show=reviews"))
    assert "Quick." in reviews
    assert "Hidden words" not in reviews


def test_people_who_do_not_sell_have_no_seller_page(client: Client, buyer: User, staff: User) -> None:
    assert client.get(f"/sellers/{buyer.username}/").status_code == 404
    SellerProfile.objects.create(user=buyer)  # applied, not approved
    assert client.get(f"/sellers/{buyer.username}/").status_code == 404
    seller = ListingFactory().seller
    user_suspend(user=seller, staff=staff, reason="Two complaints")
    page = text(client.get(f"/sellers/{seller.username}/"))
    assert "does not sell at the moment" in page
    assert "Two complaints" not in page


@pytest.mark.stack
def test_favourites_are_ones_own(buyer: User, stranger: User) -> None:
    kept, gone = ListingFactory(title="Knight with mounts"), ListingFactory(title="Ranger with owl")
    mine = signed_in(buyer)
    for listing in (kept, gone):
        answer = mine.post(f"/favourites/{listing.code}/", {"back": "https://evil.example/"})
        assert answer.headers["Location"] == listing.get_absolute_url()
    Listing.objects.filter(pk=gone.pk).update(state="removed")
    page = text(mine.get("/favourites/"))
    assert "Knight with mounts" in page
    assert "Ranger with owl" not in page
    assert "Knight with mounts" not in text(signed_in(stranger).get("/favourites/"))
    assert Client().get("/favourites/").status_code == 302
    assert Client().post(f"/favourites/{kept.code}/").status_code == 302
    assert Favourite.objects.filter(listing=kept).count() == 1


def test_keeping_takes_a_post(buyer: User) -> None:
    listing = ListingFactory()
    assert signed_in(buyer).get(f"/favourites/{listing.code}/").status_code == 405
    assert not Favourite.objects.exists()


# ---------------------------------------------------------------- reports


@pytest.mark.stack
def test_a_visitor_reports_a_listing_and_is_told_what_happens(client: Client) -> None:
    listing = ListingFactory()
    assert client.get(f"/report/{listing.code}/").status_code == 200
    response = client.post(f"/report/{listing.code}/", {"reason": "stolen", "text": "This is mine."})
    assert "Staff have your report" in text(response)
    assert ListingReport.objects.get().reporter is None


def test_a_report_without_a_reason_is_asked_for_one(client: Client) -> None:
    listing = ListingFactory()
    response = client.post(f"/report/{listing.code}/", {"text": "x"})
    assert "reason" in response.context["form"].errors
    response = client.post(f"/report/{listing.code}/", {"reason": "other", "text": ""})
    assert "text" in response.context["form"].errors
    assert not ListingReport.objects.exists()
