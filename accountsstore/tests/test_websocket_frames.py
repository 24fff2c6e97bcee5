"""What a client says is read by the short way where that cannot be wrong."""

from hypothesis import given
from hypothesis import strategies as st

from accountsstore.websocket_frames import whole_text


def client_frame(text: bytes, first: int = 0x81, mask: bytes = b"\x01\x7f\x80\xff") -> bytes:
    """As a browser sends it; `first` is 0x81 for a whole text frame, 0x01 for the first piece of one, 0x80 for the last."""
    if len(text) < 126:
        length = bytes((0x80 | len(text),))
    elif len(text) < 65_536:
        length = b"\xfe" + len(text).to_bytes(2, "big")
    else:
        length = b"\xff" + len(text).to_bytes(8, "big")
    return bytes((first,)) + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))


masks = st.binary(min_size=4, max_size=4)
sizes = st.integers(0, 300) | st.integers(65_530, 65_540)


@given(size=sizes, filling=st.binary(min_size=1, max_size=9), mask=masks)
def test_a_whole_frame_says_what_was_said(size: int, filling: bytes, mask: bytes) -> None:
    text = (filling * size)[:size]
    assert whole_text(client_frame(text, mask=mask)) == (text if size < 65_536 else None)


@given(size=sizes, mask=masks, more=st.binary(min_size=1, max_size=9), cut=st.integers(min_value=1))
def test_more_or_less_than_a_frame_is_none(size: int, mask: bytes, more: bytes, cut: int) -> None:
    frame = client_frame(b"x" * size, mask=mask)
    assert whole_text(frame + more) is None
    assert whole_text(frame[: -(cut % len(frame) or 1)]) is None


@given(size=st.integers(0, 300), mask=masks, first=st.integers(0, 255).filter(lambda first: first != 0x81))
def test_what_is_not_a_whole_text_is_none(size: int, mask: bytes, first: int) -> None:
    assert whole_text(client_frame(b"x" * size, first, mask)) is None


def test_a_frame_without_a_mask_or_with_a_length_written_too_long_is_none() -> None:
    assert whole_text(b"\x81\x05hello") is None
    assert whole_text(b"\x81\x06" + b"m" * 4 + b"he") is None
    assert whole_text(b"\x81\xfe\x00\x05" + b"mask" + b"hello") is None
    assert whole_text(b"\x81\xfe\x00") is None
