"""Sharded publish and subscribe, on one Redis or on a cluster whose slots move and whose masters die."""

import asyncio
import dataclasses
import logging
import random
from collections.abc import Callable
from typing import Any

import hiredis
import redis
from prometheus_client import Counter
from redis.crc import key_slot

from accountsstore.layer.connection import ConnectionLost
from accountsstore.layer.slots import QUIET_SECONDS, Node, Slots
from accountsstore.redis import Servers

logger = logging.getLogger(__name__)

# How long a publish or a subscription waits for a Redis that is away. A fail-over takes 7 to 9 s when the cluster
# declares a master dead after 5 s (cluster-node-timeout in deploy/redis/cluster.conf).
HOLD_SECONDS = 15
# Between two looks at who owns which slots, while something is wrong; half as long again at most.
RETRY_SECONDS = 0.2
# Refusals that end once the slots are read again.
PASSING = ("MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN", "LOADING", "MASTERDOWN", "READONLY")
# What may have been missed is told within this, not to everybody at once: each then asks the database.
GAP_SPREAD_SECONDS = 3
# Data begins with the name of its publish. One that is sent again, because nobody knows whether it arrived, is told
# by it: receivers remember the last REMEMBERED and up to as many more (about 2 MB).
NAME_BYTES = 8
REMEMBERED = 10_000

RETRIED = Counter("channel_layer_retried_publishes", "Publishes that failed at first and were sent again")
REPEATED = Counter("channel_layer_repeated_messages", "Messages that came twice and were dropped")


class LayerUnavailable(redis.ConnectionError):
    """Redis was away for too long. Whether what was published has arrived is not known."""


@dataclasses.dataclass(slots=True)
class Subscription:
    slot: int
    # Whose messages arrive; None, or dead, until the subscription stands again.
    node: Node | None = None
    # Whether it has ever stood, so that where it does not there is a gap.
    has_stood: bool = False

    @property
    def stands(self) -> bool:
        return self.node is not None and self.node.is_alive


