"""`manage.py stack run -- python -m locustfiles.drill`; `make drill` calls it.

People use a store while a backup is taken and the log is followed. Then every server is killed at once and its data is
removed: database, queue, files. New servers are started, the backup is restored, and what people were told is compared
with what is there.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import django

os.environ.update(DEBUG="false", HTTPS="false", ALLOWED_HOSTS="127.0.0.1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
_RESULTS = Path(__file__).resolve().parent.parent / "var" / "drill"
os.environ["BACKUP_FOLDER"] = str(_RESULTS / "backup")
os.environ.setdefault("BACKUP_KEYS", "drill:" + "ZHJpbGwtb25seS1kcmlsbC1vbmx5LWRyaWxsLW9ubHk=")
django.setup()

from django.conf import settings  # noqa: E402  (the app registry must be ready first)
from django.core.files.storage import default_storage  # noqa: E402
from django.db import connections  # noqa: E402

from accountsstore.demo.drawings import receipt_picture  # noqa: E402
from accountsstore.stack import lifecycle, programs  # noqa: E402
from accountsstore.stack.layout import PARTS, Stack  # noqa: E402
from locustfiles.chaos import proof, seed  # noqa: E402
from locustfiles.chaos.__main__ import _everybody_trades, _free_port, _healthy, _prepare  # noqa: E402
from locustfiles.chaos.journal import Journal  # noqa: E402
from locustfiles.chaos.people import Person  # noqa: E402
from locustfiles.chaos.store import PAGES, SOCKETS, Processes, commands  # noqa: E402
from uploads.models import StoredFile  # noqa: E402

# After the backup: all of this comes back from the log alone.
LOAD_SECONDS = 20
TARGET_SECONDS = 1.0
# Of each deed of the journal, what the proof calls it and what it names it by.
KINDS = {
    "buy": ("orders", "number"),
    "pay in": ("deposits", "reference"),
    "say": ("messages", "body"),
    "sign in": ("sign-ins", "user"),
}
# The mail server is other people's: what it received, they have.
DESTROYED = [part for part in PARTS if part != "mail"]


async def main(stack: Stack) -> int:
    journal = Journal(_RESULTS / "acknowledged.jsonl")
    codes = await asyncio.to_thread(_seed)
    ports = {name: _free_port() for name in (PAGES, *SOCKETS)}
    running = commands(ports) | {"follow": [sys.executable, "manage.py", "backup", "--follow"]}
    processes = Processes(running, dict(os.environ), _RESULTS / "logs")
    async with processes:
        await asyncio.gather(*(_healthy(port) for port in ports.values()))
        stop = asyncio.Event()
        lives = [asyncio.create_task(_life(number, ports, journal, codes, stop)) for number in range(seed.BUYERS)]
        await _everybody_trades(journal)
        print("Taking a backup while people buy, pay in and write.", flush=True)
        print(await asyncio.to_thread(_command, "backup"), flush=True)
        await asyncio.sleep(LOAD_SECONDS)
        destroyed = time.time()
        await asyncio.to_thread(_destroy, stack, processes, list(running))
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
    print(f"Every server was killed and its data removed, after {len(journal.successes)} acknowledgements.", flush=True)
    began = time.monotonic()
    await lifecycle.up(stack, DESTROYED, lambda line: None, asyncio.Event())
    print(await asyncio.to_thread(_command, "restore"), flush=True)
    minutes = (time.monotonic() - began) / 60
    return await asyncio.to_thread(_report, journal.read(), stack, destroyed, minutes)


def _seed() -> list[str]:
    codes = seed.seed()
    # This process would look for the servers that it destroys.
    for connection in connections.all(initialized_only=True):
        connection.close_pool()
    return codes


async def _life(number: int, ports: dict[str, int], journal: Journal, codes: list[str], stop: asyncio.Event) -> None:
    site, sockets = f"http://127.0.0.1:{ports[PAGES]}", [f"ws://127.0.0.1:{ports[name]}" for name in SOCKETS]
    receipt = receipt_picture(
        bank="Meridian Bank", amount="25.00", reference=str(number), date="1 Jan", payer=seed.buyer(number), note=""
    )
    async with Person(seed.buyer(number), site, sockets, journal, receipt) as person:
        await person.live(codes, stop)


def _destroy(stack: Stack, processes: Processes, names: list[str]) -> None:
    """At once, as when a building burns: servers, the store's processes, and the one that keeps the log."""
    nodes = [node for node in stack.nodes if node.part in DESTROYED]
    for pid in filter(None, map(programs.running, nodes)):
        os.kill(pid, signal.SIGKILL)
    for name in names:
        with contextlib.suppress(ProcessLookupError):
            processes.kill(name)
    programs.stop(nodes)
    for node in nodes:
        shutil.rmtree(node.folder)


def _command(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"manage.py {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def _report(told: list[dict[str, Any]], stack: Stack, destroyed: float, minutes: float) -> int:
    connections.close_all()
    findings = [each for each in proof.compare(told, stack.node("mail").folder) if each.kind != "mails"]
    lost = {(finding.kind, what) for finding in findings for what in finding.lost}
    # By the last of each: of a person's sign-ins only the newest is looked for.
    told_at = {(KINDS[row["deed"]][0], row[KINDS[row["deed"]][1]]): row["at"] for row in told}
    when = [at for what, at in told_at.items() if what in lost]
    for finding in findings:
        print(f"{finding.kind:<10} {finding.told:>5} acknowledged, {len(finding.lost)} lost")
    keys = [key for file in StoredFile.objects.all() for key in file.keys]
    missing = [key for key in keys if not default_storage.exists(key)]
    print(f"files      {len(keys):>5} named by rows, {len(missing)} missing")
    seconds = max((destroyed - at for at in when), default=0.0)
    print(
        f"Back after {minutes:.1f} minutes. Lost: {len(lost)} acknowledged writes, of the last {seconds:.2f} seconds "
        f"(target: {TARGET_SECONDS:.0f} s)."
    )
    return 0 if seconds <= TARGET_SECONDS and (not lost or when) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", type=Path, required=True, help="the folder of the stack that is to be destroyed")
    options = parser.parse_args()
    shutil.rmtree(_RESULTS / "backup", ignore_errors=True)
    _prepare(_RESULTS)
    sys.exit(asyncio.run(main(Stack.open(options.stack))))
