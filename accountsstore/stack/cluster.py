"""The Redis Cluster of the stack: three masters that share the slots, each with a replica."""

import redis

from accountsstore.fleet.configuration import render, write_private
from accountsstore.fleet.redis_cluster import steps
from accountsstore.stack.layout import HOST, Health, Node, Stack
from accountsstore.stack.programs import Watch
from accountsstore.stack.valkey import PROGRAM, answers, ask, replication, server, users


def command(stack: Stack, node: Node) -> list[str]:
    """Write the configuration of a node and return how to start it."""
    values = {
        "bind": HOST,
        "port": node.port,
        "bus_port": node.bus_port,
        "folder": node.folder,
        "password": stack.passwords["redis"],
        "maxmemory": "64mb",
    } | users(stack, "redis")
    write_private(node.folder / "redis.conf", render("redis/cluster.conf", values))
    return [PROGRAM, str(node.folder / "redis.conf")]


async def form(stack: Stack, nodes: list[Node], watch: Watch) -> None:
    """Let the nodes meet, share the slots, give each master its replica; wait until all agree. Safe to repeat."""
    password = stack.passwords["redis"]
    await watch.until(lambda: all(answers(node, password) for node in nodes), "The first answer of the cluster")
    for _what, step in steps([server(node, password) for node in nodes]):
        await watch.until(step, "Making the cluster")
    await watch.until(lambda: all(health(stack, node).ok for node in nodes), "The cluster's health")


def health(stack: Stack, node: Node) -> Health:
    password = stack.passwords["redis"]
    try:
        state = ask(node, password, "CLUSTER INFO")["cluster_state"]
        found = replication(node, password)
    except redis.RedisError as error:
        return Health("", f"no answer ({type(error).__name__})")
    return found if state == "ok" else Health(found.role, f"sees the cluster in the state {state}")
