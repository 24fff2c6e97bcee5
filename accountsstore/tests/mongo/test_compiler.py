"""Ordered lists read an index and join only what they show; what they give is what the backend's own order gives."""

import json
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet

from accounts.models import AuditEvent, SellerProfile, User
from accounts.tests.factories import SellerFactory, UserFactory
from accountsstore.mongo.compiler import SQLCompiler
from accountsstore.tests.mongo.scans import commands_caught, scans

pytestmark = [
    pytest.mark.production,
    pytest.mark.skipif(connection.vendor != "mongodb", reason="speaks of MongoDB"),
    pytest.mark.django_db,
]


def work(rows: QuerySet[Any]) -> tuple[int, int]:
    """How many index keys and documents the query reads."""
    found = json.loads(rows.explain(verbosity="executionStats"))
    statistics = found["stages"][0]["$cursor"]["executionStats"] if "stages" in found else found["executionStats"]
    return statistics["totalKeysExamined"], statistics["totalDocsExamined"]


@pytest.fixture
def events() -> list[AuditEvent]:
    """Thirty, by three people; every fifth by nobody."""
    people = [SellerFactory() if n else UserFactory() for n in range(3)]
    return AuditEvent.objects.bulk_create(
        AuditEvent(actor=people[n % 3] if n % 5 else None, action=f"a{n % 4}", subject=f"user:{n:02}")
        for n in range(30)
    )


def test_an_ordered_list_with_a_join_reads_no_more_than_it_shows(events):
    rows = AuditEvent.objects.select_related("actor").order_by("-created_at")[:5]
    assert work(rows) == (5, 5)
    newest = sorted((event.created_at for event in AuditEvent.objects.all()), reverse=True)
    assert [row.created_at for row in rows] == newest[:5]


QUERIES = {
    "joined and cut": lambda: AuditEvent.objects.select_related("actor").order_by("-subject")[3:9],
    "joined by what may be missing": lambda: AuditEvent.objects.select_related("actor__seller_profile").order_by("subject"),
    "filtered over a join": lambda: AuditEvent.objects.filter(actor__seller_profile__state="approved").order_by("-subject")[:7],
    "filtered over a join and here": lambda: AuditEvent.objects.filter(
        actor__status="active", action="a1"
    ).select_related("actor").order_by("subject")[:4],
    "excluded over a join": lambda: AuditEvent.objects.exclude(actor__is_staff=True).order_by("subject")[:9],
    "from the other side": lambda: User.objects.filter(seller_profile__isnull=False).order_by("-username")[:1],
    "sorted by a join": lambda: SellerProfile.objects.order_by("-user__username").select_related("user"),
    "empty values last": lambda: AuditEvent.objects.order_by(F("actor").asc(nulls_last=True), "subject")[:12],
    "values": lambda: AuditEvent.objects.order_by("action", "-subject").values_list("subject", "actor__username")[2:8],
    "unsorted": lambda: AuditEvent.objects.filter(action="a2").select_related("actor")[:2],
    "distinct": lambda: AuditEvent.objects.order_by("action").values_list("action", flat=True).distinct()[:3],
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_what_comes_is_the_same_in_both_orders(events, monkeypatch, name):
    def rows() -> list[Any]:
        return [(row.pk, vars(row).keys()) if hasattr(row, "pk") else row for row in QUERIES[name]()]

    ours = rows()
    monkeypatch.setattr(SQLCompiler, "query_class", SQLCompiler.__mro__[1].query_class)
    assert ours == rows()
    assert ours


def test_conditions_of_this_collection_come_before_the_join(events):
    rows = AuditEvent.objects.filter(subject="user:07", actor__is_staff=False).order_by("-created_at")[:5]
    assert work(rows) == (1, 1)


def test_values_alone_are_read_in_order_from_the_index_too(events):
    assert work(AuditEvent.objects.order_by("subject").values_list("subject", flat=True)[:4]) == (4, 4)
    assert work(AuditEvent.objects.order_by("-id").values_list("pk", "action")[:4]) == (4, 4)


def test_the_prefetch_of_a_foreign_key_reads_its_keys(events):
    with commands_caught() as caught:
        list(AuditEvent.objects.prefetch_related("actor").order_by("-id")[:5])
    assert [scans(command) for command in caught.values()] == ["", ""]
