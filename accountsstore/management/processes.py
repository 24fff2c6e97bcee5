"""Several programs under one terminal: their output prefixed, all stopped when one ends or somebody asks."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self

STOP_SECONDS = 10
POLL_SECONDS = 0.1
COLOURS = (36, 33, 32, 35, 34)
# The kernel ends the children when we are killed so hard that we cannot: no worker outlives its store. (Linux only.)
WITH_PARENT = [path, "--pdeathsig", "TERM", "--"] if (path := shutil.which("setpriv")) else []


class ProgramEnded(Exception):
    """A program ended that should have gone on, or did not do what was waited for. The text says which and how."""


class StopAsked(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


class Programs:
    """Use as `async with Programs(env) as programs`. Leaving stops them all: first the later ones, together,
    then the first, which the others stand on."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env | {"PYTHONUNBUFFERED": "1"}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._logs: dict[str, str] = {}
        self._readers: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        return self

    async def __aexit__(self, *error: object) -> None:
        processes = list(self._running.values())
        await asyncio.gather(*(_end(process) for process in processes[1:]))
        await asyncio.gather(*(_end(process) for process in processes[:1]))
        await asyncio.gather(*self._readers)

    async def start(self, name: str, command: Sequence[str], log: str = "the lines above") -> None:
        """Start a program that is to run until everything stops. `log` is where it says what went wrong."""
        self._logs[name] = log
        self._running[name] = await self._spawn(name, command)

    async def finish(self, name: str, command: Sequence[str]) -> None:
        """Run a program to its end. Raises ProgramEnded when it fails, StopAsked when asked to stop."""
        process = await self._spawn(name, command)
        try:
            await self._until(lambda: process.returncode is not None)
        finally:
            await _end(process)
        if process.returncode:
            raise ProgramEnded(f"{name} failed (exit code {process.returncode}); see the lines above.")

    async def ready(self, name: str, is_ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `is_ready()`, in a thread, as it may block. Raises ProgramEnded after `seconds`."""
        give_up = time.monotonic() + seconds
        while not await asyncio.to_thread(is_ready):
            if time.monotonic() > give_up:
                raise ProgramEnded(f"{name} was not ready after {seconds:.0f} seconds; see {self._logs[name]}.")
            await self._pause()

    async def watch(self) -> None:
        """Return never: raises StopAsked or ProgramEnded."""
        await self._until(lambda: False)

    async def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            await self._pause()

    async def _pause(self) -> None:
        """Let a moment pass, unless there is a reason to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), POLL_SECONDS)
        except TimeoutError:
            pass
        else:
            raise StopAsked
        for name, process in self._running.items():
            if process.returncode is not None:
                raise ProgramEnded(f"{name} ended (exit code {process.returncode}); see {self._logs[name]}.")

    async def _spawn(self, name: str, command: Sequence[str]) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *WITH_PARENT,
            *command,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C reaches us alone; we stop the programs in our order.
            start_new_session=True,
        )
        self._readers.append(asyncio.create_task(self._relay(name, len(self._readers), process)))
        return process

    async def _relay(self, name: str, number: int, process: asyncio.subprocess.Process) -> None:
        prefix = f"{name:<8}| "
        if self._coloured:
            prefix = f"\033[{COLOURS[number % len(COLOURS)]}m{prefix}\033[0m"
        assert process.stdout
        rest = b""
        # Chunks, not readline(): a line above 64 kB would end the reading, and the program would block on a full pipe.
        while chunk := await process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                print(prefix + line.decode(errors="replace"), flush=True)
        if rest:
            print(prefix + rest.decode(errors="replace"), flush=True)


def can_listen(host: str, port: int) -> None:
    """Raises OSError, saying why, when a server could not listen there. A port that was just given up can be used."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask a program to stop; after STOP_SECONDS end it and what it started."""
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
