"""The place where backups lie: a folder (BACKUP_FOLDER) or a bucket (BACKUP_S3_BUCKET), as pieces under names.

backups/<moment>/manifest, backups/<moment>/<piece>     log/<hour>/<from>-<until>     files/<hash of the key>
"""

import contextlib
import datetime
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from accountsstore.backup.errors import BackupError
from accountsstore.backup.sealed_stream import keys, seal, unseal

MOMENT = "%Y%m%dT%H%M%SZ"
_SPOOL_BYTES = 8 * 1024 * 1024


class Folder(FileSystemStorage):
    """A file appears under its name when it is whole and on the disk."""

    def _save(self, name: str, content: File) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with partial.open("wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return name


def _storage() -> Storage:
    return storages["backup"]


@contextlib.contextmanager
def _answers() -> Iterator[None]:
    """Raises BackupError for whatever the folder or the bucket raises."""
    try:
        yield
    except BackupError:
        raise
    except FileNotFoundError as error:
        raise BackupError(f"A piece of the backup is missing: {error}.") from error
    except Exception as error:  # each storage raises errors of its own
        raise BackupError(f"{address()} cannot be used ({type(error).__name__}: {error}).") from error


def address() -> str:
    """Where the backups lie, for people."""
    return f"s3://{settings.BACKUP_S3_BUCKET}" if settings.BACKUP_S3_BUCKET else str(settings.BACKUP_FOLDER)


def write(name: str, source: Iterable[bytes]) -> dict[str, Any]:
    """Store a piece. Returns its line of a manifest. Raises BackupError; what `source` raises goes through."""
    keys()
    digest, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
        for data in seal(source, name):
            digest.update(data)
            size += len(data)
            spool.write(data)
        spool.seek(0)
        with _answers():
            _storage().save(name, File(spool, name))
    return {"name": name, "bytes": size, "sha256": digest.hexdigest()}


def read(name: str) -> Iterator[bytes]:
    """The bytes of a piece; see `unseal`. Raises BackupError."""
    with _answers(), _storage().open(name) as file:
        yield from unseal(file, name)


def exists(name: str) -> bool:
    with _answers():
        return _storage().exists(name)


def check(piece: dict[str, Any]) -> None:
    """Read a piece to its end. Raises BackupError when it is not the one that the manifest names."""
    digest = hashlib.sha256()
    with _answers(), _storage().open(piece["name"]) as file:
        for data in iter(lambda: file.read(1024 * 1024), b""):
            digest.update(data)
    if digest.hexdigest() != piece["sha256"]:
        raise BackupError(f"{piece['name']} was altered: it is not what the manifest names.")
    for _data in read(piece["name"]):
        pass


def moments() -> list[str]:
    """The complete backups, oldest first."""
    with _answers():
        found = _list("backups")[0]
        return [moment for moment in found if _storage().exists(f"backups/{moment}/manifest")]


def broken_off(before: str) -> list[str]:
    """Backups without a manifest that began before a moment."""
    with _answers():
        found = _list("backups")[0]
        return [each for each in found if each < before and not _storage().exists(f"backups/{each}/manifest")]


def manifest(moment: str) -> dict[str, Any]:
    """Raises BackupError."""
    found: dict[str, Any] = json.loads(b"".join(read(f"backups/{moment}/manifest")))
    return found


def segment(since: str, until: str) -> str:
    """The name of a piece of the log. Each hour has a folder, so that the newest is found among a few thousand, not among
    all of a week."""
    return f"log/{int(since.partition('.')[0]) // 3600}/{since}-{until}"


def segments() -> list[tuple[str, str]]:
    """(from, until) of each segment of the log, oldest first."""
    with _answers():
        return [span for hour in _list("log")[0] for span in _segments_of(hour)]


def last_segment() -> tuple[str, str] | None:
    """(from, until) of the newest segment of the log."""
    with _answers():
        return next((spans[-1] for hour in reversed(_list("log")[0]) if (spans := _segments_of(hour))), None)


def _segments_of(hour: str) -> list[tuple[str, str]]:
    names = [name for name in _list(f"log/{hour}")[1] if not name.startswith(".")]
    return [(name.partition("-")[0], name.partition("-")[2]) for name in names]


def delete_log(before: str) -> None:
    """Delete the segments that end before a moment of the log."""
    with _answers():
        for hour in _list("log")[0]:
            spans = _segments_of(hour)
            delete(segment(*span) for span in spans if span[1] <= before)
            if spans and spans[-1][1] > before:
                return
            if not settings.BACKUP_S3_BUCKET:
                # Not empty where a process was killed while it wrote.
                with contextlib.suppress(OSError):
                    _storage().delete(f"log/{hour}")


def delete(names: Iterable[str]) -> None:
    with _answers():
        for name in names:
            _storage().delete(name)


def delete_backup(moment: str) -> None:
    """The manifest first: half of a backup does not count."""
    with _answers():
        delete([f"backups/{moment}/manifest"])
        delete(f"backups/{moment}/{name}" for name in _list(f"backups/{moment}")[1])
        if not settings.BACKUP_S3_BUCKET:
            _storage().delete(f"backups/{moment}")


def _list(folder: str) -> tuple[list[str], list[str]]:
    try:
        folders, files = _storage().listdir(folder)
    except FileNotFoundError:
        return [], []
    return sorted(folders), sorted(files)


def file_pieces() -> set[str]:
    """The names of all files' pieces."""
    with _answers():
        return {f"files/{name}" for name in _list("files")[1]}


def file_piece(key: str) -> str:
    return f"files/{hashlib.sha256(key.encode()).hexdigest()}"


def last_backup_at() -> datetime.datetime | None:
    """Until when everything is kept: the end of the log, or the beginning of the newest complete backup. None without one.

    Lists three folders and opens nothing. Raises BackupError when the place does not answer.
    """
    found = [datetime.datetime.strptime(moment, MOMENT).replace(tzinfo=datetime.UTC) for moment in moments()[-1:]]
    if found and (newest := last_segment()):
        found.append(datetime.datetime.fromtimestamp(int(newest[1].partition(".")[0]), datetime.UTC))
    return max(found, default=None)
