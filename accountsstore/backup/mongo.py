"""MongoDB: every collection while people write, and what they wrote meanwhile.

The rows are read in any order and over any time, hours if it must be; then the log from the first moment to the last
makes them consistent (`oplog.py`). A snapshot would have to be read within five minutes (`minSnapshotHistoryWindowInSeconds`).

A restore works on collections beside the present ones and changes their names in the end.
"""

from collections.abc import Iterator
from typing import Any

import bson
from bson import json_util
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from django.db import connection
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from accountsstore.backup import oplog, vault
from accountsstore.backup.errors import BackupError

DUPLICATE_KEY = 11000
STAGED = "restoring__"
_INSERT_ROWS, _INSERT_BYTES = 1000, 8 * 1024 * 1024


def client() -> MongoClient[Any]:
    connection.ensure_connection()
    found: MongoClient[Any] = connection.connection
    return found


def name() -> str:
    """The database's name."""
    return str(connection.settings_dict["NAME"])


def _database() -> Database[Any]:
    return client()[name()]


def dump(moment: str) -> dict[str, Any]:
    """Write a piece for each collection, then the log. Returns its part of the manifest."""
    began = oplog.newest(client())
    pieces, collections = [], {}
    for number, collection in enumerate(_collections()):
        collections[collection] = {
            "piece": f"backups/{moment}/{number:03d}",
            "indexes": json_util.dumps(_indexes(collection)),
        }
        pieces.append(vault.write(f"backups/{moment}/{number:03d}", _rows(collection)))
    ended = oplog.newest(client())
    log = f"backups/{moment}/log"
    pieces.append(vault.write(log, _log(began, ended)))
    return {
        "pieces": pieces,
        "collections": collections,
        "log": log,
        "database": name(),
        "log_began": oplog.text(began),
        "log_ended": oplog.text(ended),
    }


def is_empty() -> bool:
    """Whether no collection holds a row."""
    return not any(_database()[collection].find_one({}, {"_id": 1}) for collection in _collections())


def restore(manifest: dict[str, Any], until: str) -> str:
    """Load the backup and the log up to `until`, then put all of it in the place of what is there. Returns the moment of
    the last entry that was applied."""
    database = _database()
    _drop_staged(database)
    indexes = {}
    for collection, about in manifest["collections"].items():
        indexes[collection] = {each["name"]: dict(each) for each in json_util.loads(about["indexes"])}
        _load(database, collection, about["piece"])
    player = oplog.Player(database, manifest["database"], STAGED, indexes)
    last = manifest["log_ended"]
    _play(player, manifest["log"], "", last)
    for began, ended in following(manifest, until):
        _play(player, vault.segment(began, ended), last, until)
        last = min(ended, until)
    player.flush()
    staged = set(database.list_collection_names())
    for collection, wanted in player.indexes.items():
        if STAGED + collection not in staged:
            database.create_collection(STAGED + collection)
        found = [_described(each) for each in wanted.values() if each["name"] != "_id_"]
        if found:
            database.command({"createIndexes": STAGED + collection, "indexes": found})
    present = _collections()
    for collection in player.indexes:
        database[STAGED + collection].rename(collection, dropTarget=True)
    for collection in present:
        if collection not in player.indexes:
            database.drop_collection(collection)
    return last


def following(manifest: dict[str, Any], until: str) -> list[tuple[str, str]]:
    """The segments of the log that continue this backup, up to `until`. Raises BackupError when one is missing between."""
    found, reached = [], manifest["log_ended"]
    for began, ended in vault.segments():
        if ended <= reached or began >= until:
            continue
        if began > reached:
            raise BackupError(
                f"The log has a gap: nothing is kept between {reached} and {began}. "
                f"Restore up to there with --until {reached}, or a later backup."
            )
        found.append((began, ended))
        reached = ended
    return found


def _collections() -> list[str]:
    found = _database().list_collections(filter={"type": "collection"})
    names = [each["name"] for each in found]
    return sorted(name for name in names if not name.startswith(("system.", STAGED)))


def _indexes(collection: str) -> list[dict[str, Any]]:
    return [dict(index) for index in _database()[collection].list_indexes()]


def _described(index: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in index.items() if name not in ("v", "ns", "background")}


def _rows(collection: str) -> Iterator[bytes]:
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    rows = _database().get_collection(collection, codec_options=raw, read_concern=ReadConcern("majority"))
    with rows.find({}) as cursor:
        for row in cursor:
            yield row.raw


def _log(began: Any, ended: Any) -> Iterator[bytes]:
    for entry in oplog.entries(client(), began, until=ended):
        if entry is not None and oplog.concerns(entry, name()):
            yield bytes(entry.raw)


def _load(database: Database[Any], collection: str, piece: str) -> None:
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    rows = database.get_collection(STAGED + collection, codec_options=raw)
    batch: list[RawBSONDocument] = []
    size = 0
    for document in documents(vault.read(piece)):
        batch.append(RawBSONDocument(document))
        size += len(document)
        if len(batch) >= _INSERT_ROWS or size >= _INSERT_BYTES:
            _insert(rows, batch)
            batch, size = [], 0
    if batch:
        _insert(rows, batch)


def _insert(rows: Collection[RawBSONDocument], batch: list[RawBSONDocument]) -> None:
    try:
        rows.insert_many(batch, ordered=False)
    except BulkWriteError as error:
        # A row that was removed and made anew while they were read may be there twice; the log has the last word.
        if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
            raise


def _play(player: oplog.Player, piece: str, after: str, until: str) -> None:
    for document in documents(vault.read(piece)):
        moment = oplog.text(bson.decode(document, CodecOptions(document_class=RawBSONDocument))["ts"])
        if after < moment <= until:
            player.play(document)


def documents(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """BSON documents, one after the other, out of a stream. Raises BackupError when it ends within one."""
    waiting = bytearray()
    for data in chunks:
        waiting += data
        begin = 0
        while len(waiting) - begin >= 4:
            end = begin + int.from_bytes(waiting[begin : begin + 4], "little")
            if end > len(waiting):
                break
            yield bytes(waiting[begin:end])
            begin = end
        del waiting[:begin]
    if waiting:
        raise BackupError("A piece of the backup ends within a row.")


def _drop_staged(database: Database[Any]) -> None:
    """What a restore left behind that did not come to its end."""
    for collection in database.list_collection_names():
        if collection.startswith(STAGED):
            database.drop_collection(collection)
