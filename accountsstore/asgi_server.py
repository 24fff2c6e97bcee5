"""Daphne on uvloop, with sockets that open by a short way and are written to at once.

What Daphne does for each frame that goes out, an event for the application's `send`, autobahn's framing, and a turn of
the event loop until the socket is found writable, costs several times what the frame itself does. So the scope of a
WebSocket carries an extension, `accountsstore.socket`: `write(text)` frames the bytes and hands them to the kernel.

What it does for each frame that comes in, a dozen steps of autobahn's that know of pieces, compression and streams, is
for frames that need them. One that came whole is read here.

And what it does for each connection, a request that twisted.web takes apart and Daphne puts together again for
autobahn, costs as much as the connection. So a request for a WebSocket goes to autobahn as it comes.

SIGTERM ends it as a release wants it: see `kill_all_applications`.

This rests on what Daphne, autobahn and Twisted do not promise: the names below and the order of their buffers.
accountsstore/tests/test_asgi_server.py fails when a new version of them does otherwise.
"""

import asyncio
import contextlib
import functools
import gc
import re
import time
from collections.abc import Callable
from typing import Any

import uvloop

# Daphne makes its event loop when it is imported.
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

import autobahn.twisted.websocket  # noqa: E402
import autobahn.websocket.protocol  # noqa: E402
from daphne.http_protocol import HTTPFactory  # noqa: E402
from daphne.server import Server  # noqa: E402
from daphne.ws_protocol import WebSocketProtocol  # noqa: E402
from twisted.internet import defer, reactor  # noqa: E402
from twisted.internet.protocol import Protocol  # noqa: E402

from accountsstore.metrics.sockets import Watch, count  # noqa: E402
from accountsstore.socket_writer import EXTENSION, RESTARTING  # noqa: E402
from accountsstore.websocket_frames import text_frame, whole_text  # noqa: E402

# autobahn colours names for lines of debugging, whether anybody reads those or not: a dozen for each connection. `id`
# is the least that takes their place.
for module in (autobahn.twisted.websocket, autobahn.websocket.protocol):
    vars(module).update(hltype=id, hlval=id)

# New objects between two looks at the youngest, and looks between those at the older ones; Python's own are 700, 10, 10.
GC_THRESHOLDS = 10_000, 10, 5
# A connection that says nothing ends after this, as it does in twisted.web.
SILENCE_SECONDS = 60
# Asked to stop, it lets what is under way end for this long. A client that is alive answers a close at once, and autobahn
# gives up on a dead one after a second.
DRAIN_SECONDS, DRAIN_POLL_SECONDS = 8, 0.05
# A whole request for a WebSocket that nobody can read in two ways: the one kind that takes the short way.
UPGRADE = re.compile(
    rb"GET [!->@-~]*(?:\?([!-~]*))? HTTP/1\.1\r\n(?=(?:.+\r\n)*upgrade: *websocket\r\n)"
    rb"(?:[-!#$%&'*+.^_`|~0-9a-z]+:[\t -~]*\r\n)+\r\n",
    re.IGNORECASE,
)


class Opening(Protocol):
    """A connection until its first bytes have come: they say whose it is."""

    transport: Any
    _silence: Any

    def __init__(self, server: "StoreServer", address: Any) -> None:
        self._server, self._address = server, address

    def connectionMade(self) -> None:
        later: Any = reactor
        self._silence = later.callLater(SILENCE_SECONDS, self.transport.abortConnection)

    def connectionLost(self, reason: Any = None) -> None:
        if self._silence.active():
            self._silence.cancel()

    def dataReceived(self, data: bytes) -> None:
        self._silence.cancel()
        if upgrade := UPGRADE.match(data):
            protocol = self._server.ws_factory.buildProtocol(self._address)
            protocol._raw_query_string = upgrade[1] or b""
        else:
            protocol = HTTPFactory.buildProtocol(self._server.http_factory, self._address)
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        protocol.dataReceived(data)


