"""The encrypted stream: what was sealed comes out, and nothing else does."""

import base64
import io

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from accountsstore.backup.errors import BackupError
from accountsstore.backup.sealed_stream import CHUNK_BYTES, MAGIC, SALT_BYTES, TAG_BYTES, seal, unseal

KEYS = {name: f"{name}:{base64.b64encode(name.encode() * 16).decode()}" for name in ("b1", "b2")}
# With an id of two letters.
HEADER_BYTES = len(MAGIC) + 1 + 2 + SALT_BYTES


@pytest.fixture(autouse=True, scope="module")
def _keys() -> None:
    # A fixture of each test would not be made anew for hypothesis' examples.
    from django.conf import settings

    settings.BACKUP_KEYS = [KEYS["b1"]]


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same each time."""
    import random

    return random.Random(size).randbytes(size)


def sealed(data: bytes, name: str = "piece") -> bytes:
    return b"".join(seal([data], name))


def opened(data: bytes, name: str = "piece") -> bytes:
    return b"".join(unseal(io.BytesIO(data), name))


@examples(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=5000), max_size=20))
def test_what_was_sealed_comes_out(parts: list[bytes]) -> None:
    assert opened(b"".join(seal(parts, "piece"))) == b"".join(parts)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_streams_of_whole_chunks_and_a_little_more_come_out(size: int) -> None:
    assert opened(sealed(noise(size))) == noise(size)


@examples(max_examples=100, deadline=None)
@given(st.data())
def test_a_flipped_bit_anywhere_is_noticed(data: st.DataObject) -> None:
    whole = bytearray(sealed(noise(200)))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BackupError):
        opened(bytes(whole))


@examples(max_examples=60, deadline=None)
@given(st.data())
def test_an_end_that_is_cut_off_is_noticed(data: st.DataObject) -> None:
    whole = sealed(noise(2 * CHUNK_BYTES))
    # At the seams of chunks too: there every chunk that is left opens.
    seams = list(range(HEADER_BYTES, len(whole), CHUNK_BYTES + TAG_BYTES))
    length = data.draw(st.integers(0, len(whole) - 1) | st.sampled_from(seams))
    with pytest.raises(BackupError):
        opened(whole[:length])


def test_chunks_cannot_change_places() -> None:
    whole = sealed(noise(3 * CHUNK_BYTES))
    begin, size = HEADER_BYTES, CHUNK_BYTES + TAG_BYTES
    first, second = whole[begin : begin + size], whole[begin + size : begin + 2 * size]
    with pytest.raises(BackupError, match="altered"):
        opened(whole[:begin] + second + first + whole[begin + 2 * size :])


def test_a_piece_does_not_open_under_another_name() -> None:
    with pytest.raises(BackupError, match="altered"):
        opened(sealed(b"ledger", "piece-1"), "piece-2")


def test_an_old_key_still_opens_what_it_sealed_and_a_new_one_seals(settings: Settings) -> None:
    old = sealed(b"ledger")
    settings.BACKUP_KEYS = [KEYS["b2"], KEYS["b1"]]
    assert opened(old) == b"ledger"
    new = sealed(b"ledger")
    settings.BACKUP_KEYS = [KEYS["b1"]]
    with pytest.raises(BackupError, match="'b2', which is not in BACKUP_KEYS"):
        opened(new)


def test_a_wrong_key_under_the_right_name_is_a_sentence(settings: Settings) -> None:
    whole = sealed(b"ledger")
    settings.BACKUP_KEYS = ["b1:" + base64.b64encode(b"x" * 32).decode()]
    with pytest.raises(BackupError, match="is another one now"):
        opened(whole)


@pytest.mark.parametrize("entry", ["", "b1", "b1:short", ":" + KEYS["b1"][3:], "b1:not base64!"])
def test_a_key_that_is_none_is_a_sentence(settings: Settings, entry: str) -> None:
    settings.BACKUP_KEYS = [entry] if entry else []
    with pytest.raises(BackupError, match="BACKUP_KEYS"):
        sealed(b"ledger")
