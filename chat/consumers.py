"""The store's one WebSocket: a hint for every event that concerns the person, and the frames of the chat.

Nothing a client sends raises. The database is touched in `chat.socket_work` only, in threads.
"""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

import msgspec
import redis
from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer

from accountsstore import served
from accountsstore.events import ALL_GROUP, SessionRevoked, user_group
from accountsstore.faults import server_away
from accountsstore.layer import listening, message_of
from accountsstore.metrics.catalogue import DISCONNECTS, SOCKET_REFUSED
from accountsstore.metrics.sockets import count
from accountsstore.socket_writer import BROKEN_FRAME, BROKEN_TEXT, FRAME_TOO_LARGE, RESTARTING, writer_for
from chat import frames, socket_work
from chat.group_commit import group_commit
from chat.presence import presence

logger = logging.getLogger(__name__)

R = TypeVar("R")

# 4503 for 503: of the codes that the standard names, 1013 too, a consumer under autobahn may send none but 1000.
SIGNED_OUT, MISBEHAVED, TOO_SLOW, TRY_LATER = 4401, 4400, 4408, 4503
CLOSE_CODES = {
    SIGNED_OUT: "Nobody is signed in, or the session has ended. Do not come back before a new sign-in.",
    MISBEHAVED: "Too many faulty or excessive frames. Come back after a minute, with a client that does better.",
    TOO_SLOW: "More waited for this socket than it read. Come back and resume.",
    RESTARTING: "This process of the store stops, mostly for a new version. Come back within two seconds, at a moment of chance.",
    TRY_LATER: "A server that the store needs is away. Come back later.",
    FRAME_TOO_LARGE: "A frame of more than 1 MiB. Come back with a client that does better.",
    BROKEN_FRAME: "A frame that the WebSocket protocol forbids. Come back with a client that does better.",
    BROKEN_TEXT: "A text frame that is not UTF-8. Come back with a client that does better.",
}
# Of these it is the server that closes; the consumer hears of it.
CLOSED_BY_SERVER = {RESTARTING, FRAME_TOO_LARGE, BROKEN_FRAME, BROKEN_TEXT}

# How the metrics name them.
CLOSE_NAMES = {
    SIGNED_OUT: "signed_out",
    MISBEHAVED: "misbehaved",
    TOO_SLOW: "too_slow",
    TRY_LATER: "try_later",
    RESTARTING: "restarting",
    FRAME_TOO_LARGE: "too_large",
    BROKEN_FRAME: "broken_frame",
    BROKEN_TEXT: "broken_text",
}

MAX_FRAME_BYTES = 64 * 1024
# Ten frames a second in the long run, 40 at once; a person and their outbox stay far below.
FRAMES_PER_SECOND, FRAMES_AT_ONCE = 10, 40
# This many faulty or excessive frames within a minute end the connection.
STRIKES, STRIKES_SECONDS = 20, 60
# Who reads so slowly that more than this waits for them is better off with a new connection and the database: 200
# long messages, which is what `resume` gives at most.
WAITING_BYTES = 1024 * 1024
HELD_LIMIT = 500
RELAY_SECONDS = 1
# A revoked session's sockets close by an event, which the outbox does not lose, and are looked at again where Redis was
# away. This is for whatever else there may be; each minute, it was half of what a quiet socket costs.
RECHECK_SECONDS = 300


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
                DISCONNECTS.labels(CLOSE_NAMES[TRY_LATER]).inc()
            await send({"type": "websocket.close", "code": TRY_LATER})

    return socket


class Told:
    """A message of a group, read and framed once for all the sockets of this process that it goes to."""

    __slots__ = ("message", "payload", "text")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.message = message_of(payload)
        self.text = frames.encode(self.message["frame"]) if "frame" in self.message else b""


_last_told = Told(msgspec.msgpack.encode({"type": ""}))


def told(payload: bytes) -> Told:
    """The layer hands the same bytes to one socket after the other."""
    global _last_told
    if payload is not _last_told.payload:
        _last_told = Told(payload)
    return _last_told


