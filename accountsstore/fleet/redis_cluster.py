"""The Redis Cluster: masters that share the slots, each with a replica."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import redis

from accountsstore.fleet.errors import ServerError
from accountsstore.fleet.valkey import Server

SLOTS = 16384
Step = tuple[str, Callable[[], bool]]


def examined(servers: Sequence[Server]) -> str:
    """What there is, in a sentence. Changes nothing. Raises ServerError, which names a server that may not be taken."""
    places = {server.place: server for server in servers}
    if len(servers) < 6 or len(servers) % 2:
        raise ServerError(f"redis in [servers] names {len(servers)}: take 6 or more, a replica for each master.")
    knows: dict[Server, set[Server]] = {}
    for server in servers:
        if not server.looked_at("cluster")["cluster_enabled"]:
            raise ServerError(f"{server.address} is no node of a cluster: cluster-enabled is no.")
        seen = _seen_by(server)
        others = [
            address for address, one in seen.items() if not {"myself", "handshake"} & set(one["flags"].split(","))
        ]
        strangers = [address for address in others if _place(address) not in places]
        if strangers:
            raise ServerError(
                f"{server.address} is in a cluster with {strangers[0]}, which the inventory does not name. Where that one is "
                "gone for good, tell every node: CLUSTER FORGET."
            )
        has_slots = any(one["slots"] for one in seen.values())
        if others:
            knows[server] = {places[_place(address)] for address in others}
        elif has_slots:
            raise ServerError(
                f"{server.address} is a cluster of its own. Where its data may go: FLUSHALL, CLUSTER RESET."
            )
        elif keys := server.ask("DBSIZE"):
            raise ServerError(f"{server.address} holds {keys} keys of something else. Where they may go: FLUSHALL.")
    if not knows:
        return f"{len(servers)} empty nodes that do not know each other"
    met, waiting = set[Server](), [next(iter(knows))]
    while waiting:
        server = waiting.pop()
        if server not in met:
            met.add(server)
            waiting += knows.get(server, ())
    if apart := knows.keys() - met:
        raise ServerError(
            f"{min(one.address for one in apart)} and {min(one.address for one in met)} are in two clusters."
        )
    return f"a cluster of {len(met)} nodes" + (
        f", and {len(servers) - len(met)} empty ones" if len(met) < len(servers) else ""
    )


def steps(servers: Sequence[Server]) -> list[Step]:
    """What makes a cluster of them, in this order: each is asked again until it is true.

    Safe to repeat: each does what is missing, and nothing in a cluster that was made before.
    """
    return [
        ("the nodes know each other", lambda: _met(servers)),
        ("the slots are shared", lambda: _slots_shared(servers)),
        ("each master has its replica", lambda: _replicated(servers)),
        ("all nodes agree", lambda: _agreed(servers)),
    ]


def _met(servers: Sequence[Server]) -> bool:
    """Introduce those that are alone. True once each knows all."""
    try:
        known = [int(_info(server)["cluster_known_nodes"]) for server in servers]
        host = servers[known.index(max(known))]
        for number, server in enumerate(servers):
            if known[number] == 1:
                # Different from the start, so that no two masters have to settle it.
                with contextlib.suppress(redis.ResponseError):
                    server.ask("CLUSTER SET-CONFIG-EPOCH", number + 1)
                if server != host:
                    ip, port = server.place
                    host.ask("CLUSTER MEET", ip, port, server.bus_port)
    except redis.RedisError:
        return False
    return min(known) >= len(servers)


def _slots_shared(servers: Sequence[Server]) -> bool:
    """Give the first half their slots, if nobody has them. True once every node has heard who has each."""
    masters = len(servers) // 2
    try:
        if all(_info(server)["cluster_slots_assigned"] == str(SLOTS) for server in servers):
            return True
        for number, server in enumerate(servers[:masters]):
            first, last = SLOTS * number // masters, SLOTS * (number + 1) // masters - 1
            # "Slot … is already busy": it has been given before.
            with contextlib.suppress(redis.ResponseError):
                server.ask("CLUSTER ADDSLOTSRANGE", first, last)
    except redis.RedisError:
        pass
    return False


def _replicated(servers: Sequence[Server]) -> bool:
    """Make replicas of the nodes without slots, of masters that have the fewest. True once none is left."""
    try:
        # As each sees itself: of the others it may have heard late.
        own = {server: next(one for one in _seen_by(server).values() if "myself" in one["flags"]) for server in servers}
        masters = {one["node_id"]: server for server, one in own.items() if one["slots"]}
        followed = [one["master_id"] for one in own.values()]
        idle = [server for server, one in own.items() if _is_idle(one)]
        for server in idle:
            # On another machine than its master, where there is one.
            chosen = min(masters, key=lambda one: (followed.count(one), masters[one].host == server.host))
            server.ask("CLUSTER REPLICATE", chosen)
            followed.append(chosen)
    except redis.RedisError:
        return False
    return not idle


def _agreed(servers: Sequence[Server]) -> bool:
    """Has every node heard what each one is, and does every replica follow?"""
    try:
        return all(
            _info(server)["cluster_state"] == "ok"
            and not any(_is_idle(one) for one in _seen_by(server).values())
            and server.ask("INFO", "replication").get("master_link_status", "up") == "up"
            for server in servers
        )
    except redis.RedisError:
        return False


def _is_idle(one: dict[str, Any]) -> bool:
    """A master without slots has nothing to do."""
    return "master" in one["flags"] and not one["slots"]


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def _seen_by(server: Server) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = server.ask("CLUSTER NODES")
    return found


def _info(server: Server) -> dict[str, str]:
    found: dict[str, str] = server.ask("CLUSTER INFO")
    return found
