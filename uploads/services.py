"""Every write of uploads."""

import datetime
import hashlib
import re
import unicodedata
from dataclasses import dataclass

from django.conf import settings
from django.core.files.base import File
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import is_ratelimited

from accounts.models import User
from accounts.services import avatar_set
from accountsstore.db import atomic, in_atomic
from uploads import storage
from uploads.errors import BadFile, FileTaken, TooManyFiles
from uploads.fingerprints import bands, fingerprint
from uploads.models import FileAccess, FingerprintBand, PictureDetail, StoredFile
from uploads.pdf import is_pdf, pdf_read
from uploads.pictures import Picture, Variant, picture_read

State, Purpose = StoredFile.State, StoredFile.Purpose

# A seller with ten listings of ten photos stays below.
RATE = "300/h"
# Proofs alone are compared: a receipt sent twice is money asked for twice.
FINGERPRINTED = [Purpose.PAYMENT_PROOF]
# Time to finish a form; after that a file nobody attached is deleted.
UNATTACHED_AGE = datetime.timedelta(hours=24)
PRUNE_LIMIT = 200
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "application/pdf": "pdf"}


@dataclass(frozen=True)
class _Checked:
    """What a file turned out to be."""

    data: bytes
    picture: Picture
    variants: dict[str, Variant]


def file_store(*, owner: User, purpose: str, upload: "File[bytes]", field: str = "upload") -> StoredFile:
    """Check a file by its content, draw its pictures anew, store them. Returns the row, clean and not yet attached.

    JPEG, PNG and WebP; a PDF too where it is evidence or sent in a conversation. Raises BadFile with a sentence that
    names `field`, or Unavailable when the storage does not answer. Call it before the transaction that attaches the
    file: what stays unattached is deleted a day later.
    """
    if in_atomic():
        raise RuntimeError("file_store inside a transaction: it decodes and stores, which takes a while")
    try:
        checked = _check(owner, purpose, upload)
    except BadFile as error:
        error.field = field
        raise
    row = _file_begin(owner, Purpose(purpose).value, clean_name(upload.name or ""), checked)
    contents = {row.variants[name]["key"]: variant.data for name, variant in checked.variants.items()}
    if row.storage_key:
        contents[row.storage_key] = checked.data
    storage.bytes_write(contents)
    return _file_finish(row, checked)


def _check(owner: User, purpose: str, upload: "File[bytes]") -> _Checked:
    limit = settings.UPLOAD_MAX_BYTES
    if is_ratelimited(request=None, group="file_store", key=lambda *_: owner.pk.hex, rate=RATE, increment=True):
        raise TooManyFiles
    upload.seek(0)
    data = upload.read(limit + 1)
    if len(data) > limit:
        raise BadFile(_("This file is over %(size)s. Choose a smaller one.") % {"size": filesizeformat(limit)})
    if not data:
        raise BadFile(_("This file is empty. Choose another one."))
    or_pdf = purpose in StoredFile.PDF_TOO
    picture = pdf_read(data) if or_pdf and is_pdf(data) else picture_read(data, or_pdf=or_pdf)
    if settings.LISTING_WATERMARK and purpose == Purpose.LISTING_IMAGE:
        picture = picture.marked(settings.STORE_NAME)
    return _Checked(data, picture, picture.variants())


@atomic
def _file_begin(owner: User, purpose: str, name: str, checked: _Checked) -> StoredFile:
    """The row comes before the bytes, with their keys: what a crash leaves in the storage can be found and deleted."""
    picture = checked.picture
    row = StoredFile(
        owner=owner,
        purpose=purpose,
        original_name=name,
        mime=picture.mime,
        size_bytes=len(checked.data),
        sha256=hashlib.sha256(checked.data).hexdigest(),
        width=picture.width,
        height=picture.height,
    )
    row.variants = {
        name: {"key": row.key(purpose, row.pk, f"{name}.webp"), "width": variant.width, "height": variant.height}
        for name, variant in checked.variants.items()
    }
    if row.is_evidence or is_pdf(checked.data):
        row.storage_key = row.key(purpose, row.pk, f"original-{safe_name(name)}.{_EXTENSIONS[row.mime]}")
    row.save(force_insert=True)
    return row


