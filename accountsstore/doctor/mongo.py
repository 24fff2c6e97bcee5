"""The replica set: its members, how far they are behind, and how far its log reaches back."""

import datetime
import time
from collections.abc import Iterator
from typing import Any, Literal

from django.db import connection
from pymongo.errors import OperationFailure

from accountsstore.doctor.points import Finding, by_limits, point

HEALTHY = ("PRIMARY", "SECONDARY", "ARBITER")
LAG_SECONDS, TOO_MUCH_LAG_SECONDS = 10, 60
LOG_HOURS = 24
# https://www.mongodb.com/docs/manual/reference/error-codes/
UNAUTHORIZED = 13
SKEW_SECONDS, TOO_MUCH_SKEW_SECONDS = 1, 5


def _client() -> Any:
    connection.ensure_connection()
    return connection.connection


@point("replica set")
def replica_set() -> Iterator[Finding]:
    if connection.vendor != "mongodb":
        return
    members = _client().admin.command("replSetGetStatus")["members"]
    if len(members) < 3:
        yield Finding(
            "warning", f"{len(members)} members: one that dies takes the store along", "Three, each on its own."
        )
    ill = [member for member in members if member["stateStr"] not in HEALTHY]
    for member in ill:
        yield Finding("wrong", f"{member['name']} is {member['stateStr']}", "Look at its log, and start it again.")
    if len(members) - len(ill) <= len(members) // 2 + 1 and ill:
        yield Finding("warning", "the next member that dies leaves no majority", "Bring the others back first.")
    newest = max(member["optimeDate"] for member in members if "optimeDate" in member)
    for member in members:
        if member["stateStr"] == "SECONDARY":
            lag = (newest - member["optimeDate"]).total_seconds()
            if (level := by_limits(lag, LAG_SECONDS, TOO_MUCH_LAG_SECONDS)) != "ok":
                yield Finding(level, f"{member['name']} is {lag:.0f} s behind", "Look at its disk and its network.")
    if not ill:
        yield Finding("ok", f"{len(members)} members are well")


@point("oplog")
def oplog() -> Iterator[Finding]:
    if connection.vendor != "mongodb":
        return
    log = _client().local["oplog.rs"]
    try:
        first, last = (log.find_one(sort=[("$natural", way)]) for way in (1, -1))
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        yield Finding("ok", "the site's user may not read the log, and need not; that of backups may")
        return
    hours = (last["ts"].time - first["ts"].time) / 3600
    # A set that is younger than a day has all of its log.
    is_young = first["op"] == "n" and first["o"].get("msg") == "initiating set"
    level: Literal["ok", "warning"] = "ok" if is_young or hours >= LOG_HOURS else "warning"
    yield Finding(
        level, f"the log reaches back {hours:.1f} hours", "oplogSizeMB for a day of writes: replSetResizeOplog."
    )


@point("MongoDB's clock")
def clock() -> Iterator[Finding]:
    if connection.vendor != "mongodb":
        return
    began = time.time()
    told = _client().admin.command("hello")["localTime"].replace(tzinfo=datetime.UTC).timestamp()
    # What the question took is not skew.
    skew = max(began - told, told - time.time(), 0)
    level = by_limits(skew, SKEW_SECONDS, TOO_MUCH_SKEW_SECONDS)
    yield Finding(level, f"{skew:.1f} s from this host's", "Have chrony or systemd-timesyncd run on both.")
