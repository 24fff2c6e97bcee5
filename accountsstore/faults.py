"""Which errors mean that a server is away: the store answers them with 503 and asks people to come back."""

import sys
from collections.abc import Iterator

import django.db
import kombu.exceptions
from redis import exceptions as redis_errors

from accountsstore.errors import Unavailable

_MONGO_AWAY = ("ConnectionFailure", "ExecutionTimeout", "WaitQueueTimeoutError")
# Of what Redis may answer, this says that it cannot serve now; the rest would be a mistake of ours.
_REDIS_AWAY = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    redis_errors.ClusterDownError,
    redis_errors.MasterDownError,
    redis_errors.RedisClusterException,
)
# What SQLite says when it is the machine's fault; its OperationalError also means a mistake of ours.
_SQLITE_AWAY = ("database is locked", "unable to open database file", "disk I/O error", "database or disk is full")


def server_away(error: BaseException | None) -> str:
    """The name of the server (database, redis, jobs, files) that the error says is away; empty when it says none."""
    return next(filter(None, map(_server, _chain(error))), "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what caused it: libraries wrap what the network told them."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _server(error: BaseException) -> str:
    if isinstance(error, Unavailable):
        return error.part
    if isinstance(error, kombu.exceptions.OperationalError):
        return "jobs"
    if isinstance(error, _REDIS_AWAY):
        return "redis"
    # What was not imported raised nothing; importing it takes a tenth of a program's start, and SQLite does not need it.
    if (mongo := sys.modules.get("pymongo.errors")) and isinstance(
        error, tuple(getattr(mongo, e) for e in _MONGO_AWAY)
    ):
        return "database"
    if isinstance(error, django.db.InterfaceError):
        return "database"
    if isinstance(error, django.db.OperationalError) and any(text in str(error) for text in _SQLITE_AWAY):
        return "database"
    return ""
