"""Indexes that only one of the two databases has."""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Index, Model


class MongoIndex(Index):
    """Made by `migrate` on MongoDB alone."""

    def create_sql(
        self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **kw: Any
    ) -> Any:
        return ""

    def remove_sql(self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, **kwargs: Any) -> str:
        return ""
