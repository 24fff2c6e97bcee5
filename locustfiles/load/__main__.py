"""`manage.py stack run -- python -m locustfiles.load`; `make load` calls it.

The store on the servers of production behind nginx, people who are played by Locust in a process of its own, a Prometheus
that reads the store, and a report of all of it in var/load/: report.html, report.json.
"""

import asyncio
import contextlib
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "load"
# Production's own settings: what is measured is what is deployed. What it writes lies beside the report, and goes with it.
os.environ.update(DEBUG="false", VAR_DIR=str(FOLDER / "store"), DJANGO_SETTINGS_MODULE="accountsstore.settings")

from accountsstore.fleet.inventory import Inventory, inventory_read  # noqa: E402  (the settings must be chosen first)
from accountsstore.fleet.local_edge import (  # noqa: E402
    EdgeError,
    LocalEdge,
    certificate_write,
    local_edge,
    local_settings,
)
from accountsstore.management.processes import WITH_PARENT  # noqa: E402
from accountsstore.stack import programs  # noqa: E402
from accountsstore.stack.layout import Stack  # noqa: E402
from accountsstore.tests.programs import free_port  # noqa: E402
from locustfiles.chaos.store import Processes, jobs  # noqa: E402
from locustfiles.load import report  # noqa: E402
from locustfiles.load.panels import recorded  # noqa: E402
from locustfiles.load.plan import ARRIVALS, Plan, plan_of  # noqa: E402
from locustfiles.load.prometheus import Prometheus, prometheus  # noqa: E402
from locustfiles.load.usage import Usage  # noqa: E402
from locustfiles.release.hosts import AppHost, running  # noqa: E402

NAME = "localhost"
INVENTORY = """
[store]
names = ["{name}"]
certificate = "{folder}/certificate.pem"
certificate_key = "{folder}/key.pem"
trusted_proxies = ["127.0.0.1/32"]
listen = ["127.0.0.1"]
ports = {{ http = {http}, https = {https}, pages = {pages}, sockets = {sockets} }}
[hosts.all-in-one]
address = "127.0.0.1"
roles = ["edge", "app", "worker"]
page_processes = 2
"""
LIMITS = (
    "Every limit of production is in force, nginx's and the store's. They count by address, and each person has one: nginx "
    "takes the generator for a trusted proxy (trusted_proxies in the inventory) and believes what it says in X-Forwarded-For. "
    "TLS, cookies and CSRF tokens are as in a browser. One in ten signs in by the form, the others come with the session of "
    "another day. Wallets were filled by a posting of the ledger; who pays in during the run hands in a receipt."
)


@dataclass(frozen=True)
class Running:
    """The store, as it runs: behind which nginx, and read by which Prometheus."""

    inventory: Inventory
    host: AppHost
    jobs: Processes
    edge: LocalEdge
    prometheus: Prometheus

    def roots(self, stack: Stack) -> dict[str, list[int]]:
        """Its processes by role."""
        pages, *sockets = self.host.pids
        parts = {"mongo": "mongo", "redis": "redis", "queue": "jobs"}
        return {
            "nginx": [self.edge.process.pid],
            "pages": [pages],
            "sockets": sockets,
            "worker": [self.jobs.pid("worker")],
            "beat": [self.jobs.pid("beat")],
            **{
                role: [pid for node in stack.part(part) if (pid := programs.running(node))]
                for role, part in parts.items()
            },
            "prometheus": [self.prometheus.pid],
        }


async def main(stack: Stack, plan: Plan) -> int:
    print(f"      Making people and {plan.listings:,} listings…", flush=True)
    cast = FOLDER / "cast.json"
    sizes = ["--people", str(max(plan.stages)), "--listings", str(plan.listings)]
    await _command("locustfiles.load.cast", str(cast), "--force", *sizes)
    async with _store() as store:
        with Usage(lambda: store.roots(stack) | {"generator": _generator}) as usage:
            print(f"      The store runs behind nginx. Steps: {', '.join(map(str, plan.stages))} people.", flush=True)
            began = time.time()
            steps = await _play(plan, cast, store.inventory)
        ended = steps[-1]["ended"]
        for step in steps:
            step["usage"] = usage.between(step["began"], step["ended"])
        run = {
            "steps": steps,
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": f"{os.cpu_count()} cores, {_memory_gb():.0f} GB, Linux {platform.release().partition('-')[0]}",
            "cores": os.cpu_count(),
            "sockets": await asyncio.to_thread(_sockets, store.prometheus, steps),
            "page_seconds": plan.page_seconds,
            "message_seconds": plan.message_seconds,
            "listings": f"{plan.listings:,}",
            "limits": LIMITS,
            "recorded": [began, ended],
            "panels": await asyncio.to_thread(recorded, store.prometheus, began, ended),
        }
    run["books"] = await _books()
    report.write(FOLDER, run)
    found = report.summary(run)
    print(f"\n{report.limit(found)}\nReport: {FOLDER / 'report.html'}, and report.json beside it.", flush=True)
    return 0 if found["fits"] else 1


