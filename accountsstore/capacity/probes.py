"""The measuring itself: `python -m accountsstore.capacity.probes FILE`, in the environment that `measure.apart` makes."""

import asyncio
import contextlib
import datetime
import io
import logging
import os
import statistics
import sys
import uuid
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from accountsstore.capacity.errors import CapacityError
from accountsstore.capacity.measure import REFUSED, SUFFIX
from accountsstore.capacity.measurement import BYTES_OUT, BYTES_SOURCE, NGINX_SOURCE, NGINX_US, OPERATIONS, Measurement

SELLERS, PIECES, PEOPLE = 12, 60, 400
PAGE_ROUNDS, MESSAGES, ORDERS = 30, 150, 40


def set_up() -> None:
    """Django, with queues that no worker of the store listens to."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
    if not settings.REDIS_PREFIX.endswith(SUFFIX):
        sys.exit("This writes into the database that the environment names. Run: manage.py capacity")
    settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = f"{settings.REDIS_PREFIX}:jobs:"
    if not (settings.STATIC_ROOT / "staticfiles.json").exists():
        settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.SILENCED_SYSTEM_CHECKS = ["accountsstore.W001", "accountsstore.W002"]
    django.setup()
    logging.disable(logging.WARNING)


def main(result: Path) -> None:
    set_up()
    from accountsstore.capacity import apart_data

    apart_data.require_answers()
    say("Making a store of its own…")
    apart_data.make()
    try:
        found = measured()
    finally:
        apart_data.remove()
    result.write_text(found.to_json())


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def measured() -> Measurement:
    from django.db import connection

    from accountsstore.capacity import probes_of_pages as of_pages
    from accountsstore.capacity import probes_of_sockets as of_sockets
    from accountsstore.capacity.meters import Meters, redis_speed
    from locustfiles.chaos import seed

    with contextlib.redirect_stdout(io.StringIO()):
        codes = seed.seed(buyers=1, sellers=SELLERS, pieces=PIECES)
    meters = Meters()
    say("Pages…")
    pages = of_pages.pages(meters, codes, PAGE_ROUNDS)
    page_mb = own_mb()
    say("Messages and orders…")
    order = of_pages.orders(meters, codes[0], ORDERS)
    talk = of_pages.messages(meters, MESSAGES)
    speed = redis_speed()
    say("Sockets…")
    sockets = asyncio.run(of_sockets.sockets(meters, PEOPLE))
    costs: dict[str, dict[str, float]] = {name: {} for name in OPERATIONS}
    costs["page"] = pages.cost_us("pages")
    costs["order"] = order.cost_us("pages") | {"worker": order.worker_us}
    for name, cost in sockets.operations.items():
        costs[name] = cost.cost_us("sockets")
    costs["message"]["worker"] = talk.worker_us
    if connection.vendor != "mongodb":
        # The process of the socket is SQLite too: what the service was seen to spend there is taken apart.
        costs["message"]["mongo"] = talk.database_us
        costs["message"]["sockets"] = max(0.0, costs["message"]["sockets"] - talk.database_us)
    for name, cost_us in NGINX_US.items():
        costs[name]["nginx"] = cost_us
    return Measurement(
        taken_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        host=host(),
        cores=os.cpu_count() or 1,
        database=connection.vendor,
        cpu_us=costs,
        redis_commands={
            "page": pages.redis_commands,
            "order": order.redis_commands,
            **{name: cost.redis_commands for name, cost in sockets.operations.items()},
        },
        bytes_out=BYTES_OUT | {"page": pages.bytes_out, "order": pages.bytes_out},
        socket_kb=sockets.socket_kb,
        process_mb={"pages": page_mb, "sockets": sockets.process_mb},
        variation={"page": pages.variation, "message": talk.variation, "order": order.variation},
        routes_ms={route: round(us / 1000, 2) for route, us in pages.routes_us.items()},
        redis_commands_per_cpu_second=speed,
        assumed={"nginx": NGINX_SOURCE, "bytes of frames": BYTES_SOURCE}
        | (
            {} if connection.vendor == "mongodb" else {"database": "its figures are SQLite's, taken out of the process"}
        ),
    )


def host() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        "unknown CPU",
    )
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} cores of {model}, {gigabytes:.0f} GB, load {os.getloadavg()[0]:.1f}"


def own_mb() -> float:
    return next(
        (float(line.split()[1]) / 1000 for line in _lines("/proc/self/status") if line.startswith("VmRSS")), 0.0
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:  # not Linux
        return []


def spread(samples: list[float]) -> float:
    """The standard deviation as a share of the mean, without the hundredth that the machine's other work stretched."""
    kept = sorted(samples)[: max(2, len(samples) * 99 // 100)]
    mean = statistics.fmean(kept)
    return statistics.stdev(kept) / mean if mean else 0.0


def key() -> str:
    return uuid.uuid4().hex


def serve(port: str) -> Any:
    """The program that the sockets are measured on: `manage.py serve`, with the same queues."""
    set_up()
    from django.core.management import call_command

    call_command("serve", port=int(port), verbosity=0)


if __name__ == "__main__":
    try:
        serve(sys.argv[2]) if sys.argv[1] == "serve" else main(Path(sys.argv[1]))
    except CapacityError as error:
        say(f"{REFUSED}{error}")
        sys.exit(1)
