"""Backups are taken, read back and restored, on whichever database the tests run; what is wrong is said, and nothing
is half done."""

import base64
import contextlib
import datetime
import re
import uuid
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import User
from accounts.tests.factories import UserFactory
from accountsstore.backup import take, vault
from accountsstore.backup.take import engine, kept

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

KEY = "b1:" + base64.b64encode(b"k" * 32).decode()


@contextlib.contextmanager
def own_file(copy: Path) -> Iterator[None]:
    """On SQLite a copy of the database: a restore takes the file's place, and threads of other tests have the file open."""
    if connection.vendor == "mongodb":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(copy)])
    connection.close()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(copy)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name


@pytest.fixture(autouse=True)
def folder(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """Where the test's backups lie. Files lie where no other test has any."""
    files = settings.STORAGES["default"]
    if settings.S3_BUCKET:
        files = {**files, "OPTIONS": {"location": uuid.uuid4().hex}}
    settings.BACKUP_KEYS = [KEY]
    settings.BACKUP_FOLDER = tmp_path / "backup"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": files,
        "backup": {"BACKEND": "accountsstore.backup.vault.Folder", "OPTIONS": {"location": tmp_path / "backup"}},
    }
    with own_file(tmp_path / "store.sqlite3"):
        yield tmp_path / "backup"
    if connection.vendor == "mongodb":
        from accountsstore.mongo_for_tests import written_elsewhere

        written_elsewhere()


def run(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def restore(*options: str) -> str:
    return run("restore", "--wipe", engine().name(), *options)


def refused(call: Callable[[], object], sentence: str) -> None:
    """`call` ends with this sentence, and the people who are there now stay."""
    before = sorted(User.objects.values_list("username", flat=True))
    with pytest.raises(CommandError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)
    assert sorted(User.objects.values_list("username", flat=True)) == before


def pieces(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "backups").rglob("*") if path.is_file() and path.name != "manifest")


def test_a_restore_brings_back_what_was_there_and_takes_away_what_came_later(folder: Path) -> None:
    amal = UserFactory(username="amal", display_name="Amal \u0623\u0645\u0644")
    default_storage.save("public/avatar/1.webp", ContentFile(b"a picture"))
    default_storage.save("incoming/chat/2.webp", ContentFile(b"nobody has looked at it"))
    assert "1 files" in run("backup")
    assert "is whole" in run("backup", "--verify")
    UserFactory(username="later")
    amal.display_name = "Somebody else"
    amal.save()
    default_storage.delete("public/avatar/1.webp")

    said = restore()

    assert [(user.pk, user.display_name) for user in User.objects.all()] == [(amal.pk, "Amal \u0623\u0645\u0644")]
    with default_storage.open("public/avatar/1.webp") as file:
        assert file.read() == b"a picture"
    assert "Invariants 1 to 7 hold" in said
    assert re.search(r"Restored in \d+\.\d minutes, with every write until \d{4}-", said)


def test_indexes_are_restored_too() -> None:
    table = User._meta.db_table

    def indexes() -> list[str]:
        with connection.cursor() as cursor:
            return sorted(connection.introspection.get_constraints(cursor, table))

    before = indexes()
    run("backup")
    restore()
    assert indexes() == before
    assert len(before) > 2


def test_files_are_copied_once(folder: Path) -> None:
    default_storage.save("public/avatar/1.webp", ContentFile(b"a picture"))
    take.files.dump("20260101T000000Z")
    first = {path: path.stat().st_mtime_ns for path in (folder / "files").iterdir()}
    default_storage.save("public/avatar/2.webp", ContentFile(b"another"))
    take.files.dump("20260102T000000Z")
    second = {path: path.stat().st_mtime_ns for path in (folder / "files").iterdir()}
    assert len(second) == 2
    assert first.items() <= second.items()


def test_nothing_that_people_wrote_can_be_read_in_a_backup(folder: Path) -> None:
    UserFactory(username="amal", email="amal@readable.example")
    default_storage.save("payment_proof/1.png", ContentFile(b"readable proof"))
    run("backup")
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"readable" not in stored
    assert not [path for path in folder.rglob("*") if "proof" in path.name]


def test_a_database_that_is_not_empty_is_left_alone_unless_it_is_named() -> None:
    run("backup")
    UserFactory(username="later")
    refused(lambda: run("restore"), f"not empty.*--wipe {re.escape(engine().name())}")
    refused(lambda: run("restore", "--wipe", "another"), "not empty")


