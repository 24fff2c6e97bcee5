"""People who use the store while it is replaced: pages, a form, and a tab's socket."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from locustfiles.release.tab import ANSWER_SECONDS, Sockets, Tab

PAGES = ("/", "/browse/", "/help/", "/notifications/")
FORM = "/notifications/read/"


@dataclass
class Seen:
    """What all of them together have noticed."""

    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    resent: int = 0
    slowest: float = 0.0
    sockets: Sockets = field(default_factory=Sockets)

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
        self._tab = Tab(
            lambda: http.ws_connect(f"{origin}/ws/", headers=self._headers, server_hostname=name), seen.sockets
        )

    async def live(self, stop: asyncio.Event) -> None:
        socket = asyncio.create_task(self._tab.stay())
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
