"""Counts what is asked of MongoDB, and the connections it is asked over."""

from typing import Any

from prometheus_client import Histogram
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
    ConnectionPoolListener,
)

from accountsstore import tracing
from accountsstore.metrics.catalogue import MONGO, MONGO_FAILED, MONGO_POOL

_open, _in_use = MONGO_POOL.labels("open"), MONGO_POOL.labels("in_use")


class QueryTimes(CommandListener):
    """Collections are those of the models and operations those of the protocol: nobody's input makes a new one."""

    def __init__(self) -> None:
        self._collections: dict[int, str] = {}
        self._timers: dict[tuple[str, str], Histogram] = {}

    def started(self, event: CommandStartedEvent) -> None:
        command = event.command
        collection = command.get("collection" if event.command_name == "getMore" else event.command_name)
        self._collections[event.request_id] = collection if isinstance(collection, str) else "none"

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._observe(event)

    def failed(self, event: CommandFailedEvent) -> None:
        self._observe(event)
        MONGO_FAILED.labels(event.command_name).inc()

    def _observe(self, event: CommandSucceededEvent | CommandFailedEvent) -> None:
        key = self._collections.pop(event.request_id, "none"), event.command_name
        timer = self._timers.get(key)
        if timer is None:
            timer = self._timers[key] = MONGO.labels(*key)
        timer.observe(event.duration_micros / 1000)
        collection, operation = key
        tracing.passed(
            f"{operation} {collection}",
            event.duration_micros,
            db_collection_name=collection,
            db_operation_name=operation,
        )


class PoolSize(ConnectionPoolListener):
    def connection_created(self, event: Any) -> None:
        _open.inc()

    def connection_closed(self, event: Any) -> None:
        _open.dec()

    def connection_checked_out(self, event: Any) -> None:
        _in_use.inc()

    def connection_checked_in(self, event: Any) -> None:
        _in_use.dec()

    def pool_created(self, event: Any) -> None: ...

    def pool_ready(self, event: Any) -> None: ...

    def pool_cleared(self, event: Any) -> None: ...

    def pool_closed(self, event: Any) -> None: ...

    def connection_ready(self, event: Any) -> None: ...

    def connection_check_out_started(self, event: Any) -> None: ...

    def connection_check_out_failed(self, event: Any) -> None: ...


LISTENERS = [QueryTimes(), PoolSize()]
