"""The two kinds of WebSocket frames that are nearly all: RFC 6455, 5.2 and 5.3."""


def text_frame(text: bytes) -> bytes:
    """The frame in which a server says `text`, which is UTF-8."""
    length = len(text)
    if length < 126:
        return bytes((0x81, length)) + text
    if length < 65536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + text
    return b"\x81\x7f" + length.to_bytes(8, "big") + text


def whole_text(data: bytes) -> bytes | None:
    """What a client's frame says where `data` is exactly one frame, of text, whole, masked and shorter than 64 KiB; None
    for whatever else it may be."""
    if len(data) < 6 or data[0] != 0x81:
        return None
    length, start = data[1] - 0x80, 6
    if length == 126:
        length, start = int.from_bytes(data[2:4], "big"), 8
        if length < 126:
            return None
    if (length > 126 and start == 6) or len(data) != start + length:
        return None
    key = (data[start - 4 : start] * (length // 4 + 1))[:length]
    return (int.from_bytes(data[start:], "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
