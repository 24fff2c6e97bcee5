"""Files that browsers send straight to the bucket, and the forms that then name them instead of carrying them.

`incoming_begin` says where to. The form comes with `incoming=<field>:<id>`, and `IncomingFilesMiddleware` puts what
arrived in the place of an uploaded file: views, forms and `file_store` check it as any other.
"""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import is_ratelimited

from accounts.models import User
from accountsstore.db import atomic
from uploads import storage
from uploads.errors import BadFile, TooManyFiles
from uploads.models import IncomingFile, StoredFile
from uploads.pictures import FORMATS
from uploads.services import RATE, clean_name, safe_name

# The browser has ten minutes to begin, the person the rest to finish the form.
LIFE = datetime.timedelta(hours=1)
PRUNE_LIMIT = 200


@dataclass(frozen=True)
class Begun:
    """The row, and what lets the browser send: {"url": …, "fields": {…}}."""

    row: IncomingFile
    form: dict[str, Any]


def incoming_begin(*, owner: User, purpose: str, name: str, content_type: str, size_bytes: int) -> Begun:
    """Let a browser send one file. What it says of the file is only believed to refuse early.

    Raises BadFile with a sentence, or Unavailable.
    """
    if is_ratelimited(request=None, group="incoming", key=lambda *_: owner.pk.hex, rate=RATE, increment=True):
        raise TooManyFiles
    if size_bytes > settings.UPLOAD_MAX_BYTES:
        size = filesizeformat(settings.UPLOAD_MAX_BYTES)
        raise BadFile(_("This file is over %(size)s. Choose a smaller one.") % {"size": size})
    if not size_bytes:
        raise BadFile(_("This file is empty. Choose another one."))
    or_pdf = purpose in StoredFile.PDF_TOO
    if content_type not in FORMATS.values() and not (or_pdf and content_type == "application/pdf"):
        advice = (
            _("Choose a JPEG, PNG or WebP picture, or a PDF.") if or_pdf else _("Choose a JPEG, PNG or WebP picture.")
        )
        raise BadFile(advice)
    row = _incoming_create(owner=owner, purpose=purpose, name=clean_name(name))
    return Begun(row, storage.upload_form(row.storage_key, content_type))


@atomic
def _incoming_create(*, owner: User, purpose: str, name: str) -> IncomingFile:
    """The row comes before the bytes, with their key: what arrives is found and deleted."""
    row = IncomingFile(owner=owner, original_name=name)
    row.storage_key = f"incoming/{purpose}/{row.pk.hex}-{safe_name(name)}"
    row.save(force_insert=True)
    return row


def incoming_open(*, owner: User, incoming_id: str) -> UploadedFile | None:
    """What the browser sent, as an upload to read and close. None when it is not the owner's, too old, or never came.

    Safe to repeat: the file stays until its hour is over. Raises Unavailable.
    """
    try:
        key = uuid.UUID(incoming_id)
    except ValueError:
        return None
    row = IncomingFile.objects.filter(pk=key, owner=owner, created_at__gt=timezone.now() - LIFE).first()
    file = storage.upload_open(row.storage_key) if row else None
    if row is None or file is None:
        return None
    size = file.tell()
    file.seek(0)
    return UploadedFile(file=file, name=row.original_name, size=size)


def incoming_prune(*, now: datetime.datetime) -> int:
    """Delete what was begun an hour ago, bytes first. Returns how many. Safe to repeat and to run twice at once."""
    rows = list(IncomingFile.objects.filter(created_at__lt=now - LIFE).order_by("created_at")[:PRUNE_LIMIT])
    if rows:
        storage.bytes_delete([row.storage_key for row in rows])
        IncomingFile.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def incoming_prune_is_due(*, now: datetime.datetime) -> bool:
    """Whether `incoming_prune` would find anything."""
    return IncomingFile.objects.filter(created_at__lt=now - LIFE).exists()
