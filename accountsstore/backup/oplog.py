"""MongoDB's log of operations: kept while it goes on, and applied again.

The log of a replica set holds each change of a row as what became of it, so that an operation may be applied twice, and
to a later state than it was made on, if all that follow are applied too. That is how a member catches up after its first
copy; a backup is restored in the same way.

Only what a majority has is read: no election takes it back. A transaction is one entry, or a chain of entries of which
all but the last say `partialTxn`; it counts when its last entry is there.
"""

from collections.abc import Iterator
from typing import Any

import bson
from bson import Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import CursorType, DeleteOne, MongoClient, ReplaceOne
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from accountsstore.backup.errors import BackupError

Operation = dict[str, Any]
# Every value comes out as it went in.
_EXACT: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
# Indexes are written down when they are finished.
_PASSED_OVER = {"startIndexBuild", "abortIndexBuild"}
_BATCH = 200


def text(moment: Timestamp) -> str:
    """As a name that sorts by time."""
    return f"{moment.time:010d}.{moment.inc:010d}"


def moment(text: str) -> Timestamp:
    seconds, _, number = text.partition(".")
    return Timestamp(int(seconds), int(number))


def newest(client: MongoClient[Any]) -> Timestamp:
    """The moment of the last entry that a majority has."""
    entry = _log(client).find_one(sort=[("$natural", -1)], projection={"ts": 1})
    if entry is None:
        raise BackupError("MongoDB keeps no log of operations: it is no member of a replica set.")
    return Timestamp(entry["ts"].time, entry["ts"].inc)


def reaches_back_to(client: MongoClient[Any], since: Timestamp) -> bool:
    """Whether nothing after `since` has left the log."""
    oldest = _log(client).find_one(sort=[("$natural", 1)], projection={"ts": 1})
    return oldest is not None and bool(oldest["ts"] <= since)


def entries(
    client: MongoClient[Any], since: Timestamp, *, until: Timestamp | None = None, wait: bool = False
) -> Iterator[RawBSONDocument | None]:
    """The entries after `since`, to the end or, with `wait`, for ever: None is a second without any.

    Raises BackupError when entries after `since` are no longer there.
    """
    if not reaches_back_to(client, since):
        raise BackupError("MongoDB's log no longer reaches back to the last copy: make oplogSizeMB larger.")
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    span = {"$gt": since} if until is None else {"$gt": since, "$lte": until}
    log = _log(client).with_options(codec_options=raw)
    cursor = log.find({"ts": span}, cursor_type=CursorType.TAILABLE_AWAIT if wait else CursorType.NON_TAILABLE)
    with cursor:
        if not wait:
            yield from cursor
            return
        cursor.max_await_time_ms(500)
        while cursor.alive:
            # A tailable cursor ends its loop when nothing came in time.
            for entry in cursor:
                yield entry
                if not cursor.alive:
                    break
            yield None


def concerns(entry: Any, database: str) -> bool:
    """Whether an entry may hold a change of this database: one of its own, or a transaction, which names none."""
    return str(entry["ns"]).startswith(f"{database}.") or (entry["ns"] == "admin.$cmd" and "applyOps" in entry["o"])


def _log(client: MongoClient[Any]) -> Any:
    return client.local.get_collection("oplog.rs", read_concern=ReadConcern("majority"))


