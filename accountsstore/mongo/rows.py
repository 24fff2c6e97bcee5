"""`accountsstore.rows` on MongoDB: one command each, made from the model's columns alone."""

import functools
import operator
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import ForeignKey, Model
from django_mongodb_backend.query import wrap_database_errors
from pymongo import ReturnDocument, UpdateOne

from accountsstore.rows import Figure, Rows

M = TypeVar("M", bound=Model)
Document = dict[str, Any]


class RowCommands:
    """What the engine's connection (`accountsstore.mongo.base`) does with single rows."""

    get_collection: Callable[..., Any]
    session: Any
    ops: Any
    alias: str

    @wrap_database_errors
    def rows_find(
        self, model: type[M], joined: Sequence[str], equal: dict[str, Any], order_by: Sequence[str], limit: int | None
    ) -> list[M]:
        asked = Rows(model, equal, joined, order_by, limit)
        found = self._of(model).aggregate(_find(asked, self), session=self.session)
        return [self._with_joined(asked, document) for document in found]

    def rows_find_together(self, asked: Sequence[Rows]) -> list[list[Any]]:
        found: list[list[Any]] = [[] for _each in asked]
        for document in self._together([(each.model, _find(each, self)) for each in asked]):
            number = document["number"]
            found[number].append(self._with_joined(asked[number], document["row"]))
        for each, rows in zip(asked, found, strict=True):
            # A union is in no order.
            for name in reversed(each.order_by):
                rows.sort(key=operator.attrgetter(name.removeprefix("-")), reverse=name.startswith("-"))
        return found

    def rows_figures(self, figures: Sequence[Figure]) -> list[int]:
        found = [0] * len(figures)
        for document in self._together([(figure.model, _count(figure, self)) for figure in figures]):
            found[document["number"]] = int(document["row"]["n"])
        return found

    @wrap_database_errors
    def _together(self, asked: Sequence[tuple[type[Model], list[Document]]]) -> list[Document]:
        """{number, row} for each document of each pipeline, in one command; in a transaction, which takes no union, in
        one command each."""
        pipelines = [
            (model._meta.db_table, [*stages, {"$replaceWith": {"number": {"$literal": number}, "row": "$$ROOT"}}])
            for number, (model, stages) in enumerate(asked)
        ]
        if not pipelines or (self.session and self.session.in_transaction):
            groups = [[each] for each in pipelines]
        else:
            groups = [pipelines]
        found: list[Document] = []
        for (table, stages), *others in groups:
            union = [{"$unionWith": {"coll": coll, "pipeline": pipeline}} for coll, pipeline in others]
            found += self.get_collection(table).aggregate([*stages, *union], session=self.session)
        return found

    def _with_joined(self, asked: Rows, document: Document) -> Any:
        row = self._row(asked.model, document)
        for name in asked.joined:
            joined = document[f"_{name}"]
            setattr(row, name, self._row(_field(asked.model, name).related_model, joined[0]) if joined else None)
        return row

    @wrap_database_errors
    def rows_insert(self, rows: Sequence[Model]) -> None:
        model = type(rows[0])
        documents = [
            {field.column: _stored(field, field.pre_save(row, True), self) for field in _fields(model)} for row in rows
        ]
        self._of(model).insert_many(documents, session=self.session)
        for row in rows:
            row._state.adding, row._state.db = False, self.alias

    @wrap_database_errors
    def rows_save(self, rows: Sequence[Model], names: Sequence[str]) -> None:
        """All in one command."""
        model = type(rows[0])
        fields = [_field(model, name) for name in names]
        changes = [
            UpdateOne(
                {"_id": _stored(_field(model, "pk"), row.pk, self)},
                {"$set": {field.column: _stored(field, getattr(row, field.attname), self) for field in fields}},
            )
            for row in rows
        ]
        self._of(model).bulk_write(changes, session=self.session)

    @wrap_database_errors
    def rows_count_up(
        self, model: type[M], name: str, by: Mapping[uuid.UUID, int], equal: dict[str, Any]
    ) -> Iterable[M]:
        """One command for one row, two for many."""
        collection, column = self._of(model), _field(model, name).column
        changes = [(_match(model, {"pk": pk, **equal}, self), {"$inc": {column: count}}) for pk, count in by.items()]
        if len(changes) == 1:
            after = ReturnDocument.AFTER
            found = [collection.find_one_and_update(*changes[0], return_document=after, session=self.session)]
        else:
            collection.bulk_write([UpdateOne(*change) for change in changes], ordered=False, session=self.session)
            found = collection.find(_match(model, {"pk": list(by), **equal}, self), session=self.session)
        return [self._row(model, document) for document in found if document]

    def _of(self, model: type[Model]) -> Any:
        return self.get_collection(model._meta.db_table)

    @functools.cached_property
    def _readers(self) -> dict[type[Model], list[tuple[str, Any, list[Any]]]]:
        """For each column of a model its name, and what the ORM makes of a value that comes out of it. The converters know
        their connection, so this lives as long as it does."""
        return {}

    def _row(self, model: type[M], document: Document) -> M:
        readers = self._readers.get(model)
        if readers is None:
            columns: list[Any] = [field.get_col(model._meta.db_table) for field in _fields_read(model)]
            readers = self._readers[model] = [
                (column.target.column, column, self.ops.get_db_converters(column) + column.get_db_converters(self))
                for column in columns
            ]
        values = []
        for name, column, converters in readers:
            value = document.get(name)
            for convert in converters:
                value = convert(value, column, self)
            values.append(value)
        return model.from_db(self.alias, [field.attname for field in _fields_read(model)], values)


