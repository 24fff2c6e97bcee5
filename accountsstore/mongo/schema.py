"""Unique indexes that serve reads, and time to build indexes."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import pymongo
from django.db.models import Field, Index, Model
from django_mongodb_backend.schema import DatabaseSchemaEditor as MongoSchemaEditor

# An index on a million rows is built for minutes. The connection's own timeout is that of a page's query.
BUILD_SECONDS = 24 * 3600


class DatabaseSchemaEditor(MongoSchemaEditor):
    _patience: AbstractContextManager[None]

    def __enter__(self) -> Self:
        super().__enter__()
        self._patience = pymongo.timeout(BUILD_SECONDS)
        self._patience.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._patience.__exit__(kind, error, trace)

    def add_index(
        self, model: type[Model], index: Index, *, field: Field | None = None, unique: bool = False, **options: Any
    ) -> None:
        """The backend makes every unique index partial, so that NULL may stand in it many times, and MongoDB reads no
        partial index unless the query repeats its condition. Where no NULL can be, the whole index does both."""
        fields = [field] if field else [model._meta.get_field(name) for name, _order in index.fields_orders]
        if not unique or any(each.null for each in fields):
            super().add_index(model, index, field=field, unique=unique, **options)
            return
        definition = index.get_pymongo_index_model(model, schema_editor=self, field=field)  # type: ignore[attr-defined]  # the backend gives every Index this method
        definition.document["unique"] = True
        self.get_collection(model._meta.db_table).create_indexes([definition])
