"""Layers that a test may treat as it likes."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.conf import settings

from accountsstore.layer import ClusterChannelLayer
from accountsstore.tests.cluster import cluster, own_cluster  # noqa: F401  # fixtures
from accountsstore.tests.own_valkey import valkey  # noqa: F401

SECONDS = 30


async def until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Until the condition holds; the test fails if it never does."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def take(layer: Any, channel: str) -> Any:
    """The next message of a channel; the test fails if none comes."""
    async with asyncio.timeout(SECONDS):
        return await layer.receive(channel)


async def rest(layer: Any, channel: str) -> list[Any]:
    """Every message that was sent to the channel so far and not yet taken.

    Ends with one of our own on each connection that messages come on: names enough to meet each of three masters.
    """
    names = [f"end{n}" for n in range(8)]
    for name in names:
        await layer.group_add(name, channel)
        await layer.group_send(name, {"type": "end"})
    found: list[Any] = []
    while found.count({"type": "end"}) < len(names):
        found.append(await take(layer, channel))
    for name in names:
        await layer.group_discard(name, channel)
    return [message for message in found if message != {"type": "end"}]


@pytest.fixture
async def layer_at() -> AsyncIterator[Callable[..., ClusterChannelLayer]]:
    """`layer_at(url)` is a layer of ours, as another process has it; all with the same prefix. Closed afterwards."""
    made: list[ClusterChannelLayer] = []
    prefix = f"test-{uuid.uuid4().hex[:8]}"

    def make(url: str = settings.REDIS_URL, **options: Any) -> ClusterChannelLayer:
        made.append(ClusterChannelLayer(url, prefix=prefix, **options))
        return made[-1]

    yield make
    for layer in made:
        await layer.flush()
    # Nothing goes on behind the back of the next test.
    assert asyncio.all_tasks() == {asyncio.current_task()}
