"""What the ground floor tells of the moment: queues, the clock, the outboxes."""

import datetime
import json
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accountsstore import gauges
from accountsstore.command_runs import command_ended
from accountsstore.events import user_group
from accountsstore.models import ClockPart, CommandRun, OutboxEvent, OutboxMail
from accountsstore.servers import queue_client
from accountsstore.tasks import mail_send

pytestmark = [pytest.mark.stack, pytest.mark.django_db]


def told(read: gauges.Iterator, gauge: gauges.ScrapedGauge) -> dict[tuple[str, ...], float]:
    return {labels: value for each, labels, value in read if each == gauge}


@pytest.fixture
def queues() -> Iterator[None]:
    """Empty before and after."""
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    with queue_client() as client:
        client.delete(*names)
        yield
        client.delete(*names)


def test_a_queue_tells_how_many_wait_and_how_long_the_first_has(queues: None) -> None:
    empty = list(gauges.jobs())
    assert set(told(empty, gauges.LENGTH).values()) == {0}
    for n in range(3):
        mail_send.delay(f"{n:032x}")
    with queue_client() as client:
        # As if the first had waited for a minute.
        first = json.loads(client.lindex("mail", -1))
        assert abs(first["headers"]["sent_at"] - time.time()) < 60
        first["headers"]["sent_at"] -= 60
        client.lset("mail", -1, json.dumps(first))
    waiting = list(gauges.jobs())
    assert told(waiting, gauges.LENGTH) == {("mail",): 3, ("images",): 0, ("money",): 0, ("default",): 0}
    assert 60 <= told(waiting, gauges.JOB_AGE)["mail",] < 180
    assert told(waiting, gauges.JOB_AGE)["money",] < 10


def test_a_clock_that_stopped_is_late(db: None) -> None:
    now = timezone.now()
    ClockPart.objects.filter(name__in=["outbox", "orders"]).delete()
    ClockPart.objects.create(name="outbox", due_at=now - datetime.timedelta(seconds=90))
    ClockPart.objects.create(name="orders", due_at=now + datetime.timedelta(seconds=90))
    ClockPart.objects.create(name="no part of the code", due_at=now)
    late = told(gauges.clock(), gauges.CLOCK_LATE)
    assert 90 <= late["outbox",] < 180
    assert late["orders",] == 0
    assert ("no part of the code",) not in late


def test_the_outboxes_tell_how_much_waits_and_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(gauges.outbox(), gauges.PENDING) == {("events",): 0, ("mails",): 0}
    OutboxEvent.objects.bulk_create(OutboxEvent(topic="t", groups=[user_group("u")]) for _ in range(5))
    OutboxEvent.objects.create(topic="t", pending=False)
    mail = OutboxMail.objects.create(to="a@example.com", subject="s", template="t", dedupe_key="k")
    OutboxMail.objects.filter(pk=mail.pk).update(created_at=timezone.now() - datetime.timedelta(hours=1))
    waiting = list(gauges.outbox())
    assert told(waiting, gauges.PENDING) == {("events",): 5, ("mails",): 1}
    assert 3600 <= told(waiting, gauges.PENDING_AGE)["mails",] < 3800
    assert told(waiting, gauges.PENDING_AGE)["events",] < 200
    monkeypatch.setattr(gauges, "MOST", 3)
    assert told(gauges.outbox(), gauges.PENDING)["events",] == 3, "a backlog without end is not counted to its end"


def test_a_command_of_the_night_tells_when_it_ended_and_what_it_found(db: None) -> None:
    assert list(gauges.commands()) == []
    command_ended("verify_ledger", faults=2)
    command_ended("none of the night")
    CommandRun.objects.update(ended_at=timezone.now() - datetime.timedelta(hours=2))
    assert told(gauges.commands(), gauges.RUN_FAULTS) == {("verify_ledger",): 2}
    assert 7200 <= told(gauges.commands(), gauges.RUN_AGE)["verify_ledger",] < 7400
    command_ended("verify_ledger")
    assert told(gauges.commands(), gauges.RUN_FAULTS) == {("verify_ledger",): 0}
    assert told(gauges.commands(), gauges.RUN_AGE)["verify_ledger",] < 200


def test_each_master_of_redis_tells_its_memory_and_replicas() -> None:
    for read, server in ((gauges.redis_masters, "redis"), (gauges.jobs_master, "jobs")):
        readings = list(read())
        used, limit = told(readings, gauges.REDIS_MEMORY), told(readings, gauges.REDIS_LIMIT)
        assert used
        assert used.keys() == limit.keys()
        assert all(labels[0] == server and value > 100_000 for labels, value in used.items())
        lags = told(readings, gauges.REPLICA_LAG)
        assert told(readings, gauges.REPLICAS) == {(server,): len(lags)}
        if has_replicas():
            assert len(lags) == len(used) == (3 if server == "redis" else 1)
            assert all(0 <= lag < 60 for lag in lags.values())


def test_the_database_tells_how_far_its_replicas_are_behind(db: None) -> None:
    OutboxEvent.objects.create(topic="t", pending=False)
    readings = list(gauges.database_replicas())
    lags = told(readings, gauges.REPLICA_LAG)
    assert told(readings, gauges.REPLICAS) == {("database",): len(lags)} == {("database",): 2 * has_replicas()}
    assert all(0 <= lag < 60 for lag in lags.values())


def has_replicas() -> bool:
    """Whether this runs on the stack."""
    return connection.vendor == "mongodb"


def test_a_database_that_had_every_migration_misses_none(db: None) -> None:
    assert told(gauges.migrations(), gauges.UNAPPLIED) == {(): 0}
