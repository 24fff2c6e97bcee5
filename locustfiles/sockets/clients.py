"""Many WebSocket clients in one process, cheap enough not to be the limit: about 7 µs of CPU for a delivery.

They speak just enough of RFC 6455 for a server on loopback: text frames, masked with zeros, and pings.
"""

import asyncio
import base64
import os
from collections.abc import Callable


class Client(asyncio.Protocol):
    """One connection. `on_text(client, text)` is called for each text frame, `on_close(client, code)` once, where
    the handshake had succeeded."""

    __slots__ = ("buffer", "close_code", "number", "on_close", "on_text", "opened", "ready", "transport")

    def __init__(
        self,
        number: int,
        request: bytes,
        on_text: Callable[["Client", bytes], None],
        on_close: Callable[["Client", int], None],
    ) -> None:
        self.number = number
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = request
        self.opened = False
        self.close_code = 1006
        self.on_text, self.on_close = on_text, on_close
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(self.buffer)
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        if not self.opened:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self.buffer = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.ready.set_exception(ConnectionError(head[:60].decode(errors="replace")))
                self.transport.close()
                return
            self.opened = True
            self.ready.set_result(None)
        at, end = 0, len(data)
        while end - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif length == 127:
                length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            if start + length > end:
                break
            kind, at = data[at] & 15, start + length
            if kind == 1:
                self.on_text(self, data[start:at])
            elif kind == 9:
                self.transport.write(bytes((0x8A, 0x80 | length, 0, 0, 0, 0)) + data[start:at])
            elif kind == 8:
                self.close_code = int.from_bytes(data[start : start + 2], "big")
                self.transport.close()
        self.buffer = data[at:]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed in the handshake"))
        if self.opened:
            self.on_close(self, self.close_code)

    def say(self, text: bytes) -> None:
        """Nothing, once the connection has ended."""
        if self.transport.is_closing():
            return
        length = len(text)
        head = bytes((0x81, 0x80 | length)) if length < 126 else b"\x81\xfe" + length.to_bytes(2, "big")
        self.transport.write(head + b"\0\0\0\0" + text)


def handshake(port: int, path: str, cookie: str = "") -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n"
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"{f'Cookie: {cookie}' + chr(13) + chr(10) if cookie else ''}\r\n"
    ).encode()
