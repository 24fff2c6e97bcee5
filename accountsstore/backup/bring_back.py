"""Reading a backup back: to see that it is whole, or to put it in the place of what is there."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import bson
from django.db import connection
from pymongo.errors import PyMongoError

from accountsstore.backup import files, mongo, oplog, vault
from accountsstore.backup.errors import BackupError
from accountsstore.backup.take import FORMAT, engine

Report = Callable[[str], object]
END_OF_TIME = oplog.text(oplog.Timestamp(2**32 - 1, 2**32 - 1))


def chosen(moment: str | None, until: str) -> dict[str, Any]:
    """The manifest of a backup, or of the newest one that ended before `until`. Raises BackupError."""
    moments = vault.moments()
    if moment and moment not in moments:
        raise BackupError(f"There is no complete backup {moment} in {vault.address()}. There are: {_named(moments)}.")
    for each in [moment] if moment else reversed(moments):
        found = vault.manifest(each)
        if found["format"] != FORMAT:
            raise BackupError(f"Backup {each} was made by a newer store: restore it with that one.")
        if str(found.get("log_ended", "")) <= until:
            return found
    raise BackupError(f"There is no complete backup in {vault.address()} that is as old as that.")


def verify(manifest: dict[str, Any], until: str, report: Report) -> None:
    """Read every piece, every segment that follows and every file to its end. Raises BackupError for the first that is
    missing or altered."""
    for piece in manifest["pieces"]:
        vault.check(piece)
    keys = files.keys_in(manifest)
    there = vault.file_pieces()
    for key in keys:
        if vault.file_piece(key) not in there:
            raise BackupError(f"The file {key} is missing from the backup.")
        _read(vault.file_piece(key))
    segments = mongo.following(manifest, until) if manifest["engine"] == "mongodb" else []
    for began, ended in segments:
        _read(vault.segment(began, ended))
    report(
        f"Backup {manifest['id']} is whole: {len(manifest['pieces'])} pieces, {len(keys)} files, "
        f"{len(segments)} segments of the log."
    )


def restore(manifest: dict[str, Any], until: str, *, wipe: str, report: Report) -> datetime.datetime:
    """Put the backup in the place of the database, which must be empty or be named by `wipe`; bring back missing files.

    Everything is read once before anything is written; the present database stays until the new one is complete.
    Returns the moment until which writes are contained. Raises BackupError. Safe to repeat.
    """
    if manifest["engine"] != connection.vendor:
        raise BackupError(
            f"Backup {manifest['id']} is of {manifest['engine']}, and DATABASE_URL leads to {connection.vendor}."
        )
    try:
        if wipe != engine().name() and not engine().is_empty():
            raise BackupError(
                "The database is not empty, and a restore takes the place of all that is in it. Stop the store, and if "
                f"that is meant, repeat with --wipe {engine().name()}"
            )
        verify(manifest, until, report)
        last = engine().restore(manifest, until)
    except PyMongoError as error:
        raise BackupError(
            f"The database cannot be written ({type(error).__name__}: {error}). What it held is still there."
        ) from error
    report(f"{files.restore(_every_key(manifest, until))} files were brought back.")
    if manifest["engine"] == "mongodb":
        return datetime.datetime.fromtimestamp(oplog.moment(last).time, datetime.UTC)
    return datetime.datetime.fromisoformat(last)


def _every_key(manifest: dict[str, Any], until: str) -> Iterator[str]:
    """Of the backup's files, then of those that the log tells of."""
    yield from files.keys_in(manifest)
    if manifest["engine"] == "mongodb":
        names = [manifest["log"], *(vault.segment(began, ended) for began, ended in mongo.following(manifest, until))]
        for name in names:
            for document in mongo.documents(vault.read(name)):
                yield from files.keys_told_of(bson.decode(document))


def _read(name: str) -> None:
    for _data in vault.read(name):
        pass


def _named(moments: list[str]) -> str:
    return ", ".join(moments[-5:]) or "none"
