"""Addresses of files.

A public file has one address for ever, at the CDN if there is one. The bytes of a private one are served under a signed
address only: for one person, one variant, ten minutes, and after asking again whether that person may look. Its plain
address is a door that asks and then leads on to a signed one. Behind a CDN the last step is an address at the CDN that
lives for a minute: it is given out where the bytes would be, so every look is asked for and recorded as before.
"""

import uuid

from django.core.signing import BadSignature, TimestampSigner
from django.urls import reverse

from accounts.models import User
from uploads import storage
from uploads.models import StoredFile

LIFE_SECONDS = 600
_SALT = "uploads.links"


def variant_url(file_id: uuid.UUID, variant: str = "thumb") -> str:
    """The store's own address, by id alone: a public picture, or the door of a private one."""
    return reverse("uploads:file", args=[file_id.hex, variant])


def public_picture_url(purpose: str, file_id: uuid.UUID, variant: str = "thumb") -> str:
    """Where everybody finds a public picture. Costs no query."""
    return storage.public_url(StoredFile.key(purpose, file_id, f"{variant}.webp")) or variant_url(file_id, variant)


def file_url(file: StoredFile | None, variant: str = "large", user: User | None = None) -> str:
    """Where to find a variant ("thumb", "card", "large", "original"); empty for no file.

    With `user`, a private file's address is signed for that person: for what a page shows at once. Without, it is
    the door: for links that people may open later.
    """
    if file is None:
        return ""
    if file.is_public and variant != "original":
        return public_picture_url(file.purpose, file.pk, variant)
    if user is None or not user.is_authenticated:
        return variant_url(file.pk, variant)
    return signed_url(file.pk, variant, user)


def signed_url(file_id: uuid.UUID, variant: str, user: User) -> str:
    what = _what(file_id, variant, user)
    key = TimestampSigner(salt=_SALT).sign(what).removeprefix(f"{what}:")
    return f"{variant_url(file_id, variant)}?key={key}"


def key_is_good(key: str, file_id: uuid.UUID, variant: str, user: User) -> bool:
    """Whether the store signed this key for this person, file and variant within the last ten minutes."""
    try:
        TimestampSigner(salt=_SALT).unsign(f"{_what(file_id, variant, user)}:{key}", max_age=LIFE_SECONDS)
    except BadSignature:
        return False
    return True


def _what(file_id: uuid.UUID, variant: str, user: User) -> str:
    return f"{user.pk.hex}:{file_id.hex}:{variant}"
