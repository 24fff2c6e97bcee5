"""Backups in a bucket: a real S3 server has them."""

import datetime
import itertools
import uuid
from typing import Any

import boto3
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.management import CommandError
from pytest_django import Settings

from accounts.models import User
from accounts.tests.factories import UserFactory
from accountsstore.backup import take, vault
from accountsstore.tests.test_backup import folder, restore, run  # noqa: F401  # a fixture
from uploads.tests.s3_for_tests import keys, s3_url  # noqa: F401  # a fixture

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def place(folder: Any, s3_url: str, settings: Settings) -> Any:  # noqa: F811
    """The bucket that the test's backups lie in."""
    settings.BACKUP_S3_BUCKET = f"backup-{uuid.uuid4().hex}"
    options = {"bucket_name": settings.BACKUP_S3_BUCKET, "endpoint_url": s3_url, "region_name": "us-east-1"}
    who = {"access_key": "test", "secret_key": "test-only"}
    backup = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options | who | {"default_acl": None}}
    settings.STORAGES = settings.STORAGES | {"backup": backup}
    client = boto3.resource(
        "s3", endpoint_url=s3_url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test-only"
    )
    bucket = client.Bucket(settings.BACKUP_S3_BUCKET)
    bucket.create()
    return bucket


def test_a_restore_brings_back_what_was_there(place: Any) -> None:
    amal = UserFactory(username="amal", email="amal@readable.example")
    default_storage.save("public/avatar/1.webp", ContentFile(b"a picture"))
    assert f"s3://{place.name}" in run("backup")
    assert "is whole" in run("backup", "--verify")
    assert vault.moments()[-1] in run("backup", "--list")
    assert not [key for key in keys(place) if b"readable" in place.Object(key).get()["Body"].read()]
    UserFactory(username="later")
    default_storage.delete("public/avatar/1.webp")
    restore()
    assert list(User.objects.all()) == [amal]
    with default_storage.open("public/avatar/1.webp") as file:
        assert file.read() == b"a picture"


def test_an_altered_object_is_named_and_nothing_is_restored(place: Any) -> None:
    run("backup")
    UserFactory(username="later")
    piece = next(key for key in keys(place) if key.startswith("backups/") and not key.endswith("manifest"))
    place.Object(piece).put(Body=place.Object(piece).get()["Body"].read()[:-1] + b"?")
    with pytest.raises(CommandError, match=f"{piece} was altered"):
        restore()
    assert User.objects.filter(username="later").exists()


def test_what_retention_lets_go_of_leaves_the_bucket(place: Any, settings: Settings) -> None:
    settings.BACKUP_KEEP_DAYS, settings.BACKUP_KEEP_WEEKS, settings.BACKUP_KEEP_MONTHS = 1, 0, 0
    take.take(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    first = {key for key in keys(place) if key.startswith("backups/")}
    assert "Backup 20260101T000000Z was deleted" in run("backup")
    assert first
    assert not first & set(keys(place))


@pytest.mark.parametrize("where", ["bucket", "folder"])
def test_the_log_is_kept_by_the_hour(where: str, settings: Settings, request: pytest.FixtureRequest) -> None:
    if where == "folder":
        settings.BACKUP_S3_BUCKET = ""
        settings.STORAGES = settings.STORAGES | {
            "backup": {
                "BACKEND": "accountsstore.backup.vault.Folder",
                "OPTIONS": {"location": request.getfixturevalue("folder")},
            }
        }
    # Hour 500,000 since 1970 begins at 1,800,000,000.
    times = [f"{1_800_000_000 + seconds}.0000000001" for seconds in (-90, -20, 70, 3_500, 40_000)]
    spans = list(itertools.pairwise(times))
    assert vault.last_segment() is None
    for span in spans:
        vault.write(vault.segment(*span), [b"said"])
    assert vault.segments() == spans
    assert vault.last_segment() == spans[-1]
    vault.delete_log(times[1])
    assert vault.segments() == spans[1:]
    vault.delete_log(times[2])
    assert vault.segments() == spans[2:]
    assert storages["backup"].listdir("log")[0] == ["500000"]
    vault.delete_log(times[4])
    assert vault.last_segment() is None


def test_a_bucket_that_is_not_there_is_a_sentence(place: Any, settings: Settings) -> None:
    place.delete()
    with pytest.raises(CommandError, match=f"s3://{place.name} cannot be used") as error:
        run("backup")
    assert "\n" not in str(error.value)
