"""The site in a process of its own, as people reach it (`manage.py serve`), on the test's database."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page

from accounts.models import User
from accountsstore.management.commands.run_store import healthy
from accountsstore.tests.chromium import chromium
from accountsstore.tests.programs import database_url, wrote
from chat.models import Conversation
from chat.services.conversations import conversation_for_order
from chat.tests.factories import OrderFactory

READY_SECONDS = 60


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    """The conversation of an order, in which nothing was said yet."""
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))


@pytest.fixture(scope="session")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    with running_site(tmp_path_factory.mktemp("site")) as (port, _):
        yield f"http://localhost:{port}"


@contextlib.contextmanager
def running_site(folder: Path, **env: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The site on the test's database, with these variables besides: its port and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "site.log"
    variables = os.environ | {
        "DEBUG": "true",
        "STATIC_MAX_AGE": "3600",
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "REDIS_PREFIX": settings.REDIS_PREFIX,
        "SECRET_KEY": settings.SECRET_KEY,
        "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS),
        **env,
    }
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with (
        log.open("w") as output,
        subprocess.Popen(command, cwd=settings.BASE_DIR, env=variables, stdout=output, stderr=output) as process,
    ):
        try:
            wait_for(lambda: healthy(port) or _has_ended(process, log), READY_SECONDS)
            yield port, process
        finally:
            process.terminate()
            process.wait(10)
            wrote()


def _has_ended(process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"the site did not start:\n{log.read_text()[-2000:]}")
    return False


def wait_for(condition: Callable[[], object], seconds: float = 15) -> None:
    """Until the condition holds; the test fails if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail("this never came true")
        time.sleep(0.05)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a file: starting it and its driver costs as much as a short test. None of them may be async,
    because Playwright's event loop runs in this thread until the last of them is over."""
    with pytest.MonkeyPatch.context() as patched, chromium() as browser:
        # For that loop Django would refuse the database; it only means well.
        patched.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield browser


@pytest.fixture
def page_of(browser: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """`page_of(user)` is a browser in which the user is signed in; errors of its scripts fail the test."""

    def open_page(user: User, *, language: str = "en", dark: bool = False, width: int = 1280) -> Page:
        client = Client()
        client.force_login(user)
        context = browser.new_context(
            base_url=site, viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        context.add_cookies(
            [
                {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies["sessionid"].value, "url": site},
                {"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": site},
            ]
        )
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
        return page

    yield open_page
    for context in browser.contexts:
        context.close()
