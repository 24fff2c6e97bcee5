"""What each process says of itself once a second, as long as it does something: its CPU, memory and pools."""

import os
import time
from pathlib import Path

from accountsstore import redis
from accountsstore.metrics import values
from accountsstore.metrics.catalogue import CPU, MEMORY, REDIS_POOL

EVERY_SECONDS = 1
STATM = Path("/proc/self/statm")

_due_at = 0.0


def publish_if_due(now: float) -> None:
    """`now` is of time.perf_counter()."""
    global _due_at
    if now >= _due_at:
        _due_at = now + EVERY_SECONDS
        publish()


def publish() -> None:
    program = values.program()
    # A counter that the system keeps.
    CPU.labels(program)._value.set(time.process_time())
    if memory := _memory():
        MEMORY.labels(program).set(memory)
    open_connections, in_use = redis.connections()
    REDIS_POOL.labels("open").set(open_connections)
    REDIS_POOL.labels("in_use").set(in_use)


def _memory() -> int:
    """Bytes; 0 where the system does not say."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
