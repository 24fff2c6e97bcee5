"""SECRET_KEY is changed on one host after the other, and nobody is signed out (docs/operations/security.md)."""

from typing import Any

import pytest
from django.conf import settings as store_settings
from django.core.cache import caches
from django.test import Client

from accounts.models import User
from chat.tests.tabs import Tab, in_thread

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "old-" * 15, "new-" * 15
# Of a host: what it signs with, and what else it takes.
BEFORE, READY, CHANGED, AFTER = (OLD, []), (OLD, [NEW]), (NEW, [OLD]), (NEW, [])


def on_host(settings: Any, keys: tuple[str, list[str]]) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = keys
    # As if the session's copy had left the cache: what is signed is the one in the database.
    caches["sessions"].clear()


def is_signed_in(client: Client) -> bool:
    return client.get("/me/").status_code == 200


@pytest.mark.parametrize("keys", [READY, CHANGED])
def test_who_signed_in_before_stays_signed_in_on_hosts_with_the_new_key_and_on_those_without(
    buyer: User, settings: Any, keys: tuple[str, list[str]]
) -> None:
    client = Client()
    on_host(settings, BEFORE)
    client.force_login(buyer)
    key = client.cookies[store_settings.SESSION_COOKIE_NAME].value
    for _ in range(2):
        on_host(settings, keys)
        assert is_signed_in(client)
        on_host(settings, READY)
        assert is_signed_in(client)
    # No other tab holds a session that is no more.
    assert client.cookies[store_settings.SESSION_COOKIE_NAME].value == key


def test_who_signed_in_with_the_new_key_is_known_on_a_host_that_waits_for_it(buyer: User, settings: Any) -> None:
    client = Client()
    on_host(settings, CHANGED)
    client.force_login(buyer)
    on_host(settings, READY)
    assert is_signed_in(client)
    on_host(settings, AFTER)
    assert is_signed_in(client)


def test_a_key_that_was_never_ours_signs_nobody_in(buyer: User, settings: Any) -> None:
    client = Client()
    on_host(settings, BEFORE)
    client.force_login(buyer)
    on_host(settings, AFTER)
    assert not is_signed_in(client)


async def test_an_open_page_reconnects_after_the_change(buyer: User, settings: Any) -> None:
    await in_thread(lambda: on_host(settings, BEFORE))
    tab = Tab(buyer)
    key = await in_thread(tab._sign_in)
    tab._sign_in = lambda: key  # type: ignore[method-assign]
    await in_thread(lambda: on_host(settings, CHANGED))
    async with tab:
        assert (await tab.settle()) is not None


def test_a_new_password_still_ends_the_other_sessions(buyer: User) -> None:
    client = Client()
    client.force_login(buyer)
    assert is_signed_in(client)
    buyer.set_password("another long password")
    buyer.save()
    assert not is_signed_in(client)
