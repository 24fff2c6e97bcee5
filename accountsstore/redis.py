"""The store's Redis (or Valkey): where it is, and the one client of code outside an event loop.

One server, one behind Sentinels, or a cluster, as REDIS_URL says; nobody else needs to know which.
"""

import contextlib
import dataclasses
import functools
import logging
import os
import re
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import ExponentialWithJitterBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException
from redis.observability.attributes import DB_CLIENT_CONNECTION_STATE
from redis.retry import Retry
from redis.sentinel import Sentinel

logger = logging.getLogger(__name__)

# A server answers within a millisecond. One that hangs costs a caller these, (1 + RETRIES) times: a fail-over takes
# longer than anybody should wait here.
CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 1.0
RETRIES = 1
BATCH = 500
# After a failure, who can do without Redis does for this many times as long as it took, but asks again soon: a server
# that hangs costs a thread a fifth of its time at most, one that refuses at once next to nothing.
PAUSE_FACTOR, LONGEST_PAUSE_SECONDS = 9, 10

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Servers:
    """What a REDIS_URL says."""

    nodes: tuple[tuple[str, int], ...]
    is_cluster: bool = False
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    is_encrypted: bool = False
    ca_file: str | None = None
    database: int = 0
    # What the Sentinels, which `nodes` then are, call the master; empty without Sentinels.
    sentinel_master: str = ""

    @functools.cached_property
    def tls_context(self) -> ssl.SSLContext | None:
        """What an encrypted connection is checked with; None for a plain one. Raises OSError for a missing file."""
        return ssl.create_default_context(cafile=self.ca_file) if self.is_encrypted else None


def servers_of(url: str) -> Servers:
    """Read a REDIS_URL:

    - `redis://[[user]:password@]host[:port][/database]`, one server
    - `redis+cluster://…@host:port,host:port`, some nodes of a cluster
    - `redis+sentinel://…@host:port,host:port/master`, the Sentinels and what they call the master

    With `rediss` connections are encrypted; `?ssl_ca_certs=<file>` names the authority that signed the servers'
    certificates where the system does not know it. Raises ImproperlyConfigured, without the password.
    """
    shape = re.fullmatch(
        r"(?P<scheme>rediss?)(\+(?P<kind>cluster|sentinel))?://((?P<user>[^:@/]*)(:(?P<password>[^@/]*))?@)?"
        r"(?P<nodes>[^@/?]+)(/(?P<path>[\w.-]*))?(\?ssl_ca_certs=(?P<ca_file>[^&]+))?",
        url,
    )
    try:
        if not shape:
            raise ValueError
        kind, path = shape["kind"], shape["path"] or ""
        nodes = tuple(_host_and_port(node) for node in shape["nodes"].split(","))
        # One server has one address, a cluster one database.
        if (kind is None and len(nodes) > 1) or (kind == "cluster" and path) or (kind == "sentinel" and not path):
            raise ValueError
        database = int(path or 0) if kind is None else 0
    except ValueError:
        raise ImproperlyConfigured(
            f"REDIS_URL is no address of a Redis: {re.sub('//.*@', '//***@', url)}. One server is "
            "redis://:password@host:6379/0, a cluster redis+cluster://:password@host:6379,host:6379, a master behind "
            "Sentinels redis+sentinel://:password@host:26379,host:26379/master; rediss encrypts."
        ) from None
    return Servers(
        nodes=nodes,
        is_cluster=kind == "cluster",
        username=urllib.parse.unquote(shape["user"] or "") or None,
        password=urllib.parse.unquote(shape["password"] or "") or None,
        is_encrypted=shape["scheme"] == "rediss",
        ca_file=urllib.parse.unquote(shape["ca_file"] or "") or None,
        database=database,
        sentinel_master=path if kind == "sentinel" else "",
    )


def _host_and_port(node: str) -> tuple[str, int]:
    """Raises ValueError."""
    parts = urllib.parse.urlsplit(f"//{node}")
    if not parts.hostname:
        raise ValueError(node)
    return parts.hostname, parts.port or 6379


