"""MongoDB's log: what people write while a backup is taken, and after it, is restored exactly."""

import datetime
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from pymongo.errors import OperationFailure

from accounts.models import User
from accounts.tests.factories import UserFactory
from accountsstore.backup import bring_back, mongo, oplog, take, vault
from accountsstore.tests.test_backup import folder, restore, run  # noqa: F401  (folder is a fixture)

pytestmark = [
    pytest.mark.production,
    pytest.mark.skipif(connection.vendor != "mongodb", reason="speaks of MongoDB"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def things() -> Iterator[Any]:
    """A collection of any rows."""
    rows = mongo.client()[mongo.name()]["things"]
    rows.drop()
    yield rows
    rows.drop()


def rows_of(things: Any) -> list[Any]:
    return list(things.find().sort("_id"))


def scramble(things: Any, rand: random.Random) -> None:
    """One write of the many that a row can suffer."""
    number, index = rand.randrange(30), rand.randrange(4)
    value = rand.choice([rand.randrange(99), "word" * rand.randrange(40), [1, {"deep": [1, 2]}], None, {"k": {"j": 1}}])
    update = rand.choice(
        [
            {"$set": {f"list.{index}": value}},
            {"$push": {"list": {"$each": [value, value], "$slice": -5}}},
            {"$set": {"list": [value] * index, "large": "x" * 500}},
            {"$set": {"nested.deep.value": value, "nested.other": value}},
            {"$unset": {"nested.deep": 1, "large": 1}},
            {"$set": {"nested": {"deep": {"list": [1, 2, 3], "text": "y" * 300}}}},
            {"$set": {"nested.deep.list.1": value}},
            {"$inc": {"count": 1}},
            None,
        ]
    )
    # An update of what has another form is refused by MongoDB and writes nothing.
    try:
        if update is None:
            things.delete_one({"_id": number})
        else:
            things.update_one({"_id": number}, update, upsert=rand.random() < 0.5)
    except OperationFailure:
        pass


@contextmanager
def following() -> Iterator[None]:
    """`backup --follow`, in a thread. Leaves when all that was written is kept."""
    stop = threading.Event()
    thread = threading.Thread(target=take.follow, args=(lambda line: None, stop.is_set))
    thread.start()
    try:
        yield
        wanted = oplog.text(oplog.newest(mongo.client()))
        eventually(lambda: bool(vault.segments()) and vault.segments()[-1][1] >= wanted)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def eventually(check: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 90
    while not check():
        assert time.monotonic() < give_up
        time.sleep(0.1)


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_change_while_they_are_copied_are_restored_as_they_were_in_the_end(things: Any, seed: int) -> None:
    rand, stop = random.Random(seed), threading.Event()

    def write() -> None:
        while not stop.is_set():
            scramble(things, rand)

    for _ in range(200):
        scramble(things, rand)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        take.take()
    finally:
        stop.set()
        writer.join()
    manifest = vault.manifest(vault.moments()[-1])
    with following():
        for _ in range(200):
            scramble(things, rand)
        wanted = rows_of(things)
        things.insert_one({"_id": "a last word"})
    last = bring_back.restore(manifest, bring_back.END_OF_TIME, wipe=mongo.name(), report=lambda line: None)
    assert rows_of(things)[:-1] == wanted
    assert last.timestamp() == pytest.approx(time.time(), abs=120)


def test_transactions_indexes_and_collections_that_came_after_the_backup_are_restored(things: Any) -> None:
    things.insert_one({"_id": 1, "n": 1})
    things.create_index("old", name="old_1")
    run("backup")
    with following():
        UserFactory(username="later")
        with mongo.client().start_session() as session, session.start_transaction():
            things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
            things.insert_one({"_id": 2}, session=session)
        things.create_index("fresh", name="fresh_1", unique=True, sparse=True)
        things.drop_index("old_1")
    things.delete_many({})
    things.drop_indexes()
    restore()
    assert rows_of(things) == [{"_id": 1, "n": 2}, {"_id": 2}]
    assert set(things.index_information()) == {"_id_", "fresh_1"}
    assert things.index_information()["fresh_1"]["unique"]
    assert User.objects.get().username == "later"


def test_a_restore_stops_at_the_moment_that_was_asked_for(things: Any) -> None:
    run("backup")
    with following():
        things.insert_one({"_id": "before"})
        before = oplog.newest(mongo.client()).time
        eventually(lambda: time.time() > before + 1)
        things.insert_one({"_id": "after"})
    restore("--until", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before)))
    assert rows_of(things) == [{"_id": "before"}]


def test_a_gap_in_the_log_and_an_altered_segment_are_sentences(things: Any, folder: Path) -> None:  # noqa: F811
    run("backup")
    with following():
        for number in range(3):
            seen = len(vault.segments())
            things.insert_one({"_id": number})
            eventually(lambda seen=seen: len(vault.segments()) > seen)
    first, *others = sorted(path for path in (folder / "log").rglob("*") if path.is_file())
    whole = first.read_bytes()
    first.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    things.insert_one({"_id": "now"})
    with pytest.raises(CommandError, match=rf"log/\d+/{re.escape(first.name)} cannot be opened"):
        restore()
    others[0].unlink()
    first.write_bytes(whole)
    with pytest.raises(CommandError, match="The log has a gap"):
        restore()
    assert rows_of(things)[-1] == {"_id": "now"}


def test_a_log_that_no_longer_reaches_back_begins_with_a_new_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    take.take(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    gone = oplog.moment(vault.manifest(vault.moments()[-1])["log_ended"])
    monkeypatch.setattr(oplog, "reaches_back_to", lambda client, since: since != gone)
    with following():
        UserFactory(username="later")
    assert len(vault.moments()) == 2
    monkeypatch.undo()
    restore()
    assert User.objects.get().username == "later"
