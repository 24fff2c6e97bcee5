"""The job queue: a Redis, its replica, and Sentinels that decide who is master."""

from collections.abc import Callable, Sequence
from typing import Any

import redis

from accountsstore.fleet.errors import ServerError
from accountsstore.fleet.valkey import Server

MASTER_NAME = "jobs"
Step = tuple[str, Callable[[], bool]]


def examined(servers: Sequence[Server], sentinels: Sequence[Server]) -> str:
    """What there is, in a sentence. Changes nothing. Raises ServerError, which names a server that may not be taken."""
    if len(servers) < 2 or len(sentinels) < 3 or not len(sentinels) % 2:
        raise ServerError(
            f"[servers] names {len(servers)} jobs and {len(sentinels)} sentinels: take 2 or more, and 3 or another odd number."
        )
    places = {server.place: server for server in servers}
    for server in servers:
        told = server.looked_at("replication")
        if _mode(server) != "standalone":
            raise ServerError(f"{server.address} is no Redis by itself, which the queue needs.")
        if told["role"] != "master" and _leader(told) not in places:
            raise ServerError(f"{server.address} follows {told['master_host']}, which the inventory does not name.")
    for sentinel in sentinels:
        if _mode(sentinel) != "sentinel":
            raise ServerError(f"{sentinel.address} is no Sentinel.")
        try:
            host, port = sentinel.ask("SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER_NAME) or ("", 0)
        except redis.RedisError as error:
            raise ServerError(f"{sentinel.address} does not answer ({type(error).__name__}).") from None
        if not host:
            raise ServerError(f"{sentinel.address} watches no queue: start it with the sentinel.conf of render_deploy.")
        if (host, int(port)) not in places:
            raise ServerError(
                f"{sentinel.address} watches the queue at {host}:{port}, which the inventory does not name."
            )
    leader, others = _led(servers)
    for server in others:
        if keys := server.ask("DBSIZE"):
            raise ServerError(
                f"{server.address} holds {keys} keys and follows nobody, and {leader.address} is the queue's master. Where "
                "they may go: FLUSHALL."
            )
    return f"a queue at {leader.address}" + (f", which {others[0].address} does not follow yet" if others else "")


def steps(servers: Sequence[Server], sentinels: Sequence[Server]) -> list[Step]:
    """What makes a queue of them, in this order: each is asked again until it is true. Safe to repeat."""
    return [
        ("the others follow the master", lambda: _followed(servers)),
        ("the Sentinels know it", lambda: all(not _problem_or_silence(one, len(sentinels)) for one in sentinels)),
    ]


def _led(servers: Sequence[Server]) -> tuple[Server, list[Server]]:
    """The master that most follow, in doubt the one that holds most, and the other masters. Raises redis.RedisError."""
    masters = [server for server in servers if server.ask("INFO", "replication")["role"] == "master"]
    if not masters:
        raise ServerError(f"{servers[0].address} and the others follow one another: one of them must be master.")
    masters.sort(
        key=lambda one: (-one.ask("INFO", "replication")["connected_slaves"], -one.ask("DBSIZE"), servers.index(one))
    )
    return masters[0], masters[1:]


def _followed(servers: Sequence[Server]) -> bool:
    try:
        leader, others = _led(servers)
        for server in others:
            server.ask("REPLICAOF", *leader.place)
            server.ask("CONFIG REWRITE")
        return not others and all(
            server.ask("INFO", "replication").get("master_link_status", "up") == "up" for server in servers
        )
    except redis.RedisError:
        return False


def sentinel_problem(sentinel: Server, sentinels: int = 3) -> str:
    """What keeps a Sentinel from doing its work; empty for nothing. Raises redis.RedisError."""
    master = sentinel.ask("SENTINEL MASTER", MASTER_NAME)
    if "down" in master["flags"]:
        return "the master is down"
    if int(master["num-slaves"]) < 1:
        return "knows no replica"
    if int(master["num-other-sentinels"]) < sentinels - 1:
        return "does not know the other Sentinels"
    return ""


def _problem_or_silence(sentinel: Server, sentinels: int) -> str:
    try:
        return sentinel_problem(sentinel, sentinels)
    except redis.RedisError as error:
        return type(error).__name__


def _mode(server: Server) -> str:
    told = server.looked_at("server")
    # Redis calls it the one, Valkey from version 8 the other.
    return str(told.get("redis_mode") or told["server_mode"])


def _leader(told: dict[str, Any]) -> tuple[str, int]:
    return told["master_host"], int(told["master_port"])
