import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accountsstore import vault


def key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


@given(secret=st.binary(max_size=300), row=st.text(min_size=1, max_size=40))
def test_what_is_sealed_opens_again_for_its_own_row_only(secret, row):
    sealed = vault.seal(secret, belongs_to=row)
    assert vault.open_sealed(sealed, belongs_to=row) == secret
    with pytest.raises(vault.VaultError):
        vault.open_sealed(sealed, belongs_to=row + "x")


def test_sealing_the_same_secret_twice_gives_different_bytes():
    assert vault.seal(b"a", belongs_to="r").ciphertext != vault.seal(b"a", belongs_to="r").ciphertext


@pytest.mark.parametrize("part", ["ciphertext", "wrapped_key"])
def test_a_flipped_bit_is_noticed(part):
    sealed = vault.seal(b"secret", belongs_to="r")
    data = bytearray(getattr(sealed, part))
    data[-1] ^= 1
    altered = vault.Sealed(**(vars(sealed) | {part: bytes(data)}))
    with pytest.raises(vault.VaultError, match="altered"):
        vault.open_sealed(altered, belongs_to="r")


def test_a_new_key_takes_over_and_the_old_one_may_then_leave(settings):
    old, new = key("k1"), key("k2")
    settings.CREDENTIAL_KEYS = [old]
    sealed = vault.seal(b"secret", belongs_to="r")
    settings.CREDENTIAL_KEYS = [new, old]
    moved = vault.rewrap(sealed, belongs_to="r")
    assert (moved.key_id, moved.ciphertext) == ("k2", sealed.ciphertext)
    settings.CREDENTIAL_KEYS = [new]
    assert vault.open_sealed(moved, belongs_to="r") == b"secret"
    with pytest.raises(vault.VaultError, match="k1"):
        vault.open_sealed(sealed, belongs_to="r")


def test_fingerprints_tell_equal_secrets_within_a_scope_only():
    assert vault.fingerprint(b"a", scope="s") == vault.fingerprint(b"a", scope="s")
    assert vault.fingerprint(b"a", scope="s") != vault.fingerprint(b"a", scope="t")
    assert vault.fingerprint(b"a", scope="s") != vault.fingerprint(b"b", scope="s")