def channels_redis_host(url: str) -> dict[str, Any]:
    """One server, or one behind Sentinels, in the words of channels-redis. Raises ImproperlyConfigured for a cluster."""
    servers = servers_of(url)
    if servers.is_cluster:
        raise ImproperlyConfigured("CHANNEL_LAYER=channels_redis does not work on a cluster, which REDIS_URL names.")
    # redis-py's default of 5 s would end a subscription without traffic.
    options: dict[str, Any] = {"socket_timeout": None}
    if not servers.sentinel_master:
        return options | {"address": url}
    credentials = {"username": servers.username, "password": servers.password}
    return (
        options
        | credentials
        | {
            "sentinels": list(servers.nodes),
            "master_name": servers.sentinel_master,
            "sentinel_kwargs": credentials,
        }
    )


def client() -> redis.Redis | RedisCluster:
    """The process's client, for threads alike. Raises redis.ConnectionError when no node of a cluster answers."""
    with _errors():
        return _client(settings.REDIS_URL)


@functools.lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis | RedisCluster:
    servers = servers_of(url)
    options: dict[str, Any] = {
        "username": servers.username,
        "password": servers.password,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
    }
    if servers.is_encrypted:
        options |= {"ssl": True, "ssl_ca_certs": servers.ca_file}
    retry = Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), RETRIES)
    if servers.sentinel_master:
        # The Sentinels ask for the same password as the servers.
        return Sentinel(servers.nodes, sentinel_kwargs=options, **options).master_for(
            servers.sentinel_master, retry=retry
        )
    if not servers.is_cluster:
        [(host, port)] = servers.nodes
        return redis.Redis(host=host, port=port, db=servers.database, retry=retry, **options)
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in servers.nodes],
        # The names in REDIS_URL outlive the addresses that nodes tell of each other.
        dynamic_startup_nodes=False,
        # While one shard has no master, the others serve.
        require_full_coverage=False,
        retry=retry,
        **options,
    )


def masters() -> dict[str, redis.Redis]:
    """A client of each master, by its address. Raises redis.RedisError when no node of a cluster answers."""
    with _errors():
        found = client()
        if isinstance(found, RedisCluster):
            return {node.name: found.get_redis_connection(node) for node in found.get_primaries()}
    return {"master": found}


def connections() -> tuple[int, int]:
    """How many connections the process's client has, and how many of them are in use. Asks no server."""
    if not _client.cache_info().currsize:
        return 0, 0
    found = _client(settings.REDIS_URL)
    nodes = [node.redis_connection for node in found.get_nodes()] if isinstance(found, RedisCluster) else [found]
    counts = [count for node in nodes if node for count in node.connection_pool.get_connection_count()]
    in_use = sum(number for number, about in counts if about[DB_CLIENT_CONNECTION_STATE] == "used")
    return sum(number for number, _ in counts), in_use


# A child must not share the sockets, nor find a lock that another thread of its parent held.
os.register_at_fork(after_in_child=_client.cache_clear)


def execute(*command: Any) -> Any:
    """The answer to one command, in the shape redis-py gives it. Raises redis.RedisError, within a few seconds."""
    with _errors():
        return client().execute_command(*command)


def execute_many(commands: Sequence[Sequence[Any]]) -> list[Any]:
    """The answers to many commands, which go out together. Not a transaction. Raises redis.RedisError."""
    answers: list[Any] = []
    with _errors():
        for start in range(0, len(commands), BATCH):
            pipe = client().pipeline(transaction=False)
            for command in commands[start : start + BATCH]:
                pipe.execute_command(*command)
            answers += pipe.execute()
    return answers


_paused_until = 0.0


def answer_or(otherwise: T, ask: Callable[[], T]) -> T:
    """What `ask()` returns, or `otherwise` while Redis is away."""
    global _paused_until
    began = time.monotonic()
    if began < _paused_until:
        return otherwise
    try:
        return ask()
    except redis.RedisError as error:
        now = time.monotonic()
        _paused_until = now + min((now - began) * PAUSE_FACTOR, LONGEST_PAUSE_SECONDS)
        logger.warning("going on without Redis", extra={"error": repr(error)})
        return otherwise


def ping() -> None:
    """Return when Redis serves. Raises redis.RedisError. A cluster serves while most of its masters do."""
    if not servers_of(settings.REDIS_URL).is_cluster:
        execute("PING")
    elif (state := execute("CLUSTER INFO")["cluster_state"]) != "ok":
        raise redis.ConnectionError(f"the cluster's state is {state}")


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """redis-py's errors about a cluster are no RedisError of its own; callers need to know one kind."""
    try:
        yield
    except RedisClusterException as error:
        raise redis.ConnectionError(str(error)) from error