def _stored(field: Any, value: Any, connection: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def _field(model: type[Model], name: str) -> Any:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)


def _join(key: "ForeignKey[Any, Any]") -> list[Document]:
    model, name = key.related_model, f"_{key.name}"
    lookup = {"from": model._meta.db_table, "localField": key.column, "foreignField": "_id", "as": name}
    return [{"$lookup": lookup}, *_less(model, f"{name}.")]


def _less(model: type[Model], prefix: str = "") -> list[Document]:
    """Do not send what the model's manager defers."""
    columns = [prefix + field.column for field in _fields(model) if field not in _fields_read(model)]
    return [{"$unset": columns}] if columns else []


def _find(asked: Rows, connection: Any) -> list[Document]:
    keys = [_field(asked.model, name) for name in asked.joined]
    return [
        {"$match": _match(asked.model, asked.equal, connection)},
        *_first(asked.model, asked.order_by, asked.limit),
        *_less(asked.model),
        *(stage for key in keys for stage in _join(key)),
    ]


def _count(figure: Figure, connection: Any) -> list[Document]:
    """{n: the figure}, or nothing where there are no rows."""
    model = figure.model
    match = _match(model, figure.equal, connection)
    if figure.any_of:
        match["$or"] = [_match(model, equal, connection) for equal in figure.any_of]
    value: Any = f"${_field(model, figure.total).column}" if figure.total else 1
    if figure.less:
        value = {"$subtract": [value, f"${_field(model, figure.less).column}"]}
    return [
        {"$match": match},
        *_first(model, figure.order_by, figure.limit),
        {"$group": {"_id": None, "n": {"$sum": value}}},
    ]


def _first(model: type[Model], order_by: Sequence[str], limit: int | None) -> list[Document]:
    order = {_field(model, name.removeprefix("-")).column: -1 if name.startswith("-") else 1 for name in order_by}
    return [*([{"$sort": order}] if order else []), *([] if limit is None else [{"$limit": limit}])]


def _match(model: type[Model], equal: Mapping[str, Any], connection: Any) -> Document:
    match: Document = {}
    for name, value in equal.items():
        field = _field(model, name)
        if isinstance(value, list | set | frozenset | tuple):
            match[field.column] = {"$in": [_stored(field, each, connection) for each in value]}
        else:
            match[field.column] = _stored(field, value, connection)
    return match


@functools.cache
def _fields(model: type[Model]) -> tuple[Any, ...]:
    return tuple(model._meta.concrete_fields)


@functools.cache
def _fields_read(model: type[Model]) -> tuple[Any, ...]:
    """Without those that the model's manager defers."""
    names, are_deferred = model._default_manager.all().query.deferred_loading
    return tuple(field for field in _fields(model) if not (are_deferred and field.name in names))
