"""One load of the demo for all tests in this folder."""

import functools
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker, Settings

from accountsstore.demo import drawings
from uploads.demo_pictures import demo_picture


@pytest.fixture(scope="package")
def small_pictures() -> Iterator[None]:
    """One drawing for each kind of category, in a size that is stored at once. `uploads` tries them all and in full."""
    with pytest.MonkeyPatch.context() as patched:
        once = functools.cache(lambda art: demo_picture(art, 1))
        patched.setattr(drawings, "demo_picture", lambda art, seed: once(art))
        patched.setattr(drawings, "LISTING_SIZE", (192, 120))
        yield


@pytest.fixture(scope="package")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo-media")


@pytest.fixture(autouse=True)
def media(settings: Settings, demo_folder: Path) -> Path:
    """In the place of a folder for each test: they all look at the demo's files."""
    settings.MEDIA_ROOT = demo_folder
    return demo_folder


@pytest.fixture(scope="package")
def demo(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, small_pictures: None, demo_folder: Path
) -> Iterator[str]:
    """The demo store, in a transaction around the tests' own. Gives what the command said."""
    out = io.StringIO()
    with django_db_blocker.unblock(), transaction.atomic(), override_settings(MEDIA_ROOT=demo_folder):
        call_command("seed_demo", stdout=out)
        yield out.getvalue()
        transaction.set_rollback(True)
