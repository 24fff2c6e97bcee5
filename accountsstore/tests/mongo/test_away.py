"""A site whose MongoDB dies, or hangs, and comes back; and a MongoDB that the store refuses."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from accountsstore.stack import lifecycle, mongo, programs
from accountsstore.stack.layout import Node, Stack
from accountsstore.tests.metrics_page import metrics_of
from accountsstore.tests.programs import ask, eventually, free_port, own_stack, program, program_env, run_python

pytestmark = [pytest.mark.production, pytest.mark.slow]


class Site:
    """Daphne on a replica set of its own."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        self.stack, self.log, self.port = stack, folder / "log", free_port()
        self.env = program_env(**stack.env(["mongo"]), DJANGO_SETTINGS_MODULE="accountsstore.settings")

    def status(self, path: str) -> int:
        return int(ask(self.port, "GET", path, {}).status)

    def is_well(self) -> bool:
        return (self.status("/api/health"), self.status("/")) == (200, 200)

    def primary(self) -> Node:
        return next(node for node in self.stack.part("mongo") if lifecycle.health(self.stack, node).role == "primary")

    @contextmanager
    def hanging(self, *nodes: Node) -> Iterator[None]:
        """They keep their connections and answer nothing, as on a machine whose disk is stuck."""
        for node in nodes:
            os.kill(programs.running(node) or 0, signal.SIGSTOP)
        try:
            yield
        finally:
            for node in nodes:
                os.kill(programs.running(node) or 0, signal.SIGCONT)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with own_stack(folder, "mongo") as stack:
        site = Site(folder, stack)
        # A collection needs no `migrate` to be empty: the shop window stands without goods.
        with program(site.log, "manage.py", "serve", "--port", str(site.port), env=site.env):
            eventually(site.is_well, "the site does not start", site.log)
            yield site


def says_that_the_database_is_away(site: Site) -> None:
    answer = ask(site.port, "GET", "/", {})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert "The store is away for a moment" in answer.text
    assert site.status("/api/health") == 503
    assert site.status("/api/health/live") == 200


def test_without_mongodb_the_store_says_when_to_come_back(site: Site) -> None:
    nodes = site.stack.part("mongo")
    for node in nodes:
        programs.kill(node)
    says_that_the_database_is_away(site)
    asyncio.run(lifecycle.up(site.stack, ["mongo"], lambda line: None, asyncio.Event(), with_parent=True))
    eventually(site.is_well, "MongoDB came back and the site did not notice", site.log)


def test_no_page_waits_for_a_mongodb_that_hangs(site: Site) -> None:
    with site.hanging(*site.stack.part("mongo")):
        says_that_the_database_is_away(site)
    eventually(site.is_well, "MongoDB went on and the site did not notice", site.log)


def test_the_metrics_go_on_and_tell_that_mongodb_hangs(site: Site) -> None:
    metrics_of(site.port)  # asks the database, of which the next one tells
    well = metrics_of(site.port)
    assert well("server_up", server="database") == well("metrics_part_up", part="outbox") == 1
    assert well.total("mongodb_query_duration_ms_count", operation="aggregate") > 0
    with site.hanging(*site.stack.part("mongo")):
        eventually(
            lambda: metrics_of(site.port)("server_up", server="database") == 0, "the metrics do not notice", site.log
        )
        ill = metrics_of(site.port)
        assert ill("metrics_part_up", part="outbox") == ill("metrics_part_up", part="deadlines") == 0
        assert ill("server_up", server="redis") == ill("metrics_part_up", part="jobs") == 1
        assert ill.total("http_request_duration_ms_count") > 0
    eventually(site.is_well, "MongoDB went on and the site did not notice", site.log)
    eventually(
        lambda: metrics_of(site.port)("metrics_part_up", part="outbox") == 1, "the metrics do not notice", site.log
    )


def test_a_primary_that_hangs_is_replaced_while_it_hangs(site: Site) -> None:
    with site.hanging(site.primary()):
        eventually(site.is_well, "the site waits for the old primary", site.log)


def test_a_mongodb_without_a_replica_set_is_refused(tmp_path: Path) -> None:
    port = free_port()
    command = [str(mongo.mongod()), "--port", str(port), "--bind_ip", "127.0.0.1", "--dbpath", str(tmp_path)]
    env = program_env(DATABASE_URL=f"mongodb://127.0.0.1:{port}/alone", DJANGO_SETTINGS_MODULE="accountsstore.settings")
    with (tmp_path / "log").open("wb") as log:
        alone = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        done = run_python("manage.py", "preflight", env=env)
    finally:
        alone.kill()
        alone.wait()
    assert done.returncode == 1
    assert "no replica set" in done.stderr
    assert "--replSet" in done.stderr
