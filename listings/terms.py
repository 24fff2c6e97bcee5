"""The terms of listings (`listings.words`) as the database keeps and combines them.

SQLite has a row for each term of a listing. MongoDB has them in an array on the listing, whose indexes continue with
the sort: at a million listings 2 to 80 ms, where its own text index took 0.3 to 3.5 s. Beside the array stands its
signature, with a bit for each term: a row that lacks one of several terms is left out at the price of looking at a few
bytes, a third of what comparing the array takes.
"""

import uuid
import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Func, JSONField, Lookup, QuerySet

from accountsstore.db import atomic
from accountsstore.indexes import index_keys
from listings.index_choice import TELLING, current_sample
from listings.models import Listing, ListingTerm

HOPS = 16
# Of 1,024 bits a listing's 30 to 180 terms set 3 to 16 %: one row in so many passes for each term that it lacks.
SIGNATURE_BYTES = 128
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
        Listing.objects.filter(pk=listing.pk).update(terms=sorted(wanted), terms_signature=signature(wanted))
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


def signature(terms: Iterable[str]) -> bytes:
    """The bits of these terms. What is stored was made by the same function: change it with a migration."""
    bits = 0
    for term in terms:
        bits |= 1 << (zlib.crc32(term.encode()) % (8 * SIGNATURE_BYTES))
    return bits.to_bytes(SIGNATURE_BYTES, "little")


def with_terms(
    rows: QuerySet[Listing], words: list[str], facets: list[list[str]]
) -> tuple[QuerySet[Listing], list[list[str]]]:
    """Those with all of the words, of which the last may go on, and with any of the terms of each facet; and the lists of
    terms of which MongoDB looks up the first in an index and compares the others, as `index_for` takes them."""
    *whole, beginning = words or [""]
    if not _is_array():
        for terms in [*([word] for word in whole), *facets]:
            rows = _with_rows(rows, term__in=terms)
        return (_with_rows(rows, term__gte=beginning, term__lt=beginning + _LAST) if beginning else rows), []
    alternatives = [[word] for word in whole]
    if beginning:
        # Of a few words the index gives the sorted rows, one merged with the other; of a range it gives all, to be
        # sorted. More words than these are in so many listings that any index of the sort finds a page soon.
        terms = _terms_from(beginning)
        if len(terms) < HOPS:
            alternatives.append(terms)
        else:
            rows = rows.filter(terms__startswith=beginning)
    alternatives += facets
    if len(alternatives) > 1:
        alternatives.sort(key=lambda terms: sum(map(_frequency, terms)))
    return (rows.filter(terms__hold=alternatives) if alternatives else rows), alternatives


def _frequency(term: str) -> int:
    """How many listings on sale have the term: about, or at most COUNTED, and not of this minute."""
    if (sample := current_sample()) and (rows := sample.with_any([term])).bit_count() >= TELLING:
        return int(sample.count(rows))
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
class Hold(Lookup):
    """The terms hold one of each of these lists, on MongoDB: `[["blade"], ["north", "northern"]]`. The first list is looked
    up in an index and should be the rarest; the others are read from the rows, signature first. From conditions of their
    own MongoDB would make a plan for each and try them all: seconds."""

    lookup_name = "hold"
    prepare_rhs = False

    def as_mql(self, compiler: Any, connection: Any, **options: Any) -> dict[str, Any]:
        from django_mongodb_backend.query_utils import process_lhs

        column = process_lhs(self, compiler, connection)
        first, *others = self.rhs
        found: dict[str, Any] = {column: {"$in": first} if len(first) > 1 else first[0] if first else {"$in": []}}
        # The only form of "one of these" that no plan is made for.
        exact = [{"$nor": [{column: {"$nin": terms}}]} for terms in others]
        bits = [{f"{column}_signature": {"$bitsAnySet": signature(terms)}} for terms in others if len(terms) != 1]
        if single := [terms[0] for terms in others if len(terms) == 1]:
            bits.append({f"{column}_signature": {"$bitsAllSet": signature(single)}})
        if others:
            found["$and"] = [*bits, *exact]
        return found


def _index_keys() -> list[tuple[str, int]]:
    """An index that begins with the terms."""
    index = next(index for index in Listing._meta.indexes if index.name == "listing_terms_newest")
    return list(index_keys(Listing, index).items())


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
