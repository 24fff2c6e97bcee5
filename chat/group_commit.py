"""Messages that arrive while others are being written are written together: the group commit of databases.

A message is eight commands to MongoDB, whether one is written or twenty. A quiet process writes each at once; the more
there is to do, the more one transaction carries, and the less each message costs.
"""

import asyncio
import math
from typing import Any

from channels.db import database_sync_to_async

from chat import frames, socket_work

# A second transaction does not wait for one that is held up. With more of them each would carry less.
TRANSACTIONS_AT_ONCE = 2
# A transaction of MongoDB should write no more than 1,000 rows; a message writes four.
MESSAGES_AT_ONCE = 64
# What comes sooner than this after a transaction began waits for more of its kind. Nobody feels it, and 3,000 people who
# talk cost a process 0.24 of a CPU instead of 0.33 (docs/operations/performance.md).
GATHER_SECONDS = 0.05

Asked = tuple[dict[str, Any], frames.MessageSend]


class GroupCommit:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Asked, asyncio.Future[list[Any]]]] = []
        self._began_at = -math.inf
        self._transactions: set[asyncio.Task[None]] = set()

    async def answer(self, scope: dict[str, Any], frame: frames.MessageSend) -> list[Any]:
        """As `socket_work.answer`; raises what that raises. Who stops waiting has sent the message all the same."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(((scope, frame), future))
        if len(self._transactions) < TRANSACTIONS_AT_ONCE:
            task = asyncio.create_task(self._write())
            self._transactions.add(task)
            task.add_done_callback(self._transactions.discard)
        return await future

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if (early := self._began_at + GATHER_SECONDS - loop.time()) > 0:
                await asyncio.sleep(early)
                # The other transaction may have taken them meanwhile.
                continue
            self._began_at = loop.time()
            batch = self._waiting[:MESSAGES_AT_ONCE]
            del self._waiting[: len(batch)]
            asked = [each for each, _future in batch]
            results: list[list[Any] | Exception]
            try:
                # In a thread of the pool: in the one thread that is the default, all would wait for it.
                results = await database_sync_to_async(socket_work.answer_together, thread_sensitive=False)(asked)
            except Exception as error:
                results = [error] * len(batch)
            for (_each, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)


_here: dict[asyncio.AbstractEventLoop, GroupCommit] = {}


def group_commit() -> GroupCommit:
    """That of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _here:
        for other in [other for other in _here if other.is_closed()]:
            del _here[other]
        _here[loop] = GroupCommit()
    return _here[loop]
