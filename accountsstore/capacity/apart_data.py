"""The database and keys that are measured on: made, and removed again."""

import contextlib
from typing import Any

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection

from accountsstore import servers
from accountsstore.capacity.errors import CapacityError

NOT_ALLOWED = 13  # https://www.mongodb.com/docs/v6.0/reference/error-codes/: Unauthorized


def require_answers() -> None:
    """Raises CapacityError naming the server that does not answer."""
    for server, error in servers.servers_asked():
        if error is not None and not _is_unauthorized(error):
            raise CapacityError(f"{server.title} does not answer ({server.variable}): {type(error).__name__}.")


def make() -> None:
    """Tables without rows. Raises CapacityError where the user of the database may not."""
    try:
        remove()
        call_command("migrate", interactive=False, verbosity=0)
    except Exception as error:
        if not _is_unauthorized(error):
            raise
        name = connection.settings_dict["NAME"]
        raise CapacityError(
            f"The store's user may not write to {name}, a database for measuring alone. Let it, in mongosh as an administrator: "
            f'db.getSiblingDB("admin").grantRolesToUser("<user>", [{{role: "readWrite", db: "{name}"}}])'
        ) from None


def remove() -> None:
    """What was written. The file of SQLite goes with its folder; keys of Redis end by themselves within an hour."""
    if connection.vendor == "mongodb":
        connection.ensure_connection()
        database: Any = connection.database  # type: ignore[attr-defined]
        for name in database.list_collection_names():
            database.drop_collection(name)
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("global_keyprefix", "")
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    with contextlib.suppress(redis.RedisError), servers.queue_client() as client:
        client.delete(*(f"{prefix}{name}" for name in [*names, *(f"_kombu.binding.{name}" for name in names)]))


def _is_unauthorized(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "code", None) == NOT_ALLOWED:
            return True
        error = error.__cause__ or (error.__context__ if isinstance(error, DatabaseError) else None)
    return False