class Player:
    """Applies entries to copies of the collections, whose names begin with `prefix`.

    By rows that are read and written, since the server's own applyOps asks for the rights of its administrator.
    """

    def __init__(
        self, database: Database[Any], source: str, prefix: str, indexes: dict[str, dict[str, dict[str, Any]]]
    ) -> None:
        """`source` is the database that the entries were made in; `indexes`: collection to name to description."""
        self._database, self._source, self._prefix, self.indexes = database, source, prefix, indexes
        self._waiting: list[Operation] = []
        # Transactions that are not complete, by their session and number.
        self._chains: dict[bytes, list[Operation]] = {}

    def play(self, data: bytes) -> None:
        """Apply an entry, or remember it until its transaction is complete or `flush` is called."""
        entry = bson.decode(data, _EXACT)
        if entry["op"] != "c":
            self._add(entry)
        elif "applyOps" in entry["o"]:
            key = bson.encode({"lsid": entry.get("lsid"), "txn": entry.get("txnNumber")})
            chain = self._chains.setdefault(key, [])
            chain += entry["o"]["applyOps"]
            if not entry["o"].get("partialTxn"):
                for operation in self._chains.pop(key):
                    self._add(operation)
        else:
            self._command(entry["o"])

    def flush(self) -> None:
        """Apply what was remembered."""
        by_collection: dict[str, list[Operation]] = {}
        for operation in self._waiting:
            by_collection.setdefault(operation["ns"].partition(".")[2], []).append(operation)
        self._waiting = []
        for collection, operations in by_collection.items():
            self._apply(collection, operations)

    def _apply(self, collection: str, operations: list[Operation]) -> None:
        rows = self._database.get_collection(self._prefix + collection, codec_options=_EXACT)
        ids = {_key(operation): _id(operation) for operation in operations}
        found: dict[bytes, Any] = {
            bson.encode({"_id": row["_id"]}): row for row in rows.find({"_id": {"$in": list(ids.values())}})
        }
        for operation in operations:
            key, what = _key(operation), operation["o"]
            if operation["op"] == "d":
                found.pop(key, None)
            elif operation["op"] == "i" or "$v" not in what:
                found[key] = what
            elif what["$v"] != 2:
                raise BackupError(f"The log holds an update of version {what['$v']}, which is not known.")
            elif key in found:
                # Else it was removed before the copy came to it, and the log removes it further on.
                found[key] = changed(found[key], what["diff"])
        rows.bulk_write(
            [
                ReplaceOne({"_id": each}, found[key], upsert=True) if key in found else DeleteOne({"_id": each})
                for key, each in ids.items()
            ],
            ordered=False,
        )

    def _add(self, operation: Operation) -> None:
        database, _, collection = operation["ns"].partition(".")
        if database != self._source or operation["op"] == "n":
            return
        if operation["op"] == "c":
            self._command(operation["o"])
            return
        self.indexes.setdefault(collection, {})
        self._waiting.append(operation)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def _command(self, command: dict[str, Any]) -> None:
        """What a migration does to collections and indexes."""
        kind, subject = next(iter(command.items()))
        self.flush()
        if kind == "create":
            self.indexes.setdefault(subject, {})
        elif kind == "createIndexes":
            found = {name: value for name, value in command.items() if name != kind}
            self.indexes.setdefault(subject, {})[found["name"]] = found
        elif kind == "commitIndexBuild":
            self.indexes.setdefault(subject, {}).update({each["name"]: each for each in command["indexes"]})
        elif kind in ("dropIndexes", "deleteIndexes"):
            self.indexes.get(subject, {}).pop(command["index"], None)
        elif kind == "drop":
            self.indexes.pop(subject, None)
            self._database.drop_collection(self._prefix + subject)
        elif kind == "renameCollection":
            old, new = (command[name].partition(".")[2] for name in (kind, "to"))
            if self._prefix + old in self._database.list_collection_names():
                self._database[self._prefix + old].rename(
                    self._prefix + new, dropTarget=bool(command.get("dropTarget"))
                )
            self.indexes[new] = self.indexes.pop(old, {})
        elif kind not in _PASSED_OVER:
            raise BackupError(f"The log holds {kind}, which a restore does not know. Restore up to before it: --until.")


def changed(value: Any, diff: dict[str, Any]) -> Any:
    """`value` after an update, as the log describes it: https://github.com/mongodb/mongo/blob/v6.0/src/mongo/db/update/document_diff_serialization.h

    Where it has another form by now, a later entry says what it became: that part is passed over.
    """
    if diff.get("a") is True:
        if not isinstance(value, list):
            return value
        value = value[: diff["l"]] if "l" in diff else list(value)
        for name, what in diff.items():
            if name[0] in "us":
                number = int(name[1:])
                value += [None] * (number + 1 - len(value))
                value[number] = what if name[0] == "u" else changed(value[number], what)
        return value
    if not isinstance(value, dict):
        return value
    value = {name: what for name, what in value.items() if name not in diff.get("d", {})}
    value |= diff.get("u", {})
    for name, what in diff.get("i", {}).items():
        value.pop(name, None)
        value[name] = what
    for name, what in diff.items():
        if name[0] == "s" and name[1:] in value:
            value[name[1:]] = changed(value[name[1:]], what)
    return value


def _id(operation: Operation) -> Any:
    return operation["o2"]["_id"] if operation["op"] == "u" else operation["o"]["_id"]


def _key(operation: Operation) -> bytes:
    return bson.encode({"_id": _id(operation)})
