"""How tests keep apart on MongoDB, which cannot roll back what a test has committed: what it wrote to is emptied.

Only those collections, because emptying all sixty after each test took four times as long as the test.
"""

from collections.abc import Callable

from django.db import connection
from django.test import TransactionTestCase
from pymongo import WriteConcern, monitoring

# Written by `migrate` alone: every test reads them.
KEPT = {"auth_permission", "django_content_type", "django_migrations"}


class Commands(monitoring.CommandListener):
    """What any thread asks of MongoDB: keeps the collections that were written to, and tells who watches."""

    def __init__(self) -> None:
        self.written: set[str] = set()
        self.watchers: list[Callable[[monitoring.CommandStartedEvent], None]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("insert", "update", "findAndModify"):
            self.written.add(event.command[event.command_name])
        for watch in self.watchers:
            watch(event)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


commands = Commands()


def keep_tests_apart() -> None:
    """Call it before the first connection."""
    monitoring.register(commands)
    TransactionTestCase._fixture_teardown = lambda test: empty_what_was_written()


def written_elsewhere() -> None:
    """Programs of the store have run on the test's database: nobody knows where they wrote to."""
    commands.written.update(connection.introspection.django_table_names())


def empty_what_was_written() -> None:
    for name in commands.written - KEPT:
        connection.database[name].with_options(write_concern=WriteConcern(w=1)).delete_many({})
    commands.written.clear()
