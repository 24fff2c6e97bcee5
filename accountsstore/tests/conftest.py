"""One running store for the tests that play in it, and a browser."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from accountsstore.tests.chromium import chromium
from accountsstore.tests.person import Person
from accountsstore.tests.running_store import RunningStore, running_store


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a store keeps that was started for the first time and stopped: the demo, with its files and keys.

    Loading the demo takes a minute: the first test process that asks does it, and the others wait for it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    stopped = shared / "stopped-store"
    with (shared / "stopped-store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stopped.exists():
            with running_store(shared / "first-store"):
                pass
            (shared / "first-store").rename(stopped)
    return Path(shutil.copytree(stopped, tmp_path_factory.mktemp("demo") / "var"))


@pytest.fixture(scope="session")
def store(demo_folder: Path) -> Iterator[RunningStore]:
    with running_store(demo_folder) as store:
        yield store


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def person(browser: Browser, store: RunningStore) -> Callable[..., Person]:
    """`person(language)` sits down at a browser of their own."""
    return lambda language="en": Person(browser, store, language)
