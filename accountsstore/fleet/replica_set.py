"""The MongoDB replica set: its members, its users, and how far its log reaches."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from accountsstore.fleet.configuration import render
from accountsstore.fleet.errors import ServerError
from accountsstore.fleet.passwords import KEY, USERS, Passwords

SET = "rs0"
DATABASE = "accountsstore"
# Codes of https://www.mongodb.com/docs/v6.0/reference/error-codes/
UNAUTHORIZED, AUTHENTICATION_FAILED, ALREADY_INITIALIZED, NOT_YET_INITIALIZED = 13, 18, 23, 94
ROLE_EXISTS, USER_EXISTS = 51002, 51003
# Of each line of users there is one, or two while its password is being changed. The operator's own may be more.
ROLES = {
    "MONGO_ADMIN": "root",
    "MONGO_STORE": "storeApplication",
    "MONGO_BACKUP": "storeBackup",
    "MONGO_EXPORTER": "storeExporter",
}
Step = tuple[str, Callable[[], bool]]
Document = dict[str, Any]


@dataclass(frozen=True)
class Member:
    """One mongod, and the keys of its key file, newest first."""

    address: str
    keys: tuple[str, ...] = field(repr=False)

    @contextlib.contextmanager
    def client(self, **options: Any) -> Iterator[MongoClient[Document]]:
        """A connection to this one, whatever its role. Raises PyMongoError once it is used."""
        limits: dict[str, Any] = {"serverSelectionTimeoutMS": 1000, "connectTimeoutMS": 1000, "socketTimeoutMS": 30_000}
        with MongoClient(self.address, directConnection=True, **limits, **options) as client:
            yield client

    @contextlib.contextmanager
    def trusted(self) -> Iterator[MongoClient[Document]]:
        """A connection as another member: the only way in, over the network, while there is no user.

        Raises OperationFailure (AUTHENTICATION_FAILED) for a key that it does not know.
        """
        for last, key in enumerate(self.keys, 1 - len(self.keys)):
            with self.client(username="__system", password=key, authSource="local") as client:
                try:
                    client.admin.command("ping")
                except OperationFailure as error:
                    if error.code != AUTHENTICATION_FAILED or not last:
                        raise
                    continue
                yield client
                return

    def hello(self) -> Document:
        """What it says of itself to everybody; empty when it does not answer."""
        try:
            with self.client() as client:
                found: Document = client.admin.command("hello")
                return found
        except PyMongoError:
            return {}


def examined(members: Sequence[Member]) -> str:
    """What there is, in a sentence. Changes nothing. Raises ServerError, which names a member that may not be taken."""
    if len(members) < 3 or not len(members) % 2:
        raise ServerError(f"mongo in [servers] names {len(members)}: take 3, or another odd number.")
    wanted = {member.address for member in members}
    new = []
    for member in members:
        hello = member.hello()
        if not hello:
            raise ServerError(f"{member.address} does not answer.")
        if hello.get("setName", SET) != SET:
            raise ServerError(f"{member.address} is in another replica set, {hello['setName']}.")
        if "setName" not in hello and not hello.get("isreplicaset"):
            raise ServerError(f"{member.address} runs without replSetName: give it the mongod.conf of render_deploy.")
        try:
            with member.trusted() as client:
                if "setName" in hello:
                    found = {one["host"] for one in client.admin.command("replSetGetConfig")["config"]["members"]}
                    held = 0
                else:
                    new.append(member)
                    found, held = wanted, client.admin.command("serverStatus")["catalogStats"]["collections"]
        except PyMongoError as error:
            if isinstance(error, OperationFailure) and error.code == AUTHENTICATION_FAILED:
                raise ServerError(f"{member.address} has another key file than {KEY}.") from None
            raise ServerError(
                f"{member.address} does not answer as a member ({type(error).__name__}: {error})."
            ) from None
        if held:
            raise ServerError(f"{member.address} holds {held} collections of something else: it must be empty.")
        if found != wanted:
            other = min(found ^ wanted)
            has = "has" if other in found else "has not"
            raise ServerError(
                f"{member.address} is in a replica set of {', '.join(sorted(found))}, which {has} {other}, "
                f"unlike the inventory. rs.add() and rs.remove() change a set that is in use."
            )
    if len(new) == len(members):
        return f"{len(members)} empty members"
    if new:
        raise ServerError(
            f"{new[0].address} knows nothing of the set that the others are in: wait, or look at its log."
        )
    return f"the replica set {SET} of {len(members)}"


def steps(
    members: Sequence[Member], passwords: Passwords, changed: list[str], oplog_mb: int | None = None
) -> list[Step]:
    """What makes a set of them, in this order: each is asked again until it is true. Safe to repeat.

    `changed` takes the names of users that were made, altered and dropped. Steps raise ServerError for what cannot be.
    """
    found: list[Step] = [
        ("the members are a set", lambda: _initiated(members)),
        ("users have their passwords and rights", lambda: _users_written(members, passwords, changed)),
    ]
    if oplog_mb:
        found.append((f"the log has {oplog_mb} MB", lambda: _oplog_sized(members, oplog_mb)))
    return [*found, ("all members are well", lambda: all(_is_well(member.hello()) for member in members))]


def _is_well(hello: Document) -> bool:
    return bool(hello.get("isWritablePrimary") or hello.get("secondary"))


def _initiated(members: Sequence[Member]) -> bool:
    if all("setName" in member.hello() for member in members):
        return True
    config = json.loads(render("mongo/replica-set.json", {}))
    config["members"] = [{"_id": number, "host": member.address} for number, member in enumerate(members)]
    try:
        with members[0].trusted() as client:
            client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        # It is a member already, or still reads that it is.
        if error.code not in (UNAUTHORIZED, ALREADY_INITIALIZED, NOT_YET_INITIALIZED):
            raise ServerError(
                f"MongoDB refuses the replica set: {error.details and error.details.get('errmsg')}"
            ) from None
    except PyMongoError:
        pass
    return False


def _users_written(members: Sequence[Member], passwords: Passwords, changed: list[str]) -> bool:
    """Write the roles of deploy/mongo/users.json and who has them. False while there is no primary to write to."""
    primary = next((member for member in members if member.hello().get("isWritablePrimary")), None)
    if not primary:
        return False
    try:
        with primary.trusted() as client:
            for role in json.loads(render("mongo/users.json", {"database": DATABASE})):
                _create_or_update(client, role)
            for name in USERS:
                users = dict(user.split(":", 1) for user in passwords[name])
                roles = [{"role": ROLES[name], "db": "admin"}]
                there = {one["user"]: one["roles"] for one in client.admin.command("usersInfo")["users"]}
                for user, password in users.items():
                    if there.get(user) != roles or not _is_password(primary, user, password):
                        _create_or_update(client, {"createUser": user, "pwd": password, "roles": roles})
                        changed.append(f"{'changed' if user in there else 'made'} {user}")
                for user in there:
                    if there[user] == roles and user not in users and name != "MONGO_ADMIN":
                        _command(client, {"dropUser": user})
                        changed.append(f"dropped {user}")
    except OperationFailure as error:
        if error.code == AUTHENTICATION_FAILED:
            raise ServerError(f"{primary.address} has another key file than {KEY}.") from None
        return False
    except PyMongoError:
        return False
    return True


def _is_password(member: Member, user: str, password: str) -> bool:
    try:
        with member.client(username=user, password=password, authSource="admin") as client:
            client.admin.command("ping")
            return True
    except OperationFailure:
        return False


def _oplog_sized(members: Sequence[Member], megabytes: int) -> bool:
    try:
        for member in members:
            with member.trusted() as client:
                if client.local.command("collStats", "oplog.rs")["maxSize"] != megabytes * 1024 * 1024:
                    client.admin.command("replSetResizeOplog", 1, size=float(megabytes))
    except PyMongoError:
        return False
    return True


def _create_or_update(client: MongoClient[Document], command: Document) -> None:
    try:
        _command(client, command)
    except OperationFailure as error:
        if error.code not in (ROLE_EXISTS, USER_EXISTS):
            raise
        _command(client, {name.replace("create", "update"): value for name, value in command.items()})


def _command(client: MongoClient[Document], command: Document) -> None:
    client.admin.command(command | {"writeConcern": {"w": "majority", "wtimeout": 5000}})
