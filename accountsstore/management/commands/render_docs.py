"""`manage.py render_docs`: the parts of docs/ that the code writes."""

import dataclasses
import inspect
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation

from accountsstore.events import CATALOGUE
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


PAGES = {"orders.md": orders_page, "realtime.md": realtime_page}


class Command(BaseCommand):
    help = "Writes docs/orders.md and docs/realtime.md from the code. --check only says whether they are up to date."

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
