"""A server that is measured: a process of its own, its CPU time and memory."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent.parent


class Server:
    """A process that listens on `port`."""

    def __init__(self, command: list[str], port: int, env: dict[str, str]) -> None:
        self.port = port
        self._process = subprocess.Popen(command, env=os.environ | env, cwd=ROOT)

    async def __aenter__(self) -> Self:
        while True:
            with contextlib.suppress(OSError):
                (await asyncio.open_connection("127.0.0.1", self.port))[1].close()
                return self
            if self._process.poll() is not None:
                sys.exit(f"the server ended: {self._process.args}")
            await asyncio.sleep(0.1)

    async def __aexit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kilobytes(self) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def percentile_us(values: list[int], share: float) -> int:
    return sorted(values)[int(len(values) * share)]
