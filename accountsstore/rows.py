"""Single rows, read and written on paths that are taken for each message, each socket and each page.

On MongoDB the ORM spends several times the driver's own work on making a command out of a query (a message took 13
commands and 26 ms of CPU through it). These make the command from the model's columns, with the same conversions; on
other databases they are the ORM. No signals are sent. Everything else is better off with the ORM.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Model, QuerySet

M = TypeVar("M", bound=Model)


def rows_find(model: type[M], *joined: str, **equal: Any) -> list[M]:
    """The rows whose fields are `equal`, in no order; a list or set means any of its values. Have an index on them.

    `joined` names foreign keys, which are never empty, whose rows come with them.
    """
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        return connection.rows_find(model, joined, equal)
    rows = _rows(model, equal)
    return list(rows.select_related(*joined) if joined else rows)


def _rows(model: type[M], equal: Mapping[str, Any]) -> QuerySet[M]:
    lookups = {f"{name}__in" if isinstance(value, list | set | tuple) else name: value for name, value in equal.items()}
    return model._default_manager.filter(**lookups)


def rows_count(model: type[Model], limit: int, **equal: Any) -> int:
    """How many rows there are as `rows_find` finds them, counted up to `limit`. Have an index on them."""
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        return connection.rows_count(model, limit, equal)
    return _rows(model, equal)[:limit].count()


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
