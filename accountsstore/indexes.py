"""Indexes that only one of the two databases has, and which of them a list reads."""

from typing import Any, TypeVar

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Index, Model, QuerySet

M = TypeVar("M", bound=Model)


class MongoIndex(Index):
    """Made by `migrate` on MongoDB alone."""

    def create_sql(
        self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **kw: Any
    ) -> Any:
        return ""

    def remove_sql(self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, **kwargs: Any) -> str:
        return ""


def index_keys(model: type[Model], index: Index) -> dict[str, int]:
    """The columns of an index, each with 1 or -1, as MongoDB names them."""
    columns = {field.name: str(field.column) for field in model._meta.concrete_fields}
    return {columns[name]: -1 if order else 1 for name, order in index.fields_orders}


def read_in_index(rows: QuerySet[M], name: str) -> QuerySet[M]:
    """Have MongoDB read the rows in the index of that name, without trying others. On other databases, and with an empty
    name, nothing changes."""
    rows = rows.all()
    rows.query.index_name = name  # type: ignore[attr-defined]  # accountsstore.mongo.compiler reads it
    return rows
