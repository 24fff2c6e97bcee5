"""Reads of uploads that need care."""

import uuid

from uploads.fingerprints import DETAIL_DISTANCE, HASH_DISTANCE, detail_distance, hash_distance
from uploads.models import FingerprintBand, PictureDetail, StoredFile

# All receipts of one bank share bands. The newest of them are compared: 500 take about a fifth of a second.
CANDIDATES = 500
SHOWN = 50


def lookalikes(file: StoredFile) -> list[StoredFile]:
    """Other files of the same purpose with the same bytes, or that look the same (see fingerprints). Newest first,
    at most 50. A deleted file still counts once it was used: the receipt it showed has been spent."""
    found = set(_same_bytes(file)) | set(_same_look(file))
    return list(StoredFile.objects.filter(pk__in=found).order_by("-created_at")[:SHOWN])


def _same_bytes(file: StoredFile) -> list[uuid.UUID]:
    rows = StoredFile.objects.filter(sha256=file.sha256, purpose=file.purpose).exclude(pk=file.pk)
    rows = rows.filter(state=StoredFile.State.CLEAN) | rows.exclude(attached_to="")
    return list(rows.order_by("-created_at").values_list("pk", flat=True)[:SHOWN])


def _same_look(file: StoredFile) -> list[uuid.UUID]:
    own = dict(FingerprintBand.objects.filter(file=file).values_list("band", "fingerprint"))
    detail = PictureDetail.objects.filter(file=file).values_list("packed", flat=True).first()
    if not own or detail is None:
        return []
    whole = next(iter(own.values()))
    rows = (
        FingerprintBand.objects.filter(band__in=list(own), purpose=file.purpose)
        .exclude(file=file)
        .order_by("-created_at")
        .values_list("file_id", "fingerprint")[: CANDIDATES * len(own)]
    )
    alike = list({file_id for file_id, other in rows if hash_distance(whole, other) <= HASH_DISTANCE})
    details = PictureDetail.objects.filter(file_id__in=alike).order_by("-created_at").values_list("file_id", "packed")
    return [
        file_id
        for file_id, packed in details[:CANDIDATES].iterator(chunk_size=200)
        if detail_distance(bytes(detail), bytes(packed)) <= DETAIL_DISTANCE
    ]
