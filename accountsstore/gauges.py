"""What the ground floor tells Prometheus when it is asked: jobs, the clock, the outboxes, migrations."""

import json
import re
import time
from collections.abc import Iterator
from typing import cast

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django_prometheus.migrations import ExportMigrationsForDatabase
from prometheus_client import REGISTRY
from redis import Redis

from accountsstore import redis
from accountsstore.clock import parts
from accountsstore.command_runs import NIGHTLY
from accountsstore.metrics.scrape import Reading, ScrapedGauge, on_scrape
from accountsstore.models import ClockPart, CommandRun, OutboxEvent, OutboxMail
from accountsstore.servers import queue_client

MOST = 1000

LENGTH = ScrapedGauge("celery_queue_length", "Jobs that wait for a worker", ("queue",))
JOB_AGE = ScrapedGauge("celery_queue_oldest_seconds", "How long the next job to be taken has waited", ("queue",))
UNACKNOWLEDGED = ScrapedGauge("celery_unacknowledged_jobs", "Jobs that workers have taken and not finished")
CLOCK_LATE = ScrapedGauge("clock_late_seconds", "How long ago a part of the clock should have had its turn", ("part",))
PENDING = ScrapedGauge("outbox_pending", "Events and mails that are not out yet", ("outbox",))
PENDING_AGE = ScrapedGauge("outbox_oldest_seconds", "The age of the oldest of them", ("outbox",))
RUN_AGE = ScrapedGauge("command_last_run_seconds", "How long ago a command of the night ended well", ("command",))
RUN_FAULTS = ScrapedGauge("command_faults", "What it found wrong then", ("command",))
REPLICAS = ScrapedGauge("replicas_in_service", "Replicas of the database, Redis and the queue that follow", ("server",))
REPLICA_LAG = ScrapedGauge("replica_lag_seconds", "How far a replica is behind", ("server", "node"))
REDIS_MEMORY = ScrapedGauge("redis_memory_bytes", "Memory that a master of Redis uses", ("server", "node"))
REDIS_LIMIT = ScrapedGauge("redis_memory_limit_bytes", "What it may use; 0: all there is", ("server", "node"))
UNAPPLIED = ScrapedGauge("django_migrations_unapplied", "Migrations of the code that the database has not had")


@on_scrape("jobs", LENGTH, JOB_AGE, UNACKNOWLEDGED)
def jobs() -> Iterator[Reading]:
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    with queue_client() as client:
        pipe = client.pipeline(transaction=False)
        for name in names:
            # Kombu puts jobs in at the left and takes them at the right.
            pipe.llen(name).lindex(name, -1)
        *answers, unacknowledged = pipe.hlen("unacked").execute()
    yield UNACKNOWLEDGED, (), unacknowledged
    for name, length, oldest in zip(names, answers[::2], answers[1::2], strict=True):
        yield LENGTH, (name,), length
        sent_at = json.loads(oldest)["headers"].get("sent_at") if oldest else time.time()
        if sent_at is not None:
            yield JOB_AGE, (name,), max(0.0, time.time() - sent_at)


@on_scrape("clock", CLOCK_LATE)
def clock() -> Iterator[Reading]:
    now = timezone.now()
    for name, due_at in ClockPart.objects.filter(name__in=parts()).values_list("name", "due_at"):
        yield CLOCK_LATE, (name,), max(0.0, (now - due_at).total_seconds())


@on_scrape("outbox", PENDING, PENDING_AGE)
def outbox() -> Iterator[Reading]:
    now = timezone.now()
    for name, model in (("events", OutboxEvent), ("mails", OutboxMail)):
        rows = model._default_manager.filter(pending=True).order_by("retry_at")
        made = list(rows.values_list("created_at", flat=True)[:MOST])
        yield PENDING, (name,), len(made)
        yield PENDING_AGE, (name,), max(0.0, (now - min(made)).total_seconds()) if made else 0


@on_scrape("commands", RUN_AGE, RUN_FAULTS)
def commands() -> Iterator[Reading]:
    """One that never ran tells nothing."""
    now = timezone.now()
    for name, ended_at, faults in CommandRun.objects.filter(name__in=NIGHTLY).values_list("name", "ended_at", "faults"):
        yield RUN_AGE, (name,), max(0.0, (now - ended_at).total_seconds())
        yield RUN_FAULTS, (name,), faults


@on_scrape("replicas of the database", REPLICAS, REPLICA_LAG)
def database_replicas() -> Iterator[Reading]:
    lags = connection.replica_lags() if connection.vendor == "mongodb" else {}  # type: ignore[attr-defined]
    yield REPLICAS, ("database",), len(lags)
    for node, lag in lags.items():
        yield REPLICA_LAG, ("database", node), lag


@on_scrape("memory and replicas of redis", REPLICAS, REPLICA_LAG, REDIS_MEMORY, REDIS_LIMIT)
def redis_masters() -> Iterator[Reading]:
    return _masters("redis", redis.masters())


@on_scrape("memory and replicas of jobs", REPLICAS, REPLICA_LAG, REDIS_MEMORY, REDIS_LIMIT)
def jobs_master() -> Iterator[Reading]:
    with queue_client() as client:
        yield from _masters("jobs", {"master": client})


def _masters(server: str, masters: dict[str, Redis]) -> Iterator[Reading]:
    replicas = 0
    for node, client in masters.items():
        memory, replication = cast(dict, client.info("memory")), cast(dict, client.info("replication"))
        yield REDIS_MEMORY, (server, node), memory["used_memory"]
        yield REDIS_LIMIT, (server, node), memory["maxmemory"]
        for about in (about for name, about in replication.items() if re.fullmatch(r"slave\d+", name)):
            replicas += 1
            yield REPLICA_LAG, (server, f"{about['ip']}:{about['port']}"), about["lag"]
    yield REPLICAS, (server,), replicas


@on_scrape("migrations", UNAPPLIED, keep_seconds=600)
def migrations() -> Iterator[Reading]:
    ExportMigrationsForDatabase("default", MigrationExecutor(connection))
    unapplied = REGISTRY.get_sample_value("django_migrations_unapplied_total", {"connection": "default"})
    yield UNAPPLIED, (), cast(float, unapplied)
