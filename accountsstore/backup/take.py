"""Taking a backup, keeping the log, and letting go of what is old."""

import datetime
import json
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import bson
from django.conf import settings
from django.db import connection
from django.utils import timezone
from pymongo.errors import AutoReconnect, PyMongoError

from accountsstore.backup import files, mongo, oplog, sqlite, vault
from accountsstore.backup.errors import BackupError

logger = logging.getLogger(__name__)

FORMAT = 1
# How much of what was acknowledged a lost machine may take along.
SEGMENT_SECONDS = 1.0
# A quiet store's log is written this often, so that its end says that somebody watches.
QUIET_SECONDS = 60
RETRY_SECONDS = 1.0


def engine() -> Any:
    """The module that knows the database in use."""
    return mongo if connection.vendor == "mongodb" else sqlite


def take(now: datetime.datetime | None = None) -> dict[str, Any]:
    """Take a backup of the database and the files, named after `now`. Returns its manifest, which is written last.

    Raises BackupError; what was written by then does not count, and `prune` deletes it a day later.
    """
    now = now or timezone.now()
    moment = now.strftime(vault.MOMENT)
    if vault.exists(f"backups/{moment}/manifest"):
        raise BackupError("A backup of this very second is there already.")
    manifest: dict[str, Any] = {"format": FORMAT, "engine": connection.vendor, "began_at": now.isoformat()}
    try:
        database = engine().dump(moment)
    except PyMongoError as error:
        raise BackupError(f"The database cannot be read ({type(error).__name__}: {error}).") from error
    # After the database: each row's file is there.
    listed = files.dump(moment)
    manifest |= database | listed | {"pieces": database["pieces"] + listed["pieces"]}
    manifest |= {"id": moment, "ended_at": timezone.now().isoformat()}
    vault.write(f"backups/{moment}/manifest", [json.dumps(manifest).encode()])
    return manifest


def kept(moments: Iterable[str], days: int, weeks: int, months: int) -> set[str]:
    """Which backups stay: the newest of each of the last days, weeks and months that have one, and the newest of all."""
    found: set[str] = set()
    newest_first = sorted(moments, reverse=True)
    for form, count in (("%Y%m%d", days), ("%G-%V", weeks), ("%Y%m", months)):
        spans: dict[str, str] = {}
        for moment in newest_first:
            at = datetime.datetime.strptime(moment, vault.MOMENT).replace(tzinfo=datetime.UTC)
            spans.setdefault(at.strftime(form), moment)
        found |= set(list(spans.values())[:count])
    return found | set(newest_first[:1])


def prune() -> list[str]:
    """Delete what retention lets go of, with the log before the oldest backup of a day, files that no backup
    names any more, and what a day ago was not brought to its end. Returns the backups that went. Safe to repeat."""
    moments = vault.moments()
    # One that is younger may be on its way.
    long_ago = (timezone.now() - datetime.timedelta(days=1)).strftime(vault.MOMENT)
    for moment in vault.broken_off(long_ago):
        vault.delete_backup(moment)
    staying = kept(moments, settings.BACKUP_KEEP_DAYS, settings.BACKUP_KEEP_WEEKS, settings.BACKUP_KEEP_MONTHS)
    going = [moment for moment in moments if moment not in staying]
    manifests = [vault.manifest(moment) for moment in sorted(staying)]
    followed = kept(staying, settings.BACKUP_KEEP_DAYS, 0, 0)
    began = min((each["log_began"] for each in manifests if "log_began" in each and each["id"] in followed), default="")
    vault.delete_log(began)
    if going:
        # Only what a backup named that goes: what the log has told of is not in a backup's list yet.
        named = {key for moment in going for key in files.keys_in(vault.manifest(moment))}
        named -= {key for each in manifests for key in files.keys_in(each)}
        for moment in going:
            vault.delete_backup(moment)
        vault.delete(vault.file_piece(key) for key in sorted(named))
    return going


def follow(report: Callable[[str], object], stopped: Callable[[], bool]) -> None:
    """Keep MongoDB's log from the newest backup on, a segment a second, until `stopped()`. Through elections and
    unreachable places it tries again. Takes a backup first where there is none that the log reaches back to.

    Raises BackupError on another database.
    """
    if connection.vendor != "mongodb":
        raise BackupError("Only MongoDB has a log to follow. On SQLite take a backup as often as you need one.")
    while not stopped():
        try:
            since = _followed_until()
            if since is None or not oplog.reaches_back_to(mongo.client(), oplog.moment(since)):
                report(f"Backup {take()['id']} is taken: the log continues it.")
                since = str(vault.manifest(vault.moments()[-1])["log_ended"])
            report(f"Following from {since}.")
            _follow(since, stopped)
        except (PyMongoError, BackupError) as error:
            if not isinstance(error, AutoReconnect):
                logger.error("the log is not kept at the moment", extra={"error": str(error)})
            time.sleep(RETRY_SECONDS)


def _followed_until() -> str | None:
    """The end of what is kept without a gap."""
    moments = vault.moments()
    if not moments:
        return None
    ended = str(vault.manifest(moments[-1])["log_ended"])
    newest = vault.last_segment()
    return max(ended, newest[1]) if newest else ended


def _follow(since: str, stopped: Callable[[], bool]) -> None:
    waiting: list[bytes] = []
    keys: set[str] = set()
    reached, due = since, time.monotonic() + SEGMENT_SECONDS
    quiet_until = time.monotonic() + QUIET_SECONDS
    for entry in oplog.entries(mongo.client(), oplog.moment(since), wait=True):
        if entry is not None:
            reached = oplog.text(entry["ts"])
            if oplog.concerns(entry, mongo.name()):
                waiting.append(bytes(entry.raw))
                keys |= files.keys_told_of(bson.decode(entry.raw))
        now = time.monotonic()
        if (waiting and now >= due) or (reached != since and now >= quiet_until) or stopped():
            if reached != since:
                vault.write(vault.segment(since, reached), waiting)
            files.copy_told_of(keys)
            since, waiting = reached, []
            due, quiet_until = time.monotonic() + SEGMENT_SECONDS, now + QUIET_SECONDS
        if stopped():
            return