class ShardedPubSub:
    """Belongs to the running event loop and has one task there.

    `on_message(channel, data)` is called for every message: those that one publisher sent to a channel one after the
    other come in this order. `on_gap(channel)` is called when a subscription stands again that did not for a while:
    messages may have been missed.
    """

    def __init__(
        self, servers: Servers, on_message: Callable[[bytes, bytes], None], on_gap: Callable[[bytes], None]
    ) -> None:
        self._on_message, self._on_gap = on_message, on_gap
        self._loop = asyncio.get_running_loop()
        self._subscriptions: dict[bytes, Subscription] = {}
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._recent: set[bytes] = set()
        self._earlier: set[bytes] = set()
        self._wake = asyncio.Event()
        self._followed = asyncio.Event()
        self._slots = Slots(servers, self._heard, self._wake.set)
        self._task = self._loop.create_task(self._keep())

    # ------------------------------------------------------------ what callers do

    async def publish(self, channel: bytes, data: bytes) -> None:
        """Send `data`, which begins with its name, to the subscribers of `channel`. Returns when Redis has it.

        Raises LayerUnavailable after HOLD_SECONDS, hiredis.ReplyError for a refusal that does not pass.
        """
        slot = key_slot(channel)
        began = self._loop.time()
        if await self._published(slot, channel, data):
            return
        RETRIED.inc()
        try:
            async with asyncio.timeout_at(began + HOLD_SECONDS):
                while True:
                    self._wake.set()
                    await self._followed.wait()
                    if await self._published(slot, channel, data):
                        return
        except TimeoutError:
            raise self._unavailable() from self._slots.error

    async def _published(self, slot: int, channel: bytes, data: bytes) -> bool:
        node, connection = self._slots.owner(slot), self._slots.publisher(slot)
        if node is None or connection is None:
            return False
        try:
            await connection.ask(b"SPUBLISH", channel, data)
        except ConnectionLost:
            return False
        except hiredis.ReplyError as error:
            if not str(error).startswith(PASSING):
                raise
            self._slots.error = error
            self._slots.has_moved(node)
            return False
        return True

    async def subscribe(self, *channels: bytes, hold_seconds: float | None = None) -> None:
        """Return when messages to the channels arrive. Safe to repeat.

        Raises LayerUnavailable after HOLD_SECONDS, or `hold_seconds`; they are wanted until `unsubscribe` nevertheless.
        """
        waiters = [waiter for channel in channels if (waiter := self._subscribed(channel))]
        if not waiters:
            return
        try:
            async with asyncio.timeout(hold_seconds or HOLD_SECONDS):
                for waiter in waiters:
                    await waiter
        except TimeoutError:
            raise self._unavailable() from self._slots.error

    def _subscribed(self, channel: bytes) -> asyncio.Future[None] | None:
        """Done when the subscription stands; None when it does."""
        subscription = self._subscriptions.get(channel)
        if subscription is None:
            subscription = self._subscriptions[channel] = Subscription(key_slot(channel))
            self._place(channel, subscription)
        if subscription.stands:
            return None
        if self._slots.owner(subscription.slot) is None:
            self._wake.set()
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.setdefault(channel, []).append(waiter)
        return waiter

    def unsubscribe(self, channel: bytes) -> None:
        """Safe to repeat."""
        self._waiting.pop(channel, None)
        subscription = self._subscriptions.pop(channel, None)
        if subscription and subscription.node:
            subscription.node.tell(b"SUNSUBSCRIBE", channel)

    async def close(self) -> None:
        """End the task and the connections. Safe to repeat."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _unavailable(self) -> LayerUnavailable:
        return LayerUnavailable(f"Redis is away: {self._slots.error!r}")

    # ------------------------------------------------------------ what a server says

    def _heard(self, node: Node, push: list[Any]) -> None:
        kind, channel = push[0], push[1]
        if kind == b"smessage":
            self._receive(node, channel, push[2])
            return
        if kind == b"refused":
            self._slots.error = channel
            self._moved(node)
            return
        subscription = self._subscriptions.get(channel)
        if kind == b"ssubscribe":
            if subscription is None:  # nobody wants it any more
                node.tell(b"SUNSUBSCRIBE", channel)
                return
            if subscription.has_stood and not subscription.stands:
                self._loop.call_later(random.uniform(0, GAP_SPREAD_SECONDS), self._on_gap, channel)  # noqa: S311
            # Where it stood before it stays until that server ends it: some publishers still send there.
            subscription.node, subscription.has_stood = node, True
            for waiter in self._waiting.pop(channel, ()):
                if not waiter.done():
                    waiter.set_result(None)
        elif kind == b"sunsubscribe" and subscription and subscription.node is node:  # not by us: its slot has moved
            subscription.node = None
            self._moved(node)

    def _moved(self, node: Node) -> None:
        self._slots.has_moved(node)
        self._wake.set()

    def _receive(self, node: Node, channel: bytes, data: bytes) -> None:
        name = data[:NAME_BYTES]
        if name in self._recent or name in self._earlier:
            REPEATED.inc()
            return
        self._recent.add(name)
        if len(self._recent) >= REMEMBERED:
            self._earlier, self._recent = self._recent, set()
        if channel in self._subscriptions:
            self._on_message(channel, data)
        else:
            node.tell(b"SUNSUBSCRIBE", channel)

    # ------------------------------------------------------------ following the slots

    async def _keep(self) -> None:
        self._wake.set()
        try:
            while True:
                try:
                    async with asyncio.timeout(QUIET_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    self._slots.check()
                    continue
                self._wake.clear()
                self._slots.check()
                try:
                    await self._follow()
                except Exception:
                    # The edge: whatever is wrong here, everybody waits for the next try.
                    logger.exception("following the slots failed")
                    self._wake.set()
                await asyncio.sleep(RETRY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
        finally:
            self._slots.close()

    async def _follow(self) -> None:
        is_complete = await self._slots.follow()
        for channel, subscription in self._subscriptions.items():
            is_complete &= self._place(channel, subscription)
        if not is_complete:
            self._wake.set()
        self._followed.set()
        self._followed.clear()

    def _place(self, channel: bytes, subscription: Subscription) -> bool:
        """Subscribe at the slot's owner, unless it stands there. False as long as it does not."""
        owner = self._slots.owner(subscription.slot)
        if subscription.stands and subscription.node is owner:
            return True
        if owner:
            owner.tell(b"SSUBSCRIBE", channel)
        return False
