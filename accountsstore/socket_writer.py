"""Writing to one socket, in order, without waiting for whoever reads there."""

import asyncio
import collections
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

# The name of our server's extension of the ASGI scope; accountsstore/asgi_server.py says what it does.
EXTENSION = "accountsstore.socket"
# The close code of a server that stops: RFC 6455's registry calls it "Service Restart".
RESTARTING = 1012
# What the server itself says to frames that the standard, or the store's 1 MiB, forbids.
BROKEN_FRAME, BROKEN_TEXT, FRAME_TOO_LARGE = 1002, 1007, 1009


class Writer(Protocol):
    def write(self, text: bytes) -> int:
        """Send a text frame as soon as the network takes it. Gives how many bytes wait for it now."""

    async def flush(self) -> None:
        """Return when what was written has been handed to the server."""


def writer_for(scope: dict[str, Any], send: Callable[[dict[str, Any]], Awaitable[None]]) -> Writer:
    if extension := scope.get("extensions", {}).get(EXTENSION):
        return DirectWriter(extension["write"])
    return QueuedWriter(send)


class DirectWriter:
    """Our server writes frames to its transport itself."""

    __slots__ = ("write",)

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.write = write

    async def flush(self) -> None:
        pass


class QueuedWriter:
    """Any ASGI server: a task sends what waits."""

    def __init__(self, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: collections.deque[bytes] = collections.deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    def write(self, text: bytes) -> int:
        self._waiting.append(text)
        self._bytes += len(text)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._empty())
        return self._bytes

    async def _empty(self) -> None:
        while self._waiting:
            text = self._waiting.popleft()
            await self._send({"type": "websocket.send", "text": text.decode()})
            self._bytes -= len(text)

    async def flush(self) -> None:
        if self._task:
            await self._task
