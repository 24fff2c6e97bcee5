"""One connection to one Redis, for code on an event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from accountsstore.redis import Servers

# For a connection, and for an answer that is needed to go on.
SOON_SECONDS = 1.0
NOTHING = object()

Address = tuple[str, int]


class ConnectionLost(ConnectionError):
    """The server may or may not have carried out what it was asked."""


class Connection(asyncio.Protocol):
    """Speaks RESP3. Answers come in the order of the commands; what the server says unasked goes to `on_push`.

    What is written within one turn of the loop goes out together.
    """

    def __init__(self, address: Address, on_push: Callable[[list[Any]], None], on_lost: Callable[[], None]) -> None:
        self.address = address
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(notEnoughData=NOTHING)
        self._answers: deque[asyncio.Future[Any]] = deque()
        self._unwritten: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._on_push, self._on_lost = on_push, on_lost
        # When the server last said anything.
        self.heard_at = self._loop.time()

    @classmethod
    async def open(
        cls,
        address: Address,
        servers: Servers,
        on_push: Callable[[list[Any]], None] = lambda push: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> "Connection":
        """Raises OSError (TimeoutError is one) or hiredis.HiredisError, as when the password is wrong."""
        connection = cls(address, on_push, on_lost)
        async with asyncio.timeout(SOON_SECONDS):
            await asyncio.get_running_loop().create_connection(lambda: connection, *address, ssl=servers.tls_context)
            hello: list[str] = ["HELLO", "3"]
            if servers.password:
                hello += ["AUTH", servers.username or "default", servers.password]
            try:
                await connection.ask(*hello, "SETNAME", "accountsstore")
            except BaseException:
                connection.abort()
                raise
        return connection

    def ask(self, *command: str | bytes) -> "asyncio.Future[Any]":
        """The future answer. It raises hiredis.ReplyError for a refusal, ConnectionLost when none can come any more."""
        answer = self._loop.create_future()
        if self._transport is None:
            answer.set_exception(ConnectionLost())
        else:
            self._answers.append(answer)
            self.tell(*command)
        return answer

    async def ask_soon(self, *command: str | bytes) -> Any:
        """The answer. Raises TimeoutError as well."""
        async with asyncio.timeout(SOON_SECONDS):
            return await self.ask(*command)

    def ping(self) -> None:
        """Have the server say something."""
        self.ask("PING").add_done_callback(lambda answer: answer.cancelled() or answer.exception())

    def tell(self, *command: str | bytes) -> None:
        """Send a command that is answered by a push, or nobody waits for."""
        if not self._unwritten:
            self._loop.call_soon(self._write)
        self._unwritten.append(hiredis.pack_command(command))  # type: ignore[arg-type]  # its stubs know one length

    def abort(self) -> None:
        """Close now. Safe to repeat."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self) -> None:
        data = b"".join(self._unwritten)
        self._unwritten.clear()
        if self._transport is not None:
            self._transport.write(data)

    # ------------------------------------------------------------ called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        self._reader.feed(data)
        while (message := self._reader.gets()) is not NOTHING:
            if type(message) is hiredis.PushNotification:
                self._on_push(message)
            elif self._answers:
                answer = self._answers.popleft()
                if answer.done():  # nobody waits any more
                    continue
                if isinstance(message, hiredis.ReplyError):
                    answer.set_exception(message)
                else:
                    answer.set_result(message)
            # An error without a question is a refused `tell`.
            elif isinstance(message, hiredis.ReplyError):
                self._on_push([b"refused", message])

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        unanswered, self._answers = self._answers, deque()
        for answer in unanswered:
            if not answer.done():
                answer.set_exception(ConnectionLost())
        self._on_lost()
