"""The one WebSocket of a tab, as accountsstore/static/js/socket.js keeps it and docs/realtime.md has it."""

import json
import random
import ssl
import time
from collections.abc import Callable
from typing import Any

import gevent
import websocket
from gevent.event import AsyncResult

PING_SECONDS, ANSWER_SECONDS, LONGEST_WAIT_SECONDS = 25.0, 10.0, 30.0
RESTARTING, RESTART_WAIT_SECONDS = 1012, 1.5
# Whoever looks for its end may look at each of these: no end at all is what a cut line leaves.
NO_CODE = 1006

Frame = dict[str, Any]


class StoreSocket:
    """Opens itself, pings, and comes back after what socket.js waits, until `close`.

    `report(name, milliseconds, error)` takes what was measured, `heard(frame)` each frame of the store.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        cookie: Callable[[], str],
        context: ssl.SSLContext | None,
        report: Callable[[str, float, str], None],
        heard: Callable[[Frame], None],
    ) -> None:
        self._url, self._cookie, self._context = url, cookie, context
        # The library adds the origin by itself.
        self._origin = headers["Origin"]
        self._headers = {name: value for name, value in headers.items() if name != "Origin"}
        self._report, self._heard = report, heard
        self._socket: websocket.WebSocket | None = None
        self._waiting: list[tuple[Callable[[Frame], bool], AsyncResult]] = []
        self._reader: gevent.Greenlet | None = None

    def open(self) -> None:
        """A page was opened: its socket takes the place of the last one's."""
        self.close()
        self._reader = gevent.spawn(self._stay)

    def close(self) -> None:
        """As when the page is left."""
        reader, self._reader = self._reader, None
        if reader:
            reader.kill()
        self._hang_up()

    def say(self, frame: Frame) -> None:
        """Nothing, while there is no connection: whoever must be heard waits for an answer and says it again."""
        if self._socket:
            try:
                self._socket.send(json.dumps(frame))
            except (OSError, websocket.WebSocketException):
                self._hang_up()

    def expect(self, is_it: Callable[[Frame], bool]) -> AsyncResult:
        """The next frame of which this is true, when it has come: `.get(timeout=…)`."""
        result: AsyncResult = AsyncResult()
        self._waiting.append((is_it, result))
        return result

    def forget(self, result: AsyncResult) -> None:
        """Nobody waits for it any more."""
        self._waiting = [pair for pair in self._waiting if pair[1] is not result]

    # ------------------------------------------------------------ staying connected

    def _stay(self) -> None:
        tries = 0
        while True:
            longest = min(LONGEST_WAIT_SECONDS, 0.5 * 2**tries)
            tries += 1
            if self._connect():
                tries = 0
                code = self._listen()
                if code == RESTARTING:
                    longest = RESTART_WAIT_SECONDS
                else:
                    self._report("socket lost", 0, f"closed with {code}")
                    longest = 0.5
            self._hang_up()
            gevent.sleep(random.random() * longest)

    def _connect(self) -> bool:
        """Whether the store bids welcome."""
        began = time.perf_counter()
        error = ""
        try:
            self._socket = websocket.create_connection(
                self._url,
                timeout=ANSWER_SECONDS,
                header=self._headers,
                cookie=self._cookie(),
                origin=self._origin,
                sslopt={"context": self._context} if self._context else {},
                skip_utf8_validation=True,
                enable_multithread=True,
            )
            kind, data = self._socket.recv_data()
            frame = json.loads(data) if kind == websocket.ABNF.OPCODE_TEXT else {"type": f"close {_code(data)}"}
            if frame["type"] != "welcome":
                error = f"the first frame is {frame['type']}"
        except (OSError, ValueError, websocket.WebSocketException) as problem:
            error = f"{type(problem).__name__}: {problem}"[:120]
        self._report("socket opens", 1000 * (time.perf_counter() - began), error)
        if not error:
            self._hear(frame)
        return not error

    def _listen(self) -> int:
        """Until the socket ends: with which code."""
        assert self._socket
        answer_by = 0.0
        self._socket.settimeout(PING_SECONDS)
        while self._socket:
            try:
                kind, data = self._socket.recv_data()
            except websocket.WebSocketTimeoutException:
                if answer_by:
                    return NO_CODE
                self.say({"type": "ping"})
                answer_by = time.monotonic() + ANSWER_SECONDS
                if self._socket:
                    self._socket.settimeout(ANSWER_SECONDS)
                continue
            except (OSError, websocket.WebSocketException):
                return NO_CODE
            if kind == websocket.ABNF.OPCODE_CLOSE:
                return _code(data)
            if answer_by:
                answer_by = 0.0
                self._socket.settimeout(PING_SECONDS)
            if kind == websocket.ABNF.OPCODE_TEXT:
                self._hear(json.loads(data))
        return NO_CODE

    def _hear(self, frame: Frame) -> None:
        for pair in [pair for pair in self._waiting if pair[0](frame)]:
            self._waiting.remove(pair)
            pair[1].set(frame)
        self._heard(frame)

    def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket:
            try:
                socket.close(timeout=0)
            except (OSError, websocket.WebSocketException):
                pass


def _code(data: bytes) -> int:
    """Of a frame that closes."""
    return int.from_bytes(data[:2], "big") or NO_CODE
