"""What Channels expects of a layer. channels-redis' pub/sub layer passes the same tests, on the Redis that it is for."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import InMemoryChannelLayer, channel_layers
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings

from accountsstore import realtime
from accountsstore.layer import ClusterChannelLayer, listening, message_of
from accountsstore.redis import channels_redis_host, servers_of
from accountsstore.tests.layer.conftest import SECONDS, rest, take, until

pytestmark = pytest.mark.stack

HI = {"type": "hi"}
LAYERS = ["ours", "channels_redis"]


class StockLayer(RedisPubSubChannelLayer):
    """Its subscriptions go out unanswered, on another connection than messages: here they wait until Redis has them."""

    async def new_channel(self, prefix: str = "specific.") -> str:
        channel: str = await self._get_layer().new_channel(prefix)
        await self._subscribed()
        return channel

    async def group_add(self, group: str, channel: str) -> None:
        await self._get_layer().group_add(group, channel)
        await self._subscribed()

    async def _subscribed(self) -> None:
        (shard,) = self._get_layer()._shards
        host, port = shard._pubsub.connection._writer.get_extra_info("sockname")
        async with asyncio.timeout(SECONDS):
            while True:
                async with shard._lock:
                    clients = await shard._redis.client_list("pubsub")
                if any(c["addr"] == f"{host}:{port}" and int(c["sub"]) >= len(shard._subscribed_to) for c in clients):
                    return


@pytest.fixture(params=LAYERS)
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Any]]:
    """`make()` is a layer; a second one is what another process has."""
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    made: list[Any] = []
    if request.param == "channels_redis" and servers_of(settings.REDIS_URL).is_cluster:
        pytest.skip("channels-redis does not work on a cluster")

    def one() -> Any:
        if request.param == "ours":
            made.append(ClusterChannelLayer(settings.REDIS_URL, prefix=prefix))
        else:
            made.append(StockLayer([channels_redis_host(settings.REDIS_URL)], prefix=prefix))
        return made[-1]

    yield one
    for layer in made:
        await layer.flush()


async def test_what_is_sent_to_a_channel_arrives_in_order(make: Callable[[], Any]) -> None:
    layer = make()
    channel = await layer.new_channel()
    for n in range(20):
        await layer.send(channel, {"type": "hi", "n": n})
    assert [(await take(layer, channel))["n"] for _ in range(20)] == list(range(20))


async def test_every_kind_of_value_arrives_as_it_was(make: Callable[[], Any]) -> None:
    layer = make()
    channel = await layer.new_channel()
    message = {
        "type": "a.b",
        "none": None,
        "deep": [{"x": [1, -2, 2**63, 1.5, True]}],
        "text": "حساب ✓",
        "raw": b"\0\xff",
    }
    await layer.group_add("g", channel)
    for big in ("", "x" * 1_000_000):
        await layer.group_send("g", message | {"big": big})
        assert await take(layer, channel) == message | {"big": big}


async def test_a_group_reaches_its_channels_and_no_other(make: Callable[[], Any]) -> None:
    layer = make()
    first, second, other = [await layer.new_channel() for _ in range(3)]
    await layer.group_add("g", first)
    await layer.group_add("g", second)
    await layer.group_add("another", other)
    await layer.group_send("g", HI)
    assert await take(layer, first) == await take(layer, second) == HI
    assert await rest(layer, first) == await rest(layer, second) == await rest(layer, other) == []


async def test_who_was_added_twice_gets_a_message_once(make: Callable[[], Any]) -> None:
    layer = make()
    channel = await layer.new_channel()
    for _ in range(2):
        await layer.group_add("g", channel)
    await layer.group_send("g", HI)
    assert await take(layer, channel) == HI
    assert await rest(layer, channel) == []


async def test_a_channel_in_two_groups_hears_both(make: Callable[[], Any]) -> None:
    layer = make()
    channel = await layer.new_channel()
    for group in "ab":
        await layer.group_add(group, channel)
        await layer.group_send(group, {"type": "hi", "group": group})
    assert {(await take(layer, channel))["group"] for _ in range(2)} == {"a", "b"}


async def test_who_has_left_hears_nothing_while_the_others_do(make: Callable[[], Any]) -> None:
    layer = make()
    stays, leaves = await layer.new_channel(), await layer.new_channel()
    for channel in (stays, leaves):
        await layer.group_add("g", channel)
    await layer.group_discard("g", leaves)
    await layer.group_discard("g", leaves)
    await layer.group_discard("never", leaves)
    await layer.group_send("g", HI)
    assert await take(layer, stays) == HI
    assert await rest(layer, leaves) == []
    await layer.group_add("g", leaves)
    await layer.group_send("g", HI)
    assert await take(layer, leaves) == HI


async def test_a_group_that_nobody_is_in_takes_messages(make: Callable[[], Any]) -> None:
    await make().group_send("nobody", HI)


async def test_only_channels_of_the_process_can_be_added(make: Callable[[], Any]) -> None:
    here, there = make(), make()
    with pytest.raises(RuntimeError):
        await here.group_add("g", await there.new_channel())


async def test_a_group_spans_processes(make: Callable[[], Any]) -> None:
    here, there = make(), make()
    mine, theirs = await here.new_channel(), await there.new_channel()
    await here.group_add("g", mine)
    await there.group_add("g", theirs)
    for sender in (here, there):
        await sender.group_send("g", HI)
        assert await take(here, mine) == await take(there, theirs) == HI


async def test_a_channel_of_another_process_can_be_sent_to(make: Callable[[], Any]) -> None:
    here, there = make(), make()
    first, second = await there.new_channel(), await there.new_channel("other")
    await here.send(first, HI)
    assert await take(there, first) == HI
    assert await rest(there, second) == []


async def test_a_channel_without_an_owner_reaches_who_receives(make: Callable[[], Any]) -> None:
    here, there = make(), make()
    receiving = asyncio.create_task(take(here, "thumbnails"))
    while not receiving.done():  # nothing says when it began to listen
        await there.send("thumbnails", HI)
        await asyncio.sleep(0.02)
    assert receiving.result() == HI


async def test_many_receivers_get_one_message_each_a_copy_of_its_own(make: Callable[[], Any]) -> None:
    layer = make()
    channels = [await layer.new_channel() for _ in range(200)]
    for channel in channels:
        await layer.group_add("g", channel)
    await layer.group_send("g", {"type": "hi", "list": []})
    messages = await asyncio.gather(*(take(layer, channel) for channel in channels))
    messages[0]["list"].append("changed")
    assert messages[1:] == [{"type": "hi", "list": []}] * 199


async def test_two_who_wait_for_one_channel_get_a_message_each(make: Callable[[], Any]) -> None:
    layer = make()
    channel = await layer.new_channel()
    waiting = [asyncio.create_task(take(layer, channel)) for _ in range(2)]
    await asyncio.sleep(0)
    for n in range(2):
        await layer.send(channel, {"type": "hi", "n": n})
    assert sorted(message["n"] for message in await asyncio.gather(*waiting)) == [0, 1]


async def test_many_groups_at_once_each_get_their_own(make: Callable[[], Any]) -> None:
    here, there = make(), make()
    channels = [await here.new_channel() for _ in range(100)]
    await asyncio.gather(*(here.group_add(f"g{n}", channel) for n, channel in enumerate(channels)))
    await asyncio.gather(*(there.group_send(f"g{n}", {"type": "hi", "n": n}) for n in range(100)))
    assert [(await take(here, channel))["n"] for channel in channels] == list(range(100))


async def test_after_a_flush_nothing_is_left_and_the_layer_goes_on(make: Callable[[], Any]) -> None:
    layer = make()
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    await layer.flush()
    again = await layer.new_channel()
    await layer.group_send("g", HI)
    assert await rest(layer, again) == []
    await layer.group_add("g", again)
    await layer.group_send("g", HI)
    assert await take(layer, again) == HI


@pytest.mark.parametrize("make", LAYERS, indirect=True)
def test_each_event_loop_has_connections_of_its_own(make: Callable[[], Any]) -> None:
    layer = make()

    async def one_day() -> Any:
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
        await layer.group_send("g", HI)
        return await take(layer, channel)

    assert [asyncio.run(one_day()) for _ in range(3)] == [HI] * 3


async def test_ordinary_code_reaches_groups_of_a_layer(
    make: Callable[[], Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = make()
    prefix = layer._prefix if isinstance(layer, ClusterChannelLayer) else layer.prefix
    settings.REDIS_PREFIX = prefix
    monkeypatch.setitem(channel_layers.backends, "default", layer)
    channel = await layer.new_channel()
    groups = ["user.one", "staff.two", "user.three"]
    for group in groups:
        await layer.group_add(group, channel)
    await sync_to_async(realtime.group_send)([*groups, "user.nobody"], {"type": "wallet.changed"})
    messages = [await take(layer, channel) for _ in groups]
    assert messages == [{"type": "deliver", "frame": {"type": "wallet.changed"}}] * 3
    assert await rest(layer, channel) == []


# ---------------------------------------------------------------- without a channel


class Heard:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def deliver(self, payload: bytes) -> None:
        self.messages.append(message_of(payload))

    def miss(self, group: str) -> None:
        self.messages.append({"type": "missed"})


async def test_a_receiver_is_handed_what_its_groups_are_told_from_joining_to_leaving(make: Callable[[], Any]) -> None:
    here, there = make(), make()
    first, second = Heard(), Heard()
    of_first, of_second = listening(here, first), listening(here, second)
    for group in ("a", "b"):
        await of_first.join(group)
    await of_second.join("a")
    for n in range(10):
        await there.group_send("a", {"type": "hi", "n": n})
    await there.group_send("b", HI)
    await until(lambda: len(first.messages) == 11 and len(second.messages) == 10)
    assert [message["n"] for message in second.messages] == list(range(10))
    await of_first.leave()
    await of_first.leave()
    await there.group_send("a", HI)
    await there.group_send("b", HI)
    await until(lambda: len(second.messages) == 11)
    await of_second.join("b")
    await there.group_send("b", HI)
    await until(lambda: len(second.messages) == 12)
    assert len(first.messages) == 11
    await of_second.leave()


async def test_joining_outlasts_an_echo_that_redis_read_before_the_subscription(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = InMemoryChannelLayer()
    sent: list[str] = []
    send = layer.group_send

    async def first_is_lost(group: str, message: dict[str, Any]) -> None:
        sent.append(group)
        if len(sent) > 1:
            await send(group, message)

    monkeypatch.setattr(layer, "group_send", first_is_lost)
    heard = Heard()
    mine = listening(layer, heard)
    await mine.join("a")
    assert sent == ["a", "a"]
    await layer.group_send("a", HI)
    await until(lambda: heard.messages == [HI])
    await mine.leave()
