"""The one place that touches the storage: a folder, or a bucket behind a CDN (`uploads.s3`).

Never called inside a transaction: a bucket is a network away.
"""

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accountsstore.db import in_atomic
from accountsstore.errors import Unavailable

logger = logging.getLogger(__name__)

# A signed address is followed at once; a browser that reloads asks for a new one.
SIGNED_SECONDS = 60
# To send 10 MB over a poor line.
UPLOAD_SECONDS = 600
_SPOOL_BYTES = 1024 * 1024


def bytes_write(contents: dict[str, bytes]) -> None:
    """Store each `{key: bytes}`. Keys are unique by design, none is overwritten. Raises Unavailable."""
    _outside_transaction()
    for key, data in contents.items():
        try:
            default_storage.save(key, ContentFile(data))
        except Exception as error:  # each storage raises errors of its own
            raise _away("write", key, error) from error


def bytes_read(key: str) -> bytes | None:
    """All of the file, or None if there is none under this key. Raises Unavailable."""
    try:
        with default_storage.open(key) as file:
            return bytes(file.read())
    except FileNotFoundError:
        logger.error("a stored file has no bytes", extra={"key": key})
        return None
    except Exception as error:
        raise _away("read", key, error) from error


def bytes_delete(keys: Iterable[str]) -> None:
    """Delete what is there. Safe to repeat. Raises Unavailable."""
    _outside_transaction()
    keys = list(keys)
    try:
        if settings.S3_BUCKET:
            _bucket().delete_many(keys)
        else:
            for key in keys:
                default_storage.delete(key)
    except Exception as error:
        raise _away("delete", ", ".join(keys[:3]), error) from error


def public_url(key: str) -> str:
    """Where the CDN has a file that everybody may see; empty where the store serves it itself."""
    return f"https://{settings.CDN_DOMAIN}/{key}" if settings.S3_BUCKET and settings.CDN_DOMAIN else ""


def signed_url(key: str) -> str:
    """Where the CDN has a private file, for a minute; empty where the store serves it itself.

    Whoever has the address may read: give it only to those who may, as the answer to their request.
    """
    if not (settings.S3_BUCKET and settings.CDN_DOMAIN and settings.CLOUDFRONT_KEY_ID):
        return ""
    return str(_bucket().url(key, expire=SIGNED_SECONDS))


def takes_uploads() -> bool:
    """Whether browsers may send files straight to the storage."""
    return bool(settings.S3_BUCKET)


def upload_form(key: str, content_type: str) -> dict[str, Any]:
    """What lets a browser send one file of at most UPLOAD_MAX_BYTES to `key`, for ten minutes. Not every S3 holds to
    the size and the type: look at what came. Raises Unavailable."""
    try:
        return dict(_bucket().upload_form(key, content_type, settings.UPLOAD_MAX_BYTES, UPLOAD_SECONDS))
    except Exception as error:
        raise _away("offer", key, error) from error


def upload_open(key: str) -> IO[bytes] | None:
    """What a browser sent to `key`, cut off one byte above the limit; None if nothing came. Raises Unavailable."""
    file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  (the caller reads and closes it)
    try:
        return file if _bucket().read_start(key, settings.UPLOAD_MAX_BYTES + 1, file) else None
    except Exception as error:
        raise _away("read", key, error) from error


def ask() -> None:
    """Return when files can be read and written; raises what the storage raises when not."""
    if settings.S3_BUCKET:
        _bucket().ask()
    else:
        folder = Path(settings.MEDIA_ROOT)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def address() -> str:
    """What `ask` asks, for people."""
    return (
        f"{settings.S3_ENDPOINT_URL or 's3:/'}/{settings.S3_BUCKET}" if settings.S3_BUCKET else str(settings.MEDIA_ROOT)
    )


def _bucket() -> Any:
    """The default storage, where it is `uploads.s3.Bucket`."""
    return default_storage


def _outside_transaction() -> None:
    if in_atomic():
        raise RuntimeError("storage inside a transaction: it would hold its locks while the network answers")


def _away(deed: str, key: str, error: Exception) -> Unavailable:
    logger.error("the storage does not %s", deed, extra={"key": key, "error": f"{type(error).__name__}: {error}"})
    return Unavailable()
