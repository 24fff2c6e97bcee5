"""The one place that touches the storage: Django's default storage, a folder or a bucket.

Never called inside a transaction: a bucket is a network away.
"""

import logging
from collections.abc import Iterable

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accountsstore.db import in_atomic
from accountsstore.errors import Unavailable

logger = logging.getLogger(__name__)


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
    for key in keys:
        try:
            default_storage.delete(key)
        except Exception as error:
            raise _away("delete", key, error) from error


def _outside_transaction() -> None:
    if in_atomic():
        raise RuntimeError("storage inside a transaction: it would hold its locks while the network answers")


def _away(deed: str, key: str, error: Exception) -> Unavailable:
    logger.error("the storage does not %s", deed, extra={"key": key, "error": f"{type(error).__name__}: {error}"})
    return Unavailable()
