"""The channel layer: Channels' names and groups on top of sharded publish and subscribe."""

import asyncio
import logging
import os
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import Counter

from accountsstore.layer.pubsub import NAME_BYTES, LayerUnavailable, ShardedPubSub
from accountsstore.redis import Servers, servers_of

logger = logging.getLogger(__name__)

# How long a new process lets its first channel wait for the inbox that other processes reach it by.
INBOX_SECONDS = 1

DROPPED = Counter("channel_layer_dropped_messages", "Messages for a channel whose consumer reads too slowly")


class Receiver(Protocol):
    """Whoever is in a group. `deliver` is called with the same bytes for all of them, `miss` when some of the group's may
    not have come. Neither may wait."""

    def deliver(self, payload: bytes) -> None: ...

    def miss(self, group: str) -> None: ...


class Channel:
    """What waits for one consumer, bounded: while it is full, what comes is dropped and counted."""

    def __init__(self, capacity: int, gap_message: bytes | None) -> None:
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue(capacity)
        self.gap_message = gap_message
        self.readers = 0
        self.joined: set[bytes] = set()

    def deliver(self, payload: bytes) -> None:
        try:
            self.waiting.put_nowait(payload)
        except asyncio.QueueFull:
            DROPPED.inc()

    def miss(self, group: str) -> None:
        if self.gap_message:
            self.deliver(self.gap_message)


class Process:
    """The layer's part on one event loop: its channels, who listens to what, and the connections."""

    def __init__(self, servers: Servers, prefix: str) -> None:
        self.id = uuid.uuid4().hex
        self.inbox = f"{prefix}:inbox:{self.id}".encode()
        self.channels: dict[str, Channel] = {}
        # Name in Redis -> those who get what is published there.
        self.listeners: dict[bytes, set[Receiver]] = {self.inbox: {self}}
        self.pubsub = ShardedPubSub(servers, self._fan_out, self._tell_of_gap)

    def _fan_out(self, name: bytes, data: bytes) -> None:
        payload = data[NAME_BYTES:]
        for receiver in tuple(self.listeners.get(name, ())):
            try:
                receiver.deliver(payload)
            except Exception:
                # The edge: one receiver's fault must not cost the others their message.
                logger.exception("a receiver failed")

    def _tell_of_gap(self, name: bytes) -> None:
        for receiver in tuple(self.listeners.get(name, ())):
            receiver.miss(name.rpartition(b":")[2].decode())

    def deliver(self, payload: bytes) -> None:
        """What another process sends to one channel of this one."""
        name, message = msgspec.msgpack.decode(payload, type=tuple[str, bytes])
        if channel := self.channels.get(name):
            channel.deliver(message)

    def miss(self, group: str) -> None:
        for channel in self.channels.values():
            channel.miss(group)

    async def listen(self, names: Sequence[bytes], receiver: Receiver) -> None:
        """Raises LayerUnavailable; then the receiver listens to none of them."""
        for name in names:
            self.listeners.setdefault(name, set()).add(receiver)
        try:
            await self.pubsub.subscribe(*names)
        except BaseException:
            for name in names:
                self.forget(name, receiver)
            raise

    def forget(self, name: bytes, receiver: Receiver) -> None:
        receivers = self.listeners.get(name)
        if receivers is None:
            return
        receivers.discard(receiver)
        if not receivers:
            del self.listeners[name]
            self.pubsub.unsubscribe(name)

    def close_channel(self, name: str) -> None:
        channel = self.channels.pop(name, None)
        if channel:
            for joined in channel.joined:
                self.forget(joined, channel)