class SocketProtocol(WebSocketProtocol):
    # autobahn copies three dozen options into each connection, and formats them all for a line of debugging: half of what
    # a connection cost. The class has them instead, from StoreServer._ready.
    CONFIG_ATTRS = ()

    def dataReceived(self, data: bytes) -> None:
        between_frames = self.state == self.STATE_OPEN and not (self.data or self.current_frame or self.inside_message)
        if between_frames and (text := whole_text(data)) is not None:
            # What is not UTF-8 raises before anybody has it, and ends below as the standard wants.
            with contextlib.suppress(UnicodeDecodeError):
                self.onMessage(text, False)
                return
        # autobahn's own `dataReceived` formats three values for a line of debugging first.
        self._dataReceived(data)

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
        count.slow.add(self)
        return self.waiting_bytes()

    def onClose(self, wasClean: bool, code: int | None, reason: Any) -> None:
        # Clients answer with a code of theirs; the application hears the one that ended the connection.
        super().onClose(wasClean, self.localCloseCode or code, reason)

    def waiting_bytes(self) -> int:
        transport = self.transport
        if transport is None or self.state != self.STATE_OPEN:
            return 0
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


class StoreServer(Server):
    """Daphne's server, with its `options`, whose WebSockets are SocketProtocols. After `run()`, `refusal` says why it could
    not listen."""

    refusal = ""

    def __init__(
        self, application: Any, endpoints: list[str], ready: Callable[[], object] = lambda: None, **options: Any
    ) -> None:
        self._ports: list[Any] = []
        super().__init__(
            application,
            endpoints=endpoints,
            ready_callable=functools.partial(self._ready, ready),
            verbosity=0,
            **options,
        )

    def _ready(self, ready: Callable[[], object]) -> None:
        for option in WebSocketProtocol.CONFIG_ATTRS:
            value = getattr(self.ws_factory, option)
            # A function is an option, not a method.
            setattr(SocketProtocol, option, staticmethod(value) if callable(value) else value)
        # Who sends what is forbidden is told so, and has a second to answer; autobahn would cut the connection off.
        SocketProtocol.failByDrop = False
        self.ws_factory.protocol = SocketProtocol
        self.http_factory.buildProtocol = functools.partial(Opening, self)
        Watch(asyncio.get_event_loop())
        # What stands now stays; and of what each connection makes most stays as long as the connection. Looked through
        # as often as Python does by itself, that is a fifth of what connecting costs.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        ready()

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)

    def kill_all_applications(self) -> Any:
        """Twisted calls this at SIGTERM and waits for it: nobody new is let in, each socket is told to come back elsewhere
        and its consumer leaves in order. What has not ended then is cut off."""
        drained = defer.Deferred.fromFuture(asyncio.ensure_future(self._drain()))
        return drained.addBoth(lambda _: super(StoreServer, self).kill_all_applications())

    async def _drain(self) -> None:
        for port in self._ports:
            port.stopListening()
        give_up = time.monotonic() + DRAIN_SECONDS
        while self._under_way() and time.monotonic() < give_up:
            for protocol in list(self.connections):
                # Again and again: a handshake may have ended just now.
                if isinstance(protocol, SocketProtocol) and protocol.state == protocol.STATE_OPEN:
                    # sendClose lets nobody send a code that the standard names.
                    protocol.sendCloseFrame(RESTARTING)
            await asyncio.sleep(DRAIN_POLL_SECONDS)

    def _under_way(self) -> bool:
        running = (details.get("application_instance") for details in self.connections.values())
        return any(application and not application.done() for application in running)

    def listen_error(self, failure: Any) -> None:
        self.refusal = failure.getErrorMessage()
        self.stop()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if isinstance(protocol, SocketProtocol):
            scope["extensions"] = {EXTENSION: {"write": protocol.write_text}}
        return super().create_application(protocol, scope)
