"""A Redis Cluster of a test's own, from deploy/redis/, that it may treat as it likes."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis.crc import key_slot

from accountsstore.stack import lifecycle, programs
from accountsstore.stack.layout import Node, Stack
from accountsstore.stack.valkey import ask
from accountsstore.tests.programs import own_stack

SECONDS = 60


class Cluster:
    """Three masters and their replicas: redis-1 to redis-6."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.nodes = stack.part("redis")
        self.url = stack.env(["redis"])["REDIS_URL"]

    def ask(self, node: Node, *command: object) -> Any:
        return ask(node, self.stack.passwords["redis"], *command)

    def living(self) -> Node:
        return next(node for node in self.nodes if programs.running(node))

    def owner(self, name: str) -> Node:
        """The master of the slot that a key or channel is in, as a living node sees it."""
        slot = key_slot(name.encode())
        rows = self.ask(self.living(), "CLUSTER SLOTS")
        port = next(master[1] for first, last, master, *_ in rows if first <= slot <= last)
        return next(node for node in self.nodes if node.port == port)

    def replica_of(self, master: Node) -> Node:
        rows = self.ask(master, "CLUSTER SLOTS")
        port = next(replicas[0][1] for _, _, owner, *replicas in rows if owner[1] == master.port)
        return next(node for node in self.nodes if node.port == port)

    def move(self, slots: list[int], source: Node, target: Node) -> None:
        """As `redis-cli --cluster reshard` does it, for slots without keys."""
        ids = {node: self.ask(node, "CLUSTER MYID") for node in (source, target)}
        for slot in slots:
            self.ask(target, f"CLUSTER SETSLOT {slot} IMPORTING {ids[source]}")
            self.ask(source, f"CLUSTER SETSLOT {slot} MIGRATING {ids[target]}")
            for node in (target, source):
                self.ask(node, f"CLUSTER SETSLOT {slot} NODE {ids[target]}")

    def kill(self, node: Node) -> None:
        programs.kill(node)

    def heal(self) -> None:
        """Start what does not run, and wait until the cluster is whole."""
        asyncio.run(lifecycle.up(self.stack, ["redis"], lambda line: None, asyncio.Event()))
        wait_for(lambda: all(lifecycle.health(self.stack, node).ok for node in self.nodes))
        # Each node has also heard that all masters have a replica again.
        wait_for(lambda: all(len(row) > 3 for node in self.nodes for row in self.ask(node, "CLUSTER SLOTS")))


def wait_for(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail("this never came true")
        time.sleep(0.05)


@pytest.fixture(scope="package")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with own_stack(tmp_path_factory.mktemp("cluster"), "redis") as stack:
        cluster = Cluster(stack)
        cluster.heal()
        yield cluster


@pytest.fixture
def cluster(own_cluster: Cluster) -> Iterator[Cluster]:
    """Whole at the start of each test."""
    yield own_cluster
    own_cluster.heal()
