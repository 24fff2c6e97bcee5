"""SECRET_KEY is changed: with the old one among the fallbacks nobody notices, without it all that it signed ends."""

import io

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accountsstore.db import uuid7
from listings.models import StockItem
from listings.services.stock import BadStock, stock_load
from listings.tests.factories import ListingFactory
from uploads.links import key_is_good, signed_url

pytestmark = pytest.mark.stack

NEW = "kX3v9Qz7Lm2Rw8Tn5Yb1Hc6Jd4Fs0Gp_qWeRtYuIoPaSdFgHjKl"
LOADED = {"login": "stocked-login-17", "password": "stocked/Pass+word=17"}


def change_key(settings: Settings, *, fallback: bool) -> None:
    old, settings.SECRET_KEY = settings.SECRET_KEY, NEW
    settings.SECRET_KEY_FALLBACKS = [old] if fallback else []
    # What is signed is the session in the database; docs/operations/secrets.md empties its copies.
    caches["sessions"].clear()


def is_signed_in(client: Client) -> bool:
    return client.get("/me/").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("fallback", [True, False])
def test_sessions_and_signed_links_go_on_as_long_as_the_old_key_is_a_fallback(
    client: Client, buyer: User, settings: Settings, fallback: bool
) -> None:
    client.force_login(buyer)
    file_id = uuid7()
    key = signed_url(file_id, "card", buyer).partition("?key=")[2]
    assert is_signed_in(client) and key_is_good(key, file_id, "card", buyer)
    change_key(settings, fallback=fallback)
    assert is_signed_in(client) == key_is_good(key, file_id, "card", buyer) == fallback


@pytest.mark.django_db(transaction=True)
def test_a_credential_is_still_loaded_once_after_the_key_was_changed(seller: User, settings: Settings) -> None:
    listing = ListingFactory(seller=seller, from_stock=[LOADED])
    change_key(settings, fallback=True)
    with pytest.raises(BadStock):
        stock_load(listing=listing, seller=seller, credentials=[LOADED])
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    assert "1 items of stock are now known by the present SECRET_KEY." in out.getvalue()
    call_command("rotate_keys", stdout=out)
    assert "0 items of stock" in out.getvalue()
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(BadStock):
        stock_load(listing=listing, seller=seller, credentials=[LOADED])
    assert StockItem.objects.count() == 1