class StoreConsumer(AsyncWebsocketConsumer):
    """Has no channel, queue or task of its own: the layer hands it what its groups are told, and it writes through."""

    user_id: uuid.UUID
    is_open = False
    is_present = False
    # What is told while the socket joins its groups, or a frame of the browser is being answered: it follows after.
    held: list[bytes] | None = None
    # Whom this socket wants to know about.
    watched: Collection[uuid.UUID] = ()
    # What it does without anybody who waits for it.
    ending: asyncio.Task[None] | None = None
    rechecking: asyncio.Task[None] | None = None
    ended_as = "gone"

    # ------------------------------------------------------------ coming and going

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.base_send = scope, send
        self.channel_layer = get_channel_layer()
        self.writer = writer_for(scope, send)
        self.listening = listening(self.channel_layer, self)
        count.open += 1
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        except Exception as error:
            self.ended_as = CLOSE_NAMES[TRY_LATER] if server_away(error) else "failed"
            raise
        finally:
            # However this ended, `websocket.disconnect` or not.
            self.is_open = False
            count.open -= 1
            DISCONNECTS.labels(self.ended_as).inc()
            if self.is_present:
                presence().leave(self.user_id)
                presence().unwatch(self, self.watched)
            if self.rechecking:
                self.rechecking.cancel()
            await self.listening.leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Channels would first have a thread look for stale connections to the database, at each event. Here
        # `database_sync_to_async` does, when the database is touched.
        await getattr(self, get_handler_name(message))(message)

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
        self.held = []
        await self.listening.join(user_group(user.pk), ALL_GROUP)
        # Between the handshake and here the session may have ended unheard.
        if await self._is_allowed():
            if user.is_staff:
                await self.listening.join(*await _in_database(socket_work.staff_groups)(user))
            self._say(frames.Welcome(user=self.user_id.hex))
        self._let_go()

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        self.ended_as = CLOSE_NAMES.get(code or 0, "other")
        await super().close(code, reason)

    async def _end(self, code: int) -> None:
        """Close once; what still arrives for or from this socket is dropped."""
        if self.is_open:
            self.is_open = False
            await self.writer.flush()
            await self.close(code)

    def _end_soon(self, code: int) -> None:
        if self.ending is None:
            self.ending = asyncio.create_task(self._end(code))

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if (code := message.get("code")) in CLOSED_BY_SERVER:
            self.ended_as = CLOSE_NAMES[code]
        raise StopConsumer

    # ------------------------------------------------------------ from the store

    def deliver(self, payload: bytes) -> None:
        """The layer calls this for each message to a group of ours."""
        if self.held is None:
            self._tell(told(payload))
        elif len(self.held) < HELD_LIMIT:
            self.held.append(payload)
        else:
            self._end_soon(TOO_SLOW)

    def _let_go(self) -> None:
        held, self.held = self.held or [], None
        for payload in held:
            self._tell(told(payload))

    def _tell(self, news: Told) -> None:
        frame = news.message["frame"]
        if frame["type"] != SessionRevoked.type:
            self._write(news.text)
        elif frame["session"] in ("", socket_work.session_hash(self.scope["session"].session_key)):
            self._write(news.text)
            self._end_soon(SIGNED_OUT)

    def miss(self, group: str) -> None:
        """The layer has lost Redis for a while: what was said meanwhile is in the database alone, the end of this session
        too. The page asks for the rest."""
        if group == ALL_GROUP:
            # The next page shows what was said to everybody; and everybody must not ask at once.
            return
        self._say(frames.Resync())
        if self.rechecking is None or self.rechecking.done():
            self.rechecking = asyncio.create_task(self._recheck())

    async def _recheck(self) -> None:
        try:
            await self._is_allowed()
        except Exception as error:
            # The edge: nobody waits for this. Where the database went with Redis, the next ping asks again.
            logger.warning("a session was not looked at again", extra={"error": repr(error)})
            self.checked_at = -math.inf

    def see(self, user_id: uuid.UUID, *, online: bool) -> None:
        """Somebody whom this socket watches came or went."""
        self._say(frames.Presence(user=user_id.hex, online=online))

    def _say(self, frame: frames.ServerFrame | dict[str, Any]) -> None:
        if isinstance(frame, frames.Error):
            SOCKET_REFUSED.labels(frame.code).inc()
        self._write(frames.encode(frame))

    def _write(self, text: bytes) -> None:
        if self.is_open:
            count.delivered += 1
            if self.writer.write(text) > WAITING_BYTES:
                self._end_soon(TOO_SLOW)

    # ------------------------------------------------------------ from the browser

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.is_open:
            return
        count.received += 1
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
        self._say(frames.Error(code=code, detail=detail))
        if not self.patience.take():
            await self._end(MISBEHAVED)

    async def _answer(self, frame: frames.AnyClientFrame) -> None:
        if isinstance(frame, frames.Ping):
            await self._pong()
            return
        self.held = []
        try:
            match frame:
                case frames.Typing():
                    await self._relay(frame, await self._others([frame.conversation]))
                case frames.Subscribe():
                    await self._watch(await self._others(frame.conversations))
                case frames.MessageSend():
                    for reply in await group_commit().answer(self.scope, frame):
                        self._say(reply)
                case _:
                    for reply in await _in_database(socket_work.answer)(self.scope, frame):
                        self._say(reply)
        except Exception:
            # The edge: whatever fails below, the socket stays and the client tries again.
            with served.serving(socket_work.served_by(self.scope, frame)):
                logger.exception("a frame failed", extra={"frame": type(frame).__name__})
            self._say(socket_work.failed(frame))
        self._let_go()

    async def _others(self, conversations: list[str]) -> set[uuid.UUID]:
        return await _in_database(socket_work.others)(self.scope, conversations)

    async def _watch(self, others: set[uuid.UUID]) -> None:
        presence().unwatch(self, self.watched)
        self.watched = others
        await presence().watch(self, others)

    async def _relay(self, frame: frames.Typing, others: set[uuid.UUID]) -> None:
        relayed = {"type": "typing", "conversation": frame.conversation, "user": self.user_id.hex}
        try:
            # That somebody types is not worth a wait.
            async with asyncio.timeout(RELAY_SECONDS):
                for user_id in others:
                    await self.channel_layer.group_send(user_group(user_id), {"type": "deliver", "frame": relayed})
        except (redis.RedisError, OSError):
            logger.info("typing was not relayed")

    async def _pong(self) -> None:
        if time.monotonic() - self.checked_at > RECHECK_SECONDS and not await self._is_allowed():
            return
        self._say(frames.Pong())

    async def _is_allowed(self) -> bool:
        """Whether the session and the person are still good; closes the socket if not."""
        self.checked_at = time.monotonic()
        if await _in_database(socket_work.is_allowed)(self.scope):
            return True
        await self._end(SIGNED_OUT)
        return False
