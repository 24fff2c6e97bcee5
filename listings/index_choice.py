"""Which index a search reads on MongoDB.

MongoDB would try each index that may serve, side by side, for as long as the right one takes: with a word, a category
and a price eight of them, at a million listings 0.3 s instead of 60 ms. A sample of the listings tells as well which one
leads past the fewest rows.
"""

import random
import time
import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import connection

from listings.models import Listing

# A condition that holds for one row in a thousand shows in two rows of it; a process keeps some 3 MB.
SAMPLE_SIZE, SAMPLE_SECONDS = 2_000, 3600
# Fewer rows of the sample say little.
TELLING = 20
# With fewer listings every index is quick, and MongoDB may try.
FEW = 10_000


@dataclass(frozen=True)
class Sample:
    """Some of the listings, each of which stands for `weight` of them. The sets of rows are bits of a number."""

    weight: float
    on_sale: int
    of_term: dict[str, int]
    of_category: dict[uuid.UUID, int]
    prices: list[int]

    def with_any(self, terms: list[str]) -> int:
        held = 0
        for term in terms:
            held |= self.of_term.get(term, 0)
        return held

    def in_categories(self, categories: Collection[uuid.UUID]) -> int:
        held = 0
        for category in categories:
            held |= self.of_category.get(category, 0)
        return held

    def priced(self, low: int | None, high: int | None) -> int:
        if low is None and high is None:
            return self.on_sale
        held = 0
        for number, price in enumerate(self.prices):
            if (low is None or low <= price) and (high is None or price <= high):
                held |= 1 << number
        return held & self.on_sale

    def count(self, held: int) -> float:
        """How many listings these rows stand for: of a condition that no row meets, half a row's."""
        return max(held.bit_count(), 0.5) * self.weight


_kept: tuple[float, Sample | None] = (0.0, None)


def current_sample() -> Sample | None:
    """None of a small store, and on SQLite. Drawn anew by each process once in an hour."""
    global _kept
    until, sample = _kept
    if connection.vendor != "mongodb" or time.monotonic() < until:
        return sample
    database: Any = connection
    rows = database.get_collection(Listing._meta.db_table)
    count, sample = rows.estimated_document_count(), None
    if count >= FEW:
        shown = {"state": 1, "category_id": 1, "price_minor": 1, "terms": 1}
        drawn = list(rows.aggregate([{"$sample": {"size": SAMPLE_SIZE}}, {"$project": shown}]))
        # The count is an estimate, and may be all that is left of listings.
        sample = _sample_of(drawn, count / len(drawn)) if drawn else None
    # Not all processes at once.
    _kept = (time.monotonic() + SAMPLE_SECONDS * random.uniform(0.9, 1.1), sample)  # noqa: S311
    return sample


def _sample_of(drawn: list[dict[str, Any]], weight: float) -> Sample:
    on_sale, of_term, of_category = 0, dict[str, int](), dict[uuid.UUID, int]()
    # A term of one row alone tells no more than one of none.
    often = {term for term, times in Counter(term for row in drawn for term in row["terms"]).items() if times > 1}
    for number, row in enumerate(drawn):
        if row["state"] != Listing.State.ACTIVE:
            continue
        bit = 1 << number
        on_sale |= bit
        category = uuid.UUID(row["category_id"])
        of_category[category] = of_category.get(category, 0) | bit
        for term in often.intersection(row["terms"]):
            of_term[term] = of_term.get(term, 0) | bit
    return Sample(weight, on_sale, of_term, of_category, [row["price_minor"] for row in drawn])


def index_for(
    order: tuple[str, ...],
    wanted: int,
    *,
    terms: list[list[str]],
    categories: Collection[uuid.UUID],
    price_min: int | None,
    price_max: int | None,
) -> str:
    """The name of the index in which `wanted` rows in this `order` (empty: in any) are found soonest: those that hold one of
    each list of `terms`, of which the first is looked up, in any of the categories (none: in all), at such a price.
    Empty if it does not matter or MongoDB should try."""
    limited = bool(terms or categories or price_min is not None or price_max is not None)
    if not limited or (sample := current_sample()) is None:
        return ""
    of_terms = [sample.with_any(alternatives) for alternatives in terms]
    conditions = {
        "terms": of_terms[0] if terms else sample.on_sale,
        "category": sample.in_categories(categories) if categories else sample.on_sale,
        "price_minor": sample.priced(price_min, price_max),
    }
    matches = _matches(sample, [*conditions.values(), *of_terms[1:]])
    costs: dict[str, tuple[float, bool]] = {}
    for index in Listing._meta.indexes:
        *leading, first = [name for name, _order in index.fields_orders if name != "id"]
        if leading not in (["state"], ["terms", "state"], ["category", "state"]):
            continue
        if (leading[0] == "terms" and not terms) or (leading[0] == "category" and not categories):
            continue
        read = conditions.get(leading[0], sample.on_sale)
        if first == "price_minor":
            read &= conditions["price_minor"]
        cost, must_sort = sample.count(read), bool(order) and order[0].lstrip("-") != first
        if not must_sort:
            # The reading ends with the page.
            cost *= min(1, wanted / matches)
        costs[index.name] = (cost, must_sort)
    return min(costs, key=costs.__getitem__)


def _matches(sample: Sample, conditions: list[int]) -> float:
    """How many listings meet all of these: counted in the sample if that tells, otherwise as if none depended on another."""
    held, share = sample.on_sale, 1.0
    for rows in conditions:
        held &= rows
        share *= sample.count(rows) / sample.count(sample.on_sale)
    return sample.count(held) if held.bit_count() >= TELLING else share * sample.count(sample.on_sale)
