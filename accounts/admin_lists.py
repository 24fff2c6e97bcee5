"""Lists of the admin that stay quick when there are millions of rows: each of their queries reads an index."""

import functools
import operator
from collections.abc import Iterator
from typing import Any

from django.contrib.admin import AllValuesFieldListFilter, ShowFacets
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

# 20 pages; who looks for something older narrows the list.
COUNT_LIMIT = 1_000
# Joined rows that a search looks at, such as the orders of the person searched for.
JOINED_LIMIT = 200
WORD_LIMIT = 5
VALUES_LIMIT = 100
VALUES_KEPT_SECONDS = 300


class CountedSoFar(Paginator):
    """Counts no further than the pages that it offers."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by("pk")[:COUNT_LIMIT].count()  # type: ignore[attr-defined]  # a list of rows


class IndexedValuesFilter(AllValuesFieldListFilter):
    """Every value that occurs in a field, found by leaping along its index."""

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: type[Model], model_admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        key = f"admin.values:{model._meta.label_lower}.{field_path}"
        self.lookup_choices: Any = cache.get_or_set(key, lambda: list(_values(model, field_path)), VALUES_KEPT_SECONDS)


def _values(model: type[Model], name: str) -> Iterator[Any]:
    rows = model._default_manager.order_by(name).values_list(name, flat=True)
    value = rows.first()
    for _ in range(VALUES_LIMIT):
        if value is None:
            return
        yield value
        value = rows.filter(**{f"{name}__gt": value}).first()


class QuickList(ModelAdmin):
    """Newest rows have the largest key, so order by `-id`, not by `-created_at`; or by what an index begins with.

    `search_fields` end in `__exact` or `__startswith` and have an index; without a lookup a word may stand anywhere in
    the field, which only small tables can afford.
    """

    paginator = CountedSoFar
    # Sorting by any column, and a figure beside each filter, would read the whole table.
    sortable_by = ()
    show_facets = ShowFacets.NEVER
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The rows in which each word is found in some field."""
        for word in search_term.split()[:WORD_LIMIT]:
            queryset = queryset.filter(_any(_with_word(self.model, path, word) for path in self.search_fields))
        return queryset, False


def _with_word(model: type[Model], path: str, word: str) -> Q:
    """Rows of `model` whose `path` holds the word. Joined rows are looked up first: a join would read every row here."""
    name, _, rest = path.partition("__")
    field: Any = model._meta.get_field(name)
    if field.is_relation:
        joined = field.related_model._default_manager.filter(_with_word(field.related_model, rest, word))
        if field.one_to_many:
            return Q(pk__in=list(joined.values_list(field.field.attname, flat=True)[:JOINED_LIMIT]))
        return Q(**{f"{name}__in": list(joined.values_list("pk", flat=True)[:JOINED_LIMIT])})
    if not rest:
        return Q(**{f"{name}__icontains": word})
    # Codes are written in capitals, usernames and addresses in small letters, names with one of each.
    spellings = {word, word.lower(), word.upper(), word.capitalize()}
    if rest == "exact":
        return Q(**{f"{name}__in": sorted(spellings)})
    return _any(Q(**{path: spelling}) for spelling in sorted(spellings))


def _any(conditions: Any) -> Q:
    return functools.reduce(operator.or_, conditions)
