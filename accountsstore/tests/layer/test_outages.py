"""What becomes of messages when the one Redis dies, hangs, or a connection is cut."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from asgiref.sync import sync_to_async
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accountsstore.layer import ClusterChannelLayer, LayerUnavailable
from accountsstore.layer.pubsub import REPEATED
from accountsstore.redis import execute
from accountsstore.tests.layer.conftest import rest, take, until
from accountsstore.tests.own_valkey import Valkey

HI = {"type": "hi"}
Make = Callable[..., ClusterChannelLayer]


async def joined(layer: ClusterChannelLayer, group: str = "g") -> str:
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    return channel


# ---------------------------------------------------------------- Redis dies


async def test_what_is_published_while_redis_is_away_arrives_once_it_is_back_or_is_told(
    layer_at: Make, valkey: Valkey
) -> None:
    here, there = layer_at(valkey.url, gap_message={"type": "gap"}), layer_at(valkey.url)
    channel = await joined(here)
    await there.group_send("g", {"type": "hi", "n": -1})
    valkey.kill()
    publishing = [asyncio.create_task(there.group_send("g", {"type": "hi", "n": n})) for n in range(50)]
    joining = asyncio.create_task(joined(here, "other"))
    _, unfinished = await asyncio.wait([*publishing, joining], timeout=0.5)
    assert len(unfinished) == 51
    await asyncio.to_thread(valkey.start)
    await asyncio.gather(*publishing)
    other = await joining
    # The publisher may be back before the receiver is: what it sends in between nobody hears.
    await until(lambda: valkey.subscribers(here.group_name("g")) == 1)
    await there.group_send("g", {"type": "hi", "n": 50})
    heard = [await take(here, channel)]
    while heard[-1].get("n") != 50:
        heard.append(await take(here, channel))
    numbers = [message["n"] for message in heard if message["type"] == "hi"]
    assert numbers == sorted(set(numbers))
    assert numbers == list(range(-1, 51)) or {"type": "gap"} in heard
    await there.group_send("other", HI)
    while await take(here, other) != HI:
        pass
    assert [message for message in await rest(here, channel) if message["type"] == "hi"] == []


async def test_who_waits_too_long_is_told_and_leaves_nothing_behind(
    layer_at: Make, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = layer_at(valkey.url)
    channel = await joined(layer)
    monkeypatch.setattr("accountsstore.layer.pubsub.HOLD_SECONDS", 0.3)
    monkeypatch.setattr("accountsstore.layer.layer.INBOX_SECONDS", 0.1)
    valkey.kill()
    with pytest.raises(LayerUnavailable):
        await layer.group_send("g", HI)
    await layer.new_channel()  # as the consumer does that then refuses
    with pytest.raises(LayerUnavailable):
        await layer.group_add("h", channel)
    await layer.group_discard("g", channel)
    await asyncio.to_thread(valkey.start)
    await until(lambda: len(valkey.connections()) == 2)
    await layer.group_add("other", channel)
    assert valkey.subscribers(layer.group_name("g")) == valkey.subscribers(layer.group_name("h")) == 0


async def test_a_refused_join_is_forgotten(layer_at: Make, valkey: Valkey) -> None:
    layer = layer_at(valkey.url)
    channel = await layer.new_channel()
    valkey.kill()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await layer.group_add("g", channel)
    await asyncio.to_thread(valkey.start)
    await layer.group_add("h", channel)
    assert valkey.subscribers(layer.group_name("g")) == 0
    await layer.group_send("g", HI)
    assert await rest(layer, channel) == []


async def test_a_layer_may_start_before_redis_does(layer_at: Make, valkey: Valkey) -> None:
    valkey.kill()
    layer = layer_at(valkey.url)
    joining = asyncio.create_task(joined(layer))
    await asyncio.sleep(0)
    await asyncio.to_thread(valkey.start)
    channel = await joining
    await layer.group_send("g", HI)
    assert await take(layer, channel) == HI
    await layer_at(valkey.url).send(channel, HI)
    assert await take(layer, channel) == HI


async def test_a_redis_that_hangs_is_given_up_and_found_again(
    layer_at: Make, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("QUIET", 0.2), ("SILENT", 0.8)):
        monkeypatch.setattr(f"accountsstore.layer.slots.{name}_SECONDS", seconds)
    monkeypatch.setattr("accountsstore.layer.pubsub.QUIET_SECONDS", 0.2)
    monkeypatch.setattr("accountsstore.layer.connection.SOON_SECONDS", 0.3)
    here, there = layer_at(valkey.url), layer_at(valkey.url)
    channel = await joined(here)
    await there.new_channel()
    slots = [process.pubsub._slots for layer in (here, there) for process in layer._processes.values()]
    valkey.freeze()
    try:
        publishing = asyncio.create_task(there.group_send("g", HI))
        await until(lambda: all(one.error for one in slots))
    finally:
        valkey.thaw()
    await publishing
    # Redis carries out both tries: still one message.
    assert await take(here, channel) == HI
    await there.group_send("g", {"type": "hi", "n": 2})
    assert await take(here, channel) == {"type": "hi", "n": 2}
    assert await rest(here, channel) == []


# ---------------------------------------------------------------- connections are cut


async def test_cut_connections_come_back_and_deliver_everything_once(
    layer_at: Make, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accountsstore.layer.slots.DEAD_SETTLE_SECONDS", 0.5)
    here, there = layer_at(valkey.url), layer_at(valkey.url)
    channel = await joined(here)
    sent = 0
    for _ in range(5):
        for connection in valkey.connections():
            valkey.client.client_kill_filter(_id=connection["id"])
        # A lost subscription may miss what comes meanwhile, so publish only what must arrive: after it stands again.
        await here.group_add("g", channel)
        for _ in range(5):
            await there.group_send("g", {"type": "hi", "n": sent})
            sent += 1
    [pubsub] = [process.pubsub for process in here._processes.values()]
    await until(lambda: not pubsub._wake.is_set() and len(valkey.connections()) == 4)
    found = [message["n"] for message in await rest(here, channel)]
    assert found
    assert found == sorted(set(found))
    for n in range(20):
        await there.group_send("g", {"type": "hi", "n": sent + n})
    assert [(await take(here, channel))["n"] for _ in range(20)] == list(range(sent, sent + 20))
    assert await rest(here, channel) == []


class Proxy:
    """Stands between a layer and its Redis, and passes on what it is told to."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.target, self.tls = port, tls
        self.answers = True
        self.asked = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cut()
        self.server.close()

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.writers += [writer, there_writer]
        await asyncio.gather(
            self._pass(reader, there_writer, True), self._pass(there_reader, writer, False), return_exceptions=True
        )

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_question: bool) -> None:
        while data := await reader.read(65536):
            if is_question:
                self.asked += b"SPUBLISH" in data
            elif not self.answers:
                continue
            writer.write(data)
        writer.transport.abort()


