"""Daphne on uvloop, with sockets that are written to at once.

What Daphne does for each frame that goes out, an event for the application's `send`, autobahn's framing, and a turn of
the event loop until the socket is found writable, costs several times what the frame itself does. So the scope of a
WebSocket carries an extension, `accountsstore.socket`: `write(text)` frames the bytes and hands them to the kernel.

This rests on what Daphne, autobahn and Twisted do not promise: the names below and the order of their buffers.
accountsstore/tests/test_asgi_server.py fails when a new version of them does otherwise.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import uvloop

# Daphne makes its event loop when it is imported.
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

from daphne.server import Server  # noqa: E402
from daphne.ws_protocol import WebSocketProtocol  # noqa: E402

from accountsstore.socket_writer import EXTENSION  # noqa: E402

# Longer than the 25 s between two pings of our client, so that it is asked only when it went silent; with
# PONG_SECONDS and the two seconds between two looks, a dead peer has left after 62 s.
PING_SECONDS, PONG_SECONDS = 30, 30


def text_frame(text: bytes) -> bytes:
    """The frame of a server for one message: RFC 6455, 5.2."""
    length = len(text)
    if length < 126:
        return bytes((0x81, length)) + text
    if length < 65536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + text
    return b"\x81\x7f" + length.to_bytes(8, "big") + text


class SocketProtocol(WebSocketProtocol):
    # autobahn copies three dozen options into each connection, and formats them all for a line of debugging: half of what
    # a connection cost. The class has them instead, from StoreServer._ready.
    CONFIG_ATTRS = ()

    def write_text(self, text: bytes) -> int:
        """Send a text frame, after all that was sent before. Gives how many bytes wait for a slow reader now."""
        transport = self.transport
        if transport is None or self.state != self.STATE_OPEN:
            return 0
        frame = text_frame(text)
        if not transport.dataBuffer and not transport._tempDataBuffer and not transport.disconnecting:
            try:
                sent = transport.socket.send(frame)
            except OSError:
                # Full, or gone: Twisted finds out which.
                sent = 0
            if sent == len(frame):
                return 0
            frame = frame[sent:]
        transport.write(frame)
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


class StoreServer(Server):
    """Daphne's server whose WebSockets are SocketProtocols. After `run()`, `refusal` says why it could not listen."""

    refusal = ""

    def __init__(self, application: Any, endpoints: list[str], ready: Callable[[], object] = lambda: None) -> None:
        super().__init__(
            application,
            endpoints=endpoints,
            ready_callable=functools.partial(self._ready, ready),
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            verbosity=0,
        )

    def _ready(self, ready: Callable[[], object]) -> None:
        for option in WebSocketProtocol.CONFIG_ATTRS:
            value = getattr(self.ws_factory, option)
            # A function is an option, not a method.
            setattr(SocketProtocol, option, staticmethod(value) if callable(value) else value)
        self.ws_factory.protocol = SocketProtocol
        ready()

    def listen_error(self, failure: Any) -> None:
        self.refusal = failure.getErrorMessage()
        self.stop()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if isinstance(protocol, SocketProtocol):
            scope["extensions"] = {EXTENSION: {"write": protocol.write_text}}
        return super().create_application(protocol, scope)
