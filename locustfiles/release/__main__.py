"""`manage.py stack run -- python -m locustfiles.release`; `make rehearse-release` calls it."""

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import django
from django.conf import settings

# Production's own settings: what is rehearsed is what is deployed.
os.environ["DEBUG"] = "false"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
django.setup()

from django.test import Client  # noqa: E402  (the app registry must be ready first)

from accounts.services import user_add  # noqa: E402
from accountsstore.fleet.inventory import Inventory  # noqa: E402
from accountsstore.fleet.local_edge import (  # noqa: E402
    EdgeError,
    LocalEdge,
    certificate_write,
    local_edge,
    local_settings,
    trusting,
)
from locustfiles.release.hosts import NAME, AppHost, drained, running, two_hosts  # noqa: E402
from locustfiles.release.people import Person, Seen  # noqa: E402

BACK_SECONDS = 3.0
# Before, between and after the hosts.
QUIET_SECONDS = 5
CONNECT_SECONDS = 120


async def main(folder: Path, people: int, sessions: list[str]) -> Seen:
    inventory, seen, stop = two_hosts(folder), Seen(), asyncio.Event()
    certificate_write(inventory.names, Path(inventory.certificate), Path(inventory.certificate_key))
    origin = f"https://127.0.0.1:{inventory.ports['https']}"
    connector = aiohttp.TCPConnector(ssl=trusting(Path(inventory.certificate)), limit=0)
    async with running(inventory, folder) as hosts, aiohttp.ClientSession(connector=connector) as http:
        with local_edge(folder, inventory, local_settings(folder)) as edge:
            lives = [asyncio.create_task(Person(origin, NAME, session, http, seen).live(stop)) for session in sessions]
            await _all_connected(seen, people)
            print(f"Two hosts behind nginx; {people} people load pages, send forms and hold a socket each.", flush=True)
            try:
                await asyncio.sleep(QUIET_SECONDS)
                for host in hosts:
                    await _replace(host, edge, inventory, seen, people)
                    await asyncio.sleep(QUIET_SECONDS)
            finally:
                stop.set()
                for outcome in await asyncio.gather(*lives, return_exceptions=True):
                    if isinstance(outcome, BaseException):
                        seen.failures.append(repr(outcome))
    return seen


async def _replace(host: AppHost, edge: LocalEdge, inventory: Inventory, seen: Seen, people: int) -> None:
    """The release of one host, step by step as docs/operations/release.md has it."""
    began, closed = time.monotonic(), seen.sockets.closes.total()
    await asyncio.to_thread(edge.reload, drained(inventory, host.host, is_drained=True))
    await host.stop()
    await _all_connected(seen, people)
    moved = seen.sockets.closes.total() - closed
    await host.start()
    await asyncio.to_thread(edge.reload, inventory)
    print(f"  {host.host.name}: {moved} sockets moved, {time.monotonic() - began:.1f} s in all", flush=True)


async def _all_connected(seen: Seen, people: int) -> None:
    async with asyncio.timeout(CONNECT_SECONDS):
        while seen.sockets.connected < people:
            await asyncio.sleep(0.05)


def _sessions(people: int) -> list[str]:
    """Somebody signed in for each."""
    found = []
    for number in range(people):
        user = user_add(email=f"visitor-{number}@mailbox.example", username=f"visitor-{number}", password=None)
        client = Client()
        client.force_login(user)
        found.append(client.cookies["sessionid"].value)
    return found


def _report(seen: Seen) -> bool:
    """Print what was seen; whether nobody noticed anything."""
    slowest = max(seen.sockets.away, default=0.0)
    closes = ", ".join(f"{count} with {code}" for code, count in seen.sockets.closes.most_common()) or "none"
    print(
        f"requests  {seen.requests}, failed {len(seen.failures)}, sent again {seen.resent}, slowest {seen.slowest:.2f} s"
    )
    print(f"sockets   closed {closes}; back after {slowest:.2f} s at most")
    for failure in seen.failures[:10]:
        print(f"  {failure}")
    well = not seen.failures and bool(seen.sockets.away) and slowest <= BACK_SECONDS
    print("Nobody noticed the release." if well else f"Not good: 0 failures and {BACK_SECONDS:.0f} s are allowed.")
    return well


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=40)
    options = parser.parse_args()
    folder = Path(settings.VAR_DIR, "release", "hosts").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in (
        ["migrate", "--no-input", "-v0"],
        ["collectstatic", "--no-input", "-v0", "-i", "admin", "-i", "unfold"],
    ):
        subprocess.run([sys.executable, "manage.py", *command], check=True)
    sessions = _sessions(options.people)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            sys.exit(0 if _report(asyncio.run(main(folder, options.people, sessions))) else 1)
        except (EdgeError, TimeoutError) as error:
            sys.exit(
                f"The rehearsal did not come to its end: {str(error) or 'something took too long'}. Logs: {folder}"
            )
