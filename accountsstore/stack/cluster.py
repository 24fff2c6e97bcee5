"""The Redis Cluster of the stack: three masters that share the slots, each with a replica."""

import contextlib
from typing import Any

import redis

from accountsstore.stack.configuration import render, write_private
from accountsstore.stack.layout import HOST, Health, Node, Stack
from accountsstore.stack.programs import Watch
from accountsstore.stack.valkey import PROGRAM, answers, ask, replication

SLOTS = 16384
MASTERS = 3


def command(stack: Stack, node: Node) -> list[str]:
    """Write the configuration of a node and return how to start it."""
    values = {
        "bind": HOST,
        "port": node.port,
        "bus_port": node.bus_port,
        "folder": node.folder,
        "password": stack.passwords["redis"],
        "maxmemory": "64mb",
    }
    write_private(node.folder / "redis.conf", render("redis/cluster.conf", values))
    return [PROGRAM, str(node.folder / "redis.conf")]


async def form(stack: Stack, nodes: list[Node], watch: Watch) -> None:
    """Let the nodes meet, share the slots, give each master its replica; wait until all agree.

    Safe to repeat: each step does what is missing, nothing in a cluster that was made before.
    """
    password = stack.passwords["redis"]
    await watch.until(lambda: all(answers(node, password) for node in nodes), "The first answer of the cluster")
    for step in (_met, _slots_shared, _replicated, _agreed):
        await watch.until(lambda step=step: step(nodes, password), "Making the cluster")  # type: ignore[misc]
    await watch.until(lambda: all(health(stack, node).ok for node in nodes), "The cluster's health")


def health(stack: Stack, node: Node) -> Health:
    password = stack.passwords["redis"]
    try:
        state = _info(node, password)["cluster_state"]
        found = replication(node, password)
    except redis.RedisError as error:
        return Health("", f"no answer ({type(error).__name__})")
    return found if state == "ok" else Health(found.role, f"sees the cluster in the state {state}")


def _met(nodes: list[Node], password: str) -> bool:
    """Introduce to the first node those that are alone. True once each knows all."""
    try:
        known = [int(_info(node, password)["cluster_known_nodes"]) for node in nodes]
        for number, node in enumerate(nodes):
            if known[number] == 1:
                # Different from the start, so that no two masters have to settle it.
                with contextlib.suppress(redis.ResponseError):
                    ask(node, password, "CLUSTER SET-CONFIG-EPOCH", number + 1)
                if node != nodes[0]:
                    ask(nodes[0], password, "CLUSTER MEET", HOST, node.port, node.bus_port)
    except redis.RedisError:
        return False
    return min(known) >= len(nodes)


def _slots_shared(nodes: list[Node], password: str) -> bool:
    """Give the first nodes their slots, if nobody has them. True once every node has heard who has each."""
    try:
        if all(_info(node, password)["cluster_slots_assigned"] == str(SLOTS) for node in nodes):
            return True
        for number, node in enumerate(nodes[:MASTERS]):
            first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS - 1
            # "Slot … is already busy": it has been given before.
            with contextlib.suppress(redis.ResponseError):
                ask(node, password, "CLUSTER ADDSLOTSRANGE", first, last)
    except redis.RedisError:
        pass
    return False


def _replicated(nodes: list[Node], password: str) -> bool:
    """Make replicas of the nodes without slots. False while one has not heard of its master."""
    try:
        for number, node in enumerate(nodes[MASTERS:]):
            if any("myself" in one["flags"] and _is_idle(one) for one in _seen_by(node, password)):
                ask(node, password, "CLUSTER REPLICATE", ask(nodes[number], password, "CLUSTER MYID"))
    except redis.RedisError:
        return False
    return True


def _agreed(nodes: list[Node], password: str) -> bool:
    """Has every node heard what each one is?"""
    try:
        return not any(_is_idle(one) for node in nodes for one in _seen_by(node, password))
    except redis.RedisError:
        return False


def _is_idle(one: dict[str, Any]) -> bool:
    """A master without slots has nothing to do."""
    return "master" in one["flags"] and not one["slots"]


def _seen_by(node: Node, password: str) -> list[dict[str, Any]]:
    return list(ask(node, password, "CLUSTER NODES").values())


def _info(node: Node, password: str) -> dict[str, str]:
    found: dict[str, str] = ask(node, password, "CLUSTER INFO")
    return found
