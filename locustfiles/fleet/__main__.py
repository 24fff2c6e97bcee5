"""`manage.py stack run -- python -m locustfiles.fleet`; `make rehearse-fleet` calls it."""

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import django
from django.conf import settings

# Production's own settings: what is rehearsed is what is deployed.
os.environ.update(DEBUG="false", STORE_URL="https://store.example")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402  (the app registry must be ready first)

from accountsstore.demo.drawings import receipt_picture  # noqa: E402
from accountsstore.fleet.inventory import Inventory  # noqa: E402
from accountsstore.fleet.local_edge import (  # noqa: E402
    EdgeError,
    LocalEdge,
    certificate_write,
    local_edge,
    local_settings,
    trusting,
)
from accountsstore.stack.layout import Stack  # noqa: E402
from accountsstore.tests.programs import free_port  # noqa: E402
from locustfiles.chaos import seed  # noqa: E402
from locustfiles.chaos.journal import Journal  # noqa: E402
from locustfiles.chaos.store import Processes, jobs  # noqa: E402
from locustfiles.fleet import proof, report, served  # noqa: E402
from locustfiles.fleet.people import Buyer, Member, Seller, Staff  # noqa: E402
from locustfiles.release.hosts import NAME, drained, running, two_hosts  # noqa: E402
from locustfiles.release.tab import Sockets  # noqa: E402

# More pieces than they can buy meanwhile.
BUYERS, PIECES = 4, 60
# Only a backstop for a busy machine: each phase ends when what it waits for has happened.
PHASE_SECONDS = 180
EDGES = ("edge-1", "edge-2")


class People:
    """Buyers come by the first edge, sellers by the second, one of the staff by each."""

    def __init__(self, sites: list[str], certificate: Path, journal: Journal, codes: list[str]) -> None:
        self.journal, self.codes, self.sockets = journal, codes, Sockets()
        trust, (first, second) = trusting(certificate), sites
        common = (trust, journal, self.sockets)
        receipt = receipt_picture(
            bank="Meridian Bank", amount="25.00", reference="fleet", date="1 Jan", payer="somebody", note=""
        )
        self.buyers = [
            Buyer(seed.buyer(n), f"127.0.2.{10 + n}", first, *common, receipt=receipt) for n in range(BUYERS)
        ]
        self.sellers = [Seller(seed.seller(n), f"127.0.2.{30 + n}", second, *common) for n in range(seed.SELLERS)]
        self.staff = [Staff(f"staff-{n + 1}", f"127.0.2.{50 + n}", site, *common) for n, site in enumerate(sites)]
        self.staff[0].asks = True

    @property
    def groups(self) -> dict[str, list[Member]]:
        return {"buyers": [*self.buyers], "sellers": [*self.sellers], "staff": [*self.staff]}

    @property
    def all(self) -> list[Member]:
        return [*self.buyers, *self.sellers, *self.staff]

    @contextlib.asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """They trade and talk until the block ends, and then until all is done and heard. Raises what went wrong."""
        stop, over = asyncio.Event(), asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            for member in self.all:
                await stack.enter_async_context(member)
            await asyncio.gather(*(member.sign_in() for member in self.all))
            tabs = [asyncio.create_task(member.tab.stay()) for member in self.all]
            stack.push_async_callback(_end, tabs)
            async with asyncio.TaskGroup() as lives:
                for member in (*self.sellers, *self.staff):
                    lives.create_task(member.live(over))
                for member in (*self.sellers, *self.buyers):
                    lives.create_task(member.talk(over))
                buyers = [
                    lives.create_task(buyer.live(self.codes[n % len(self.codes)], stop))
                    for n, buyer in enumerate(self.buyers)
                ]
                yield
                stop.set()
                async with asyncio.timeout(PHASE_SECONDS):
                    await asyncio.gather(*buyers)
                over.set()
            with contextlib.suppress(TimeoutError):
                await _until(lambda: proof.unheard(self.journal.read()).is_well, report.DRAIN_SECONDS)

    async def each_finishes(self, orders: int) -> None:
        wanted = [(buyer, buyer.finished + orders) for buyer in self.buyers]
        await _until(lambda: all(buyer.finished >= number for buyer, number in wanted))


