"""Who is gone without a word, as with a phone that lost its network, is found out."""

import socket
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings

from accounts.models import User
from accountsstore.tests.layer.conftest import until
from chat.presence import online
from chat.services.conversations import conversation_for_order
from chat.tests.conftest import running_site
from chat.tests.factories import OrderFactory
from chat.tests.tabs import WireTab

# How often Daphne looks whom to ask (daphne.server.Server.timeout_checker).
LOOK_SECONDS = 2


def test_a_dead_peer_leaves_within_75_seconds() -> None:
    assert settings.SOCKET_PING_SECONDS + settings.SOCKET_PONG_SECONDS + LOOK_SECONDS <= 75
    # Our client pings every 25 s: who is well is not asked.
    assert settings.SOCKET_PING_SECONDS > 25


@pytest.mark.django_db(transaction=True)
def test_who_stops_answering_is_sent_away_and_seen_to_go_while_who_answers_stays(
    buyer: User, seller: User, tmp_path: Path
) -> None:
    talk = conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))
    # Time enough to answer for who is well, on a busy machine too.
    quick = {"SOCKET_PING_SECONDS": "1", "SOCKET_PONG_SECONDS": "5"}
    quick |= {"PRESENCE_LEASE_SECONDS": "3", "PRESENCE_HEARTBEAT_SECONDS": "1"}

    async def play(port: int) -> None:
        async with WireTab(seller, port) as other:
            await other.say("subscribe", conversations=[talk.pk.hex])
            assert (await other.expect("presence"))["online"] is False
            cookies = await WireTab(buyer, port).cookies()
            with socket.create_connection(("127.0.0.1", port)) as dead:
                # Its kernel takes what comes; nobody is there to answer.
                dead.sendall(handshake(port, cookies))
                assert (await other.expect("presence"))["online"] is True
                # The other side's program answers the server's pings, as it is asked here all the time.
                assert (await other.expect("presence"))["online"] is False
                await until(lambda: not online([buyer.pk]))
                assert is_ended(dead)
            assert await other.settle() == []
            assert await sync_to_async(online)([seller.pk]) == {seller.pk}

    with running_site(tmp_path, **quick) as (port, _):
        async_to_sync(play)(port)


def handshake(port: int, cookies: str) -> bytes:
    return (
        f"GET /ws/ HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\nCookie: {cookies}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def is_ended(connection: socket.socket) -> bool:
    """Whether the other side has closed it, after all that it said."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    except BlockingIOError:
        return False
    return True
