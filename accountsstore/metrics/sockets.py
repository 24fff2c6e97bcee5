"""What the sockets of this process do. They are counted in plain numbers, which their one thread alone changes: one
written to a file costs as much as a part of a delivery. Once a second the numbers are told."""

import asyncio
import time
from typing import Protocol

from accountsstore.metrics import process
from accountsstore.metrics.catalogue import (
    LOOP_LAG,
    SOCKET_DELIVERIES,
    SOCKET_MESSAGES,
    SOCKETS_OPEN,
    WAITING_BYTES,
    WAITING_SOCKETS,
)

# The event loop is looked at so often.
STEP_SECONDS = 0.25
# A machine that slept for a night did not have a busy loop.
LONGEST_LAG_SECONDS = 60


class SlowReader(Protocol):
    def waiting_bytes(self) -> int: ...


class Count:
    __slots__ = ("delivered", "open", "received", "slow", "told_delivered", "told_received")

    def __init__(self) -> None:
        self.open = self.received = self.delivered = 0
        self.told_received = self.told_delivered = 0
        # Sockets for which something waited when they were last written to.
        self.slow: set[SlowReader] = set()

    def tell(self) -> None:
        SOCKETS_OPEN.set(self.open)
        SOCKET_MESSAGES.inc(self.received - self.told_received)
        SOCKET_DELIVERIES.inc(self.delivered - self.told_delivered)
        self.told_received, self.told_delivered = self.received, self.delivered
        waiting = {socket: size for socket in self.slow if (size := socket.waiting_bytes())}
        self.slow = set(waiting)
        WAITING_SOCKETS.set(len(waiting))
        WAITING_BYTES.set(sum(waiting.values()))


count = Count()


class Watch:
    """Looks at the event loop from now on, and tells what was counted."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_at = loop.time() + STEP_SECONDS
        loop.call_at(self._due_at, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        lag = max(0.0, now - self._due_at)
        # Whoever came while the loop was busy waited for the rest of it: each look that did not happen counts.
        while True:
            LOOP_LAG.observe(lag * 1000)
            lag = min(lag, LONGEST_LAG_SECONDS) - STEP_SECONDS
            if lag <= 0:
                break
        count.tell()
        process.publish_if_due(time.perf_counter())
        self._due_at = now + STEP_SECONDS
        self._loop.call_at(self._due_at, self._look)
