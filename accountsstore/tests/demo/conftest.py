"""The demo of a store that was started once, in the place of the tests' database and files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker, Settings


@pytest.fixture(scope="package")
def demo(demo_folder: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Gives what the store said when it started."""
    name = connection.settings_dict["NAME"]
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["NAME"] = str(demo_folder / "store.sqlite3")
        yield (demo_folder / "store.log").read_text()
        connection.close()
        connection.settings_dict["NAME"] = name


@pytest.fixture(autouse=True)
def media(settings: Settings, demo_folder: Path) -> Path:
    """In the place of a folder for each test: they all look at the demo's files."""
    settings.MEDIA_ROOT = demo_folder / "media"
    return settings.MEDIA_ROOT