async def main(folder: Path, stack: Stack) -> bool:
    """Whether all is well."""
    inventory, journal = two_hosts(folder), Journal(folder / "acknowledged.jsonl")
    certificate = Path(inventory.certificate)
    certificate_write(inventory.names, certificate, Path(inventory.certificate_key))
    codes = await asyncio.to_thread(_seed)
    # As on hosts of their own.
    entrances = [inventory, replace(inventory, ports=inventory.ports | {"http": free_port(), "https": free_port()})]
    people = People([f"https://{NAME}:{one.ports['https']}" for one in entrances], certificate, journal, codes)
    logs = [folder / name / "access.log" for name in EDGES]
    phases: list[report.Phase] = []

    @contextlib.contextmanager
    def phase(title: str) -> Iterator[report.Phase]:
        print(f"{title}…", flush=True)
        # nginx's log knows whole seconds: what was answered in the one of the change belongs to the phase before.
        found = report.Phase(title, float(int(time.time()) + 1))
        phases.append(found)
        yield found
        found.ended = time.time()

    async with running(inventory, folder) as hosts, Processes(jobs(), dict(os.environ), folder):
        with _edges(folder, inventory, entrances) as edges:
            victim = hosts[0]
            async with people.living():
                with phase("Buyers on app-1, sellers on app-2") as apart:
                    apart.expected = {"buyers": {"app-1"}, "sellers": {"app-2"}, "staff": {"app-1", "app-2"}}
                    await people.each_finishes(2)
                with phase("Both nginx know both hosts, sockets stay where they are") as together:
                    together.expected = {group: {"app-1", "app-2"} for group in people.groups}
                    for edge, entrance in zip(edges, entrances, strict=True):
                        await asyncio.to_thread(edge.reload, entrance)
                    # What the old workers of nginx had begun, which know one host alone, has ended then.
                    await people.each_finishes(1)
                with phase("app-1 is killed") as killed:
                    killed.expected = {group: {"app-2"} for group in people.groups}
                    killed.fault = time.monotonic()
                    await victim.kill()
                    await people.each_finishes(1)
                    killed.told(journal, people.sockets)
                with phase("app-1 is started again") as healed:
                    healed.expected = {group: {"app-1", "app-2"} for group in people.groups}
                    await victim.start()
                    started = time.time()
                    await _until(lambda: all(_answers(log, inventory, started) for log in logs))
                    healed.notes.append(f"nginx asked it again within {time.time() - started:.0f} s of its start")
                    for member in people.all:
                        await member.tab.open_anew()
                    await people.each_finishes(1)
    answers = served.read(logs, inventory)
    return await asyncio.to_thread(report.show, phases, answers, people.groups, journal, stack)


def _answers(log: Path, inventory: Inventory, since: float) -> bool:
    return any(one.host == "app-1" and one.ended > since for one in served.read([log], inventory))


@contextlib.contextmanager
def _edges(folder: Path, inventory: Inventory, entrances: list[Inventory]) -> Iterator[list[LocalEdge]]:
    """Two nginx of production, each of which sends everybody to one host and to no other: until it is reloaded."""
    with contextlib.ExitStack() as stack:
        found = []
        for name, entrance, other in zip(EDGES, entrances, reversed(inventory.having("app")), strict=True):
            (folder / name).mkdir()
            alone = drained(entrance, other, is_drained=True)
            found.append(stack.enter_context(local_edge(folder / name, alone, local_settings(folder / name))))
        yield found


async def _until(done: Callable[[], bool], seconds: float = PHASE_SECONDS) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.2)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _seed() -> list[str]:
    """The codes of what is delivered by hand, one of each seller."""
    codes = seed.seed(buyers=BUYERS, pieces=PIECES)
    seed.person_new("staff-2", make_password(seed.PASSWORD), is_staff=True, is_superuser=True)
    return codes[1::2]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", type=Path, required=True, help="the folder of the stack that the store runs on")
    options = parser.parse_args()
    folder = Path(settings.VAR_DIR, "fleet", "hosts").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in (
        ["migrate", "--no-input", "-v0"],
        ["collectstatic", "--no-input", "-v0"],
    ):
        subprocess.run([sys.executable, "manage.py", *command], check=True)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            sys.exit(0 if asyncio.run(main(folder, Stack.open(options.stack))) else 1)
        except (EdgeError, TimeoutError) as error:
            sys.exit(
                f"The rehearsal did not come to its end: {str(error) or 'something took too long'}. Logs: {folder}"
            )
