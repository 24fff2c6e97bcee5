"""`manage.py render_docs`: the parts of docs/ that the code writes."""

import dataclasses
import inspect
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation

from accountsstore.events import CATALOGUE
from accountsstore.layer.layer import DROPPED
from accountsstore.layer.pubsub import REPEATED, RETRIED
from accountsstore.layer.slots import LOST
from accountsstore.metrics import catalogue
from accountsstore.metrics.catalogue import ADVICE
from accountsstore.metrics.scrape import OF_THIS_HOST, scraped
from chat import frames
from chat.consumers import (
    CLOSE_CODES,
    FRAMES_AT_ONCE,
    FRAMES_PER_SECOND,
    MAX_FRAME_BYTES,
    STRIKES,
    STRIKES_SECONDS,
)
from payments.order_table import order_table

COUNTED = [*catalogue.COUNTED, DROPPED, RETRIED, REPEATED, LOST]
NOTE = "<!-- Written by `manage.py render_docs`. Change the code, not this file. -->\n\n"


def orders_page() -> str:
    """docs/orders.md: the order table of `payments.states`, as a diagram and as a table."""
    rows = order_table()
    codes = {row.state: row.code for row in rows}
    edges = dict.fromkeys((row.code, codes[move.target], move.by) for row in rows for move in row.moves)
    lines = [
        NOTE + "# Orders\n",
        (
            "Every state of an order, what its escrow account holds, and every way out. The table is data in "
            "`payments/states.py`: the services move orders by it, the rules page prints it, the admin draws it and the "
            "tests walk it.\n"
        ),
        "```mermaid\nstateDiagram-v2",
        "    [*] --> requested: a listing that asks first",
        "    [*] --> funded: pay first",
        *(f"    {source} --> {target}: {by}" for source, target, by in edges),
        *(f"    {row.code} --> [*]" for row in rows if not row.moves),
        "```\n",
        "| state | escrow holds | moves to | by | when |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        ways = [(codes[move.target], move.by, move.when) for move in row.moves] or [("final", "", "")]
        lines += [f"| `{row.code}` {row.state} | {row.held} | " + " | ".join(way) + " |" for way in ways]
    return "\n".join(lines) + "\n"


def _frame(frame: type[msgspec.Struct]) -> list[str]:
    """One frame of chat.frames: its docstring, and a row for each field."""
    shape = next(iter(msgspec.json.schema(frame)["$defs"].values()))
    lines = [f"### `{frame.__struct_config__.tag}`\n", (inspect.getdoc(frame) or "") + "\n"]
    if fields := {name: kind for name, kind in shape["properties"].items() if name != "type"}:
        lines += [
            "| field | type |",
            "|---|---|",
            *(f"| `{name}` | {_kind(kind)} |" for name, kind in fields.items()),
            "",
        ]
    return lines


def _kind(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if schema["type"] == "object":
        return f"object of {_kind(schema['additionalProperties'])}"
    bounds = [f"`{schema['pattern']}`" if "pattern" in schema else "", *(
        f"{words} {schema[name]}" for name, words in (("maxLength", "at most"), ("minimum", "from"), ("maximum", "to"))
        if name in schema
    )]  # fmt: skip
    return ", ".join([schema["type"], *filter(None, bounds)])


def realtime_page() -> str:
    """docs/realtime.md: the frames of the socket, as `chat.frames` and the catalogue of events type them."""
    lines = [
        NOTE + "# Realtime\n",
        (
            "One WebSocket per tab, `/ws/`, with JSON frames told apart by `type`. A frame is a hint: the database is the truth, "
            "and a client that was away asks it with `resume`. The client of our pages is `accountsstore/static/js/socket.js`.\n"
        ),
        "## What a client says\n",
        (
            f"At most {MAX_FRAME_BYTES // 1024} kB a frame, {FRAMES_PER_SECOND} frames a second in the long run and "
            f"{FRAMES_AT_ONCE} at once. A faulty or excessive one is answered with `error`; {STRIKES} of them in "
            f"{STRIKES_SECONDS} s end the connection.\n"
        ),
        *(line for frame in frames.ClientFrame.__subclasses__() for line in _frame(frame)),
        "## What the store says to one socket\n",
        *(line for frame in frames.ServerFrame.__subclasses__() for line in _frame(frame)),
        "## What the store says to everybody whom it concerns\n",
        (
            "The catalogue is `accountsstore/events.py`; `accountsstore.outbox.publish` sends an event. Every one of these also "
            "carries `event` (by which a repeat is known) and `at`.\n"
        ),
    ]
    for name, event in sorted(CATALOGUE.items()):
        lines += [f"### `{name}`\n", (inspect.getdoc(event) or "") + "\n", "| field | type |", "|---|---|"]
        for field in dataclasses.fields(event):
            kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
            lines.append(f"| `{field.name}` | {kind} |")
        lines.append("")
    lines += ["## Why a connection ends\n", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in CLOSE_CODES.items()]
    return "\n".join(lines).rstrip() + "\n"


METRICS_INTRODUCTION = """# Metrics

Prometheus reads `/metrics` on any process of the site. The answer is that of the whole host: what all of its processes
counted, those that have ended too, and what stands in the database and the queue at this moment. So ask one address of each
host, and take `max`, not `sum`, over the hosts for what is read from the servers that they share (marked *shared* below).

    scrape_configs:
      - job_name: store
        static_configs: [{targets: ["10.0.0.7:8001", "10.0.0.8:8001"]}]

`deploy/prometheus/prometheus.yml` is such a configuration. `deploy/prometheus/rules.yml` has the alerts, `promtool test rules
deploy/prometheus/rules_test.yml` tries each of them, and [runbooks](../runbooks/README.md) lists them with a page for each.
What `verify_ledger` and the backup tell is known once they have run: run both each night. `deploy/grafana/store.json` is a
dashboard of all of it, to be imported into Grafana; `deploy/grafana/dashboards.py` writes it.

## Who may read it

Peers from `METRICS_ALLOWED_NETWORKS` (this host alone unless set) whose request did not come through a proxy: `X-Forwarded-For`
and its like make anybody an outsider, and so does a Unix socket. Outsiders find no page. nginx needs no rule for it, and may
have one all the same.

## Where it is kept

`METRICS_DIR` (`var/metrics` unless set) has a few small files for each program that runs: `manage.py serve`, gunicorn, the
workers, beat, `run_clock --loop`. They need no other setting. Each host needs a folder of its own; containers of one host may
share it. When a process ends, however it ends, its gauges go and its counters stay. The folder may be deleted while nothing
runs: counters then begin at zero. The files are mapped into memory, and a disk that is full ends who writes to such a page: on
servers take a folder of `/run`, which no log or upload can fill.

## What it costs

CPU on one core of a busy two-core machine, medians:

| what | costs |
|---|---|
| a request | 6 µs |
| a frame to or from a socket | 0.05 µs: a number in memory, told four times a second for 11 µs |
| the same by a counter in a shared file | 1.0 µs |
| each process, once a second | 0.07 ms |
| the page of 200 routes, on the process that is asked | 90 ms |

What is read from the database and the queue is read by bounded queries that an index answers, and at most every five seconds.

## What it tells

"""


def metrics_page() -> str:
    """docs/operations/metrics.md: every metric, what it means and what to do."""
    rows = {}
    for metric in COUNTED:
        [family] = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows[family.name] = (name, family.type, metric._labelnames, family.documentation)
    for gauge in scraped.values():
        shared = "" if gauge in OF_THIS_HOST else " *shared*"
        rows[gauge.name] = (gauge.name, "gauge" + shared, gauge.labels, gauge.meaning)
    lines = ["| metric | kind | labels | what it is | when it is high |", "|---|---|---|---|---|"]
    for name, advice in ADVICE.items():
        shown, kind, labels, meaning = rows[name]
        lines.append(f"| `{shown}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {meaning} | {advice} |")
    return NOTE + METRICS_INTRODUCTION + "\n".join(lines) + "\n"


PAGES = {"orders.md": orders_page, "realtime.md": realtime_page, "operations/metrics.md": metrics_page}


class Command(BaseCommand):
    help = (
        "Writes docs/orders.md, docs/realtime.md and docs/operations/metrics.md from the code. --check only says whether "
        "they are up to date."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is out of date")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        stale = []
        for name, page in PAGES.items():
            path = settings.BASE_DIR / "docs" / name
            with translation.override("en"):
                text = page()
            if path.exists() and path.read_text() == text:
                continue
            stale.append(name)
            if not check:
                path.write_text(text)
        if check and stale:
            raise CommandError(f"Out of date: {', '.join(stale)}. Run `manage.py render_docs`.")
        self.stdout.write("The docs are up to date." if not stale else f"Written: {', '.join(stale)}.")
