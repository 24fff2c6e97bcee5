"""The job queue of the stack: a Redis, its replica, and three Sentinels that decide who is master."""

import contextlib

import redis

from accountsstore.fleet.configuration import render, write_private
from accountsstore.fleet.redis_queue import MASTER_NAME, sentinel_problem
from accountsstore.stack.layout import HOST, Health, Node, Stack
from accountsstore.stack.programs import Watch
from accountsstore.stack.valkey import PROGRAM, answers, ask, replication, server, users


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
    } | users(stack, "sentinels" if sentinel else "jobs")
    if not configuration.exists():
        write_private(configuration, render("redis/sentinel.conf" if sentinel else "redis/jobs.conf", values))
    return [PROGRAM, str(configuration), *(["--sentinel"] if sentinel else [])]


def is_sentinel(node: Node) -> bool:
    return node.name.startswith("sentinel")


async def form(stack: Stack, nodes: list[Node], watch: Watch) -> None:
    """Wait until one is master, the other follows it and the Sentinels know each other. Safe to repeat."""
    password, sentinels = stack.passwords["jobs"], [node for node in nodes if is_sentinel(node)]
    await watch.until(lambda: all(answers(node, password) for node in nodes), "The first answer of the queue")
    # A Sentinel asks its master for replicas every 10 s; one that asked too early would keep the start waiting.
    await watch.until(lambda: _ask_every(500, sentinels, password), "The Sentinels")
    await watch.until(lambda: all(health(stack, node).ok for node in nodes), "The queue's replica and Sentinels")
    await watch.until(lambda: _ask_every(10_000, sentinels, password), "The Sentinels")


def _ask_every(milliseconds: int, sentinels: list[Node], password: str) -> bool:
    try:
        return all(ask(node, password, "SENTINEL DEBUG", "INFO-PERIOD", milliseconds) for node in sentinels)
    except redis.RedisError:
        return False


def health(stack: Stack, node: Node) -> Health:
    password = stack.passwords["jobs"]
    try:
        if is_sentinel(node):
            return Health("sentinel", sentinel_problem(server(node, password)))
        found = replication(node, password)
    except redis.RedisError as error:
        return Health("", f"no answer ({type(error).__name__})")
    if found.role == "master" and not _only_master(stack, node):
        # It was away, and another one has taken over: it will be told to follow.
        return Health("master", "another one is master")
    return found


def _only_master(stack: Stack, node: Node) -> bool:
    """Does neither the other server nor a Sentinel that answers say otherwise?"""
    password = stack.passwords["jobs"]
    for other in stack.part("jobs"):
        with contextlib.suppress(redis.RedisError):
            if is_sentinel(other):
                _, port = ask(other, password, "SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
                if int(port) != node.port:
                    return False
            elif other != node and replication(other, password).role == "master":
                return False
    return True
