"""Which commands reach MongoDB, and which of them read a whole collection."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from pymongo import monitoring

from accountsstore.mongo_for_tests import commands

EXPLAINED = {"aggregate", "find", "update", "delete", "count", "findAndModify"}
# What belongs to the session that the command ran in.
SESSION = (
    "lsid",
    "txnNumber",
    "startTransaction",
    "autocommit",
    "$db",
    "$clusterTime",
    "$readPreference",
    "readConcern",
)


@contextmanager
def commands_caught() -> Iterator[dict[str, dict[str, Any]]]:
    """Inside: {shape: an example} of every command that reads or searches for what it writes. A shape is the command with
    its values left out."""
    caught: dict[str, dict[str, Any]] = {}

    def watch(event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in EXPLAINED:
            command = {name: value for name, value in event.command.items() if name not in (*SESSION, "writeConcern")}
            if "updates" in command:
                # MongoDB explains one of several, which are alike.
                command["updates"] = command["updates"][:1]
            for part in _parts(command):
                caught.setdefault(shape_of(part), part)

    commands.watchers.append(watch)
    try:
        yield caught
    finally:
        commands.watchers.remove(watch)


def _parts(command: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The command, with each branch of a union as one of its own."""
    stages = command.get("pipeline", ())
    unions = [stage["$unionWith"] for stage in stages if "$unionWith" in stage]
    if not unions:
        yield command
        return
    yield {**command, "pipeline": [stage for stage in stages if "$unionWith" not in stage]}
    for union in unions:
        yield {**command, "aggregate": union["coll"], "pipeline": union["pipeline"]}


def shape_of(command: dict[str, Any]) -> str:
    name, collection = next(iter(command.items()))
    return f"{name} {collection} {json.dumps(_shape({**command, name: ''}))}"


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        # One of each kind: an $in of three is an $in of ten.
        return sorted({json.dumps(_shape(each)) for each in value})
    return value if isinstance(value, str) and value.startswith("$") else type(value).__name__


def scans(command: dict[str, Any]) -> str:
    """The collection that the command reads wholly, by itself or in a join; empty when none."""
    explained = connection.database.command("explain", command, verbosity="executionStats")
    text = json.dumps(explained, default=str)
    if "COLLSCAN" in text:
        return str(next(iter(command.values())))
    return next((stage["from"] for stage in _joins(explained) if int(stage["collectionScans"])), "")


def _joins(explained: Any) -> Iterator[dict[str, Any]]:
    for stage in explained.get("stages", ()):
        if "$lookup" in stage:
            yield {"from": stage["$lookup"]["from"], "collectionScans": stage.get("collectionScans", 0)}
