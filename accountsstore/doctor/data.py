"""What the store itself holds: tables and indexes, the clock's turns, backups, the books."""

import io
from collections.abc import Iterator

from django.apps import apps
from django.core.management import CommandError, call_command, get_commands
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model, UniqueConstraint
from django.utils import timezone

from accountsstore.backup.errors import BackupError
from accountsstore.backup.vault import last_backup_at
from accountsstore.clock import parts
from accountsstore.doctor.points import Finding, by_limits, point
from accountsstore.indexes import MongoIndex
from accountsstore.models import ClockPart

CLOCK_SECONDS, CLOCK_STANDS_SECONDS = 30, 120
# A backup each night; MongoDB's log at least each minute.
BACKUP_HOURS, LOG_HOURS, NO_BACKUP_HOURS = 26, 0.1, 50


@point("migrations")
def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        yield Finding("wrong", f"{len(plan)} migrations of the code were not applied", "manage.py migrate")
    else:
        yield Finding("ok", "all applied")


@point("indexes")
def indexes() -> Iterator[Finding]:
    """Every one that a model declares must be there: without it a page reads the whole table, or a race has two winners."""
    missing = []
    models = [model for model in apps.get_models() if model._meta.managed and not model._meta.proxy]
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for model in models:
            if model._meta.db_table in tables:
                found = connection.introspection.get_constraints(cursor, model._meta.db_table)
                missing += [f"{model._meta.db_table}.{name}" for name in sorted(_declared(model) - set(found))]
            else:
                missing.append(f"the table {model._meta.db_table}")
    if missing:
        yield Finding(
            "wrong",
            f"{len(missing)} are missing: {', '.join(missing[:5])}",
            "manage.py sqlmigrate shows how the migration that adds it does so; restore it from there.",
        )
    else:
        yield Finding("ok", f"all that {len(models)} models declare are there")


def _declared(model: type[Model]) -> set[str]:
    found = {
        index.name
        for index in model._meta.indexes
        if not isinstance(index, MongoIndex) or connection.vendor == "mongodb"
    }
    return found | {each.name for each in model._meta.constraints if isinstance(each, UniqueConstraint)}


@point("clock")
def clock() -> Iterator[Finding]:
    now = timezone.now()
    due = dict(ClockPart.objects.filter(name__in=parts()).values_list("name", "due_at"))
    if not due:
        yield Finding("wrong", "no part of the clock ever had a turn", "Start beat and a worker, or run_clock --loop.")
        return
    name, at = min(due.items(), key=lambda each: each[1])
    late = max(0.0, (now - at).total_seconds())
    level = by_limits(late, CLOCK_SECONDS, CLOCK_STANDS_SECONDS)
    text = "every part has its turns" if level == "ok" else f"{name} should have had its turn {late:.0f} s ago"
    yield Finding(level, text, "Start beat and a worker for the queue money, or run_clock --loop.")


@point("backups")
def backups() -> Iterator[Finding]:
    try:
        last = last_backup_at()
    except BackupError as error:
        yield Finding("wrong", str(error), "See docs/operations/backups.md.")
        return
    if last is None:
        yield Finding("wrong", "there is none", "manage.py backup, each night; see docs/operations/backups.md.")
        return
    hours = (timezone.now() - last).total_seconds() / 3600
    expected = LOG_HOURS if connection.vendor == "mongodb" else BACKUP_HOURS
    level = by_limits(hours, expected, NO_BACKUP_HOURS)
    yield Finding(
        level, f"everything is kept until {hours:.1f} hours ago", "Look at backup.timer and backup-follow.service."
    )


@point("books")
def books() -> Iterator[Finding]:
    for command in sorted(name for name in get_commands() if name.startswith("verify_")):
        out = io.StringIO()
        try:
            call_command(command, stdout=out, stderr=io.StringIO())
        except CommandError as error:
            yield Finding("wrong", str(error), f"manage.py {command} names the rows.")
        else:
            yield Finding("ok", out.getvalue().strip())
