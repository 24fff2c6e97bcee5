"""What `/metrics` tells of sockets, of a real site with real ones."""

import asyncio
import json
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from accounts.models import User
from accountsstore.events import user_group
from accountsstore.realtime import group_send
from accountsstore.tests.metrics_page import Samples, metrics_of, serving
from accountsstore.tests.programs import eventually

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SECONDS = 60
FRAME = {"type": "filler", "text": "x" * 50_000}


@pytest.fixture
def port(django_db_setup: None, tmp_path: Path) -> Iterator[int]:
    with serving(tmp_path) as (port, _):
        yield port


def headers(port: int, user: User | None) -> dict[str, str]:
    client = Client()
    if user:
        client.force_login(user)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return {"Origin": f"http://127.0.0.1:{port}", "Cookie": cookies}


@asynccontextmanager
async def tab(port: int, user: User | None) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    cookies = await sync_to_async(headers)(port, user)
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"http://127.0.0.1:{port}/ws/", headers=cookies) as socket,
    ):
        yield socket


async def told(port: int, is_so: Callable[[Samples], bool]) -> Samples:
    """The page on which that is so; the numbers of sockets follow within a second."""
    last: list[Samples] = []

    def look() -> bool:
        last[:] = [metrics_of(port)]
        return is_so(last[0])

    await asyncio.to_thread(eventually, look, "the metrics never say so")
    return last[0]


async def test_sockets_and_what_goes_in_and_out_are_counted(port: int, buyer: User, seller: User) -> None:
    async with tab(port, buyer) as one, tab(port, buyer) as two, tab(port, seller) as three:
        async with asyncio.timeout(SECONDS):
            for each in (one, two, three):
                assert json.loads(await each.receive_str())["type"] == "welcome"
            for _ in range(2):
                await one.send_str('{"type": "ping"}')
                assert json.loads(await one.receive_str())["type"] == "pong"
            unknown = {"type": "message.read", "conversation": uuid.uuid4().hex, "seq": 1}
            for faulty in ("no frame", json.dumps(unknown)):
                await three.send_str(faulty)
                assert json.loads(await three.receive_str())["type"] == "error"
            await sync_to_async(group_send)([user_group(buyer.pk)], FRAME)
            for each in (one, two):
                assert json.loads(await each.receive_str())["type"] == "filler"
        page = await told(port, lambda page: page("websocket_deliveries_total") == 9)
        assert page("websocket_connected_clients") == 3
        assert page("websocket_messages_total") == 4
        assert page("websocket_refused_frames_total", code="bad_frame") == 1
        assert page("websocket_refused_frames_total", code="not_a_member") == 1
        assert page.total("websocket_disconnects_total") == 0
    async with tab(port, None) as visitor, asyncio.timeout(SECONDS):
        assert (await visitor.receive()).data == 4401
    async with tab(port, buyer) as one, asyncio.timeout(SECONDS):
        assert json.loads(await one.receive_str())["type"] == "welcome"
        await one.send_str(" " * (1024 * 1024 + 1))
        assert (await one.receive()).data == 1009
    page = await told(port, lambda page: page.total("websocket_disconnects_total") == 5)
    assert page("websocket_disconnects_total", reason="gone") == 3
    assert page("websocket_disconnects_total", reason="signed_out") == 1
    assert page("websocket_disconnects_total", reason="too_large") == 1
    page = await told(port, lambda page: page("websocket_connected_clients") == 0)
    assert page("event_loop_lag_ms_count") > 0


async def test_who_reads_slowly_is_seen_while_it_waits_and_counted_when_it_is_sent_away(port: int, buyer: User) -> None:
    def burst(page: Samples) -> float:
        """Half of what may wait for a socket."""
        group_send([user_group(buyer.pk)] * 10, FRAME)
        return page("websocket_deliveries_total") + 10

    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connected.connect(("127.0.0.1", port))
    said = {"Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    said |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} | await sync_to_async(headers)(port, buyer)
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    connected.sendall(f"GET /ws/ HTTP/1.1\r\n{lines}\r\n".encode())
    page = await told(port, lambda page: page("websocket_deliveries_total") == 1)
    while not page("websocket_slow_readers"):
        expected = await sync_to_async(burst)(page)
        page = await told(port, lambda page, expected=expected: page("websocket_deliveries_total") == expected)
    assert page("websocket_slow_readers") == 1
    assert 0 < page("websocket_send_queue_bytes") <= 510_000
    for _ in range(3):
        await sync_to_async(burst)(page)
    page = await told(port, lambda page: page("websocket_disconnects_total", reason="too_slow") == 1)
    page = await told(port, lambda page: page("websocket_send_queue_bytes") == page("websocket_slow_readers") == 0)
    connected.close()


def test_every_close_code_has_a_name() -> None:
    from chat.consumers import CLOSE_CODES, CLOSE_NAMES

    assert CLOSE_NAMES.keys() == CLOSE_CODES.keys()
