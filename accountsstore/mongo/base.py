"""The engine: django-mongodb-backend, with transactions that are real and are run again when MongoDB asks for it.

MongoDB lets two transactions that write the same row collide: the later one fails with the label
TransientTransactionError and must start again from its beginning. The same label follows an election.
https://github.com/mongodb/specifications/blob/master/source/transactions-convenient-api/transactions-convenient-api.md
is what `in_transaction` does, with a shorter patience and Django's errors.
"""

import random
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, OperationalError
from django.db.models import Model
from django_mongodb_backend.base import DatabaseWrapper as MongoWrapper
from pymongo.errors import PyMongoError
from pymongo.server_description import ServerDescription
from pymongo.server_type import SERVER_TYPE

from accountsstore.mongo.listeners import LISTENERS
from accountsstore.mongo.operations import DatabaseOperations
from accountsstore.mongo.rows import RowCommands
from accountsstore.mongo.schema import DatabaseSchemaEditor

R = TypeVar("R")

# Above an election and the selection of the new primary, below what a person waits for.
PATIENCE_SECONDS = 20
# The same figures as pymongo's own `with_transaction`.
FIRST_PAUSE_SECONDS, PAUSE_GROWS_BY, LONGEST_PAUSE_SECONDS = 0.005, 1.5, 0.5
COLLIDED = "TransientTransactionError"
COMMIT_UNKNOWN = "UnknownTransactionCommitResult"
# IllegalOperation: "Transaction numbers are only allowed on a replica set member or mongos".
ILLEGAL_OPERATION = 20
NO_REPLICA_SET = (
    "DATABASE_URL leads to a MongoDB that is no replica set, which has no transactions. "
    "Start mongod with --replSet and run rs.initiate() once; one node is enough."
)


class DatabaseWrapper(RowCommands, MongoWrapper):
    in_atomic_block: bool
    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor

    def get_connection_params(self) -> dict[str, Any]:
        # pymongo tells them beside those that it was told of for all clients.
        return {**super().get_connection_params(), "event_listeners": LISTENERS}

    def in_transaction(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        """Call `function` in a transaction and commit it, from the beginning again as long as MongoDB asks for it, at
        most for PATIENCE_SECONDS. Rows among the arguments are as they were at each beginning.

        Raises what the function raises; DatabaseError when the transaction still collides, OperationalError when
        nobody can say whether it was committed, ImproperlyConfigured outside a replica set.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = FIRST_PAUSE_SECONDS
        has_met_a_twin = False
        put_back = _remember([*args, *kwargs.values()])
        while True:
            self._begin()
            try:
                result = function(*args, **kwargs)
                self._commit_until(deadline)
                break
            except BaseException as error:
                self._roll_back()
                cause = _mongo_error(error)
                # Who looked first and found nothing does not see the row that was committed meanwhile: look once more.
                is_new_twin = isinstance(error, IntegrityError) and not has_met_a_twin
                has_met_a_twin |= is_new_twin
                if cause is None:
                    raise
                if getattr(cause, "code", None) == ILLEGAL_OPERATION:
                    raise ImproperlyConfigured(NO_REPLICA_SET) from error
                if not (cause.has_error_label(COLLIDED) or is_new_twin) or time.monotonic() > deadline:
                    raise
            # Jitter: those that collided must not meet again.
            time.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(pause * PAUSE_GROWS_BY, LONGEST_PAUSE_SECONDS)
            put_back()
        # Django's own `atomic`, which does nothing here, may stand around ours (the admin's forms) and forbids callbacks.
        around, self.in_atomic_block = self.in_atomic_block, False
        try:
            self.run_and_clear_commit_hooks()
        finally:
            self.in_atomic_block = around
        return result

    def ask(self) -> None:
        """Return when the server answers and can do what the store needs. Raises ImproperlyConfigured outside a replica
        set and a sharded cluster, PyMongoError without an answer."""
        hello = self.database.client.admin.command("hello")
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise ImproperlyConfigured(NO_REPLICA_SET)

    def replica_lags(self) -> dict[str, float]:
        """Seconds that each secondary in service is behind the primary, by its address: what the driver has heard within
        ten seconds. Empty for a sharded cluster, and while there is no primary. Raises as `ask`."""
        self.ask()
        members = self.database.client.topology_description.server_descriptions().values()
        return {
            "{}:{}".format(*each.address): max(0.0, _unwritten(each) - _unwritten(primary))
            for primary in members
            if primary.server_type == SERVER_TYPE.RSPrimary
            for each in members
            if each.server_type == SERVER_TYPE.RSSecondary
        }

    def lock(self, row: Model) -> None:
        """Collide with every other transaction that writes `row`. A field that no model reads changes for it."""
        self.get_collection(row._meta.db_table).update_many(
            {"_id": row._meta.pk.get_db_prep_value(row.pk, self)}, {"$set": {"_lock": ObjectId()}}, session=self.session
        )

    def _begin(self) -> None:
        # A session that a failed commit left behind would take the writes of this block one by one.
        self._roll_back()
        self.start_transaction_mongo()
        self.in_atomic_block_mongo = True

    def _roll_back(self) -> None:
        self.in_atomic_block_mongo = False
        self.nested_atomics = 0
        if self.session is not None and not self.session.in_transaction:
            self._end_session()
        self.rollback_mongo()

    def _commit_until(self, deadline: float) -> None:
        """Commit. A commit whose answer was lost is asked for again, which is safe: it is the same transaction."""
        while True:
            try:
                self.session.commit_transaction()
                break
            except PyMongoError as error:
                if not error.has_error_label(COMMIT_UNKNOWN):
                    raise DatabaseError(str(error)) from error
                if time.monotonic() > deadline:
                    raise OperationalError("The database did not say whether this was saved.") from error
        self._end_session()
        self.in_atomic_block_mongo = False


def _mongo_error(error: BaseException) -> PyMongoError | None:
    """MongoDB's own error behind Django's."""
    for each in (error, error.__cause__):
        if isinstance(each, PyMongoError):
            return each
    return None


def _remember(values: Iterable[object]) -> Callable[[], None]:
    """Keep the fields of the rows among `values`, and of the rows these hold. The result puts them back."""
    rows: dict[int, tuple[Model, dict[str, Any], dict[str, Any]]] = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        # request.user hides its row.
        value = getattr(value, "_wrapped", value)
        if isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, Model) and id(value) not in rows:
            state = {**value._state.__dict__, "fields_cache": dict(value._state.fields_cache)}
            rows[id(value)] = value, dict(value.__dict__), state
            waiting.extend(value._state.fields_cache.values())

    def put_back() -> None:
        for row, fields, state in rows.values():
            row.__dict__.clear()
            row.__dict__.update(fields)
            row._state.__dict__.clear()
            row._state.__dict__.update({**state, "fields_cache": dict(state["fields_cache"])})

    return put_back


def _unwritten(member: ServerDescription) -> float:
    """How long its last write was ago when it was last heard, against an epoch that all members share."""
    return member.last_update_time - (member.last_write_date or 0.0)
