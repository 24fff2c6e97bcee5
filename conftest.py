"""Fixtures for every app: the people, and the jobs of the worker."""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from pytest_django import Settings
from xdist.scheduler import LoadScopeScheduling

from accounts.models import User
from accounts.tests.factories import SellerFactory, StaffFactory, UserFactory
from accountsstore import outbox, redis
from accountsstore.models import OutboxEvent, OutboxMail

if connection.vendor == "mongodb":
    from accountsstore.mongo_for_tests import keep_tests_apart

    keep_tests_apart()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What belongs together and the slow ones first, so that no process works alone in the end. Tests of the production
    servers need them: `manage.py stack run -- pytest -m production`."""
    items.sort(key=lambda item: (place(item.nodeid), not item.get_closest_marker("slow")))
    if os.environ.get("ACCOUNTS_STORE_STACK") != "1":
        for item in items:
            if item.get_closest_marker("production"):
                item.add_marker(pytest.mark.skip(reason="runs under manage.py stack run"))


def pytest_collection_finish() -> None:
    """What is imported by now stays until the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


# Folders and files whose tests share what takes long to start, and the name of what they share: one process plays all of
# them. The longest first.
TOGETHER = {
    "accountsstore/tests/test_story.py": "store of the story",
    "accountsstore/tests/mongo/test_scans.py": "scans",
    "accountsstore/tests/test_workers.py": "workers",
    # The first waits for servers, the second for nobody.
    "accountsstore/tests/edge/": "edge",
    "payments/tests/test_state_machine.py": "walk",
    "accountsstore/tests/test_bootstrap_servers.py": "bootstrap",
    # These two wait for the demo that the story loads.
    "accountsstore/tests/test_axe.py": "store",
    "accountsstore/tests/test_load.py::test_the_people": "store",
    "accountsstore/tests/demo/": "demo",
    "accountsstore/tests/test_faults.py": "faults",
    "accountsstore/tests/test_metrics.py": "metrics",
    "accountsstore/tests/mongo/test_away.py": "away",
    "accountsstore/tests/test_start.py": "start",
    "accountsstore/tests/layer/test_cluster.py": "cluster",
}


def place(nodeid: str) -> int:
    """In TOGETHER, or behind it."""
    return next((place for place, path in enumerate(TOGETHER) if nodeid.startswith(path)), len(TOGETHER))


class Scheduler(LoadScopeScheduling):
    """Gives tests that belong together to one process, and all others one by one."""

    def _split_scope(self, nodeid: str) -> str:
        return [*TOGETHER.values(), nodeid][place(nodeid)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    # In the order that the tests have, not by their number.
    config.option.loadscopereorder = False
    return Scheduler(config, log)


@pytest.fixture(scope="session")
def django_db_use_migrations() -> bool:
    """MongoDB's indexes are tested as `migrate` leaves them. On SQLite the tables come from the models, in a tenth of the
    time: `make check` proves that both are the same, and the stores that tests start migrate for themselves."""
    return connection.vendor == "mongodb"


@pytest.fixture
def buyer(db: None) -> User:
    return UserFactory(username="amal", display_name="Amal")


@pytest.fixture
def seller(db: None) -> User:
    """Approved to sell."""
    return SellerFactory(username="northpine")


@pytest.fixture
def stranger(db: None) -> User:
    """Signed in, with nothing to do with the others."""
    return UserFactory(username="stranger")


@pytest.fixture
def staff(db: None) -> User:
    """Holds every permission."""
    return StaffFactory(username="ines")


@pytest.fixture
def second_staff(db: None) -> User:
    return StaffFactory(username="jonas")


@pytest.fixture
def run_jobs() -> Callable[[], None]:
    """Do what the worker does with the outboxes, until nothing is left to do."""

    def run() -> None:
        for _ in range(20):
            # Frames go out after a commit, which a test never makes: their rows stay pending.
            events = list(OutboxEvent.objects.filter(pending=True, handled_at=None).order_by("created_at"))
            mails = list(OutboxMail.objects.filter(pending=True))
            if not events and not mails:
                return
            for row in events:
                outbox.event_handle_now(row.pk.hex)
            for mail in mails:
                outbox.mail_send_now(mail.pk.hex)
        raise AssertionError("the outbox does not empty: jobs keep making jobs")

    return run


@pytest.fixture(autouse=True)
def _clean_cache() -> None:
    """Rate limits and caches of one test must not reach the next, nor that Redis was away."""
    redis._paused_until = 0
    for cache in caches.all(initialized_only=False):
        cache.clear()


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """The folder that stored files go to: each test its own, never the store's."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"
