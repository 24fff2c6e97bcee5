"""What sockets cost: a server process of our own and a crowd that does one thing of the profile `realistic` after the other."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from accountsstore.capacity.meters import Cost, Meters
from accountsstore.events import user_group
from locustfiles.sockets.realistic import PING_SECONDS, Talkers, prepare
from locustfiles.sockets.server_process import Server, free_port

REST_SECONDS, IDLE_SECONDS = 2.0, 4.0
AT_ONCE, TRIES = 10, 10
# How many of each, and in how many seconds: a trickle as in a store, not a burst that is read at once. Messages come as
# close to each other as in a busy process, where they share transactions.
EVENTS, PINGS, MESSAGES = (2_000, 5.0), (2_000, 5.0), (600, 6.0)


class PatientTalkers(Talkers):
    """A few at a time, and again when a busy machine lets a handshake wait until it is given up."""

    async def arrive(self) -> None:
        people = len(self.rooms)
        for first in range(0, people, AT_ONCE):
            await asyncio.gather(*(self._come(person) for person in range(first, min(first + AT_ONCE, people))))
        await self.until(lambda: self.welcomed >= people)

    async def _come(self, person: int) -> None:
        for attempt in range(TRIES):
            try:
                await self._connect(person)
                return
            except ConnectionError:
                if attempt == TRIES - 1:
                    raise


@dataclass
class Sockets:
    operations: dict[str, Cost]
    socket_kb: float
    process_mb: float


async def sockets(meters: Meters, people: int) -> Sockets:
    prepared = await sync_to_async(prepare)(people)
    port = free_port()
    command = [sys.executable, "-m", "accountsstore.capacity.probes", "serve", str(port)]
    async with Server(command, port, {}) as server:
        crowd = PatientTalkers(port, *prepared)
        found: dict[str, Cost] = {}
        memory = server.kilobytes()
        with _spent(meters, server, people) as found["connect"]:
            await crowd.arrive()
            await asyncio.sleep(REST_SECONDS)
        kilobytes = server.kilobytes() - memory
        cpu, began = server.cpu_seconds(), time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (server.cpu_seconds() - cpu) / (time.monotonic() - began)
        layer = get_channel_layer()

        async def event(number: int) -> None:
            frame = {"type": "wallet.changed", "body": f"sent:{0:016}"}
            await layer.group_send(user_group(crowd.users[number % people]), {"type": "deliver", "frame": frame})

        async def ping(number: int) -> None:
            crowd.by_person(number % people).say(b'{"type":"ping"}')

        async def message(number: int) -> None:
            person = number * 7 % people
            crowd.by_person(person).say(crowd.message(person))

        for name, (times, seconds), what in (
            ("event", EVENTS, event), ("ping", PINGS, ping), ("message", MESSAGES, message),
        ):  # fmt: skip
            # The first ones import, and fill caches.
            await _trickle(what, 50, 0.5)
            await asyncio.sleep(0.5)
            with _spent(meters, server, times, idle * (seconds + REST_SECONDS)) as found[name]:
                await _trickle(what, times, seconds)
                await asyncio.sleep(REST_SECONDS)
        if crowd.errors or crowd.acknowledged < MESSAGES[0]:
            raise RuntimeError(f"the crowd got {crowd.errors} errors and {crowd.acknowledged} acknowledgements")
        # What a quiet socket costs (leases, looking for dead peers) goes with the pings, which are as regular.
        found["ping"].own_us += 1e6 * idle / people * PING_SECONDS
        await crowd.leave()
        await layer.flush()
    return Sockets(found, kilobytes / people, memory / 1000)


async def _trickle(what: Callable[[int], Awaitable[None]], times: int, seconds: float) -> None:
    began = time.monotonic()
    for number in range(times):
        if (wait := began + number * seconds / times - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        await what(number)


@contextmanager
def _spent(meters: Meters, server: Any, times: int, besides_seconds: float = 0.0) -> Iterator[Cost]:
    """Fills the Cost of one of `times`, less what the server computes anyhow in that time."""
    cpu = server.cpu_seconds()
    with meters.counting(times) as cost:
        yield cost
    cost.own_us = max(0.0, 1e6 * (server.cpu_seconds() - cpu - besides_seconds) / times)
