"""The one socket of a tab that stays open, as accountsstore/static/js/socket.js has it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from accountsstore.socket_writer import RESTARTING

PING_SECONDS, RESTART_WAIT_SECONDS, FIRST_WAIT_SECONDS = 25, 1.5, 0.5
ANSWER_SECONDS = 30

Frame = dict[str, Any]
Connect = Callable[[], AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]]


@dataclass
class Sockets:
    """What the tabs of all people together have noticed."""

    connected: int = 0
    # How many ended, with which code, without having been left.
    closes: Counter[int | None] = field(default_factory=Counter)
    # Seconds from each close to the next welcome.
    away: list[float] = field(default_factory=list)


class Tab:
    """`connect` opens a socket, `heard` takes each frame of the store, the welcome too."""

    def __init__(
        self, connect: Connect, sockets: Sockets, heard: Callable[[Frame], Awaitable[None]] | None = None
    ) -> None:
        self._connect, self._sockets, self._heard = connect, sockets, heard
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._closed_at, self._leaves = 0.0, False

    async def stay(self) -> None:
        """Be connected, and come back whenever the connection ends; until cancelled."""
        tries = 0
        while True:
            code: int | None = None
            try:
                async with self._connect() as socket:
                    code = await self._listen(socket)
                tries = 0
            except (aiohttp.ClientError, OSError, TimeoutError):
                tries += 1
            if self._leaves:
                self._leaves = False
                continue
            longest = RESTART_WAIT_SECONDS if code == RESTARTING else FIRST_WAIT_SECONDS * 2**tries
            await asyncio.sleep(random.random() * longest)

    async def say(self, frame: Frame) -> None:
        """Nothing, while there is no connection: whoever must be heard says it again after the next welcome."""
        if self._socket:
            try:
                await self._socket.send_json(frame)
            except (aiohttp.ClientError, OSError):
                pass  # whoever listens learns it too

    async def open_anew(self) -> None:
        """As when another page is opened: this connection ends, the next one begins at once."""
        if self._socket:
            self._leaves = True
            await self._socket.close()

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> int | None:
        """Until the socket closes: why it did."""
        message = await socket.receive(timeout=ANSWER_SECONDS)
        if message.type != aiohttp.WSMsgType.TEXT:
            raise aiohttp.ClientConnectionError("closed before the welcome")
        assert message.json()["type"] == "welcome", message.data
        if self._closed_at:
            self._sockets.away.append(time.monotonic() - self._closed_at)
            self._closed_at = 0.0
        self._socket = socket
        self._sockets.connected += 1
        try:
            while message.type == aiohttp.WSMsgType.TEXT:
                if self._heard:
                    await self._heard(message.json())
                message = await self._next(socket)
        finally:
            self._socket = None
            self._sockets.connected -= 1
        if not self._leaves:
            self._sockets.closes[socket.close_code] += 1
            self._closed_at = time.monotonic()
        return socket.close_code

    async def _next(self, socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
        while True:
            try:
                return await socket.receive(timeout=PING_SECONDS)
            except TimeoutError:
                await self.say({"type": "ping"})
