"""Which index a search reads in a store of a million listings, of which the sample is made up here."""

import uuid

import pytest

from listings import index_choice
from listings.index_choice import Sample, index_for
from listings.search import SORTS

SMALL, LARGE = uuid.UUID(int=1), uuid.UUID(int=2)
ROWS = 2_000


def rows(each: int) -> int:
    """Every so manieth row."""
    return sum(1 << number for number in range(0, ROWS, each))


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample(
        weight=500,
        on_sale=rows(1),
        of_term={"often": rows(3), "seldom": rows(100)},
        of_category={SMALL: rows(97), LARGE: rows(2)},
        # Spread evenly over 10.00 to 1,009.50, and not by category or word.
        prices=[1_000 + 50 * (number * 7 % ROWS) for number in range(ROWS)],
    )
    monkeypatch.setattr(index_choice, "current_sample", lambda: sample)


def chosen(sort: str = "newest", wanted: int = 25, **asked: object) -> str:
    given = {"terms": [], "categories": (), "price_min": None, "price_max": None} | asked
    return index_for(SORTS[sort] if sort else (), wanted, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sort", "name"),
    [
        ("newest", "listing_terms_newest"),
        ("cheapest", "listing_terms_price"),
        ("dearest", "listing_terms_price"),
        ("best-selling", "listing_terms_sold"),
    ],
)
def test_a_word_is_read_in_the_order_of_the_page(sort: str, name: str) -> None:
    assert chosen(sort, terms=[["often"]]) == name
    assert chosen(sort, terms=[["seldom"], ["often"]]) == name


def test_a_small_category_goes_before_a_common_word_and_a_rare_word_before_a_large_category() -> None:
    assert chosen(terms=[["often"]], categories=[SMALL]) == "listing_category_newest"
    assert chosen(terms=[["seldom"]], categories=[LARGE]) == "listing_terms_newest"
    assert chosen(terms=[["unheard of"]], categories=[SMALL]) == "listing_terms_newest"


def test_few_at_a_price_are_read_and_sorted_and_of_many_the_newest_are_read() -> None:
    assert chosen(categories=[SMALL], price_min=5_000, price_max=5_100) == "listing_category_price"
    assert chosen(categories=[LARGE], price_min=5_000) == "listing_category_newest"
    assert chosen(price_min=5_000, price_max=5_050) == "listing_price"
    assert chosen(price_min=5_000) == "listing_newest"


def test_what_is_only_counted_is_read_where_the_fewest_are() -> None:
    assert chosen("", 1_001, terms=[["often"]], categories=[SMALL], price_max=2_000) == "listing_category_price"
    assert chosen("", 1_001, terms=[["seldom"]], categories=[LARGE]).startswith("listing_terms")


def test_nothing_is_chosen_where_nothing_is_asked_for() -> None:
    assert chosen() == ""
