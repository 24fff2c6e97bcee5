"""What our layer promises beyond what Channels expects."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from channels.exceptions import ChannelFull
from django.core.exceptions import ImproperlyConfigured

from accountsstore.layer import ClusterChannelLayer, LayerUnavailable
from accountsstore.layer.layer import DROPPED
from accountsstore.tests.layer.conftest import rest, take, until
from accountsstore.tests.own_valkey import Valkey

HI = {"type": "hi"}
Make = Callable[..., ClusterChannelLayer]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ü", "a!b!c", "!", "x" * 100, None, 5, b"bytes", "a\nb", "a:b"])
async def test_a_bad_name_is_refused(layer_at: Make, name: Any) -> None:
    layer = layer_at()
    good = await layer.new_channel()
    for attempt in (
        lambda: layer.send(name, HI),
        lambda: layer.receive(name),
        lambda: layer.group_add(name, good),
        lambda: layer.group_add("g", name),
        lambda: layer.group_discard(name, good),
        lambda: layer.group_discard("g", name),
        lambda: layer.group_send(name, HI),
    ):
        with pytest.raises(TypeError):
            await attempt()


@pytest.mark.parametrize("group", ["g", "user.0", "A-b_c.d", "x" * 99])
async def test_a_good_name_is_taken(layer_at: Make, group: str) -> None:
    layer = layer_at()
    await layer.group_add(group, await layer.new_channel())
    await layer.group_send(group, HI)


async def test_a_channels_name_says_whose_it_is(layer_at: Make) -> None:
    here, there = layer_at(), layer_at()
    first, second = await here.new_channel(), await here.new_channel("websocket.")
    assert first.startswith("specific.") and second.startswith("websocket.")
    assert first.partition("!")[0].rpartition(".")[2] == second.partition("!")[0].rpartition(".")[2]
    with pytest.raises(ValueError, match="another process"):
        await there.receive(first)


@pytest.mark.parametrize("message", [None, [], "text", 5])
async def test_a_message_is_a_dict(layer_at: Make, message: Any) -> None:
    layer = layer_at()
    for send in (layer.send, layer.group_send):
        with pytest.raises(TypeError):
            await send("g", message)


# ---------------------------------------------------------------- slow consumers


async def test_a_full_channel_drops_and_counts_while_others_get_everything(layer_at: Make) -> None:
    layer = layer_at(capacity=10, channel_capacity={"large.*": 100})
    slow, quick, large = await layer.new_channel(), await layer.new_channel(), await layer.new_channel("large")
    for channel in (slow, quick, large):
        await layer.group_add("g", channel)
    dropped = DROPPED._value.get()
    received = []
    for n in range(25):
        await layer.group_send("g", {"type": "hi", "n": n})
        received.append((await take(layer, quick))["n"])
    assert received == list(range(25))
    assert [(await take(layer, large))["n"] for _ in range(25)] == list(range(25))
    assert DROPPED._value.get() - dropped == 15
    with pytest.raises(ChannelFull):
        await layer.send(slow, HI)
    assert [(await take(layer, slow))["n"] for _ in range(10)] == list(range(10))
    await layer.send(slow, HI)
    assert await take(layer, slow) == HI


# ---------------------------------------------------------------- what a process costs Redis


async def test_a_process_subscribes_once_per_group_and_leaves_with_its_last_channel(
    layer_at: Make, valkey: Valkey
) -> None:
    here, there = layer_at(valkey.url), layer_at(valkey.url)
    name = here.group_name("g")
    channels = [await here.new_channel() for _ in range(20)]
    for channel in channels:
        await here.group_add("g", channel)
    assert valkey.subscribers(name) == 1
    await there.group_add("g", await there.new_channel())
    assert valkey.subscribers(name) == 2
    for channel in channels[1:]:
        await here.group_discard("g", channel)
    await here.send(channels[0], HI)
    assert await take(here, channels[0]) == HI
    assert valkey.subscribers(name) == 2
    await here.group_discard("g", channels[0])
    await until(lambda: valkey.subscribers(name) == 1)
    await there.flush()
    await until(lambda: valkey.subscribers(name) == 0)


async def test_a_consumer_that_ends_leaves_its_groups_by_itself(layer_at: Make, valkey: Valkey) -> None:
    layer = layer_at(valkey.url)
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    consumer = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)
    consumer.cancel()
    await until(lambda: valkey.subscribers(layer.group_name("g")) == 0)
    [process] = layer._processes.values()
    assert not process.channels
    assert list(process.listeners) == [process.inbox]


async def test_of_two_who_receive_one_may_stop(layer_at: Make) -> None:
    layer = layer_at()
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    stops, goes_on = (asyncio.create_task(layer.receive(channel)) for _ in range(2))
    await asyncio.sleep(0)
    stops.cancel()
    await layer.group_send("g", HI)
    assert await asyncio.wait_for(goes_on, 10) == HI


async def test_coming_and_going_at_once_ends_as_the_last_one_wanted(layer_at: Make, valkey: Valkey) -> None:
    layer = layer_at(valkey.url)
    first, second = await layer.new_channel(), await layer.new_channel()
    for _ in range(50):
        joining = asyncio.create_task(layer.group_add("g", first))
        await asyncio.sleep(0)
        joining.cancel()
        await layer.group_add("g", second)
        await layer.group_send("g", HI)
        assert await take(layer, second) == HI
        await layer.group_discard("g", second)
    assert await rest(layer, second) == await rest(layer, first) == []
    await until(lambda: valkey.subscribers(layer.group_name("g")) == 0)


async def test_closing_leaves_no_task_and_no_connection(layer_at: Make, valkey: Valkey) -> None:
    layer = layer_at(valkey.url)
    await layer.group_add("g", await layer.new_channel())
    assert len(valkey.connections()) == 2
    await layer.flush()
    await layer.flush()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await until(lambda: not valkey.connections())


def test_a_loop_that_ends_without_a_word_leaves_no_connection(valkey: Valkey) -> None:
    layer = ClusterChannelLayer(valkey.url)

    async def join() -> None:
        await layer.group_add("g", await layer.new_channel())

    for _ in range(3):
        asyncio.run(join())
    assert len(layer._processes) == 1

    async def nobody() -> None:
        await until(lambda: not valkey.connections())

    asyncio.run(nobody())


# ---------------------------------------------------------------- addresses


async def test_a_wrong_password_is_said_without_the_right_one(
    layer_at: Make, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accountsstore.layer.pubsub.HOLD_SECONDS", 0.5)
    layer = layer_at(valkey.url.replace("s3cret", "guessed"))
    with pytest.raises(LayerUnavailable, match="WRONGPASS") as refusal:
        await layer.group_send("g", HI)
    assert "guessed" not in str(refusal.value)


def test_sentinels_are_left_to_channels_redis() -> None:
    with pytest.raises(ImproperlyConfigured, match="CHANNEL_LAYER=channels_redis"):
        ClusterChannelLayer("redis+sentinel://127.0.0.1:26379/jobs")
