"""The terms of listings (`listings.words`) as the database keeps and combines them.

SQLite has a row for each term of a listing. MongoDB has them in an array on the listing, whose indexes continue with
the sort: at a million listings 2 to 80 ms, where its own text index took 0.3 to 3.5 s.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Func, JSONField, Lookup, QuerySet

from accountsstore.db import atomic
from listings.models import Listing, ListingTerm

HOPS = 16
# Counting takes 1 µs for each; which of two words is rarer does not change in an hour.
COUNTED, FREQUENCY_SECONDS = 50_000, 3600
# Sorts behind every letter: the end of the range of words that begin with a prefix.
_LAST = "\U0010ffff"


def _is_array() -> bool:
    return connection.vendor == "mongodb"


@atomic
def terms_set(listing: Listing, wanted: Collection[str]) -> None:
    """Have the listing found by `wanted` and by nothing else. Safe to repeat."""
    if _is_array():
        Listing.objects.filter(pk=listing.pk).update(terms=sorted(wanted))
        return
    known = dict(ListingTerm.objects.filter(listing=listing).values_list("term", "pk"))
    if gone := [pk for term, pk in known.items() if term not in wanted]:
        ListingTerm.objects.filter(pk__in=gone).delete()
    missing = sorted(set(wanted) - known.keys())
    ListingTerm.objects.bulk_create(ListingTerm(listing=listing, term=term) for term in missing)


def terms_insert(listings: list[Listing]) -> None:
    """The terms of new listings that hold them in `terms` already, many at once."""
    if not _is_array():
        ListingTerm.objects.bulk_create(
            ListingTerm(listing=listing, term=term) for listing in listings for term in listing.terms
        )


def with_words(rows: QuerySet[Listing], whole: list[str], beginning: str) -> QuerySet[Listing]:
    """Those with all of the words, and with a term that begins so."""
    if not _is_array():
        for word in whole:
            rows = _with_rows(rows, term=word)
        return _with_rows(rows, term__gte=beginning, term__lt=beginning + _LAST)
    # Of a few words the index gives the sorted rows, one merged with the other; of a range it gives all, to be sorted.
    # More words than these are in so many listings that any index of the sort finds a page soon.
    terms = _terms_from(beginning)
    if len(terms) == 1:
        whole = [*whole, *terms]
    elif len(terms) < HOPS:
        rows = rows.filter(terms__in=terms)
    else:
        rows = rows.filter(terms__startswith=beginning)
    return rows.filter(terms__all_of=sorted(whole, key=_frequency) if len(whole) > 1 else whole) if whole else rows


def _frequency(term: str) -> int:
    """How many listings on sale have the term: at most COUNTED, and not of this minute."""
    key = f"listings.frequency:{term}"
    known: int | None = cache.get(key)
    if known is None:
        state = Listing.State.ACTIVE.value
        query = {"terms": term, "state": state}
        database: Any = connection
        answer = database.database.command(
            "count", Listing._meta.db_table, query=query, limit=COUNTED, hint=dict(_index_keys())
        )
        known = int(answer["n"])
        cache.set(key, known, FREQUENCY_SECONDS)
    return known


@JSONField.register_lookup
class AllOf(Lookup):
    """An array holds all of these, on MongoDB. The first is looked up in an index and should be the rarest, the others
    are read from the rows. From conditions of their own MongoDB would make a plan for each and try them all: seconds."""

    lookup_name = "all_of"
    prepare_rhs = False

    def as_mql(self, compiler: Any, connection: Any, **options: Any) -> dict[str, Any]:
        from django_mongodb_backend.query_utils import process_lhs

        return {process_lhs(self, compiler, connection): {"$all": self.rhs}}


def _index_keys() -> list[tuple[str, int]]:
    """An index that begins with the terms, as MongoDB names it."""
    index = next(index for index in Listing._meta.indexes if index.name == "listing_terms_newest")
    columns = {field.name: field.column or "" for field in Listing._meta.concrete_fields}
    return [(columns[name], -1 if order else 1) for name, order in index.fields_orders]


def _terms_from(prefix: str) -> list[str]:
    """Up to HOPS of the terms that begin so, by hopping from each to the next in an index: 0.3 ms each."""
    from bson import MaxKey, MinKey

    keys = _index_keys()
    # Behind the last entry of a term, whichever way the fields after it are sorted.
    behind = [(key, MaxKey() if order > 0 else MinKey()) for key, order in keys[1:]]
    before = [(key, MinKey() if order > 0 else MaxKey()) for key, order in keys[1:]]
    end = [(keys[0][0], prefix + _LAST), *before]
    found: list[str] = []
    start = [(keys[0][0], prefix), *before]
    database: Any = connection
    rows = database.get_collection(Listing._meta.db_table)
    while len(found) < HOPS:
        entry = next(rows.find({}, limit=1, return_key=True).hint(keys).min(start).max(end), None)
        if entry is None:
            break
        found.append(entry[keys[0][0]])
        start = [(keys[0][0], found[-1]), *behind]
    return found


def with_any(rows: QuerySet[Listing], terms: list[str]) -> QuerySet[Listing]:
    return rows.filter(terms__in=terms) if _is_array() else _with_rows(rows, term__in=terms)


def _with_rows(rows: QuerySet[Listing], **condition: Any) -> QuerySet[Listing]:
    return rows.filter(pk__in=ListingTerm.objects.filter(**condition).values("listing_id"))


class _Among(Func):
    """The terms of a row that are among the given ones, on MongoDB."""

    output_field = JSONField()

    def __init__(self, terms: Iterable[str]) -> None:
        super().__init__("terms")
        self.terms = list(terms)

    def as_mql(self, compiler: Any, connection: Any, **options: Any) -> dict[str, Any]:
        (column,) = self.get_source_expressions()
        return {"$setIntersection": [column.as_mql(compiler, connection, as_expr=True), self.terms]}


def terms_held(listings: QuerySet[Listing], terms: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Of each of the `listings` its delivery, and those of `terms` that it holds."""
    if _is_array():
        yield from listings.annotate(held=_Among(terms)).values_list("delivery", "held")
        return
    deliveries = dict(listings.values_list("pk", "delivery"))
    held: dict[uuid.UUID, list[str]] = {pk: [] for pk in deliveries}
    # Without terms Django asks no database.
    rows = ListingTerm.objects.filter(listing_id__in=list(deliveries), term__in=terms)
    for pk, term in rows.values_list("listing_id", "term"):
        held[pk].append(term)
    yield from ((deliveries[pk], its_terms) for pk, its_terms in held.items())
