"""Single rows, read and written on paths that are taken for each message, each socket and each page.

On MongoDB the ORM spends several times the driver's own work on making a command out of a query (a message took 13
commands and 26 ms of CPU through it). These make the command from the model's columns, with the same conversions; on
other databases they are the ORM. No signals are sent. Everything else is better off with the ORM.
"""

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Model, Q, Sum

M = TypeVar("M", bound=Model)


def rows_find(
    model: type[M], *joined: str, order_by: Sequence[str] = (), limit: int | None = None, **equal: Any
) -> list[M]:
    """The rows whose fields are `equal`; a list or set means any of its values. Have an index on them, which ends in
    `order_by` where there is a `limit`.

    `joined` names foreign keys whose rows come with them.
    """
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        return connection.rows_find(model, joined, equal, order_by, limit)
    rows = model._default_manager.filter(_condition(equal)).order_by(*order_by)
    return list((rows.select_related(*joined) if joined else rows)[:limit])


def row_find(model: type[M], *joined: str, order_by: Sequence[str] = (), **equal: Any) -> M | None:
    """The first of them, or None."""
    return next(iter(rows_find(model, *joined, order_by=order_by, limit=1, **equal)), None)


@dataclasses.dataclass(frozen=True)
class Rows:
    """What `rows_find` would be asked for. Fields in `order_by` are never empty."""

    model: type[Model]
    equal: Mapping[str, Any]
    joined: Sequence[str] = ()
    order_by: Sequence[str] = ()
    limit: int | None = None


def rows_find_together(*asked: Rows) -> list[list[Any]]:
    """The rows of each, in one question: on MongoDB five of them cost hardly more than one."""
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        return connection.rows_find_together(asked)
    return [
        rows_find(each.model, *each.joined, order_by=each.order_by, limit=each.limit, **each.equal) for each in asked
    ]


@dataclasses.dataclass(frozen=True)
class Figure:
    """How many rows have `equal` fields, as `rows_find` means it, or the fields of one in `any_of`; or the sum of their
    field `total`, less the field `less`. Of the first `limit` rows in `order_by`."""

    model: type[Model]
    equal: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    any_of: Sequence[Mapping[str, Any]] = ()
    total: str = ""
    less: str = ""
    order_by: Sequence[str] = ()
    limit: int | None = None


def rows_figures(*figures: Figure) -> list[int]:
    """Their values, in one question: on MongoDB five figures cost what one does. Have an index for each."""
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        return connection.rows_figures(figures)
    return [_figure(figure) for figure in figures]


def _figure(figure: Figure) -> int:
    rows = figure.model._default_manager.filter(_condition(figure.equal))
    if figure.any_of:
        either = Q()
        for equal in figure.any_of:
            either |= _condition(equal)
        rows = rows.filter(either)
    rows = rows.order_by(*figure.order_by)[: figure.limit]
    if not figure.total:
        return rows.count()
    value = F(figure.total) - F(figure.less) if figure.less else F(figure.total)
    return rows.aggregate(sum=Sum(value))["sum"] or 0


def _condition(equal: Mapping[str, Any]) -> Q:
    lookups = {
        f"{name}__in" if isinstance(value, list | set | frozenset | tuple) else name: value
        for name, value in equal.items()
    }
    return Q(**lookups)


def rows_insert(rows: Sequence[Model]) -> None:
    """Write new rows of one model. Raises IntegrityError where a unique index has one already."""
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        # MongoDB refuses a command that writes nothing.
        if rows:
            connection.rows_insert(rows)
    else:
        for row in rows:
            row.save(force_insert=True)


def rows_save(rows: Sequence[Model], *names: str) -> None:
    """Write these fields of a few rows as they are now. Inside the `atomic` function that has read the rows, so that
    nobody's change between is overwritten; safe to repeat."""
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        if rows:
            connection.rows_save(rows, names)
    else:
        for row in rows:
            type(row)._base_manager.filter(pk=row.pk).update(**{name: getattr(row, name) for name in names})


def rows_count_up(model: type[M], field: str, by: Mapping[uuid.UUID, int], **equal: Any) -> dict[uuid.UUID, M]:
    """Add to the field of each row (`{pk: how many}`) whose fields are `equal`, and give those rows as they are then.
    Inside an `atomic` function: whoever else counts comes before or after it, and the numbers are the caller's alone."""
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        return {row.pk: row for row in connection.rows_count_up(model, field, by, equal)}
    rows = model._default_manager.filter(**equal)
    for pk, count in by.items():
        rows.filter(pk=pk).update(**{field: F(field) + count})
    return rows.in_bulk(list(by))
