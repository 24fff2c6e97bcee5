"""Our Daphne: what is written past its queues arrives whole and in order, to the fast and to the slow."""

import asyncio
import os
import socket as socket_module
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from accountsstore.socket_writer import RESTARTING
from accountsstore.tests.programs import eventually, free_port, program, program_env, run_python
from accountsstore.tests.test_websocket_frames import client_frame

SECONDS = 60
ONE, TWO = client_frame(b"one"), client_frame(b"two")
# A message and a ping whose frames end in what would be a frame by itself: after five bytes, and after six.
DISGUISE = client_frame(b"ha", mask=b"\x01\x02\x83\x84")
AFTER_5, AFTER_6 = (
    client_frame(client_frame(hidden, mask=mask)[6:], first, mask)
    for hidden, first, mask in [(DISGUISE[1:], 0x81, b"\x80\x00\x00\x81"), (DISGUISE, 0x89, b"\x80\x80\x00\x00")]
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    number = free_port()
    log = tmp_path_factory.mktemp("server") / "log"
    with program(log, "-m", "accountsstore.tests.frames_app", str(number), env=dict(os.environ)):
        eventually(lambda: asyncio.run(answers(number)), "the server does not start", log)
        yield number
    assert "Traceback" not in log.read_text()


async def answers(port: int) -> bool:
    try:
        (await asyncio.open_connection("127.0.0.1", port))[1].close()
    except OSError:
        return False
    return True


@pytest.fixture
async def socket(port: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"http://127.0.0.1:{port}/", max_msg_size=0) as one,
    ):
        yield one


