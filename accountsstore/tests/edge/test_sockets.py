"""The store's socket through nginx: upgraded, kept while it speaks, counted, and left alone by a reload."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest

from accountsstore.tests.edge.client import NAME
from accountsstore.tests.edge.conftest import LIMITS, Store

SECONDS = 60


async def frame(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next frame of this type."""
    async with asyncio.timeout(SECONDS):
        while (found := await socket.receive_json())["type"] != kind:
            pass
    return found


async def is_answered(socket: aiohttp.ClientWebSocketResponse) -> bool:
    await socket.send_json({"type": "ping"})
    return bool(await frame(socket, "pong"))


async def test_a_socket_is_upgraded_and_messages_pass_both_ways(store: Store) -> None:
    client = store.client()
    async with client.http() as http, client.websocket(http, store.session) as socket:
        assert len((await frame(socket, "welcome"))["user"]) == 32
        assert await is_answered(socket)


async def test_a_socket_for_another_site_is_refused(store: Store) -> None:
    client = store.client()
    async with client.http() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(
                f"https://127.0.0.1:{client.ports['https']}/ws/",
                headers={"Host": NAME, "Origin": "https://evil.example", "Cookie": f"sessionid={store.session}"},
                server_hostname=NAME,
            )
    assert refused.value.status == 403


async def test_a_socket_that_pings_stays_and_a_dead_one_is_closed(store: Store) -> None:
    """A browser pings every 25 s, Daphne every 30: what is silent for longer than nginx waits is no longer there."""
    client = store.client()
    async with (
        client.http() as http,
        client.websocket(http, store.session, autoping=False) as silent,
        client.websocket(http, store.session) as alive,
    ):
        await frame(silent, "welcome")
        closed = asyncio.create_task(silent.receive())
        # Until well after the silent one, which came first, is gone.
        pings = 0
        async with asyncio.timeout(SECONDS):
            while not closed.done() or pings < 2 * LIMITS["silence_seconds"] * 4:
                assert await is_answered(alive)
                pings += 1
                await asyncio.sleep(0.25)
        assert closed.result().type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        assert await is_answered(alive)


async def test_one_address_has_so_many_sockets_while_others_have_theirs(store: Store) -> None:
    greedy, other = store.client(), store.client()
    async with greedy.http() as http, other.http() as others_http, contextlib.AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(greedy.websocket(http, store.session))
            for _ in range(LIMITS["sockets_per_address"])
        ]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await greedy.websocket(http, store.session)
        assert refused.value.status == 429
        socket = await stack.enter_async_context(other.websocket(others_http, store.session))
        assert await is_answered(socket)
        assert await is_answered(sockets[0])


async def test_a_reload_leaves_sockets_and_what_is_under_way(store: Store) -> None:
    client = store.client()
    head = f"POST /account/login/ HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 8\r\n\r\n".encode()
    async with client.http() as http, client.websocket(http, store.session) as socket:
        await frame(socket, "welcome")
        with client.connect() as connection:
            connection.sendall(head + b"logi")
            await asyncio.to_thread(store.edge.reload, store.inventory)
            connection.sendall(b"n=me")
            # The store's answer to a form without its token.
            assert connection.recv(12) == b"HTTP/1.1 403"
        assert await is_answered(socket)
        async with client.websocket(http, store.session) as newer:
            assert await is_answered(newer)
