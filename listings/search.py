"""Finding listings: by words, category, price, delivery and the category's own facets.

A listing's words and facet values stand in an index (`listings.terms`), so every condition is a look-up.
"""

import dataclasses
import hashlib
import uuid
from collections import Counter
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet

from accounts.models import User
from accountsstore.indexes import read_in_index
from accountsstore.paging import PAGE_SIZE, Page, page_of
from accountsstore.rows import Rows, rows_find, rows_find_together
from listings.index_choice import index_for
from listings.models import Category, CategoryField, Listing, SellerFigures
from listings.terms import terms_held, with_terms
from listings.words import facet_term, query_words

# The sort's key in addresses → order of the rows; each has an index that ends in it.
SORTS: dict[str, tuple[str, ...]] = {
    "newest": ("-published_at", "-id"),
    "cheapest": ("price_minor", "id"),
    "dearest": ("-price_minor", "-id"),
    "best-selling": ("-sold_count", "-id"),
}
# Counting stops here: "1,000+" helps as much as the exact figure and costs a hundredth of it.
COUNT_LIMIT = 1_000
FACETS_KEPT_SECONDS = 30
# The delivery among the choices; keys of attributes begin with a letter.
DELIVERY = "_delivery"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """What is looked for. `choices` is {DELIVERY or facet key: chosen values}: any of the values, all of the keys."""

    text: str = ""
    category: Category | None = None
    price_min: int | None = None
    price_max: int | None = None
    choices: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    sort: str = "newest"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """How many match (`matching_count`), and how many each facet value would leave. `capped`: of the latter this is
    the least, there may be more."""

    total: int
    capped: bool
    by_value: dict[str, dict[str, int]]


def listing_search(search: Search, cursor: str = "") -> Page[Listing]:
    """One page of matching listings, with category, seller, figures and cover at hand; see `accountsstore.paging`."""
    order = SORTS.get(search.sort, SORTS["newest"])
    page = page_of(_matching(search, order, PAGE_SIZE + 1), order, cursor)
    for_cards(page.items)
    return page


def for_cards(listings: list[Listing]) -> list[Listing]:
    """The same listings with what a card or row of a list shows, in a fixed number of queries."""
    if not listings:
        return listings
    category_ids, seller_ids = {each.category_id for each in listings}, {each.seller_id for each in listings}
    of_categories, of_fields, of_sellers, of_figures = rows_find_together(
        Rows(Category, {"pk": category_ids}),
        fields_of(category_ids),
        Rows(User, {"pk": seller_ids}),
        Rows(SellerFigures, {"seller": seller_ids}),
    )
    categories, sellers = ({row.pk: row for row in rows} for rows in (of_categories, of_sellers))
    figures = {row.seller_id: row for row in of_figures}
    for category in categories.values():
        fields_prefetched(category, of_fields)
    for seller in sellers.values():
        # A seller without figures has None, which is remembered too.
        User._meta.get_field("figures").set_cached_value(seller, figures.get(seller.pk))
    for listing in listings:
        listing.category, listing.seller = categories[listing.category_id], sellers[listing.seller_id]
    return listings


def fields_of(category_ids: Collection[uuid.UUID]) -> Rows:
    """For `fields_prefetched`."""
    return Rows(CategoryField, {"category": list(category_ids)}, order_by=["position", "key"])


def fields_prefetched(category: Category, found: list[CategoryField]) -> None:
    """Leave those fields that are the category's behind as `prefetch_related("fields")` would."""
    rows = category.fields.all()
    rows._result_cache = [field for field in found if field.category_id == category.pk]
    category._prefetched_objects_cache = {"fields": rows}  # type: ignore[attr-defined]


def on_sale() -> QuerySet[Listing]:
    """What visitors see in lists."""
    closed = [category.pk for category in rows_find(Category, is_allowed=False)]
    rows = Listing.objects.filter(state=Listing.State.ACTIVE)
    return rows.exclude(category_id__in=closed) if closed else rows


