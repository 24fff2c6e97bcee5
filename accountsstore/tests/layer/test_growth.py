"""A master is added to the cluster and takes a quarter of the slots, as docs/operations/redis.md says, while the store
uses everything that it keeps there."""

import asyncio
import itertools
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django_ratelimit.core import get_usage

from accountsstore.stack import cluster as part
from accountsstore.stack import programs
from accountsstore.stack.layout import HOST, Node
from accountsstore.stack.valkey import answers
from accountsstore.tests.cluster import Cluster, wait_for
from accountsstore.tests.layer.test_cluster import Load, load, settle
from accountsstore.tests.programs import own_stack
from chat.presence import leases_renew, online

__all__ = ["load"]

pytestmark = [pytest.mark.production, pytest.mark.slow]

MOVED = [(0, 1364), (5461, 6825), (10922, 12286)]
# So many of each that all slots' owners have some.
PEOPLE = 120
DAY = 24 * 3600


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three masters with their replicas, and a server that none of them knows: redis-7."""
    with own_stack(tmp_path_factory.mktemp("growing"), "redis") as stack:
        cluster = Cluster(stack)
        cluster.heal()
        new = Node("redis-7", "redis", stack.port_base + 17, stack.folder / "redis-7")
        stack.nodes.append(new)
        new.folder.mkdir()
        programs.start(new, part.command(stack, new), with_parent=True)
        wait_for(lambda: answers(new, stack.passwords["redis"]))
        yield cluster


def grow(cluster: Cluster) -> None:
    """Returns when every node knows that the new one has the slots."""
    *old, new = cluster.stack.part("redis")
    cluster.ask(old[0], "CLUSTER MEET", HOST, new.port, new.bus_port)
    wait_for(lambda: all(cluster.ask(node, "CLUSTER INFO")["cluster_known_nodes"] == "7" for node in (*old, new)))
    # A node that does not serve yet would refuse what is in the slots that it is given.
    wait_for(lambda: cluster.ask(new, "CLUSTER INFO")["cluster_state"] == "ok")
    name = cluster.ask(new, "CLUSTER MYID")
    for master, (first, last) in zip(old, MOVED, strict=False):
        cluster.ask(master, "CLUSTER MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", name)

    def ranges(node: Node) -> list[tuple[int, int]]:
        rows = cluster.ask(node, "CLUSTER SLOTS")
        return sorted((row[0], row[1]) for row in rows if row[2][1] == new.port)

    wait_for(lambda: all(ranges(node) == MOVED for node in (*old, new)))


class Use(threading.Thread):
    """What pages and sockets do meanwhile, one person after the other, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.people = [uuid.uuid4() for _ in range(PEOPLE)]
        self.stop = threading.Event()
        self.rounds = 0
        self.wrong: list[Any] = []
        cache = caches["default"]
        cache.set_many({f"before-{person}": str(person) for person in self.people}, timeout=DAY)

    def run(self) -> None:
        cache = caches["default"]
        for number in itertools.count(1):
            for person in self.people:
                try:
                    seen = self.one(cache, person, number)
                except Exception as error:
                    seen = [error]
                if seen != [str(person), number, number, True]:
                    self.wrong.append((number, seen))
            self.rounds = number
            if self.stop.is_set():
                return

    def one(self, cache: Any, person: uuid.UUID, number: int) -> list[Any]:
        cache.set(f"now-{person}", number, timeout=DAY)
        usage = get_usage(None, group="growth", key=lambda group, request: person.hex, rate="1000000/d", increment=True)
        leases_renew([person])
        return [
            cache.get(f"before-{person}"), cache.get(f"now-{person}"), usage and usage["count"],
            online([person]) == {person},
        ]  # fmt: skip


async def test_nobody_notices_that_a_master_is_added(
    cluster: Cluster, load: Load, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = cluster.url
    use = await asyncio.to_thread(Use)
    use.start()
    try:
        await asyncio.to_thread(wait_for, lambda: use.rounds > 1)
        await asyncio.to_thread(grow, cluster)
        rounds = use.rounds
        await settle(load, "master added")
        await asyncio.to_thread(wait_for, lambda: use.rounds > rounds + 1)
    finally:
        use.stop.set()
        await asyncio.to_thread(use.join)
    assert use.wrong == []
    assert "going on without Redis" not in caplog.text
    assert int(cluster.ask(cluster.stack.node("redis-7"), "DBSIZE")) > PEOPLE / 4
