"""A file as an HTTP answer. Read whole, since nothing is larger than an upload may be: the same under WSGI and ASGI."""

from pathlib import PurePosixPath

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.utils.http import content_disposition_header

from uploads import storage
from uploads.models import StoredFile

FOREVER = "public, max-age=31536000, immutable"
PRIVATE = "private, no-store"
# Opened on its own, a file may show itself and nothing else: no script, no form, no request.
_ALONE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def public_answer(request: HttpRequest, file: StoredFile, variant: str) -> HttpResponse | None:
    """The variant, to be kept for ever; 304 to who has it; None if there are no bytes."""
    # A file's bytes never change, so its name is its version.
    etag = f'"{file.pk.hex}-{variant}"'
    if etag in request.headers.get("If-None-Match", ""):
        answer: HttpResponse = HttpResponseNotModified()
    else:
        found = _answer(file, variant)
        if found is None:
            return None
        answer = found
    answer["ETag"] = etag
    answer["Cache-Control"] = FOREVER
    return answer


def private_answer(file: StoredFile, variant: str) -> HttpResponse | None:
    """The variant, to be kept by nobody: its bytes, or a redirect to the CDN's for a minute. None if there are none."""
    url = storage.signed_url(_key(file, variant)) if _key(file, variant) else ""
    answer: HttpResponse | None = HttpResponseRedirect(url) if url else _answer(file, variant)
    if answer is not None:
        answer["Cache-Control"] = PRIVATE
        answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def _key(file: StoredFile, variant: str) -> str:
    return str(file.storage_key if variant == "original" else file.variants.get(variant, {}).get("key", ""))


def _answer(file: StoredFile, variant: str) -> HttpResponse | None:
    original, key = variant == "original", _key(file, variant)
    data = storage.bytes_read(key) if key else None
    if data is None:
        return None
    stem = PurePosixPath(file.original_name).stem or file.purpose
    # With the ending of what it is, whatever it was called.
    name = stem + PurePosixPath(key).suffix
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _ALONE,
        "Content-Disposition": content_disposition_header(as_attachment=original, filename=name) or "",
    }
    return HttpResponse(data, content_type=file.mime if original else "image/webp", headers=headers)
