"""How frames leave a server of sockets: through its channel layer, and noted many at once.

`outbox.event_send` publishes through a client that waits, and notes each event by a write of its own: a quarter of what a
message costs such a server. Only events that no job handles come here.
"""

import asyncio
import logging

import redis
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError

from accountsstore import outbox
from accountsstore.models import OutboxEvent

logger = logging.getLogger(__name__)

# Below STRAGGLER_AFTER, when the clock takes a row for one that was left behind.
NOTE_SECONDS = 0.5


class Carrier:
    """Belongs to one event loop. What it has not noted when its process ends the clock sends again; clients know a
    repeat by the event's id."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._under_way: set[asyncio.Task[None]] = set()
        self._sent: list[OutboxEvent] = []
        self._noting: asyncio.Task[None] | None = None

    def take(self, row: OutboxEvent) -> None:
        """Carry the row's frame. From any thread, after the commit."""
        self._loop.call_soon_threadsafe(self._start, row)

    def _start(self, row: OutboxEvent) -> None:
        # A group whose Redis is away holds nobody else up.
        task = self._loop.create_task(self._carry(row))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry(self, row: OutboxEvent) -> None:
        layer = get_channel_layer()
        message = {"type": "deliver", "frame": outbox.frame(row)}
        try:
            for group in row.groups:
                await layer.group_send(group, message)
        except (redis.RedisError, OSError) as error:
            outbox.log_kept(row, error)
            return
        self._sent.append(row)
        if self._noting is None:
            self._noting = self._loop.create_task(self._note())

    async def _note(self) -> None:
        await asyncio.sleep(NOTE_SECONDS)
        sent, self._sent, self._noting = self._sent, [], None
        try:
            await database_sync_to_async(outbox.events_note, thread_sensitive=False)(sent)
        except DatabaseError as error:
            logger.warning("events were sent and not noted", extra={"events": len(sent), "error": repr(error)})