@contextlib.asynccontextmanager
async def _store() -> AsyncIterator[Running]:
    ports = {name: free_port() for name in ("http", "https", "pages", "sockets")}
    edge_folder = FOLDER / "edge"
    edge_folder.mkdir()
    inventory = inventory_read(INVENTORY.format(name=NAME, folder=edge_folder, **ports))
    certificate_write(inventory.names, Path(inventory.certificate), Path(inventory.certificate_key))
    logs = FOLDER / "logs"
    logs.mkdir()
    async with running(inventory, logs) as [host], Processes(jobs(), dict(os.environ), logs) as worker:
        with local_edge(edge_folder, inventory, local_settings(edge_folder)) as edge:
            target = f"127.0.0.1:{ports['pages']}"
            with prometheus(FOLDER / "prometheus", free_port(), target) as watcher:
                yield Running(inventory, host, worker, edge, watcher)


_generator: list[int] = []


async def _play(plan: Plan, cast: Path, inventory: Inventory) -> list[dict[str, Any]]:
    """Locust, in a process of its own, until its last step: what it saw. Raises TimeoutError, RuntimeError."""
    seen = FOLDER / "stages.json"
    files = f"{ROOT / 'locustfiles/load/journeys.py'},{ROOT / 'locustfiles/load/stages.py'}"
    options: dict[str, object] = {
        "-f": files,
        "--host": f"https://{NAME}:{inventory.ports['https']}",
        "--ca": inventory.certificate,
        "--cast": cast,
        "--stages": ",".join(map(str, plan.stages)),
        "--stages-file": seen,
        "--arrivals": ARRIVALS,
        "--settle": plan.settle,
        "--measure": plan.measure,
        "--page-seconds": plan.page_seconds,
        "--message-seconds": plan.message_seconds,
        "--stop-timeout": 20,
    }
    command = [sys.executable, "-m", "locust", "--headless", "--only-summary"]
    command += [str(word) for pair in options.items() for word in pair]
    with (FOLDER / "logs" / "locust.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *WITH_PARENT, *command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    _generator[:] = [process.pid]
    try:
        told = 0
        async with asyncio.timeout(plan.seconds):
            while process.returncode is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 1)
                steps = json.loads(seen.read_text()) if seen.exists() else []
                for step in steps[told:]:
                    print(_line(step), flush=True)
                told = len(steps)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        _generator.clear()
    if not steps:
        raise RuntimeError(f"Locust ended without a step; its last words are in {FOLDER / 'logs' / 'locust.log'}")
    return list(steps)


def _line(step: dict[str, Any]) -> str:
    return (
        f"      {step['people']:>6,} people  {step['requests_per_second']:>6.1f} requests/s  "
        f"{step['messages_per_second']:>5.1f} messages/s  p50 {step['p50_ms']:>4.0f}  p95 {step['p95_ms']:>5.0f}  "
        f"p99 {step['p99_ms']:>5.0f} ms  {step['failures']:>3} failed  {'fits' if step['fits'] else 'does not fit'}"
    )


def _sockets(watcher: Prometheus, steps: list[dict[str, Any]]) -> int:
    """Open at the end of the step that is reported."""
    step = max((one for one in steps if one["fits"]), key=lambda one: one["people"], default=steps[-1])
    [line] = watcher.range("max_over_time(sum(websocket_connected_clients)[20s:5s])", step["ended"] - 1, step["ended"])
    return int(float(line["values"][-1][1]))


async def _books() -> str:
    """What `verify_ledger` says of the money of all that."""
    return " ".join((await _command("manage.py", "verify_ledger", "--skip-checks")).split())


async def _command(*words: str) -> str:
    """Run a command of the store and return what it printed. Raises RuntimeError when it fails."""
    module = [] if words[0].endswith(".py") else ["-m"]
    process = await asyncio.create_subprocess_exec(
        *WITH_PARENT, sys.executable, *module, *words, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _none = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words[:2])} failed:\n{out.decode()[-2000:]}")
    return out.decode()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _prepare() -> None:
    """An empty folder, the database's tables, the static files."""
    for path in {*FOLDER.glob("*.json"), *FOLDER.glob("report.*")}:
        path.unlink()
    for name in ("store", "logs", "prometheus", "edge"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    for command in (["migrate", "--no-input", "--skip-checks", "-v0"], ["collectstatic", "--no-input", "-v0"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True)


if __name__ == "__main__":
    plan = plan_of(sys.argv[1:])
    # Its templates draw nginx's configuration and the report.
    django.setup()
    FOLDER.mkdir(parents=True, exist_ok=True)
    _prepare()
    try:
        sys.exit(asyncio.run(main(Stack.open(plan.stack), plan)))
    except KeyboardInterrupt:
        sys.exit("Stopped as asked. There is no report.")
    except (EdgeError, TimeoutError, RuntimeError) as error:
        sys.exit(
            f"The load test did not come to its end: {str(error) or 'something took too long'}. Logs: {FOLDER / 'logs'}"
        )
    finally:
        # It opens accounts, and the files are of a store that is gone.
        (FOLDER / "cast.json").unlink(missing_ok=True)
        shutil.rmtree(FOLDER / "store", ignore_errors=True)
