"""One running store for the tests that play in it, and a browser."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from accountsstore.tests.person import Person
from accountsstore.tests.running_store import RunningStore, running_store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    with running_store(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def person(browser: Browser, store: RunningStore) -> Callable[..., Person]:
    """`person(language)` sits down at a browser of their own."""
    return lambda language="en": Person(browser, store, language)
