"""The servers the store stands on: which variable names each, and whether it answers.

`/api/health` asks them at every probe. A program asks them once before it starts (`require_servers`), so that a wrong
address is a sentence and not a page of errors later.
"""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from accountsstore.redis import ping

CONNECT_SECONDS, ANSWER_SECONDS = 1, 2
# Within which all servers have answered a program that starts, or it ends. With what Python needs to load the program
# this stays below the ten seconds in which an operator is told.
START_SECONDS = 4
_TIMEOUTS = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
    "retry": Retry(NoBackoff(), 0),
}


@dataclass(frozen=True)
class Server:
    """`name` is for programs, `title` begins a sentence. `ask()` returns when the server answers, else raises when its
    client has given up, which tries each of several addresses. `address()` may hold a password."""

    name: str
    title: str
    variable: str
    address: Callable[[], str]
    ask: Callable[[], object]


_servers: dict[str, Server] = {}


def register_server(server: Server) -> None:
    """Let health and the start of every program ask this server too. Safe to repeat."""
    _servers[server.name] = server


def servers() -> list[Server]:
    """All that were registered."""
    return list(_servers.values())


def servers_asked() -> Iterator[tuple[Server, Exception | None]]:
    """Each server and what it answered with, one after the other: None is well."""
    for server in _servers.values():
        yield server, _asked(server)


def _asked(server: Server) -> Exception | None:
    try:
        server.ask()
    except Exception as error:  # each server's client has errors of its own
        return error
    return None


def require_servers(report: Callable[[str], object] = lambda line: None) -> None:
    """End the program with exit code 1 and one sentence if a server it needs does not answer, within START_SECONDS.

    `report` is told of each that answers.
    """
    asked: list[Server] = []

    def give_up() -> None:
        # Whatever the main thread hangs in: a name that nobody resolves cannot be interrupted.
        print(_silent(asked[-1], f"within {START_SECONDS} seconds"), file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1)

    watch = threading.Timer(START_SECONDS, give_up)
    watch.daemon = True
    watch.start()
    try:
        for server in _servers.values():
            asked.append(server)
            error = _asked(server)
            if isinstance(error, ImproperlyConfigured):
                sys.exit(str(error))
            if error is not None:
                sys.exit(_silent(server, type(error).__name__))
            report(f"{server.title} answers: {_where(server)}")
    finally:
        watch.cancel()


def _silent(server: Server, why: str) -> str:
    return f"{server.title} does not answer: {_where(server)} ({why})."


def _where(server: Server) -> str:
    return f"{server.variable}={masked(server.address())}"


def masked(address: str) -> str:
    """The address without the passwords in it."""
    return re.sub(r"(?<=://)([^:@/;]*):[^;]*?@(?=[^@;]*(;|$))", r"\1:***@", address)


def queue_client() -> redis.Redis:
    """A client of the job queue's Redis: of the master that the Sentinels name, where there are any."""
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    if "master_name" not in options:
        return redis.Redis.from_url(settings.CELERY_BROKER_URL, **_TIMEOUTS)
    sentinels = [urlsplit(url) for url in settings.CELERY_BROKER_URL.split(";")]
    return Sentinel(
        [(url.hostname, url.port or 26379) for url in sentinels],
        sentinel_kwargs=options["sentinel_kwargs"] | _TIMEOUTS,
    ).master_for(
        options["master_name"], username=sentinels[0].username or None, password=sentinels[0].password, **_TIMEOUTS
    )


def _queue_ask() -> None:
    with queue_client() as client:
        client.ping()


def _database_ask() -> None:
    if connection.vendor != "mongodb":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return
    import pymongo

    # Without the timeout a missing replica set takes the driver's 15 s.
    with pymongo.timeout(CONNECT_SECONDS + ANSWER_SECONDS):
        connection.ask()  # type: ignore[attr-defined]


register_server(Server("database", "The database", "DATABASE_URL", lambda: settings.DATABASE_URL, _database_ask))
register_server(Server("redis", "Redis", "REDIS_URL", lambda: settings.REDIS_URL, ping))
register_server(Server("jobs", "The job queue", "CELERY_BROKER_URL", lambda: settings.CELERY_BROKER_URL, _queue_ask))
