"""The files that people sent: each copied once, since a key is never written to twice."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accountsstore.backup import vault
from accountsstore.backup.errors import BackupError

# What nobody has looked at; it is gone within the hour.
PASSED_OVER = "incoming"
_READ_BYTES = 1024 * 1024


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
    """Keep one file. False when it is gone by now. Safe to repeat."""
    try:
        with default_storage.open(key) as file:
            vault.write(vault.file_piece(key), iter(lambda: file.read(_READ_BYTES), b""))
    except FileNotFoundError:
        return False
    return True


def keys_in(manifest: dict[str, Any]) -> list[str]:
    """The keys that the backup holds."""
    return [json.loads(line) for line in b"".join(vault.read(manifest["files"])).splitlines()]


def restore(keys: Iterable[str]) -> int:
    """Bring back what is missing. Returns how many files. Safe to repeat."""
    count = 0
    for key in keys:
        if not default_storage.exists(key):
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
