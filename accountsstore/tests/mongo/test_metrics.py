"""What is asked of MongoDB, as Prometheus is told of it."""

import pytest
from django.db import connection
from prometheus_client import REGISTRY

from accounts.models import User
from accounts.tests.factories import UserFactory
from accountsstore.mongo.listeners import LISTENERS

pytestmark = [pytest.mark.production, pytest.mark.django_db]


def asked(collection: str, operation: str) -> float:
    labels = {"collection": collection, "operation": operation}
    return REGISTRY.get_sample_value("mongodb_query_duration_ms_count", labels) or 0


def test_each_command_is_timed_by_its_collection_and_operation(db: None) -> None:
    before = {name: asked("accounts_user", name) for name in ("insert", "update", "delete")}
    reads = sum(asked("accounts_user", name) for name in ("find", "aggregate"))
    user = UserFactory()
    writes = asked("accounts_user", "insert") - before["insert"]
    assert writes == 1
    assert User.objects.filter(pk=user.pk).update(display_name="x") == 1
    assert asked("accounts_user", "update") == before["update"] + 1
    User.objects.get(pk=user.pk)
    assert sum(asked("accounts_user", name) for name in ("find", "aggregate")) > reads


def test_a_refused_command_is_counted_and_leaves_nothing_behind(db: None) -> None:
    before = REGISTRY.get_sample_value("mongodb_failed_queries_total", {"operation": "aggregate"}) or 0
    with pytest.raises(Exception, match="nonsense"):
        list(connection.database["accounts_user"].aggregate([{"$nonsense": {}}]))
    assert REGISTRY.get_sample_value("mongodb_failed_queries_total", {"operation": "aggregate"}) == before + 1
    [times, _] = LISTENERS
    assert not times._collections


def test_the_pool_tells_its_connections(db: None) -> None:
    User.objects.exists()
    opened = REGISTRY.get_sample_value("mongodb_pool_connections", {"state": "open"})
    in_use = REGISTRY.get_sample_value("mongodb_pool_connections", {"state": "in_use"})
    assert opened >= 1
    assert 0 <= in_use <= opened
