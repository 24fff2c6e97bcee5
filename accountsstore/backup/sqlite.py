"""SQLite: one consistent copy by its online backup, while people write."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.db import connection, connections

from accountsstore.backup import vault
from accountsstore.backup.errors import BackupError

_READ_BYTES = 1024 * 1024


def dump(moment: str) -> dict[str, Any]:
    """Write the database's piece. Returns its part of the manifest."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "database"
        try:
            with (
                contextlib.closing(sqlite3.connect(_path())) as source,
                contextlib.closing(sqlite3.connect(copy)) as to,
            ):
                source.backup(to)
        except sqlite3.Error as error:
            raise BackupError(f"{_path()} cannot be read ({error}).") from error
        with copy.open("rb") as file:
            chunks = iter(lambda: file.read(_READ_BYTES), b"")
            return {"pieces": [vault.write(f"backups/{moment}/sqlite", chunks)]}


def is_empty() -> bool:
    """Whether nothing would be lost: there is no file, or no table in it."""
    if not _path().exists():
        return True
    with contextlib.closing(sqlite3.connect(_path())) as database:
        return not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


def name() -> str:
    """What the operator calls it."""
    return _path().name


def restore(manifest: dict[str, Any], until: str) -> str:
    """Put the database in the place of the present one, at once and whole. Returns the moment that it is of."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.restoring")
    try:
        _write(new, vault.read(manifest["pieces"][0]["name"]))
        with contextlib.closing(sqlite3.connect(new)) as database:
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise BackupError("The database in the backup fails SQLite's integrity check.")
        connections.close_all()
        # The old database's log would be taken for the new one's.
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        new.replace(path)
    finally:
        for ending in ("", "-wal", "-shm"):
            new.with_name(new.name + ending).unlink(missing_ok=True)
    return str(manifest["began_at"])


def _path() -> Path:
    return Path(connection.settings_dict["NAME"])


def _write(path: Path, chunks: Iterable[bytes] | Iterator[bytes]) -> None:
    with path.open("wb") as file:
        for data in chunks:
            file.write(data)
