"""Pages of a list, cut by key: what is inserted or deleted meanwhile shifts nobody's page, and page 1,000 costs as
much as page 1."""

import dataclasses
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)

PAGE_SIZE = 24
_SALT = "accountsstore.paging"
_FORWARD, _BACK = "f", "b"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page(Generic[M]):
    """Rows of one page, and the cursors of its neighbours; an empty cursor means that there is none."""

    items: list[M]
    next: str = ""
    previous: str = ""


def page_of(rows: QuerySet[M], order: tuple[str, ...], cursor: str = "", size: int = PAGE_SIZE) -> Page[M]:
    """The page of `rows` that `cursor` names, sorted by `order`, such as `("-created_at", "-id")`.

    `order` must end in a unique field and hold no nullable one; an index should match it. A cursor that is empty,
    altered, or of another order gives the first page.
    """
    place = _read(cursor, rows.model, order)
    backwards = place is not None and place[0] == _BACK
    steps = _reversed(order) if backwards else order
    if place is not None:
        rows = rows.filter(_after(steps, place[1]))
    found = list(rows.order_by(*steps)[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    if not found:
        return Page(items=[])
    # Coming from the next page there is one after this, coming from the one before there is one before.
    has_next, has_previous = (True, more) if backwards else (more, place is not None)
    return Page(
        items=found,
        next=_write(_FORWARD, order, found[-1]) if has_next else "",
        previous=_write(_BACK, order, found[0]) if has_previous else "",
    )


def _names(order: tuple[str, ...]) -> list[str]:
    return [name.removeprefix("-") for name in order]


def _reversed(order: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name[1:] if name.startswith("-") else f"-{name}" for name in order)


def _after(order: tuple[str, ...], values: list[Any]) -> Q:
    """Rows behind `values`: for (a, b), a > x or (a = x and b > y); `a >= x` beside it lets the index seek."""
    behind, equal = Q(), Q()
    for name, value in zip(order, values, strict=True):
        field = name.removeprefix("-")
        behind |= equal & Q(**{f"{field}__{'lt' if name.startswith('-') else 'gt'}": value})
        equal &= Q(**{field: value})
    first = order[0].removeprefix("-")
    return Q(**{f"{first}__{'lte' if order[0].startswith('-') else 'gte'}": values[0]}) & behind


def _write(direction: str, order: tuple[str, ...], row: Model) -> str:
    fields: list[Any] = [row._meta.get_field(name) for name in _names(order)]
    values = [field.value_to_string(row) for field in fields]
    return signing.dumps([direction, list(order), values], salt=_SALT)


def _read(cursor: str, model: type[Model], order: tuple[str, ...]) -> tuple[str, list[Any]] | None:
    if not cursor:
        return None
    try:
        direction, of_order, values = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError, UnicodeError):
        return None
    if of_order != list(order):
        return None
    fields: list[Any] = [model._meta.get_field(name) for name in _names(order)]
    return direction, [field.to_python(value) for field, value in zip(fields, values, strict=True)]
