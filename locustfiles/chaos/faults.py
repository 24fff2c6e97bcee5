"""What dies in a chaos run, and how it comes back."""

import asyncio
import dataclasses
import time
from collections.abc import Callable

import redis

from accountsstore.stack import lifecycle, programs
from accountsstore.stack.layout import Node, Stack
from locustfiles.chaos.store import SOCKETS, WORKERS, Processes

KEYS = ("mongo", "redis", "jobs", "worker", "daphne")
# How long to wait for a job to be in a worker's hands.
JOB_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Fault:
    """`strike` kills and returns the victim's name; `mend` brings the victim back, where nothing else does."""

    key: str
    title: str
    strike: Callable[[], str]
    mend: Callable[[str], None] | None = None


def all_faults(stack: Stack, processes: Processes) -> list[Fault]:
    """Every fault, in the order in which they strike."""

    def node_in(part: str, role: str) -> Node:
        return next(node for node in stack.part(part) if lifecycle.health(stack, node).role == role)

    def kill_node(part: str, role: str) -> str:
        victim = node_in(part, role)
        programs.kill(victim)
        return victim.name

    def start(name: str) -> None:
        asyncio.run(lifecycle.start(stack, stack.node(name), asyncio.Event()))

    def kill_process(name: str) -> str:
        processes.kill(name)
        return name

    def kill_workers() -> str:
        """Both, because nothing outside tells which of them holds the job that the queue waits to hear of."""
        master = node_in("jobs", "master")
        give_up = time.monotonic() + JOB_SECONDS
        with redis.Redis("127.0.0.1", master.port, password=stack.passwords["jobs"]) as queue:
            while not queue.hlen("unacked"):
                if time.monotonic() > give_up:
                    raise RuntimeError("no worker had anything to do")
        return " and ".join(map(kill_process, WORKERS))

    return [
        Fault("mongo", "The Mongo primary dies", lambda: kill_node("mongo", "primary"), start),
        Fault("redis", "A master of the cluster dies", lambda: kill_node("redis", "master"), start),
        Fault("jobs", "The queue's master dies", lambda: kill_node("jobs", "master"), start),
        Fault("worker", "The workers die mid-job", kill_workers),
        Fault("daphne", "A Daphne process dies", lambda: kill_process(SOCKETS[0])),
    ]