@atomic
def _file_finish(row: StoredFile, checked: _Checked) -> StoredFile:
    if not StoredFile.objects.filter(pk=row.pk, state=State.PENDING).update(state=State.CLEAN):
        raise FileTaken
    row.state = State.CLEAN
    if row.purpose in FINGERPRINTED:
        whole, packed = fingerprint(checked.picture.image)
        FingerprintBand.objects.bulk_create(
            FingerprintBand(file=row, purpose=row.purpose, band=band, fingerprint=whole) for band in bands(whole)
        )
        PictureDetail.objects.create(file=row, packed=packed)
    return row


def safe_name(name: str) -> str:
    """The name without its ending, as a key may hold it."""
    return slugify(name.rpartition(".")[0] or name)[:40] or "file"


def clean_name(name: str) -> str:
    """The name as people may read it: no path, no control characters, none that turn the direction of text."""
    base = re.split(r"[/\\]", name)[-1]
    return "".join(char for char in base if unicodedata.category(char)[0] != "C").strip()[:120]


@atomic
def file_attach(*, file: StoredFile, to: str, owner: User | None = None) -> None:
    """Bind the file to "deposit:<hex id>" or the like, once and for ever.

    Give `owner` whenever the file's id came from outside. Raises FileTaken when the file is another person's,
    attached already, or not clean: of two that try at once, one gets it.
    """
    rows = StoredFile.objects.filter(pk=file.pk, state=State.CLEAN, attached_to="")
    if owner is not None:
        rows = rows.filter(owner=owner)
    if not rows.update(attached_to=to):
        raise FileTaken
    file.attached_to = to


@atomic
def file_discard(*, file: StoredFile) -> None:
    """Serve the file no more; a job deletes its bytes. Safe to repeat. Raises FileTaken for attached evidence."""
    if file.is_evidence and StoredFile.objects.filter(pk=file.pk).exclude(attached_to="").exists():
        raise FileTaken(_("Evidence is kept."))
    StoredFile.objects.filter(pk=file.pk, state=State.CLEAN).update(state=State.DISCARDED)
    file.state = State.DISCARDED


def avatar_replace(*, user: User, upload: "File[bytes] | None", field: str = "picture") -> None:
    """Show the uploaded picture as the person's own, or initials for None. Raises what file_store raises."""
    file = file_store(owner=user, purpose=Purpose.AVATAR, upload=upload, field=field) if upload else None
    _avatar_use(user, file)


@atomic
def _avatar_use(user: User, file: StoredFile | None) -> None:
    former = StoredFile.objects.filter(
        owner=user, purpose=Purpose.AVATAR, state=State.CLEAN, attached_to=f"user:{user.pk.hex}"
    )
    former.update(state=State.DISCARDED)
    if file is not None:
        file_attach(file=file, to=f"user:{user.pk.hex}", owner=user)
    avatar_set(user=user, file_id=file.pk if file else None)


@atomic
def access_record(*, file: StoredFile, user: User, variant: str, ip: str) -> None:
    """A member of staff looked at somebody's private file."""
    FileAccess.objects.create(file=file, user=user, variant=variant, ip=ip)


def uploads_prune(*, now: datetime.datetime | None = None) -> int:
    """Delete the bytes of what was never finished, never attached, or discarded. Returns how many files.

    Safe to repeat and to run twice at once: a file is marked before its bytes go, and whoever attaches it in that
    moment is told that it is gone.
    """
    before = (now or timezone.now()) - UNATTACHED_AGE
    left = StoredFile.objects.filter(attached_to="", state__in=[State.PENDING, State.CLEAN], created_at__lt=before)
    ids = list(left.order_by("created_at").values_list("pk", flat=True)[:PRUNE_LIMIT])
    left.filter(pk__in=ids).update(state=State.DISCARDED)
    discarded = list(StoredFile.objects.filter(state=State.DISCARDED).order_by("created_at")[:PRUNE_LIMIT])
    for file in discarded:
        storage.bytes_delete(file.keys)
        _file_forget(file)
    return len(discarded)


def prune_is_due(*, now: datetime.datetime) -> bool:
    """Whether `uploads_prune` would find anything."""
    return (
        StoredFile.objects.filter(state=State.DISCARDED).exists()
        or StoredFile.objects.filter(
            attached_to="", state__in=[State.PENDING, State.CLEAN], created_at__lt=now - UNATTACHED_AGE
        ).exists()
    )


@atomic
def _file_forget(file: StoredFile) -> None:
    StoredFile.objects.filter(pk=file.pk, state=State.DISCARDED).update(state=State.DELETED)
    # What was never attached proves nothing, and a second try with the same receipt is no copy of it.
    if not file.attached_to:
        FingerprintBand.objects.filter(file=file).delete()
        PictureDetail.objects.filter(file=file).delete()
