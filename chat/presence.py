"""Who is online: a lease per person in Redis. Each process renews those of everybody with an open page there.

Leases end by themselves: after a process was killed, its people are offline within PRESENCE_LEASE_SECONDS. When a page
is closed the lease ends as late, so that the next page of the same person finds them online. So that an end without
anybody to tell it is noticed, whoever wants to know of somebody is told by their own process, which looks at the lease
at each heartbeat.
"""

import asyncio
import contextlib
import logging
import uuid
from collections import Counter
from collections.abc import Collection
from typing import Protocol

import redis
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from accounts.services import users_seen
from accountsstore.redis import answer_or, execute_many

logger = logging.getLogger(__name__)

# A heartbeat comes in parts, so that it takes a little time often rather than much at once.
PARTS = 20


def _key(user_id: uuid.UUID) -> str:
    return f"{settings.REDIS_PREFIX}:online:{user_id.hex}"


def leases_renew(user_ids: Collection[uuid.UUID]) -> None:
    """They have an open page now. Safe to repeat. Raises redis.RedisError."""
    execute_many([("SET", _key(user_id), 1, "EX", settings.PRESENCE_LEASE_SECONDS) for user_id in user_ids])


def online(user_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of `user_ids` who have an open page, or had until PRESENCE_LEASE_SECONDS ago. Raises redis.RedisError."""
    wanted = list(user_ids)
    found = execute_many([("EXISTS", _key(user_id)) for user_id in wanted])
    return {user_id for user_id, is_online in zip(wanted, found, strict=True) if is_online}


def online_if_known(user_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """As `online`; nobody is while Redis is away."""
    return answer_or(set(), lambda: online(user_ids))


class Watcher(Protocol):
    def see(self, user_id: uuid.UUID, *, online: bool) -> None:
        """Somebody who is watched came or went. May not wait."""


class Presence:
    """The people with an open page on one event loop, and whom they watch. Its task runs while there are any."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pages: Counter[uuid.UUID] = Counter()
        self._arrived: dict[uuid.UUID, asyncio.Future[None]] = {}
        self._left: set[uuid.UUID] = set()
        self._watched: dict[uuid.UUID, set[Watcher]] = {}
        self._seen_online: set[uuid.UUID] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def arrive(self, user_id: uuid.UUID) -> None:
        """A page was opened. Returns when the person is online, or that had to be put off. Never raises."""
        self._pages[user_id] += 1
        self._left.discard(user_id)
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._keep())
        if self._pages[user_id] == 1:
            self._arrived[user_id] = self._loop.create_future()
            self._wake.set()
            self._see(user_id, online=True)
        if written := self._arrived.get(user_id):
            await asyncio.shield(written)

    def leave(self, user_id: uuid.UUID) -> None:
        """A page was closed."""
        self._pages[user_id] -= 1
        if self._pages[user_id] <= 0:
            del self._pages[user_id]
            self._left.add(user_id)

    # ------------------------------------------------------------ watching others

    async def watch(self, watcher: Watcher, user_ids: Collection[uuid.UUID]) -> None:
        """Tell how each of them is now, and then each change, until `unwatch`. Never raises."""
        for user_id in user_ids:
            self._watched.setdefault(user_id, set())
        online = await self._look(user_ids)
        for user_id in user_ids:
            self._watched.setdefault(user_id, set()).add(watcher)
            watcher.see(user_id, online=user_id in online)

    def unwatch(self, watcher: Watcher, user_ids: Collection[uuid.UUID]) -> None:
        """Safe to repeat."""
        for user_id in user_ids:
            watchers = self._watched.get(user_id, set())
            watchers.discard(watcher)
            if not watchers:
                self._watched.pop(user_id, None)
                self._seen_online.discard(user_id)

    async def _look(self, user_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Those of them who are online; while Redis is away, who was before. Their watchers are told of changes."""
        if user_ids:
            try:
                found = await sync_to_async(online, thread_sensitive=False)(user_ids)
            except redis.RedisError as error:
                logger.warning("presence is not read", extra={"error": repr(error)})
            else:
                for user_id in user_ids:
                    self._see(user_id, online=user_id in found)
        return self._seen_online.intersection(user_ids)

    def _see(self, user_id: uuid.UUID, *, online: bool) -> None:
        if user_id not in self._watched or online == (user_id in self._seen_online):
            return
        (self._seen_online.add if online else self._seen_online.discard)(user_id)
        for watcher in tuple(self._watched[user_id]):
            watcher.see(user_id, online=online)

    # ------------------------------------------------------------ the heartbeat

    async def _keep(self) -> None:
        step = settings.PRESENCE_HEARTBEAT_SECONDS / PARTS
        part, next_part_at = 0, self._loop.time() + step
        while self._pages or self._left:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(next_part_at):
                    await self._wake.wait()
            self._wake.clear()
            arrived, self._arrived = self._arrived, {}
            try:
                await self._renew(arrived)
            finally:
                for written in arrived.values():
                    written.set_result(None)
            if self._loop.time() >= next_part_at:
                await self._renew([user_id for user_id in self._pages if user_id.int % PARTS == part])
                await self._look([user_id for user_id in self._watched if user_id.int % PARTS == part])
                await self._write_left()
                part, next_part_at = (part + 1) % PARTS, self._loop.time() + step

    async def _renew(self, user_ids: Collection[uuid.UUID]) -> None:
        if not user_ids:
            return
        try:
            await sync_to_async(leases_renew, thread_sensitive=False)(user_ids)
        except redis.RedisError as error:
            # The next heartbeat comes before the lease ends.
            logger.warning("presence is not written", extra={"error": repr(error)})

    async def _write_left(self) -> None:
        """Those who came back meanwhile, as with a link from page to page, have not left."""
        left, self._left = self._left, set()
        if left:
            try:
                await database_sync_to_async(users_seen, thread_sensitive=False)(user_ids=left, at=timezone.now())
            except DatabaseError as error:
                logger.warning("nobody knows when people left", extra={"error": repr(error)})


_here: dict[asyncio.AbstractEventLoop, Presence] = {}


def presence() -> Presence:
    """That of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _here:
        for other in [other for other in _here if other.is_closed()]:
            del _here[other]
        _here[loop] = Presence()
    return _here[loop]
