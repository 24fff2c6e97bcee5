"""Harmful settings are named, each with a way out."""

import os
from pathlib import Path
from typing import Any

import pytest

from accountsstore.checks import harmful_settings
from accountsstore.tests.programs import run_python

PRODUCTION = {
    "TESTING": False,
    "DEBUG": False,
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "STORE_URL": "https://store.example",
}


def found(settings: Any, **changes: Any) -> set[str]:
    for name, value in (PRODUCTION | changes).items():
        setattr(settings, name, value)
    messages = harmful_settings(None)
    assert all(message.hint for message in messages)
    return {message.id for message in messages}


def test_a_sound_production_store_has_nothing_to_hear(settings: Any) -> None:
    assert found(settings) == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend", "accountsstore.W001"),
        ("STORE_URL", "http://store.example", "accountsstore.W002"),
        ("UPLOAD_MAX_BYTES", 200 * 1024 * 1024, "accountsstore.W003"),
        ("FEE_BASIS_POINTS", 8_000, "accountsstore.E001"),
        ("ORDER_INSPECT_HOURS", 1, "accountsstore.E002"),
    ],
)
def test_a_harmful_setting_is_found(settings: Any, name: str, value: object, expected: str) -> None:
    assert found(settings, **{name: value}) == {expected}


def test_a_watermark_that_the_font_cannot_write_is_found(settings: Any) -> None:
    assert found(settings, LISTING_WATERMARK=True, STORE_NAME="Café Müller") == set()
    assert found(settings, LISTING_WATERMARK=True, STORE_NAME="متجر") == {"accountsstore.E003"}


@pytest.mark.parametrize("missing", ["SECRET_KEY", "CREDENTIAL_KEYS"])
def test_a_missing_secret_stops_the_start_with_a_sentence(missing: str, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)}
    env |= {"SECRET_KEY": "x" * 50, "CREDENTIAL_KEYS": "k1:" + "A" * 43 + "="}
    env[missing] = ""
    done = run_python("manage.py", "check", env=env)
    assert done.returncode != 0
    assert f"{missing} is not set." in done.stderr
    assert ".env.example" in done.stderr
