"""The upload script in a browser, with a bucket to send to and without one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, Request, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from accountsstore.tests.chromium import chromium
from uploads.models import StoredFile
from uploads.tests import samples
from uploads.tests.s3_for_tests import keys

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BIG = samples.encoded(samples.drawing()) + b"\0" * 3_000_000


@pytest.fixture
def page(live_server: LiveServer, buyer: User, tmp_path: Path) -> Iterator[Page]:
    """The buyer at their profile, with a photo of 3 MB in their hands."""
    (tmp_path / "me.jpg").write_bytes(BIG)
    client = Client()
    client.force_login(buyer)
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    with chromium() as browser:
        context = browser.new_context(base_url=live_server.url, locale="en-GB")
        context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto("/me/")
        page.set_input_files("input[type=file]", tmp_path / "me.jpg")
        yield page


@pytest.fixture
def allowed(bucket: Any, settings: Settings) -> Any:
    """The content policy names the bucket, as settings.py has it where S3_BUCKET is set from the start."""
    policy = settings.CONTENT_SECURITY_POLICY
    directives = policy["DIRECTIVES"] | {"connect-src": ["'self'", settings.S3_ENDPOINT_URL]}
    settings.CONTENT_SECURITY_POLICY = policy | {"DIRECTIVES": directives}
    return bucket


def stored() -> list[StoredFile]:
    """Asked in a thread: Django lets nobody at the database in the one where the browser's event loop runs."""

    def read() -> list[StoredFile]:
        try:
            return list(StoredFile.objects.all())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


def sent(page: Page) -> list[Request]:
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if request.method == "POST" else None)
    return found


def use(page: Page) -> None:
    page.get_by_role("button", name="Use this picture").click()


def test_a_file_goes_to_the_bucket_and_the_form_names_it(allowed: Any, page: Page, settings: Settings) -> None:
    posts = sent(page)
    use(page)
    expect(page.get_by_text("Your picture is changed.")).to_be_visible()
    paths = [urlsplit(request.url).path.strip("/") for request in posts]
    assert paths == ["files/incoming", allowed.name, "files/avatar"]
    assert posts[1].url.startswith(settings.S3_ENDPOINT_URL)
    assert len(posts[2].post_data_buffer or b"") < 2_000, "the form carries no bytes"
    [file] = stored()
    assert (file.state, file.size_bytes, file.original_name) == ("clean", len(BIG), "me.jpg")
    assert len([key for key in keys(allowed) if key.startswith("incoming/avatar/")]) == 1


def test_where_the_bucket_cannot_be_reached_the_form_carries_the_file(allowed: Any, page: Page) -> None:
    page.route(f"**/{allowed.name}*", lambda route: route.abort())
    page.route(f"**/{allowed.name}/**", lambda route: route.abort())
    use(page)
    expect(page.get_by_text("Your picture is changed.")).to_be_visible()
    assert [file.size_bytes for file in stored()] == [len(BIG)]
    assert not [key for key in keys(allowed) if key.startswith("incoming/")]


def test_a_refusal_before_the_sending_stands_beside_the_file(allowed: Any, page: Page, tmp_path: Path) -> None:
    (tmp_path / "clip.gif").write_bytes(samples.encoded(samples.drawing(), "GIF"))
    page.set_input_files("input[type=file]", tmp_path / "clip.gif")
    posts = sent(page)
    use(page)
    expect(page.get_by_role("alert")).to_contain_text("clip.gif: Choose a JPEG, PNG or WebP picture.")
    expect(page.get_by_role("button", name="Use this picture")).to_be_enabled()
    assert len(posts) == 1


def test_a_file_that_our_own_check_refuses_is_refused_on_the_page(allowed: Any, page: Page, tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_bytes(b"<html>" * 100)
    page.set_input_files("input[type=file]", tmp_path / "me.jpg")
    use(page)
    expect(page.get_by_text("HTML files are not accepted here.")).to_be_visible()
    assert stored() == []


def test_without_a_bucket_the_form_carries_the_file(page: Page) -> None:
    posts = sent(page)
    use(page)
    expect(page.get_by_text("Your picture is changed.")).to_be_visible()
    assert len(posts) == 1
    assert [file.size_bytes for file in stored()] == [len(BIG)]
