"""What the servers have computed, asked over their own protocols: they may be on other machines."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis
from django.db import connection
from pymongo.errors import PyMongoError

from accountsstore.redis import execute_many, masters

IDLE_SECONDS = 2.0
SPEED_COMMANDS = 20_000


@dataclass
class Cost:
    """Of one operation: CPU in µs of the program, and of the servers it asks."""

    own_us: float = 0.0
    database_us: float = 0.0
    redis_us: float = 0.0
    redis_commands: float = 0.0
    variation: float = 1.0
    worker_us: float = 0.0
    bytes_out: float = 0.0
    routes_us: dict[str, float] = field(default_factory=dict)

    def cost_us(self, program: str) -> dict[str, float]:
        return {program: self.own_us, "mongo": self.database_us, "redis": self.redis_us}


class Meters:
    """Counters of the servers, less what they do anyhow (heartbeats, and the store's customers while it is open)."""

    def __init__(self) -> None:
        """Outside an event loop; what comes later may be inside one."""
        self._inside_us = 0.0
        if connection.vendor == "mongodb":
            connection.ensure_connection()
        self._mongo: Any = connection.connection
        before, began = self._read(), time.monotonic()
        time.sleep(IDLE_SECONDS)
        after, seconds = self._read(), time.monotonic() - began
        self._idle = [(late - early) / seconds for late, early in zip(after, before, strict=True)]

    @contextmanager
    def counting(self, times: int) -> Iterator[Cost]:
        """Fills the Cost with what the servers spend on each of `times` operations of the block."""
        cost = Cost()
        self._inside_us = 0.0
        before, began = self._read(), time.monotonic()
        with connection.execute_wrapper(self._timed):
            yield cost
        after, seconds = self._read(), time.monotonic() - began
        spent = [
            max(0.0, late - early - idle * seconds) / times
            for late, early, idle in zip(after, before, self._idle, strict=True)
        ]
        cost.database_us, cost.redis_us, cost.redis_commands = spent
        if connection.vendor != "mongodb":
            cost.database_us = self._inside_us / times

    def _timed(self, execute: Callable[..., Any], *args: Any) -> Any:
        began = time.thread_time()
        try:
            return execute(*args)
        finally:
            self._inside_us += 1e6 * (time.thread_time() - began)

    def _read(self) -> list[float]:
        """µs CPU of MongoDB's primary, µs CPU and commands of Redis' masters. Zero for what cannot be asked."""
        cpu = commands = 0.0
        for server in masters().values():
            try:
                info: Any = server.info("everything")
            except redis.RedisError:
                continue
            cpu += 1e6 * (info["used_cpu_user"] + info["used_cpu_sys"])
            # INFO itself is one.
            commands += info["total_commands_processed"] - 1
        return [self._mongo_us(), cpu, commands]

    def _mongo_us(self) -> float:
        if connection.vendor != "mongodb":
            return 0.0
        try:
            extra = self._mongo.admin.command("serverStatus")["extra_info"]
        except PyMongoError:
            return 0.0
        return float(extra.get("user_time_us", 0)) + float(extra.get("system_time_us", 0))


def redis_speed() -> float:
    """Commands in a second of a master's CPU: small publishes, as the layer sends them."""

    def cpu() -> float:
        return sum(
            float(info["used_cpu_user"] + info["used_cpu_sys"])
            for info in (one.info("cpu") for one in masters().values())
        )

    before = cpu()
    execute_many([("SPUBLISH", f"capacity:{number % 500}", b"x" * 200) for number in range(SPEED_COMMANDS)])
    spent = cpu() - before
    return SPEED_COMMANDS / spent if spent else 0.0
