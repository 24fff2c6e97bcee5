"""Two app hosts and an edge on this machine: real programs on addresses of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp

from accountsstore.fleet.inventory import Host, Inventory, inventory_read
from accountsstore.management.processes import WITH_PARENT
from accountsstore.tests.programs import free_port

NAME = "store.example"
INVENTORY = """
[store]
names = ["{name}"]
certificate = "{folder}/certificate.pem"
certificate_key = "{folder}/key.pem"
listen = ["127.0.0.1"]
ports = {{ http = {http}, https = {https}, pages = {pages}, sockets = {sockets} }}
[hosts.edge-1]
address = "127.0.0.1"
roles = ["edge"]
[hosts.app-1]
address = "127.0.1.1"
roles = ["app"]
[hosts.app-2]
address = "127.0.1.2"
roles = ["app"]
"""
# Only backstops for a busy machine.
START_SECONDS, STOP_SECONDS = 240, 60


def two_hosts(folder: Path) -> Inventory:
    ports = {name: free_port() for name in ("http", "https", "pages", "sockets")}
    return inventory_read(INVENTORY.format(name=NAME, folder=folder, **ports))


def drained(inventory: Inventory, host: Host, *, is_drained: bool) -> Inventory:
    """The inventory with this host drained, or taken back."""
    hosts = tuple(replace(one, drained=is_drained) if one.name == host.name else one for one in inventory.hosts)
    return replace(inventory, hosts=hosts)


class AppHost:
    """gunicorn and Daphne of one host, started and stopped as its service manager does."""

    def __init__(self, host: Host, inventory: Inventory, folder: Path) -> None:
        self.host, self._folder = host, folder
        self.ports = [inventory.ports["pages"], *inventory.socket_ports(host)]
        pages, *sockets = self.ports
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "accountsstore.wsgi"]
        serve = [sys.executable, "manage.py", "serve", "--bind", host.address]
        self._commands = [gunicorn, *([*serve, "--port", str(port)] for port in sockets)]
        self._env = os.environ | {
            "GUNICORN_CMD_ARGS": f"--bind {host.address}:{pages} --workers {host.page_processes} --log-level warning",
            "ALLOWED_HOSTS": ",".join(inventory.names),
            "HTTPS": "true",
            "BEHIND_PROXY": "true",
        }
        self._running: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        """Return when each program answers. Raises TimeoutError."""
        with (self._folder / f"{self.host.name}.log").open("ab") as log:
            for command in self._commands:
                self._running.append(
                    await asyncio.create_subprocess_exec(
                        *WITH_PARENT, *command, env=self._env, stdout=log, stderr=log, start_new_session=True
                    )
                )
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as http:
            for port in self.ports:
                while not await _answers(http, f"http://{self.host.address}:{port}/api/health/live"):
                    await asyncio.sleep(0.1)

    @property
    def pids(self) -> list[int]:
        """gunicorn's first, then each of those for sockets."""
        return [process.pid for process in self._running]

    async def kill(self) -> None:
        """As when the machine loses its power: nothing is said to anybody."""
        for process in self._running:
            os.killpg(process.pid, signal.SIGKILL)
        for process in self._running:
            await process.wait()
        self._running = []

    async def stop(self) -> None:
        """As systemd does: SIGTERM, and SIGKILL to what is left long after."""
        for process in self._running:
            if process.returncode is None:
                process.terminate()
        for process in self._running:
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        self._running = []


@asynccontextmanager
async def running(inventory: Inventory, folder: Path) -> AsyncIterator[list[AppHost]]:
    """The app hosts of the inventory, all of them up."""
    hosts = [AppHost(host, inventory, folder) for host in inventory.having("app")]
    try:
        await asyncio.gather(*(host.start() for host in hosts))
        yield hosts
    finally:
        await asyncio.gather(*(host.stop() for host in hosts))


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