async def texts(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    async with asyncio.timeout(SECONDS):
        return [await socket.receive_str() for _ in range(count)]


async def test_what_is_written_and_what_is_sent_arrive_in_their_order(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_str("both")
    assert await texts(socket, 4) == ["direct 0", "asgi 1", "direct 2", "asgi 3"]


async def test_a_browser_that_offers_compression_is_served_without_it(port: int) -> None:
    """It costs 100 kB a connection."""
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"http://127.0.0.1:{port}/", compress=15) as socket,
    ):
        assert socket.compress == 0
        await socket.send_str("both")
        assert await texts(socket, 4) == ["direct 0", "asgi 1", "direct 2", "asgi 3"]


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 300_000])
async def test_frames_of_every_length_arrive_whole(socket: aiohttp.ClientWebSocketResponse, size: int) -> None:
    await socket.send_str(f"many 3 {size}")
    *numbered, waited = await texts(socket, 4)
    assert numbered == [str(n).rjust(size) for n in range(3)]
    assert waited.startswith("waited ")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([client_frame("fünf".encode())], ["fünf"]),
        ([client_frame(b"x" * 126)], ["x" * 126]),
        ([client_frame(b"")], [""]),
        ([ONE + TWO], ["one", "two"]),
        ([ONE[:3], ONE[3:]], ["one"]),
        ([client_frame(b"one, ", 0x01), client_frame(b"two", 0x80)], ["one, two"]),
        ([ONE[:5], ONE[5:] + TWO[:4], TWO[4:]], ["one", "two"]),
        ([AFTER_5[:5], AFTER_5[5:]], ["\2\1\2\2\4ic"]),
        ([AFTER_6[:6], AFTER_6[6:]], ["8a 0102"]),
        ([client_frame(b"", 0x89), ONE], ["8a ", "one"]),
        # A message within another, and what is not UTF-8: closed with what RFC 6455 says, 1002 and 1007.
        ([client_frame(b"one, ", 0x01), TWO], ["88 03ea"]),
        ([client_frame(b"\xff")], ["88 03ef"]),
    ],
    ids=[
        "short",
        "long",
        "empty",
        "two at once",
        "in pieces",
        "in fragments",
        "across",
        "disguised 5",
        "disguised 6",
        "ping",
        "within",
        "not UTF-8",
    ],
)
async def test_what_a_client_says_is_heard_however_it_comes(
    port: int, socket: aiohttp.ClientWebSocketResponse, parts: list[bytes], said: list[str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.get_extra_info("socket").setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1)
    heard = []
    async with asyncio.timeout(SECONDS):
        for part in [HANDSHAKE, *parts]:
            writer.write(part)
            await writer.drain()
            # The server has read it when it has answered somebody who asked later.
            await socket.send_str("later")
            assert await texts(socket, 1) == ["later"]
        await reader.readuntil(b"\r\n\r\n")
        for _ in said:
            kind, length = await reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await reader.readexactly(2), "big")
            text = await reader.readexactly(length)
            heard.append(text.decode() if kind == 0x81 else f"{kind:x} {text[:2].hex()}")
    writer.close()
    assert heard == said


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def answer_to(port: int, *parts: bytes) -> bytes:
    """The status line of what comes back for these bytes, sent one part after the other was taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.get_extra_info("socket").setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1)
    try:
        async with asyncio.timeout(SECONDS):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return (await reader.readline()).strip()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "parts",
    [
        [HANDSHAKE],
        # Whatever does not come whole, or could be read in two ways, goes the long way.
        [HANDSHAKE[:20], HANDSHAKE[20:]],
        [HANDSHAKE.replace(b"Host: localhost", b"Host: localhost\r\nX-Name: \xc3\xa9")],
    ],
    ids=["whole", "in parts", "with letters beyond ASCII"],
)
async def test_a_request_for_a_socket_is_answered_however_it_comes(port: int, parts: list[bytes]) -> None:
    assert await answer_to(port, *parts) == b"HTTP/1.1 101 Switching Protocols"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"Host: localhost", b"Host: localhost\r\nX-Name: a\x0bOrigin: http://other"), b"HTTP/1.1 400 Bad Request"),
        ((b"Host: localhost", b"Host: localhost\r\nHost: other"), b"HTTP/1.1 400"),
        ((b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), b"HTTP/1.1 400"),
        ((b"GET /", b"GET /?a=%zz#piece"), b"HTTP/1.1 400"),
    ],
)
async def test_a_request_that_is_wrong_is_refused(port: int, change: tuple[bytes, bytes], status: bytes) -> None:
    assert (await answer_to(port, HANDSHAKE.replace(*change))).startswith(status)


@pytest.mark.parametrize("head", [b"GET " + b"?" * 60_000, b"GET / HTTP/1.1\r\n" + b"upgrade: websocket\r\n" * 3_000])
async def test_a_head_made_to_be_hard_to_read_holds_nobody_up(
    port: int, socket: aiohttp.ClientWebSocketResponse, head: bytes
) -> None:
    """A pattern that tries every way to read it would take minutes."""
    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    await writer.drain()
    await socket.send_str("both")
    assert len(await texts(socket, 4)) == 4
    writer.close()


async def test_what_waits_for_a_slow_reader_is_counted_and_arrives_in_order(
    port: int, socket: aiohttp.ClientWebSocketResponse
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
    writer.write(HANDSHAKE)
    async with asyncio.timeout(SECONDS):
        await reader.readuntil(b"\r\n\r\n")
        # 20 MB, more than any kernel keeps for us.
        ask = b"many 20000 1000"
        writer.write(bytes((0x81, 0x80 | len(ask), 0, 0, 0, 0)) + ask)
        # Nothing is read until another socket, which is served after it, has its answer.
        await socket.send_str("both")
        await texts(socket, 4)
        for n in range(20_000):
            assert (await reader.readexactly(4 + 1000))[4:] == str(n).rjust(1000).encode()
        last = await reader.readexactly(2)
        waited = int((await reader.readexactly(last[1])).removeprefix(b"waited "))
    assert 5_000_000 < waited <= 20_000 * 1004
    writer.close()


async def test_a_closed_socket_takes_nothing_more(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_str("close")
    async with asyncio.timeout(SECONDS):
        closing: Any = await socket.receive()
    assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 4400)


async def test_a_server_that_stops_tells_each_socket_to_come_back_and_lets_nobody_new_in(tmp_path: Path) -> None:
    number, log = free_port(), tmp_path / "log"
    with program(log, "-m", "accountsstore.tests.frames_app", str(number), env=dict(os.environ)) as process:
        await asyncio.to_thread(eventually, lambda: asyncio.run(answers(number)), "the server does not start", log)
        # One that answers nothing, so that the server waits for it.
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(HANDSHAKE)
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as client:
            await reader.readuntil(b"\r\n\r\n")
            sockets = [await client.ws_connect(f"http://127.0.0.1:{number}/") for _ in range(20)]
            process.terminate()
            assert {(await socket.receive()).data for socket in sockets} == {RESTARTING}
            assert await reader.readexactly(4) == b"\x88\x02" + RESTARTING.to_bytes(2, "big")
            assert not await answers(number)
        assert await asyncio.to_thread(process.wait, SECONDS) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.django_db(transaction=True)
def test_a_port_that_is_taken_is_said_and_ends_the_program(port: int) -> None:
    done = run_python(
        *("manage.py", "serve", "--port", str(port)), env=program_env(DJANGO_SETTINGS_MODULE="accountsstore.settings")
    )
    assert (done.returncode, "in use" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