@pytest.fixture
async def proxy(valkey: Valkey) -> AsyncIterator[Proxy]:
    async with Proxy(valkey.port) as one:
        yield one


async def test_a_publish_whose_answer_was_lost_is_sent_again_and_arrives_once(
    layer_at: Make, valkey: Valkey, proxy: Proxy
) -> None:
    receiver = layer_at(valkey.url)
    channel = await joined(receiver)
    sender = layer_at(valkey.url.replace(str(valkey.port), str(proxy.port)))
    await sender.group_send("g", {"type": "hi", "n": 0})
    repeated = REPEATED._value.get()
    proxy.answers = False
    publishing = asyncio.create_task(sender.group_send("g", {"type": "hi", "n": 1}))
    await until(lambda: proxy.asked == 2)
    assert [(await take(receiver, channel))["n"] for _ in range(2)] == [0, 1]
    assert not publishing.done()
    proxy.answers = True
    proxy.cut()
    await publishing
    assert await rest(receiver, channel) == []
    assert REPEATED._value.get() - repeated == 1


async def test_a_subscription_is_not_doubled_by_a_connection_that_only_seems_lost(
    layer_at: Make, valkey: Valkey, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server still delivers to the old connection while the new one stands."""
    layer = layer_at(valkey.url.replace(str(valkey.port), str(proxy.port)))
    channel = await joined(layer)
    [pubsub] = [process.pubsub for process in layer._processes.values()]
    [node] = pubsub._slots._nodes.values()
    # Forgotten without being closed.
    old, node.messages = node.messages, None
    pubsub._slots._lost(node)
    await until(lambda: valkey.subscribers(layer.group_name("g")) == 2)
    await layer.group_add("g", channel)
    await layer_at(valkey.url).group_send("g", HI)
    assert await take(layer, channel) == HI
    assert await rest(layer, channel) == []
    old.abort()


# ---------------------------------------------------------------- encryption


def certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


def encrypted(valkey: Valkey, proxy: Proxy) -> str:
    return valkey.url.replace("redis:", "rediss:").replace(f"127.0.0.1:{valkey.port}", f"localhost:{proxy.port}")


async def test_an_encrypted_connection_is_checked_against_the_authority_named(
    layer_at: Make, valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Proxy(valkey.port, certificate(tmp_path)) as proxy:
        address = encrypted(valkey, proxy)
        layer = layer_at(f"{address}?ssl_ca_certs={tmp_path / 'ca.pem'}")
        channel = await joined(layer)
        await layer.group_send("g", HI)
        assert await take(layer, channel) == HI
        monkeypatch.setattr("accountsstore.layer.pubsub.HOLD_SECONDS", 0.5)
        with pytest.raises(LayerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await layer_at(address).group_send("g", HI)
        await layer.flush()


async def test_so_is_that_of_code_outside_the_event_loop(settings: Any, valkey: Valkey, tmp_path: Path) -> None:
    ask = sync_to_async(execute, thread_sensitive=False)
    async with Proxy(valkey.port, certificate(tmp_path)) as proxy:
        settings.REDIS_URL = f"{encrypted(valkey, proxy)}?ssl_ca_certs={tmp_path / 'ca.pem'}"
        assert await ask("SET", "x", 1)
        assert await ask("GET", "x") == b"1"
        settings.REDIS_URL = encrypted(valkey, proxy)
        with pytest.raises(redis.RedisError, match="CERTIFICATE_VERIFY_FAILED"):
            await ask("GET", "x")
