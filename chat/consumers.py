"""The store's one WebSocket: a hint for every event that concerns the person, and the frames of the chat.

Nothing a client sends raises. The database is touched in `chat.socket_work` only, in threads.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import redis
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from accountsstore.events import SessionRevoked, user_group
from accountsstore.faults import server_away
from chat import frames, socket_work
from chat.presence import presence

logger = logging.getLogger(__name__)

R = TypeVar("R")

# 4503 for 503: of the codes that the standard names, 1013 too, a server under autobahn may send none but 1000.
SIGNED_OUT, MISBEHAVED, TRY_LATER = 4401, 4400, 4503

MAX_FRAME_BYTES = 64 * 1024
# Ten frames a second in the long run, 40 at once; a person and their outbox stay far below.
FRAMES_PER_SECOND, FRAMES_AT_ONCE = 10, 40
# This many faulty or excessive frames within a minute end the connection.
STRIKES, STRIKES_SECONDS = 20, 60
RELAY_SECONDS = 1
# A revoked session's sockets close by an event; this finds what a lost event left open.
RECHECK_SECONDS = 60


def _in_database(work: Callable[..., R]) -> Callable[..., Coroutine[Any, Any, R]]:
    """Run in a thread of the pool: in the one thread that is the default, each socket would wait for all others."""
    return database_sync_to_async(work, thread_sensitive=False)


class Bucket:
    """A token bucket: `rate` a second, `size` at once."""

    def __init__(self, rate: float, size: float) -> None:
        self.rate, self.size = rate, size
        self.left, self.at = size, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.left = min(self.size, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


def later_when_away(inner: Any) -> Any:
    """The ASGI application `inner`, whose sockets close with TRY_LATER while a server that they need is away.

    Around everything that the handshake asks for, the session and the person too. Other errors pass.
    """

    async def socket(scope: Any, receive: Any, send: Any) -> None:
        accepted = False

        async def noting(message: dict[str, Any]) -> None:
            nonlocal accepted
            accepted = accepted or message["type"] == "websocket.accept"
            await send(message)

        try:
            await inner(scope, receive, noting)
        except Exception as error:
            if not (server := server_away(error)):
                raise
            logger.warning("a socket was sent away", extra={"server_away": server})
            # A refused handshake tells the browser nothing; an accepted one can carry a close code.
            if not accepted:
                await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": TRY_LATER})

    return socket


class StoreConsumer(AsyncWebsocketConsumer):
    user_id: uuid.UUID
    is_open = False
    is_present = False

    # ------------------------------------------------------------ coming and going

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.joined: list[str] = []
        try:
            await super().__call__(scope, receive, send)
        finally:
            # However this ended, `disconnect` or not.
            if self.is_present:
                presence().leave(self.user_id)
            for group in self.joined:
                try:
                    await self.channel_layer.group_discard(group, self.channel_name)
                except (redis.RedisError, OSError):
                    logger.warning("a group was left without Redis")

    async def connect(self) -> None:
        await self.accept()
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(SIGNED_OUT)
            return
        self.is_open = True
        self.user_id = user.pk
        self.is_present = True
        await presence().arrive(user.pk)
        self.allowance = Bucket(FRAMES_PER_SECOND, FRAMES_AT_ONCE)
        self.patience = Bucket(STRIKES / STRIKES_SECONDS, STRIKES)
        self.checked_at = time.monotonic()
        self.joining = uuid.uuid4().hex
        for group in [user_group(user.pk), *await _in_database(socket_work.staff_groups)(user)]:
            await self.channel_layer.group_add(group, self.channel_name)
            self.joined.append(group)
        # When this comes back, the subscription stands: from here on nothing is missed.
        await self.channel_layer.group_send(user_group(user.pk), {"type": "welcome", "nonce": self.joining})

    async def _end(self, code: int) -> None:
        """Close once; what still arrives for or from this socket is dropped."""
        if self.is_open:
            self.is_open = False
            await self.close(code)

    async def disconnect(self, code: int) -> None:
        self.is_open = False

    # ------------------------------------------------------------ from the store

    async def welcome(self, message: dict[str, Any]) -> None:
        if message["nonce"] != self.joining:  # another tab's
            return
        self.joining = ""
        # Between the handshake and the subscription the session may have ended unheard.
        if await self._is_allowed():
            await self._say(frames.Welcome(user=self.user_id.hex))

    async def resume(self, message: dict[str, Any]) -> None:
        """The layer has lost Redis for a while: what was said meanwhile is in the database alone. Welcomed again, the
        page asks for it."""
        await self._say(frames.Welcome(user=self.user_id.hex))

    async def deliver(self, message: dict[str, Any]) -> None:
        frame = message["frame"]
        if frame["type"] == SessionRevoked.type:
            if frame["session"] in ("", socket_work.session_hash(self.scope["session"].session_key)):
                await self._say(frame)
                await self._end(SIGNED_OUT)
            return
        await self._say(frame)

    async def _say(self, frame: frames.ServerFrame | dict[str, Any]) -> None:
        if self.is_open:
            await self.send(text_data=frames.encode(frame))

    # ------------------------------------------------------------ from the browser

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.is_open:
            return
        if not self.allowance.take():
            await self._strike("slow_down", "Too many frames. Wait a moment.")
        elif text_data is None:
            await self._strike("bad_frame", "Frames are text.")
        elif len(text_data.encode(errors="replace")) > MAX_FRAME_BYTES:
            await self._strike("too_large", "A frame has at most 64 kB.")
        else:
            try:
                frame = frames.decode(text_data)
            except ValueError as error:
                await self._strike("bad_frame", str(error)[:200])
            else:
                await self._answer(frame)

    async def _strike(self, code: str, detail: str) -> None:
        await self._say(frames.Error(code=code, detail=detail))
        if not self.patience.take():
            await self._end(MISBEHAVED)

    async def _answer(self, frame: frames.ClientFrame) -> None:
        if isinstance(frame, frames.Ping):
            await self._pong()
            return
        try:
            answers = await _in_database(socket_work.answer)(self.scope, frame)
            if isinstance(frame, frames.Typing):
                await self._relay(frame, answers)
                return
        except Exception:
            # The edge: whatever fails below, the socket stays and the client tries again.
            logger.exception("a frame failed", extra={"frame": type(frame).__name__})
            answers = [socket_work.failed(frame)]
        for reply in answers:
            await self._say(reply)

    async def _relay(self, frame: frames.Typing, others: list[str]) -> None:
        relayed = {"type": "typing", "conversation": frame.conversation, "user": self.user_id.hex}
        try:
            # That somebody types is not worth a wait.
            async with asyncio.timeout(RELAY_SECONDS):
                for group in others:
                    await self.channel_layer.group_send(group, {"type": "deliver", "frame": relayed})
        except (redis.RedisError, OSError):
            logger.info("typing was not relayed")

    async def _pong(self) -> None:
        if time.monotonic() - self.checked_at > RECHECK_SECONDS and not await self._is_allowed():
            return
        await self._say(frames.Pong())

    async def _is_allowed(self) -> bool:
        """Whether the session and the person are still good; closes the socket if not."""
        self.checked_at = time.monotonic()
        if await _in_database(socket_work.is_allowed)(self.scope):
            return True
        await self._end(SIGNED_OUT)
        return False