class ClusterChannelLayer(BaseChannelLayer):
    """A channel layer for Redis Cluster, and for one Redis or Valkey: version 7 or later, or Valkey 7.2.

    Groups are channels of sharded pub/sub (SPUBLISH, SSUBSCRIBE), so that a message costs one shard's work, however
    many there are. A process subscribes once per group, however many of its channels are in it, and hands the message
    to each of them itself.

    What it promises:

    - A message is delivered at most once to each channel that is in the group when Redis gets it.
    - When `send`, `group_send` or `group_add` returns, Redis has the message or the subscription.
    - Messages that one sender awaits one after the other arrive in this order, within a group or channel.
    - While Redis is away, a master dies or slots move, they wait and try again; after HOLD_SECONDS they raise
      `LayerUnavailable`. Connections and subscriptions come back by themselves.
    - A channel keeps at most `capacity` messages for a consumer that does not read. `send` to a full channel of the
      same process raises ChannelFull; any other message is dropped and counted (`channel_layer_dropped_messages`).
    - No other loss is silent: channels whose subscription was interrupted get `gap_message` once it stands again.

    What it does not:

    - Nothing is stored: a channel that is not there when a message comes never gets it, and clients resume from the
      database. What one process publishes while another has lost its connection is lost there. When a master is
      replaced or slots move, publishers wait for subscribers (slots.py says how long); lost is what comes while a
      subscriber is slower, or a master hands over on purpose, or from `accountsstore.realtime`, which does not wait.
    - A publish that raised may have been delivered, and one that was sent twice is told by its name only among the last
      REMEMBERED messages of a process.
    - A group holds channels of the process that adds them. A channel without "!" in its name delivers to every process
      that receives from it: for work to be done once there is a job queue.
    - Messages do not expire while they wait. A `receive` that is cancelled ends its channel, which leaves its groups.
    """

    extensions = ["groups", "flush"]

    def __init__(
        self,
        url: str,
        prefix: str = "store",
        capacity: int = 1000,
        channel_capacity: dict[str, int] | None = None,
        gap_message: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(capacity=capacity, channel_capacity=self.compile_capacities(channel_capacity or {}))
        self._servers = servers_of(url)
        if self._servers.sentinel_master:
            raise ImproperlyConfigured(
                "Redis behind Sentinel needs CHANNEL_LAYER=channels_redis; REDIS_URL names Sentinels."
            )
        self._prefix = prefix
        self._gap_message = msgspec.msgpack.encode(gap_message) if gap_message else None
        self._processes: dict[asyncio.AbstractEventLoop, Process] = {}

    def _here(self) -> Process:
        loop = asyncio.get_running_loop()
        if loop not in self._processes:
            for other in [other for other in self._processes if other.is_closed()]:
                del self._processes[other]
            self._processes[loop] = Process(self._servers, self._prefix)
        return self._processes[loop]

    # ------------------------------------------------------------ the wire

    def serialize(self, message: dict[str, Any]) -> bytes:
        """The bytes of one publish: its name, which no other has, and the message."""
        if not isinstance(message, dict):
            raise TypeError(f"a message is a dict, not {type(message).__name__}")
        return os.urandom(NAME_BYTES) + msgspec.msgpack.encode(message)

    def deserialize(self, payload: bytes) -> dict[str, Any]:
        """A message from what a receiver gets: the bytes after the name."""
        message: dict[str, Any] = msgspec.msgpack.decode(payload)
        return message

    def group_name(self, group: str) -> str:
        """The group's channel in Redis."""
        return f"{self._prefix}:group:{group}"

    # ------------------------------------------------------------ channels

    async def new_channel(self, prefix: str = "specific") -> str:
        """A channel of this process that any process can send to."""
        process = self._here()
        try:
            await process.pubsub.subscribe(process.inbox, hold_seconds=INBOX_SECONDS)
        except LayerUnavailable:
            # The inbox comes when Redis does; whoever joins a group hears then how it stands.
            logger.warning("a channel was made without Redis")
        name = f"{prefix.rstrip('.')}.{process.id}!{uuid.uuid4().hex}"
        process.channels[name] = Channel(self.get_capacity(name), self._gap_message)
        return name

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Raises ChannelFull, LayerUnavailable, or TypeError for a bad name or message."""
        self.require_valid_channel_name(channel)
        data = self.serialize(message)
        process = self._here()
        owner = self._owner(channel)
        if owner == process.id:
            mine = process.channels.get(channel)
            if mine and mine.waiting.full():
                raise ChannelFull(channel)
            if mine:
                mine.deliver(data[NAME_BYTES:])
        elif owner:
            parcel = msgspec.msgpack.encode((channel, data[NAME_BYTES:]))
            await process.pubsub.publish(f"{self._prefix}:inbox:{owner}".encode(), data[:NAME_BYTES] + parcel)
        else:
            await process.pubsub.publish(self._shared_name(channel), data)

    async def receive(self, channel: str) -> dict[str, Any]:
        """The next message; of several that wait for one, each gets another. Cancelling the last ends the channel.

        Raises LayerUnavailable for a channel without "!" when Redis is away, ValueError for one of another process.
        """
        process = self._here()
        mine = process.channels.get(channel)
        if mine is None:
            self.require_valid_channel_name(channel)
            if self._owner(channel) not in ("", process.id):
                raise ValueError(f"{channel} belongs to another process")
            mine = process.channels[channel] = Channel(self.get_capacity(channel), self._gap_message)
        mine.readers += 1
        try:
            if "!" not in channel:
                await self._join(process, self._shared_name(channel), mine)
            payload = await mine.waiting.get()
        except BaseException:
            if mine.readers == 1:
                process.close_channel(channel)
            raise
        finally:
            mine.readers -= 1
        return self.deserialize(payload)

    @staticmethod
    def _owner(channel: str) -> str:
        """The id of the process that a channel belongs to; empty for one that anybody may receive from."""
        return channel.partition("!")[0].rpartition(".")[2] if "!" in channel else ""

    def _shared_name(self, channel: str) -> bytes:
        return f"{self._prefix}:channel:{channel}".encode()

    @staticmethod
    async def _join(process: Process, name: bytes, channel: Channel) -> None:
        await process.listen([name], channel)
        channel.joined.add(name)

    # ------------------------------------------------------------ groups

    async def group_add(self, group: str, channel: str) -> None:
        """Return when messages to the group reach the channel. Safe to repeat.

        Raises LayerUnavailable, RuntimeError for a channel that is not of this process, TypeError for a bad name.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        process = self._here()
        if channel not in process.channels:
            raise RuntimeError(f"{channel} is no channel of this process: only those can be in a group")
        await self._join(process, self.group_name(group).encode(), process.channels[channel])

    async def group_listen(self, groups: Sequence[str], receiver: Receiver) -> None:
        """As `group_add` to each, for a receiver that is handed each message as soon as it comes, in the bytes that `deserialize`
        takes: without a channel, a queue and a task of its own. Raises LayerUnavailable, TypeError for a bad name."""
        for group in groups:
            self.require_valid_group_name(group)
        await self._here().listen([self.group_name(group).encode() for group in groups], receiver)

    def group_forget(self, group: str, receiver: Receiver) -> None:
        """End `group_listen`. Safe to repeat, and needs no Redis."""
        self._here().forget(self.group_name(group).encode(), receiver)

    async def group_discard(self, group: str, channel: str) -> None:
        """Safe to repeat, and needs no Redis."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        process = self._here()
        if mine := process.channels.get(channel):
            name = self.group_name(group).encode()
            mine.joined.discard(name)
            process.forget(name, mine)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Raises LayerUnavailable, TypeError for a bad name or message."""
        self.require_valid_group_name(group)
        await self._here().pubsub.publish(self.group_name(group).encode(), self.serialize(message))

    # ------------------------------------------------------------ the end

    async def flush(self) -> None:
        """Forget the channels and groups of this event loop and close its connections. The layer stays usable."""
        if process := self._processes.pop(asyncio.get_running_loop(), None):
            await process.pubsub.close()

    close = flush
