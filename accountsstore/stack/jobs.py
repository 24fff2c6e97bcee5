"""The job queue of the stack: a Redis, its replica, and three Sentinels that decide who is master."""

import redis

from accountsstore.stack.configuration import render, write_private
from accountsstore.stack.layout import HOST, Health, Node, Stack
from accountsstore.stack.programs import Watch
from accountsstore.stack.valkey import PROGRAM, answers, ask, replication

MASTER_NAME = "jobs"


def command(stack: Stack, node: Node) -> list[str]:
    """Return how to start a server; write its configuration the first time, as afterwards Sentinel keeps it."""
    sentinel = is_sentinel(node)
    configuration = node.folder / ("sentinel.conf" if sentinel else "redis.conf")
    first = stack.node("jobs-1")
    values = {
        "bind": HOST,
        "port": node.port,
        "folder": node.folder,
        "password": stack.passwords["jobs"],
        "master_host": HOST,
        "master_port": first.port,
        "maxmemory": "64mb",
        "replicaof": "" if node == first else f"replicaof {HOST} {first.port}",
    }
    if not configuration.exists():
        write_private(configuration, render("redis/sentinel.conf" if sentinel else "redis/jobs.conf", values))
    return [PROGRAM, str(configuration), *(["--sentinel"] if sentinel else [])]


def is_sentinel(node: Node) -> bool:
    return node.name.startswith("sentinel")


async def form(stack: Stack, nodes: list[Node], watch: Watch) -> None:
    """Wait until one is master, the other follows it and the Sentinels know each other. Safe to repeat."""
    await watch.until(
        lambda: all(answers(node, stack.passwords["jobs"]) for node in nodes), "The first answer of the queue"
    )
    await watch.until(lambda: all(health(stack, node).ok for node in nodes), "The queue's replica and Sentinels")


def health(stack: Stack, node: Node) -> Health:
    password = stack.passwords["jobs"]
    try:
        if is_sentinel(node):
            return _sentinel(node, password)
        found = replication(node, password)
    except redis.RedisError as error:
        return Health("", f"no answer ({type(error).__name__})")
    if found.role == "master" and _named_master(stack) not in (None, node.port):
        # It was away and does not know yet that another one has taken over.
        return Health("master", "the Sentinels have another master")
    return found


def _named_master(stack: Stack) -> int | None:
    """The port of the master by the first Sentinel that answers; None when none does."""
    for node in stack.part("jobs"):
        if is_sentinel(node):
            try:
                _, port = ask(node, stack.passwords["jobs"], "SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
                return int(port)
            except (redis.RedisError, TypeError):
                continue
    return None


def _sentinel(node: Node, password: str) -> Health:
    master = ask(node, password, "SENTINEL MASTER", MASTER_NAME)
    if "down" in master["flags"]:
        problem = "the master is down"
    elif int(master["num-slaves"]) < 1:
        problem = "knows no replica"
    elif int(master["num-other-sentinels"]) < 2:
        problem = "does not know the other Sentinels"
    else:
        problem = ""
    return Health("sentinel", problem)
