"""Who is online, and since when they are not."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as store_settings
from django.test import Client

from accounts.models import User
from accounts.tests.factories import UserFactory
from accountsstore.tests.layer.conftest import until
from accountsstore.tests.own_valkey import Valkey, valkey  # noqa: F401  # a fixture
from chat import presence as module
from chat.presence import leases_renew, online, online_if_known, presence
from chat.tests.conftest import running_site, wait_for
from chat.tests.tabs import Tab

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def quick(settings: Any) -> None:
    """A lease of two seconds, renewed twice a second."""
    settings.PRESENCE_LEASE_SECONDS, settings.PRESENCE_HEARTBEAT_SECONDS = 2, 0.5


def is_online(user: User) -> bool:
    return online([user.pk]) == {user.pk}


async def seen(user: User) -> Any:
    return (await User.objects.aget(pk=user.pk)).last_seen_at


def test_a_lease_ends_within_a_minute_and_outlives_a_heartbeat_that_fails() -> None:
    lease, heartbeat = store_settings.PRESENCE_LEASE_SECONDS, store_settings.PRESENCE_HEARTBEAT_SECONDS
    assert lease < 60
    assert lease > 2 * heartbeat


async def test_a_person_is_online_once_welcomed_and_stays_so(buyer: User, seller: User, quick: None) -> None:
    async with Tab(buyer):
        assert await sync_to_async(online)([buyer.pk, seller.pk]) == {buyer.pk}
        await sync_to_async(module.execute_many)([("DEL", module._key(buyer.pk))])
        await until(lambda: is_online(buyer))
    await until(lambda: not is_online(buyer))


async def test_the_last_tab_that_closes_says_when_the_person_was_here(buyer: User, quick: None) -> None:
    async with Tab(buyer):
        async with Tab(buyer):
            pass
        assert presence()._pages[buyer.pk] == 1
        assert not presence()._left
    while not await seen(buyer):
        await sync_to_async(lambda: None)()
    task = presence()._task
    await until(lambda: task and task.done())
    assert not presence()._pages


async def test_who_goes_from_page_to_page_has_not_left(buyer: User, quick: None) -> None:
    here = presence()
    await here.arrive(buyer.pk)
    for _ in range(3):
        here.leave(buyer.pk)
        await here.arrive(buyer.pk)
        assert not here._left
    assert await seen(buyer) is None
    here.leave(buyer.pk)
    await until(lambda: here._task and here._task.done())
    assert await seen(buyer)


async def test_all_who_come_at_once_are_written_together(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    users = [UserFactory.build().pk for _ in range(200)]
    batches: list[int] = []

    def counted(user_ids: Any) -> None:
        batches.append(len(user_ids))
        leases_renew(user_ids)

    monkeypatch.setattr(module, "leases_renew", counted)
    here = module.Presence()
    await asyncio.gather(*(here.arrive(user_id) for user_id in users))
    assert sum(batches) == 200
    assert len(batches) <= 3
    assert await sync_to_async(online)(users) == set(users)
    for user_id in users:
        here.leave(user_id)
    here._task.cancel()


async def test_without_redis_pages_open_and_nobody_is_known_to_be_online(
    buyer: User,
    settings: Any,
    quick: None,
    valkey: Valkey,  # noqa: F811
) -> None:
    settings.REDIS_URL = valkey.url
    here = presence()
    valkey.kill()
    await here.arrive(buyer.pk)
    assert await sync_to_async(online_if_known)([buyer.pk]) == set()
    await sync_to_async(valkey.start)()
    await until(lambda: is_online(buyer))
    here.leave(buyer.pk)
    await until(lambda: here._task and here._task.done())


@pytest.mark.stack
def test_who_was_held_by_a_killed_process_is_offline_when_the_lease_ends(buyer: User, tmp_path: Path) -> None:
    client = Client()
    client.force_login(buyer)
    with (
        running_site(tmp_path, PRESENCE_LEASE_SECONDS="3", PRESENCE_HEARTBEAT_SECONDS="1") as (port, process),
        socket.create_connection(("127.0.0.1", port)) as tab,
    ):
        tab.sendall(
            f"GET /ws/ HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n"
            f"Cookie: sessionid={client.cookies['sessionid'].value}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert tab.recv(4096).startswith(b"HTTP/1.1 101")
        wait_for(lambda: is_online(buyer))
        # It is the process that keeps the lease: gone without it, back with the next heartbeat.
        module.execute_many([("DEL", module._key(buyer.pk))])
        wait_for(lambda: is_online(buyer))
        process.kill()
        process.wait()
        wait_for(lambda: not is_online(buyer), 20)
