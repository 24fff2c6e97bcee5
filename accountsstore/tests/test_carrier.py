"""What a server of sockets sends without waiting arrives, is noted many at once, and is never lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from accountsstore import outbox
from accountsstore.carrier import Carrier
from accountsstore.db import atomic, uuid7
from accountsstore.events import Receipt, user_group
from accountsstore.layer.pubsub import LayerUnavailable
from accountsstore.models import OutboxEvent
from accountsstore.outbox import events_note

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

USER = uuid7()


@atomic
def say(count: int) -> None:
    for seq in range(count):
        outbox.publish(Receipt(conversation="c", user=USER.hex, delivered_seq=seq, read_seq=seq), to=[USER])


async def tell(count: int) -> None:
    await sync_to_async(say, thread_sensitive=False)(count)


@pytest.fixture(autouse=True)
async def layer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[object]:
    monkeypatch.setattr(outbox, "carrier", Carrier(asyncio.get_running_loop()))
    layer = get_channel_layer()
    yield layer
    await layer.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.05)


async def all_noted() -> bool:
    return not await OutboxEvent.objects.filter(pending=True).aexists()


async def test_frames_arrive_and_are_noted_together(layer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[int] = []

    def note(rows: list[OutboxEvent]) -> None:
        noted.append(len(rows))
        events_note(rows)

    monkeypatch.setattr(outbox, "events_note", note)
    channel = await layer.new_channel()
    await layer.group_add(user_group(USER), channel)
    await tell(3)
    async with asyncio.timeout(20):
        frames = [(await layer.receive(channel))["frame"] for _ in range(3)]
    assert sorted(frame["read_seq"] for frame in frames) == [0, 1, 2]
    await until(all_noted)
    assert noted == [3]
    rows = [row async for row in OutboxEvent.objects.all()]
    assert {row.pk.hex for row in rows} == {frame["event"] for frame in frames}
    assert all(row.frame_sent_at and row.handled_at for row in rows)


async def test_what_redis_did_not_take_waits_for_the_clock(layer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def away(group: str, message: object) -> None:
        tried.append(group)
        raise LayerUnavailable

    with monkeypatch.context() as outage:
        outage.setattr(layer, "group_send", away)
        await tell(1)

        async def was_tried() -> bool:
            return bool(tried)

        await until(was_tried)
    await tell(1)

    async def one_is_noted() -> bool:
        return await OutboxEvent.objects.filter(pending=True).acount() == 1

    await until(one_is_noted)
    kept = await OutboxEvent.objects.aget(pending=True)
    assert (kept.frame_sent_at, kept.payload["read_seq"]) == (None, 0)


async def test_events_with_a_job_take_the_other_way(layer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their job is queued before anybody goes on."""
    queued: list[str] = []
    monkeypatch.setitem(outbox._subscribers, Receipt.type, [lambda event, at: None])
    monkeypatch.setattr(outbox, "enqueue", lambda task, row_id: queued.append(row_id.hex))
    await tell(1)
    row = await OutboxEvent.objects.aget()
    assert queued == [row.pk.hex]
    assert row.frame_sent_at
