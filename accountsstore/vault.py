"""Envelope encryption of credentials and payout details.

Each secret has a data key of its own (AES-256-GCM); the data key is wrapped by a store key, whose id is kept beside it,
so that `manage.py rotate_keys` re-wraps data keys without touching the secrets. The associated data ties both to the
row they belong to: a ciphertext copied onto another row does not decrypt.
"""

import base64
import dataclasses
import functools
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# 96 bits, as NIST SP 800-38D recommends for GCM; random, and every data key is used once.
NONCE_BYTES = 12


class VaultError(Exception):
    """The secret cannot be opened: its key is missing, or it is not the row's own."""


@dataclasses.dataclass(frozen=True)
class Sealed:
    """What is stored: `ciphertext` and `wrapped_key` each begin with their nonce."""

    ciphertext: bytes
    wrapped_key: bytes
    key_id: str


@functools.lru_cache(maxsize=4)
def _parse_keys(entries: tuple[str, ...]) -> dict[str, bytes]:
    keys = {}
    for entry in entries:
        key_id, _, encoded = entry.partition(":")
        key = base64.b64decode(encoded)
        if not key_id or len(key) != 32:
            raise ImproperlyConfigured("CREDENTIAL_KEYS: each entry is `id:` and 32 bytes in base64.")
        keys[key_id] = key
    return keys


def _keys() -> dict[str, bytes]:
    return _parse_keys(tuple(settings.CREDENTIAL_KEYS))


def current_key_id() -> str:
    """The id of the key that new secrets are wrapped with: the first in CREDENTIAL_KEYS."""
    return next(iter(_keys()))


def _encrypt(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated)


def _decrypt(key: bytes, data: bytes, associated: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], associated)
    except InvalidTag:
        raise VaultError("this secret does not belong to this row, or was altered") from None


def _key(key_id: str) -> bytes:
    try:
        return _keys()[key_id]
    except KeyError:
        raise VaultError(f"key {key_id!r} is not in CREDENTIAL_KEYS") from None


def seal(plaintext: bytes, *, belongs_to: str) -> Sealed:
    """Encrypt `plaintext` for the row that `belongs_to` names, such as "credential:<id>"."""
    associated = belongs_to.encode()
    data_key = AESGCM.generate_key(bit_length=256)
    key_id = current_key_id()
    return Sealed(
        ciphertext=_encrypt(data_key, plaintext, associated),
        wrapped_key=_encrypt(_key(key_id), data_key, associated),
        key_id=key_id,
    )


def open_sealed(sealed: Sealed, *, belongs_to: str) -> bytes:
    """The plaintext. Raises VaultError for a missing key, another row's secret, or altered bytes."""
    associated = belongs_to.encode()
    data_key = _decrypt(_key(sealed.key_id), bytes(sealed.wrapped_key), associated)
    return _decrypt(data_key, bytes(sealed.ciphertext), associated)


def rewrap(sealed: Sealed, *, belongs_to: str) -> Sealed:
    """The same secret under the current key; the ciphertext stays as it is."""
    associated = belongs_to.encode()
    data_key = _decrypt(_key(sealed.key_id), bytes(sealed.wrapped_key), associated)
    key_id = current_key_id()
    return dataclasses.replace(sealed, wrapped_key=_encrypt(_key(key_id), data_key, associated), key_id=key_id)


def fingerprint(plaintext: bytes, *, scope: str) -> str:
    """A keyed hash, to notice the same secret twice within `scope`. Tells nothing without SECRET_KEY."""
    return _fingerprint(settings.SECRET_KEY, plaintext, scope)


def earlier_fingerprints(plaintext: bytes, *, scope: str) -> list[str]:
    """What `fingerprint` gave under each key in SECRET_KEY_FALLBACKS."""
    return [_fingerprint(key, plaintext, scope) for key in settings.SECRET_KEY_FALLBACKS]


def _fingerprint(key: str, plaintext: bytes, scope: str) -> str:
    return hmac.new(key.encode(), scope.encode() + b"\0" + plaintext, hashlib.sha256).hexdigest()
