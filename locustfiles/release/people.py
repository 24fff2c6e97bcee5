"""People who use the store while it is replaced: pages, a form, and a socket that comes back as a browser's does."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from accountsstore.socket_writer import RESTARTING

PAGES = ("/", "/browse/", "/help/", "/notifications/")
FORM = "/notifications/read/"
# As accountsstore/static/js/socket.js has them.
PING_SECONDS, RESTART_WAIT_SECONDS, FIRST_WAIT_SECONDS = 25, 1.5, 0.5
ANSWER_SECONDS = 30


@dataclass
class Seen:
    """What all of them together have noticed."""

    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    resent: int = 0
    slowest: float = 0.0
    closes: Counter[int | None] = field(default_factory=Counter)
    # Seconds from each close to the next welcome.
    away: list[float] = field(default_factory=list)
    connected: int = 0

    @property
    def requests(self) -> int:
        return self.answers.total() + len(self.failures)


class Person:
    def __init__(self, origin: str, name: str, session: str, http: aiohttp.ClientSession, seen: Seen) -> None:
        self._http, self._seen = http, seen
        self._at, self._name = origin, name
        port = origin.rsplit(":", 1)[1]
        self._token = "a" * 32
        self._headers = {
            "Host": f"{name}:{port}",
            "Origin": f"https://{name}:{port}",
            "Referer": f"https://{name}:{port}/",
            "Cookie": f"sessionid={session}; csrftoken={self._token}",
        }

    async def live(self, stop: asyncio.Event) -> None:
        socket = asyncio.create_task(self._hold_a_socket())
        try:
            while not stop.is_set():
                await self._ask("GET", random.choice(PAGES))
                await self._pause(stop)
                await self._ask("POST", FORM)
                await self._pause(stop)
        finally:
            socket.cancel()
            await asyncio.gather(socket, return_exceptions=True)

    async def _pause(self, stop: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(stop.wait(), random.uniform(0.5, 1.5))
        except TimeoutError:
            pass

    async def _ask(self, method: str, path: str) -> None:
        began = time.monotonic()
        for attempt in (1, 2):
            try:
                async with self._http.request(
                    method,
                    self._at + path,
                    headers=self._headers | {"X-CSRFToken": self._token},
                    server_hostname=self._name,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(ANSWER_SECONDS),
                ) as answer:
                    await answer.read()
                    status = answer.status
                break
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # An idle connection that nginx had just closed: every browser sends again on a new one, once.
                if attempt == 2:
                    self._seen.failures.append(f"{method} {path}: {error!r}")
                    return
                self._seen.resent += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                self._seen.failures.append(f"{method} {path}: {error!r}")
                return
        self._seen.slowest = max(self._seen.slowest, time.monotonic() - began)
        if status in (200, 302):
            self._seen.answers[status] += 1
        else:
            self._seen.failures.append(f"{method} {path}: {status}")

    async def _hold_a_socket(self) -> None:
        closed_at, tries = 0.0, 0
        while True:
            code: int | None = None
            try:
                async with self._http.ws_connect(
                    f"{self._at}/ws/", headers=self._headers, server_hostname=self._name
                ) as socket:
                    code = await self._listen(socket, closed_at)
                    tries = 0
                    self._seen.connected -= 1
                    self._seen.closes[code] += 1
                    closed_at = time.monotonic()
            except (aiohttp.ClientError, OSError, TimeoutError):
                tries += 1
            longest = RESTART_WAIT_SECONDS if code == RESTARTING else FIRST_WAIT_SECONDS * 2**tries
            await asyncio.sleep(random.random() * longest)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, closed_at: float) -> int | None:
        """Until the socket closes: why it did."""
        welcome = await socket.receive_json(timeout=ANSWER_SECONDS)
        assert welcome["type"] == "welcome", welcome
        self._seen.connected += 1
        if closed_at:
            self._seen.away.append(time.monotonic() - closed_at)
        try:
            while True:
                try:
                    message = await socket.receive(timeout=PING_SECONDS)
                except TimeoutError:
                    await socket.send_json({"type": "ping"})
                    continue
                if message.type != aiohttp.WSMsgType.TEXT:
                    return socket.close_code
        except asyncio.CancelledError:
            self._seen.connected -= 1
            raise
