"""The store's own processes, kept running as an operator's service manager would: what dies is started again."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Self

from accountsstore.management.processes import WITH_PARENT

logger = logging.getLogger("chaos")

RESTART_SECONDS = 1.0
STOP_SECONDS = 15
PAGES, SOCKETS = "pages", ("sockets-1", "sockets-2")
WORKERS = ("worker-1", "worker-2")


class Processes:
    """Use as `async with Processes(commands, env, folder)`: {name: command}, each with a log of its own."""

    def __init__(self, commands: dict[str, list[str]], env: dict[str, str], folder: Path) -> None:
        self._commands, self._env, self._folder = commands, env, folder
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        folder.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        for name in self._commands:
            await self._start(name)
        self._keepers = [asyncio.create_task(self._keep(name)) for name in self._commands]
        return self

    async def __aexit__(self, *error: object) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(self._stop(process) for process in self._running.values()))

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """As when the machine dies: nothing is said to anybody. Celery's children go with their parent."""
        os.killpg(self._running[name].pid, signal.SIGKILL)

    async def _start(self, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                *WITH_PARENT, *self._commands[name], env=self._env, stdout=log, stderr=log, start_new_session=True
            )

    async def _keep(self, name: str) -> None:
        while True:
            await self._running[name].wait()
            await asyncio.sleep(RESTART_SECONDS)
            await self._start(name)

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def commands(ports: dict[str, int]) -> dict[str, list[str]]:
    """The processes of two hosts, small: gunicorn for pages, a Daphne and a worker each, and both their clocks."""
    worker = [sys.executable, "-m", "celery", "--quiet", "-A", "accountsstore", "worker", "--concurrency", "1"]
    worker += ["--queues", "mail,images,money,default", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    gunicorn = [sys.executable, "-m", "gunicorn", "accountsstore.wsgi", "--bind", f"127.0.0.1:{ports[PAGES]}"]
    gunicorn += ["--workers", "2", "--threads", "4", "--timeout", "60", "--log-level", "warning"]
    serve = [sys.executable, "manage.py", "serve"]
    return {
        PAGES: gunicorn,
        **{name: [*serve, "--port", str(ports[name])] for name in SOCKETS},
        **{name: [*worker, "--hostname", f"{name}@%h"] for name in WORKERS},
        **{name: [sys.executable, "manage.py", "run_clock"] for name in ("clock-1", "clock-2")},
    }


def jobs() -> dict[str, list[str]]:
    """What a host with the role "worker" runs, in one process for all queues."""
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "accountsstore"]
    return {
        "worker": [*celery, "worker", "--pool", "threads", "--concurrency", "4", "--loglevel", "WARNING",
                   "--without-gossip", "--without-mingle", "--queues", "mail,images,money,default"],
        "beat": [*celery, "beat", "--loglevel", "WARNING"],
    }  # fmt: skip
