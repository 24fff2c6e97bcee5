"""Unique indexes that serve reads."""

from typing import Any

from django.db.models import Field, Index, Model
from django_mongodb_backend.schema import DatabaseSchemaEditor as MongoSchemaEditor


class DatabaseSchemaEditor(MongoSchemaEditor):
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