def _matching(search: Search, order: tuple[str, ...], wanted: int, *, facets: bool = True) -> QuerySet[Listing]:
    """The listings on sale that fit, of which `wanted` will be asked for in this order. `facets=False` leaves the choices
    aside."""
    rows = on_sale()
    categories: set[Any] = set()
    if search.category is not None:
        categories = {search.category.pk, *(row.pk for row in rows_find(Category, parent=search.category.pk))}
        rows = rows.filter(category_id__in=categories)
    if search.price_min is not None:
        rows = rows.filter(price_minor__gte=search.price_min)
    if search.price_max is not None:
        rows = rows.filter(price_minor__lte=search.price_max)
    choices = dict(search.choices) if facets else {}
    if deliveries := choices.pop(DELIVERY, None):
        rows = rows.filter(delivery__in=deliveries)
    of_facets = [[facet_term(key, value) for value in values] for key, values in choices.items()]
    rows, terms = with_terms(rows, query_words(search.text), of_facets)
    index = index_for(
        order, wanted, terms=terms, categories=categories, price_min=search.price_min, price_max=search.price_max
    )
    return read_in_index(rows, index)


def _sampled(search: Search, *, facets: bool = True) -> QuerySet[Listing]:
    """As many of the listings that fit as are counted."""
    rows = _matching(search, (), COUNT_LIMIT + 1, facets=facets)
    return rows.using(settings.STALE_READS).order_by()[: COUNT_LIMIT + 1]


# ---------------------------------------------------------------- figures beside the facets


def search_figures(search: Search, facets: list[CategoryField]) -> Figures:
    """Counts over at most 1,000 matches, kept for half a minute."""
    category = search.category.pk if search.category else None
    asked = [query_words(search.text), category, search.price_min, search.price_max, sorted(search.choices.items())]
    key = "listings.figures:" + hashlib.sha256(repr(asked).encode()).hexdigest()
    figures: Figures | None = cache.get(key)
    if figures is None:
        figures = figures_now(search, facets)
        cache.set(key, figures, FACETS_KEPT_SECONDS)
    return figures


def matching_count(search: Search) -> int:
    """How many match; one above the limit stands for "more"."""
    return len(_sampled(search).values_list("pk"))


def figures_now(search: Search, facets: list[CategoryField]) -> Figures:
    """As `search_figures`, counted anew."""
    # The choices are left aside in the query and applied here, so that each facet counts what the others leave.
    terms = {facet_term(f.key, value): (f.key, value) for f in facets for value in facet_values(f)}
    held = [
        {DELIVERY: delivery, **dict(terms[term] for term in its_terms)}
        for delivery, its_terms in terms_held(_sampled(search, facets=False), list(terms))
    ]
    keys = [DELIVERY, *(field.key for field in facets)]
    by_value: dict[str, dict[str, int]] = {}
    for key in keys:
        others = [(k, values) for k, values in search.choices.items() if k != key]
        by_value[key] = dict(
            Counter(
                values_of[key]
                for values_of in held
                if key in values_of and all(values_of.get(k) in chosen for k, chosen in others)
            )
        )
    total = matching_count(search) if search.choices else len(held)
    return Figures(total=total, capped=len(held) > COUNT_LIMIT, by_value=by_value)


def facet_fields(category: Category | None) -> list[CategoryField]:
    """The category's attributes that a search may be narrowed by."""
    if category is None:
        return []
    kinds = [CategoryField.Kind.CHOICE, CategoryField.Kind.YES_NO]
    wanted = category.fields.filter(use=CategoryField.Use.ATTRIBUTE, is_facet=True, kind__in=kinds)
    return list(wanted.order_by("position", "key"))


def facet_values(field: CategoryField) -> list[str]:
    """The values of a facet as they stand in addresses and terms."""
    return ["True", "False"] if field.kind == CategoryField.Kind.YES_NO else field.choice_list
