"""Attachments in a browser, with a bucket to send them to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from chat.models import Conversation
from chat.services.conversations import conversation_for_order
from chat.tests.factories import OrderFactory
from uploads.tests import samples
from uploads.tests.s3_for_tests import bucket, keys, s3_url  # noqa: F401  # fixtures
from uploads.tests.test_upload_script import allowed, sent, stored  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BIG = samples.encoded(samples.drawing()) + b"\0" * 1_000_000


@pytest.fixture
def session(buyer: User) -> str:
    client = Client()
    client.force_login(buyer)
    return client.cookies[django_settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))


# The browser last: where its event loop runs, Django lets nobody at the database.
@pytest.fixture
def page(
    allowed: Any,  # noqa: F811
    live_server: LiveServer,
    talk: Conversation,
    session: str,
    browser: Browser,
    tmp_path: Path,
) -> Iterator[Page]:
    """The buyer at a conversation, with a photo in their hands."""
    (tmp_path / "me.jpg").write_bytes(BIG)
    context = browser.new_context(base_url=live_server.url, locale="en-GB")
    context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    page = context.new_page()
    page.goto(talk.get_absolute_url())
    yield page
    context.close()


def attach(page: Page, path: Path) -> None:
    page.get_by_label("Attach files").set_input_files(path)


def is_stored(page: Page) -> None:
    """Wait until what was attached is in the store, drawn anew."""
    expect(page.locator("[data-attach-rows] progress:visible")).to_have_count(0, timeout=30_000)


def test_an_attachment_goes_to_the_bucket_and_our_own_check_follows(
    page: Page,
    allowed: Any,  # noqa: F811
    settings: Settings,
    tmp_path: Path,
) -> None:
    posts = sent(page)
    attach(page, tmp_path / "me.jpg")
    expect(page.locator("[data-attach-rows] > li")).to_have_count(1)
    is_stored(page)
    paths = [urlsplit(request.url).path.strip("/") for request in posts]
    assert (paths[:2], paths[2].startswith("messages/")) == (["files/incoming", allowed.name], True)
    assert len(posts[2].post_data_buffer or b"") < 2_000, "the form carries no bytes"
    [file] = stored()
    assert (file.purpose, file.state, file.size_bytes, file.original_name) == ("chat", "clean", len(BIG), "me.jpg")
    assert len([key for key in keys(allowed) if key.startswith("incoming/chat/")]) == 1

    (tmp_path / "me.jpg").write_bytes(b"<html>" * 100)
    attach(page, tmp_path / "me.jpg")
    expect(page.get_by_text("me.jpg: HTML files are not accepted here.")).to_be_visible()
    expect(page.locator("[data-attach-rows] > li")).to_have_count(1)
    assert len(stored()) == 1


def test_a_refusal_before_the_sending_stands_at_the_form(page: Page, tmp_path: Path) -> None:
    (tmp_path / "clip.gif").write_bytes(samples.encoded(samples.drawing(), "GIF"))
    posts = sent(page)
    attach(page, tmp_path / "clip.gif")
    expect(page.get_by_text("clip.gif: Choose a JPEG, PNG or WebP picture, or a PDF.")).to_be_visible()
    assert len(posts) == 1
    assert stored() == []


def test_where_the_bucket_cannot_be_reached_the_store_takes_the_attachment(
    page: Page,
    allowed: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    page.route(f"**/{allowed.name}*", lambda route: route.abort())
    page.route(f"**/{allowed.name}/**", lambda route: route.abort())
    attach(page, tmp_path / "me.jpg")
    is_stored(page)
    assert [file.size_bytes for file in stored()] == [len(BIG)]
    assert not [key for key in keys(allowed) if key.startswith("incoming/")]
