"""`manage.py stack run -- python -m locustfiles.chaos`; `make chaos` calls it."""

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import django
from django.conf import settings
from django.core.management.base import CommandError

# Production's own settings, but for the certificate: what is measured is what is deployed.
os.environ.update(DEBUG="false", HTTPS="false", ALLOWED_HOSTS="127.0.0.1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
django.setup()

from accountsstore.demo.drawings import receipt_picture  # noqa: E402  (the app registry must be ready first)
from accountsstore.stack.layout import Stack  # noqa: E402
from locustfiles.chaos import faults, proof, seed  # noqa: E402
from locustfiles.chaos.journal import Journal  # noqa: E402
from locustfiles.chaos.people import Person  # noqa: E402
from locustfiles.chaos.store import PAGES, SOCKETS, Processes, commands  # noqa: E402

# A fault is over when nobody has seen trouble for this long; a store that needs longer than GIVE_UP has failed.
QUIET_SECONDS, GIVE_UP_SECONDS = 10, 180
START_SECONDS, DRAIN_SECONDS = 60, 180


@dataclasses.dataclass
class Outcome:
    fault: str
    victim: str
    degraded_seconds: float
    longest_wait: float
    errors: int
    successes: int
    kinds: dict[str, int]


async def main(folder: Path, stack: Stack, chosen: list[str]) -> int:
    journal = Journal(folder / "acknowledged.jsonl")
    codes = await asyncio.to_thread(seed.seed)
    ports = {name: _free_port() for name in (PAGES, *SOCKETS)}
    outcomes: list[Outcome] = []
    async with Processes(commands(ports), dict(os.environ), folder / "logs") as processes:
        await asyncio.gather(*(_healthy(port) for port in ports.values()))
        print(f"The store runs; {seed.BUYERS} people buy, pay in and write.", flush=True)
        stop = asyncio.Event()
        lives = [asyncio.create_task(_life(number, ports, journal, codes, stop)) for number in range(seed.BUYERS)]
        await _everybody_trades(journal)
        for fault in faults.all_faults(stack, processes):
            if not chosen or fault.key in chosen:
                outcomes.append(await _suffer(fault, journal))
                print(_line(outcomes[-1]), flush=True)
        stop.set()
        await asyncio.gather(*lives)
        drained = await _drain()
    findings = await asyncio.to_thread(proof.compare, journal.read(), stack.node("mail").folder)
    books, fine = await asyncio.to_thread(_books)
    _report(outcomes, findings, drained, books, folder)
    return 0 if fine and drained == 0 and all(finding.is_well for finding in findings) else 1


async def _life(number: int, ports: dict[str, int], journal: Journal, codes: list[str], stop: asyncio.Event) -> None:
    site, sockets = f"http://127.0.0.1:{ports[PAGES]}", [f"ws://127.0.0.1:{ports[name]}" for name in SOCKETS]
    receipt = receipt_picture(
        bank="Meridian Bank", amount="25.00", reference=str(number), date="1 Jan", payer=seed.buyer(number), note=""
    )
    async with Person(seed.buyer(number), site, sockets, journal, receipt) as person:
        await person.live(codes, stop)


async def _everybody_trades(journal: Journal) -> None:
    """Until each person has bought something: from here on all of them feel what happens."""
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while sum(1 for _at, deed in journal.successes if deed == "buy") < seed.BUYERS:
            await asyncio.sleep(0.5)


async def _suffer(fault: faults.Fault, journal: Journal) -> Outcome:
    """Kill, wait until nobody notices any more, bring the victim back, and wait again."""
    killed = time.monotonic()
    victim = await asyncio.to_thread(fault.strike)
    await _quiet(journal, since=killed)
    last = max((trouble.at for trouble in journal.between(killed, time.monotonic())), default=killed)
    if fault.mend:
        await asyncio.to_thread(fault.mend, victim)
        await _quiet(journal, since=time.monotonic())
    troubles = journal.between(killed, time.monotonic())
    kinds: dict[str, int] = {}
    for trouble in troubles:
        kinds[f"{trouble.deed}: {trouble.what[:80]}"] = kinds.get(f"{trouble.deed}: {trouble.what[:80]}", 0) + 1
    successes = sum(1 for at, _deed in journal.successes if at >= killed)
    return Outcome(
        fault.title,
        victim,
        round(last - killed, 1),
        round(journal.longest_wait(killed), 1),
        len(troubles),
        successes,
        kinds,
    )


async def _quiet(journal: Journal, since: float) -> None:
    """Until people have had QUIET_SECONDS without trouble. Raises TimeoutError when that does not come."""
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while True:
            last = max((t.at for t in journal.troubles[-1:]), default=since)
            wait = max(last, since) + QUIET_SECONDS - time.monotonic()
            if wait <= 0:
                return
            await asyncio.sleep(wait)


async def _healthy(port: int) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http, asyncio.timeout(START_SECONDS):
        while True:
            try:
                async with http.get(f"http://127.0.0.1:{port}/api/health") as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.2)


async def _drain() -> int:
    """Wait until every event and mail has gone out. Returns how many never did."""
    give_up = time.monotonic() + DRAIN_SECONDS
    while (waiting := await asyncio.to_thread(proof.outbox_waiting)) and time.monotonic() < give_up:
        await asyncio.sleep(1)
    return waiting


def _books() -> tuple[str, bool]:
    try:
        return proof.books().strip(), True
    except CommandError as error:
        return str(error), False


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.fault:<28} {outcome.victim:<12} {outcome.degraded_seconds:>5} s degraded, "
        f"longest wait {outcome.longest_wait:>4} s, {outcome.errors:>3} errors seen, {outcome.successes:>4} successes meanwhile"
    )


def _report(outcomes: list[Outcome], findings: list[proof.Finding], drained: int, books: str, folder: Path) -> None:
    print()
    for outcome in outcomes:
        print(_line(outcome))
        for kind, times in sorted(outcome.kinds.items()):
            print(f"    {times:>3} x {kind}")
    print()
    for finding in findings:
        print(
            f"{finding.kind:<10} {finding.told:>5} acknowledged, {len(finding.lost)} lost, {len(finding.doubled)} doubled"
        )
        for what in [*finding.lost[:5], *finding.doubled[:5]]:
            print(f"    {what}")
    print(f"outbox     {drained} left unsent")
    print(books)
    result: dict[str, Any] = {
        "faults": [dataclasses.asdict(outcome) for outcome in outcomes],
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "unsent": drained,
        "books": books,
    }
    (folder / "result.json").write_text(json.dumps(result, indent=2))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare(folder: Path) -> None:
    shutil.rmtree(folder / "logs", ignore_errors=True)
    for command in (["migrate", "--no-input", "-v0"], ["collectstatic", "--no-input", "-v0"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=settings.BASE_DIR, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", type=Path, required=True, help="the folder of the stack that is to suffer")
    parser.add_argument("--only", default="", help=f"some of {', '.join(faults.KEYS)}, with commas between")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    results = settings.BASE_DIR / "var" / "chaos"
    _prepare(results)
    chosen = [key for key in options.only.split(",") if key]
    sys.exit(asyncio.run(main(results, Stack.open(options.stack), chosen)))
