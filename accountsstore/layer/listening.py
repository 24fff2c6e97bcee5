"""Being in groups without a channel of one's own, on any channel layer."""

import asyncio
import contextlib
import itertools
import logging
import uuid
from typing import Any, Protocol

import msgspec
import redis
from channels.layers import BaseChannelLayer

from accountsstore.layer.layer import ClusterChannelLayer, Receiver
from accountsstore.layer.pubsub import HOLD_SECONDS

logger = logging.getLogger(__name__)

ECHO_SECONDS = 0.1
"""After which an echo that Redis read before the subscription is sent again; then after twice as long, as all in the group
get each."""


class Listening(Protocol):
    """The groups of one receiver, whose `deliver` is called with bytes for `message_of`."""

    async def join(self, *groups: str) -> None:
        """Return when messages to the groups are handed over. Raises redis.RedisError or OSError."""

    async def leave(self) -> None:
        """Leave all groups. Never raises. Safe to repeat."""


def listening(layer: BaseChannelLayer, receiver: Receiver) -> Listening:
    """For one receiver on the running event loop."""
    if isinstance(layer, ClusterChannelLayer):
        return DirectListening(layer, receiver)
    return ChannelListening(layer, receiver)


def message_of(payload: bytes) -> dict[str, Any]:
    """What was sent to the group."""
    message: dict[str, Any] = msgspec.msgpack.decode(payload)
    return message


class DirectListening:
    """Our own layer hands messages over itself."""

    def __init__(self, layer: ClusterChannelLayer, receiver: Receiver) -> None:
        self._layer, self._receiver = layer, receiver
        self._groups: list[str] = []

    async def join(self, *groups: str) -> None:
        self._groups += groups
        await self._layer.group_listen(groups, self._receiver)

    async def leave(self) -> None:
        for group in self._groups:
            self._layer.group_forget(group, self._receiver)
        self._groups.clear()


class ChannelListening:
    """Any other layer has a channel for each receiver; a task takes what comes there."""

    def __init__(self, layer: BaseChannelLayer, receiver: Receiver) -> None:
        self._layer, self._receiver = layer, receiver
        self._groups: list[str] = []
        self._channel = ""
        self._task: asyncio.Task[None] | None = None
        self._echoes: dict[str, asyncio.Event] = {}

    async def join(self, *groups: str) -> None:
        if self._task is None:
            self._channel = await self._layer.new_channel()
            self._task = asyncio.create_task(self._take())
        for group in groups:
            await self._join(group)

    async def _join(self, group: str) -> None:
        self._groups.append(group)
        await self._layer.group_add(group, self._channel)
        # `group_add` may return before Redis has the subscription; once one of these comes back it has.
        echo = uuid.uuid4().hex
        self._echoes[echo] = heard = asyncio.Event()
        async with asyncio.timeout(HOLD_SECONDS):
            for tries in itertools.count():
                await self._layer.group_send(group, {"type": "echo", "echo": echo})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ECHO_SECONDS * 2**tries):
                        await heard.wait()
                        return

    async def _take(self) -> None:
        while True:
            message = await self._layer.receive(self._channel)
            if message["type"] != "echo":
                self._receiver.deliver(msgspec.msgpack.encode(message))
            elif heard := self._echoes.pop(message["echo"], None):
                heard.set()

    async def leave(self) -> None:
        for group in self._groups:
            try:
                await self._layer.group_discard(group, self._channel)
            except (redis.RedisError, OSError):
                logger.warning("a group was left without Redis")
        self._groups.clear()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
