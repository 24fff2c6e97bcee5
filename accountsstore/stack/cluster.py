"""The Redis Cluster of the stack: three masters that share the slots, each with a replica."""

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
    """Share the slots and give each master its replica, once; wait until every node agrees. Safe to repeat."""
    password = stack.passwords["redis"]
    await watch.until(lambda: all(answers(node, password) for node in nodes), "The first answer of the cluster")
    if not any(_info(node, password).get("cluster_slots_assigned") == str(SLOTS) for node in nodes):
        for number, node in enumerate(nodes):
            # What an interrupted start left. A node that held data refuses a reset, so that goes first; it is a cache.
            ask(node, password, "FLUSHALL")
            ask(node, password, "CLUSTER RESET", "HARD")
            ask(node, password, "CLUSTER SET-CONFIG-EPOCH", number + 1)
        for number, node in enumerate(nodes[:MASTERS]):
            first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS - 1
            ask(node, password, "CLUSTER ADDSLOTSRANGE", first, last)
        for node in nodes[1:]:
            ask(nodes[0], password, "CLUSTER MEET", HOST, node.port, node.bus_port)
        await watch.until(
            lambda: all(_info(node, password).get("cluster_known_nodes") == str(len(nodes)) for node in nodes),
            "The meeting of the cluster's nodes",
        )
        masters = [ask(node, password, "CLUSTER MYID") for node in nodes[:MASTERS]]
        pairs = list(zip(nodes[MASTERS:], masters, strict=True))
        await watch.until(
            lambda: all(_replicates(node, master, password) for node, master in pairs), "The cluster's replicas"
        )
    await watch.until(lambda: all(health(stack, node).ok for node in nodes), "The cluster's agreement")


def health(stack: Stack, node: Node) -> Health:
    password = stack.passwords["redis"]
    try:
        state = _info(node, password).get("cluster_state")
        found = replication(node, password)
    except redis.RedisError as error:
        return Health("", f"no answer ({type(error).__name__})")
    return found if state == "ok" else Health(found.role, f"sees the cluster in the state {state}")


def _info(node: Node, password: str) -> dict[str, str]:
    return ask(node, password, "CLUSTER INFO")


def _replicates(node: Node, master: str, password: str) -> bool:
    """Make a node the replica of a master. False while it has not heard of that master."""
    try:
        return bool(ask(node, password, "CLUSTER REPLICATE", master))
    except redis.ResponseError:
        return False
