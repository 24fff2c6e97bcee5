"""What the ground floor tells Prometheus when it is asked: jobs, the clock, the outboxes, migrations."""

import json
import time
from collections.abc import Iterator
from typing import cast

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django_prometheus.migrations import ExportMigrationsForDatabase
from prometheus_client import REGISTRY

from accountsstore.clock import parts
from accountsstore.metrics.scrape import Reading, ScrapedGauge, on_scrape
from accountsstore.models import ClockPart, OutboxEvent, OutboxMail
from accountsstore.servers import queue_client

MOST = 1000

LENGTH = ScrapedGauge("celery_queue_length", "Jobs that wait for a worker", ("queue",))
JOB_AGE = ScrapedGauge("celery_queue_oldest_seconds", "How long the next job to be taken has waited", ("queue",))
UNACKNOWLEDGED = ScrapedGauge("celery_unacknowledged_jobs", "Jobs that workers have taken and not finished")
CLOCK_LATE = ScrapedGauge("clock_late_seconds", "How long ago a part of the clock should have had its turn", ("part",))
PENDING = ScrapedGauge("outbox_pending", "Events and mails that are not out yet", ("outbox",))
PENDING_AGE = ScrapedGauge("outbox_oldest_seconds", "The age of the oldest of them", ("outbox",))
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


@on_scrape("migrations", UNAPPLIED, keep_seconds=600)
def migrations() -> Iterator[Reading]:
    ExportMigrationsForDatabase("default", MigrationExecutor(connection))
    unapplied = REGISTRY.get_sample_value("django_migrations_unapplied_total", {"connection": "default"})
    yield UNAPPLIED, (), cast(float, unapplied)
