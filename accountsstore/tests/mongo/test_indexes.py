"""What `migrate` leaves behind on MongoDB: a failed index would only show as a slow page or a doubled row."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.models import Index, Model, UniqueConstraint
from pymongo import monitoring

from accountsstore.mongo_for_tests import commands
from listings.models import Listing

pytestmark = [
    pytest.mark.production,
    pytest.mark.skipif(connection.vendor != "mongodb", reason="speaks of MongoDB"),
    pytest.mark.django_db,
]

MODELS = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def columns(model: type[Model], names: list[str]) -> list[str]:
    return [model._meta.get_field(name).column for name in names]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_declared_index_exists(model):
    found = connection.get_collection(model._meta.db_table).index_information()
    keys = [details["key"] for details in found.values()]
    unique = [[column for column, _ in details["key"]] for details in found.values() if details.get("unique")]
    unique.append(["_id"])
    for index in model._meta.indexes:
        directions = [-1 if order else 1 for _, order in index.fields_orders]
        wanted = list(zip(columns(model, [name for name, _ in index.fields_orders]), directions, strict=True))
        assert found[index.name]["key"] == wanted
    for constraint in model._meta.constraints:
        assert isinstance(constraint, UniqueConstraint), "MongoDB checks nothing else"
        assert found[constraint.name]["unique"]
    for names in model._meta.unique_together:
        assert columns(model, names) in unique
    for field in model._meta.local_fields:
        if field.unique:
            assert [field.column] in unique
        elif field.db_index:
            assert [(field.column, 1)] in keys


def test_a_unique_field_that_is_never_empty_is_read_through_its_index():
    found = connection.get_collection("payments_order").index_information()
    whole = [details["key"] for details in found.values() if "partialFilterExpression" not in details]
    assert [("number", 1)] in whole
    assert [("checkout_key", 1)] in whole


def test_an_index_on_a_large_collection_has_time_to_be_built() -> None:
    """Above the 45 s after which any other command is given up."""
    sent: list[Mapping[str, Any]] = []

    def watch(event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "createIndexes":
            sent.append(event.command)

    index = Index(fields=["price_minor"], name="test_price")
    commands.watchers.append(watch)
    try:
        with connection.schema_editor() as editor:
            editor.add_index(Listing, index)
    finally:
        commands.watchers.remove(watch)
        with connection.schema_editor() as editor:
            editor.remove_index(Listing, index)
    assert [command["maxTimeMS"] > 3_600_000 for command in sent] == [True]


def test_the_migrations_lack_nothing_here_either() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
