"""The files that people sent: each copied once, since a key is never written to twice."""

import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accountsstore.backup import vault
from accountsstore.backup.errors import BackupError

logger = logging.getLogger(__name__)

# Which tables name files, and in which fields of theirs, at any depth.
_named_in: dict[str, frozenset[str]] = {}
# What nobody has looked at; it is gone within the hour.
PASSED_OVER = "incoming"
_READ_BYTES = 1024 * 1024


def keep_files_of(table: str, *fields: str) -> None:
    """Have the files that rows of `table` name kept as soon as the log tells of the row. Safe to repeat."""
    _named_in[table] = frozenset(fields)


def keys_told_of(entry: Any) -> set[str]:
    """The keys that an entry of MongoDB's log names."""
    found: set[str] = set()
    for operation in entry["o"].get("applyOps", [entry]):
        fields = _named_in.get(operation["ns"].partition(".")[2])
        if fields and operation["op"] in ("i", "u"):
            found |= set(_named(operation["o"], fields))
    return found


def _named(value: Any, fields: frozenset[str]) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _named(each, fields)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in fields and isinstance(each, str) and each:
                yield each
            else:
                yield from _named(each, fields)


def dump(moment: str) -> dict[str, Any]:
    """Copy what is new and write the list of all keys. Returns its part of the manifest. Raises BackupError."""
    there = vault.file_pieces()
    try:
        keys = sorted(_keys(""))
    except Exception as error:  # each storage raises errors of its own
        raise BackupError(f"The store's files cannot be listed ({type(error).__name__}: {error}).") from error
    kept = [key for key in keys if vault.file_piece(key) in there or copy(key)]
    listed = vault.write(f"backups/{moment}/files", (json.dumps(key).encode() + b"\n" for key in kept))
    return {"files": listed["name"], "pieces": [listed], "file_count": len(kept)}


def copy(key: str) -> bool:
    """Keep one file. False when it is gone by now. Safe to repeat. Raises BackupError."""
    try:
        with default_storage.open(key) as file:
            vault.write(vault.file_piece(key), iter(lambda: file.read(_READ_BYTES), b""))
    except FileNotFoundError:
        return False
    except BackupError:
        raise
    except Exception as error:  # each storage raises errors of its own
        raise BackupError(f"The store's file {key} cannot be read ({type(error).__name__}: {error}).") from error
    return True


def copy_told_of(keys: set[str]) -> None:
    """Keep what the log has told of, and take it out of `keys`. What cannot be read now stays there for the next time."""
    for key in sorted(keys):
        try:
            copy(key)
        except BackupError as error:
            logger.error("a file is not kept yet", extra={"key": key, "error": str(error)})
            return
        keys.discard(key)


def keys_in(manifest: dict[str, Any]) -> list[str]:
    """The keys that the backup holds."""
    return [json.loads(line) for line in b"".join(vault.read(manifest["files"])).splitlines()]


def restore(keys: Iterable[str]) -> int:
    """Bring back what is kept and missing. Returns how many files. Safe to repeat. Raises BackupError."""
    there, count = vault.file_pieces(), 0
    for key in keys:
        if vault.file_piece(key) in there and not default_storage.exists(key):
            # One at a time: a file has UPLOAD_MAX_BYTES at most.
            default_storage.save(key, ContentFile(b"".join(vault.read(vault.file_piece(key)))))
            count += 1
    return count


def _keys(folder: str) -> Iterator[str]:
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}{name}" for name in names if name)
    for each in folders:
        if f"{folder}{each}" != PASSED_OVER:
            yield from _keys(f"{folder}{each}/")
