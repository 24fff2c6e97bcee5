import datetime
import io
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from accounts.tests.factories import SellerFactory
from accountsstore.paging import page_of
from accountsstore.tests.mongo.scans import commands_caught
from listings import index_choice
from listings.models import Category, Listing, ListingTerm, SellerFigures
from listings.search import DELIVERY, SORTS, Search, facet_fields, figures_now, listing_search, search_figures
from listings.services.listings import category_index, listing_pause, listing_update
from listings.tasks import category_reindex
from listings.terms import signature
from listings.tests.factories import CategoryFactory, ListingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.stack]


def titles(**asked: Any) -> list[str]:
    return [listing.title for listing in listing_search(Search(**asked)).items]


def found(**asked: Any) -> set[Any]:
    return {listing.pk for listing in listing_search(Search(**asked)).items}


# ---------------------------------------------------------------- how it is looked up


@pytest.mark.production
@pytest.mark.skipif(connection.vendor != "mongodb", reason="speaks of MongoDB")
@pytest.mark.parametrize("sort", SORTS)
def test_a_large_store_reads_a_word_in_the_index_of_its_sort_without_trying_others(
    sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hints(text: str) -> list[Any]:
        monkeypatch.setattr(index_choice, "_kept", (0.0, None))
        with commands_caught() as caught:
            assert titles(sort=sort, text=text) == ["Knight sword"]
        lists = [command for command in caught.values() if command.get("aggregate") == Listing._meta.db_table]
        return [command.get("hint") for command in lists if "$sample" not in command["pipeline"][0]]

    ListingFactory(title="Knight sword")
    ListingFactory(title="Shield")
    assert hints("sword knight ") == [None], "a small store leaves it to MongoDB"
    monkeypatch.setattr(index_choice, "FEW", 1)
    column = SORTS[sort][0].lstrip("-")
    # That of the cheapest is read backwards for the dearest.
    order = 1 if column == "price_minor" else -1
    expected = {"terms": 1, "state": 1, column: order, "_id": order}
    assert hints("sword knight ") == hints("knig") == [expected]


@pytest.mark.production
@pytest.mark.skipif(connection.vendor != "mongodb", reason="speaks of MongoDB")
def test_a_large_store_finds_and_counts_the_same_whatever_narrows_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    knight = ListingFactory(title="Knight sword", price_minor=500)
    ListingFactory(title="Knight shield", price_minor=900)
    ListingFactory(title="Sword", price_minor=500, category=knight.category)
    searches = [
        Search(text=text, category=category, price_min=low, price_max=high, sort=sort)
        for text, sort in (("", "newest"), ("knight ", "cheapest"), ("sword kni", "best-selling"))
        for category in (None, knight.category)
        for low, high in ((None, None), (450, 550))
    ]

    def answers() -> list[Any]:
        monkeypatch.setattr(index_choice, "_kept", (0.0, None))
        return [
            ([row.title for row in listing_search(search).items], figures_now(search, []).total) for search in searches
        ]

    before = answers()
    monkeypatch.setattr(index_choice, "FEW", 1)
    assert answers() == before


# ---------------------------------------------------------------- what is found


@pytest.mark.parametrize(
    "text",
    [
        "knight",
        "KNIGHT café",
        "Cafe",
        "emberf",
        "europe 62",
        "seasons",
        "game accounts",
        "أوروبا",
        "اوروبا",
        "الاوروبا",
        "",
    ],
)
def test_a_listing_is_found_by_title_category_attributes_and_description(text: str) -> None:
    category = CategoryFactory()
    listing = ListingFactory(
        category=category,
        title="Knight at the Café",
        attributes={"game": "Emberfall", "level": 62, "region": "Europe", "email_included": True},
        description="Raised over two seasons.",
    )
    ListingFactory(category=CategoryFactory(name_en="Music"), title="Quiet plan", description="Twelve months.")
    assert listing.pk in found(text=text)
    if text:
        assert found(text=text) == {listing.pk}


@pytest.mark.parametrize("text", ["knight dragon", "nigh", "knigh mounts x", "2500"])
def test_every_word_must_match_and_only_the_last_may_be_a_beginning(text: str) -> None:
    ListingFactory(title="Knight with three mounts")
    assert titles(text=text) == []


def test_words_and_facets_that_a_listing_lacks_do_not_find_it() -> None:
    category = CategoryFactory()
    for number, region in enumerate(("Europe", "Asia")):
        attributes = {"game": "Emberfall", "level": 62, "region": region, "email_included": True}
        ListingFactory(category=category, title=f"Knight sword {number} northern", attributes=attributes)
    ListingFactory(category=category, title="Knight shield northern", attributes={**attributes, "region": "Europe"})
    facet = facet_fields(category)[0].key
    assert titles(text="knight north sword") == []
    assert titles(text="sword knight nort", choices={facet: ("Europe",)}) == ["Knight sword 0 northern"]
    assert titles(text="knight nort", choices={facet: ("Asia",)}) == ["Knight sword 1 northern"]
    assert len(titles(text="northern knigh", choices={facet: ("Asia", "Europe")})) == 3
    assert titles(text="knight sword none") == titles(text="knight sword nob", choices={facet: ("Asia",)}) == []


def test_a_word_with_the_same_bit_as_one_of_the_listing_does_not_find_it() -> None:
    there = signature(["sword"])
    clashing = next(word for n in range(20_000) if signature([word := f"w{n}"]) == there)
    ListingFactory(title="Knight sword")
    # So that the knight is rarer, and is looked up first.
    ListingFactory(title=f"Shield {clashing}")
    ListingFactory(title=f"Bow {clashing}")
    assert titles(text="knight sword ") == ["Knight sword"]
    assert titles(text=f"{clashing} knight ") == []


def test_a_listing_with_hundreds_of_words_is_found_by_each_pair_of_them() -> None:
    description = " ".join(f"word{n}" for n in range(140))
    listing = ListingFactory(title="Knight", description=description)
    assert all(found(text=f"word{n} word{n + 7} knig") == {listing.pk} for n in range(0, 130, 13))


def test_arabic_is_found_in_any_spelling() -> None:
    listing = ListingFactory(title="حساب لُعبة إلكترونيّة مستوى ٦٢")
    for text in ("الحساب لعبه", "الكترونية", "مستوي 62", "حســاب"):
        assert found(text=text) == {listing.pk}, text


def test_a_changed_listing_is_found_by_its_new_words_alone(seller: User) -> None:
    listing = ListingFactory(seller=seller, title="Knight with three mounts")
    listing_update(
        listing=listing,
        seller=seller,
        expected_version=1,
        title="Ranger with one owl",
        description=listing.description,
        price_minor=2500,
        attributes={},
        delivery="manual",
        asks_first=False,
    )
    assert found(text="owl") == {listing.pk}
    assert found(text="knight") == set()


def test_only_what_is_on_sale_in_an_allowed_category_is_found(seller: User) -> None:
    shown = ListingFactory(seller=seller)
    for state in ("draft", "paused", "sold_out", "rejected", "removed"):
        ListingFactory(seller=seller, state=state, stock=0)
    closed = ListingFactory()
    Category.objects.filter(pk=closed.category_id).update(is_allowed=False)
    assert found() == {shown.pk}
    listing_pause(listing=shown, seller=seller)
    assert found() == set()


def test_price_delivery_category_and_facets_narrow_the_search() -> None:
    category = CategoryFactory()
    child = CategoryFactory(parent=category)
    a = ListingFactory(category=category, price_minor=1000, attributes={"region": "Europe", "email_included": True})
    b = ListingFactory(category=child, price_minor=2000, attributes={"region": "Americas", "email_included": False})
    c = ListingFactory(category=category, price_minor=3000, from_stock=[{"login": "a", "password": "b"}])
    other = ListingFactory(price_minor=2000)
    assert found(category=category) == {a.pk, b.pk, c.pk}
    assert found(category=child) == {b.pk}
    assert found(price_min=2000, price_max=2000) == {b.pk, other.pk}
    assert found(choices={DELIVERY: ("stock",)}) == {c.pk}
    assert found(choices={"region": ("Europe", "Americas")}) == {a.pk, b.pk}
    assert found(choices={"region": ("Europe", "Americas"), "email_included": ("False",)}) == {b.pk}
    assert found(choices={"region": ("Nowhere",)}) == set()


# ---------------------------------------------------------------- order and pages


def many(count: int) -> list[Listing]:
    """Pairs share price, sales and time: the id must settle their order."""
    category, start = CategoryFactory(), timezone.now()
    seller = SellerFactory()
    return [
        ListingFactory(
            category=category,
            seller=seller,
            price_minor=1000 + number // 2,
            sold_count=number // 2,
            published_at=start - datetime.timedelta(days=1, seconds=number // 2),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("sort", list(SORTS))
def test_pages_follow_each_other_without_gap_or_repeat_in_every_sort(sort: str) -> None:
    many(11)
    search = Search(sort=sort)
    expected = list(Listing.objects.order_by(*SORTS[sort]).values_list("pk", flat=True))
    seen: list[Any] = []
    cursor, backwards = "", []
    while True:
        page = page_of(Listing.objects.all(), SORTS[search.sort], cursor, 5)
        seen += [listing.pk for listing in page.items]
        backwards.append(page)
        if not page.next:
            break
        cursor = page.next
    assert seen == expected
    again = page_of(Listing.objects.all(), SORTS[sort], backwards[-1].previous, 5)
    assert [x.pk for x in again.items] == [x.pk for x in backwards[-2].items]
    assert page_of(Listing.objects.all(), SORTS[sort], again.previous, 5).previous == ""


@pytest.mark.parametrize("sort", ["newest", "cheapest"])
def test_listings_that_arrive_meanwhile_shift_no_page(sort: str) -> None:
    rows = many(30)
    first = listing_search(Search(sort=sort))
    assert len(first.items) == 24
    ListingFactory(category=rows[0].category, price_minor=500)  # new, and cheaper than all
    second = listing_search(Search(sort=sort), first.next)
    both = [listing.pk for listing in first.items + second.items]
    assert len(both) == len(set(both)) == 30
    assert second.next == ""


def test_a_cursor_of_another_sort_gives_the_first_page() -> None:
    many(30)
    cursor = listing_search(Search(sort="cheapest")).next
    wanted = [x.pk for x in listing_search(Search(sort="newest")).items]
    assert [x.pk for x in listing_search(Search(sort="newest"), cursor).items] == wanted


@given(cursor=st.text(max_size=200))
def test_no_cursor_that_somebody_makes_up_raises(cursor: str) -> None:
    listing_search(Search(), cursor)


@given(text=st.text(max_size=300))
def test_no_text_that_somebody_types_raises(text: str) -> None:
    listing_search(Search(text=text))


def test_a_tampered_cursor_gives_the_first_page() -> None:
    many(30)
    first = listing_search(Search())
    for cursor in (first.next[:-3] + "aaa", "x" + first.next, first.next.split(":")[0]):
        assert [x.pk for x in listing_search(Search(), cursor).items] == [x.pk for x in first.items]


def test_a_page_costs_the_same_number_of_queries_for_one_row_and_for_twenty() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            for listing in listing_search(Search(text="knight")).items:
                assert listing.category.name
                assert listing.seller.username
                assert listing.seller.figures is not None
                assert list(listing.category.fields.all())
        return len(caught)

    SellerFigures.objects.create(seller=ListingFactory().seller)
    one = queries()
    for _ in range(20):
        SellerFigures.objects.create(seller=ListingFactory().seller)
    assert queries() == one
    assert len(listing_search(Search(text="knight")).items) == 21


# ---------------------------------------------------------------- figures


def test_figures_beside_a_facet_count_what_the_other_facets_leave() -> None:
    category = CategoryFactory()
    for region, email in (("Europe", True), ("Europe", False), ("Americas", True)):
        ListingFactory(category=category, attributes={"region": region, "email_included": email})
    ListingFactory(category=category, from_stock=[{"login": "a", "password": "b"}])
    facets = facet_fields(category)
    assert [field.key for field in facets] == ["region", "email_included"]
    figures = search_figures(Search(category=category, choices={"region": ("Europe",)}), facets)
    assert figures.total == 2
    assert not figures.capped
    assert figures.by_value == {
        DELIVERY: {"manual": 2},
        "region": {"Europe": 2, "Americas": 1},
        "email_included": {"True": 1, "False": 1},
    }


def test_counting_stops_at_the_limit_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listings.search.COUNT_LIMIT", 3)
    category = CategoryFactory()
    for _ in range(5):
        ListingFactory(category=category, attributes={"region": "Europe"})
    figures = search_figures(Search(category=category), facet_fields(category))
    assert (figures.total, figures.capped) == (4, True)
    assert figures.by_value["region"]["Europe"] <= 4


# ---------------------------------------------------------------- the index


def test_a_renamed_category_is_found_by_its_new_name_after_indexing() -> None:
    listing = ListingFactory()
    Category.objects.filter(pk=listing.category_id).update(name_en="Mounted heroes")
    assert found(text="heroes") == set()
    category_reindex(listing.category_id.hex)
    assert found(text="heroes") == {listing.pk}
    call_command("index_listings", stdout=io.StringIO())
    assert found(text="heroes") == {listing.pk}


def test_indexing_reaches_every_listing_of_a_category(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listings.services.listings.INDEX_BATCH", 2)
    rows = many(5)
    ListingTerm.objects.all().delete()
    assert category_index(rows[0].category) == 5
    assert len(found(text="knight")) == 5


def test_a_change_in_the_admin_queues_the_indexing(
    client: Client, staff: User, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[tuple[str, Any]] = []
    monkeypatch.setattr("listings.admin.categories.enqueue", lambda task, row_id: queued.append((task, row_id)))
    category = CategoryFactory(slug="games", fields=[])
    client.force_login(staff)
    form = {
        "name_en": "Mounted heroes",
        "slug": "games",
        "position": "0",
        "art": "games",
        "is_allowed": "on",
        "fields-TOTAL_FORMS": "0",
        "fields-INITIAL_FORMS": "0",
    }
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(f"/admin/listings/category/{category.pk}/change/", form).status_code == 302
    assert queued == [("listings.tasks.category_reindex", category.pk)]