def test_a_flipped_byte_in_any_piece_is_named_and_nothing_is_restored(folder: Path) -> None:
    run("backup")
    UserFactory(username="later")
    for path in pieces(folder):
        whole = path.read_bytes()
        path.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
        refused(restore, f"{path.name} was altered")
        path.write_bytes(whole)
    restore()
    assert not User.objects.exists()


def test_a_piece_that_is_cut_off_or_missing_is_named_and_nothing_is_restored(folder: Path) -> None:
    default_storage.save("public/avatar/1.webp", ContentFile(b"a picture"))
    run("backup")
    UserFactory(username="later")
    path = pieces(folder)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    refused(restore, f"{path.name} was altered")
    path.unlink()
    refused(restore, f"missing: .*{path.name}")
    path.write_bytes(whole)
    next((folder / "files").iterdir()).unlink()
    refused(restore, r"The file public/avatar/1\.webp is missing")


def test_an_altered_manifest_is_named(folder: Path) -> None:
    run("backup")
    path = next(folder.rglob("manifest"))
    path.write_bytes(path.read_bytes()[:-1])
    refused(restore, "manifest cannot be opened")


def test_another_key_is_a_sentence(settings: Settings) -> None:
    run("backup")
    settings.BACKUP_KEYS = ["b2:" + base64.b64encode(b"x" * 32).decode()]
    refused(restore, "key 'b1', which is not in BACKUP_KEYS")


def test_without_a_key_nothing_is_written(settings: Settings, folder: Path) -> None:
    settings.BACKUP_KEYS = []
    refused(lambda: run("backup"), "BACKUP_KEYS is not set")
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_backup_that_was_broken_off_does_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("backup")
    first = vault.moments()
    whole = vault.write

    def breaks(name: str, source: object) -> dict[str, object]:
        if name.endswith("/files"):
            raise OSError(28, "No space left on device")
        return whole(name, source)  # type: ignore[arg-type]

    monkeypatch.setattr(vault, "write", breaks)
    for at in (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)):
        with pytest.raises(OSError, match="No space"):
            take.take(at)
    assert len(list((folder / "backups").iterdir())) == 3
    assert vault.moments() == first
    # One that began a day ago goes; another may still be on its way.
    take.prune()
    assert sorted(path.name for path in (folder / "backups").iterdir()) == [*first, "29990101T000000Z"]


def test_a_place_that_cannot_be_used_is_a_sentence(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")
    refused(lambda: run("backup"), "cannot be used")


def test_a_backup_that_is_not_there_is_a_sentence() -> None:
    refused(restore, "There is no complete backup")
    run("backup")
    refused(lambda: restore("20200101T000000Z"), "There is no complete backup 20200101T000000Z .* There are: 2")


def test_the_age_of_the_last_backup_is_known() -> None:
    assert vault.last_backup_at() is None
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    run("backup")
    found = vault.last_backup_at()
    assert found is not None
    assert before <= found <= datetime.datetime.now(datetime.UTC)


def test_old_backups_go_with_the_files_that_they_alone_name(folder: Path, settings: Settings) -> None:
    settings.BACKUP_KEEP_DAYS, settings.BACKUP_KEEP_WEEKS, settings.BACKUP_KEEP_MONTHS = 1, 0, 0
    default_storage.save("public/avatar/old.webp", ContentFile(b"old"))
    default_storage.save("public/avatar/stays.webp", ContentFile(b"stays"))
    take.take(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    default_storage.delete("public/avatar/old.webp")
    take.take(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))
    assert take.prune() == ["20260101T000000Z"]
    assert vault.moments() == ["20260102T000000Z"]
    assert len(list((folder / "backups").iterdir())) == 1
    assert vault.file_pieces() == {vault.file_piece("public/avatar/stays.webp")}
    assert take.prune() == []


MOMENTS = st.datetimes(datetime.datetime(2024, 1, 1), datetime.datetime(2026, 12, 31))


@examples(max_examples=100, deadline=None)
@given(st.sets(MOMENTS.map(lambda at: at.strftime(vault.MOMENT)), max_size=60), st.integers(0, 9), st.integers(0, 9))
def test_retention_keeps_the_newest_of_each_span_and_no_more_than_it_says(
    moments: set[str], days: int, months: int
) -> None:
    staying = kept(moments, days, 0, months)
    assert staying <= moments
    assert len(staying) <= max(days + months, 1)
    if moments:
        assert max(moments) in staying
    if days:
        newest_days = sorted({moment[:8] for moment in moments})[-days:]
        assert {moment[:8] for moment in staying} >= set(newest_days)


def test_the_backup_s_place_is_the_one_of_the_settings() -> None:
    assert isinstance(storages["backup"], vault.Folder)
