"""A Redis or Valkey of the fleet: asking it as its operator, and who may do what on it."""

import hashlib
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from accountsstore.fleet.errors import ServerError
from accountsstore.fleet.inventory import BUS
from accountsstore.fleet.passwords import Passwords

_EVERYTHING = "~* &* +@all"
# Its keys and channels; no command that shows or changes the server itself, and none that empties it.
_STORE = "~* &* +@all -@admin -@dangerous +info"
# Figures, no keys and no configuration: that one has the operator's password in it.
_EXPORTER = (
    "-@all +auth +hello +ping +command +client|setname +client|setinfo +info +latency|latest +latency|histogram +slowlog|len "
    "+cluster|info +cluster|nodes +cluster|slots"
)
# What a client of Sentinels needs: https://valkey.io/topics/sentinel/ (Access Control List authentication).
_ASKS_SENTINEL = (
    "&* -@all +auth +hello +ping +info +role +command +client|setname +client|setinfo +client|getname +client|id "
    "+subscribe +psubscribe +unsubscribe +punsubscribe +sentinel|get-master-addr-by-name +sentinel|master "
    "+sentinel|masters +sentinel|replicas +sentinel|slaves +sentinel|sentinels +sentinel|myid"
)


@dataclass(frozen=True)
class Server:
    """One server, and the operator's passwords for it, newest first."""

    host: str
    port: int
    passwords: tuple[str, ...] = field(repr=False)
    bus_port: int = 0

    @classmethod
    def at(cls, address: str, passwords: tuple[str, ...]) -> "Server":
        host, _, port = address.rpartition(":")
        return cls(host, int(port), passwords, int(port) + BUS)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def place(self) -> tuple[str, int]:
        """As servers tell of each other: by number. Raises ServerError for a name that nobody resolves."""
        try:
            return socket.gethostbyname(self.host), self.port
        except OSError:
            raise ServerError(f"{self.address}: nobody knows the name {self.host}.") from None

    def ask(self, *command: object) -> Any:
        """The answer to one command, in the shape redis-py gives it.

        Raises redis.RedisError, within two seconds when it does not answer.
        """
        for last, password in enumerate(self.passwords, 1 - len(self.passwords)):
            with redis.Redis(
                host=self.host,
                port=self.port,
                password=password,
                socket_connect_timeout=1,
                socket_timeout=2,
                retry=Retry(NoBackoff(), 0),
                decode_responses=True,
            ) as client:
                try:
                    return client.execute_command(*command)
                except redis.AuthenticationError:
                    if not last:
                        raise
        raise AssertionError("a server without a password")

    def answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False

    def looked_at(self, section: str) -> Any:
        """`INFO section`, for somebody who has seen nothing of it yet. Raises ServerError: no answer, another password."""
        try:
            return self.ask("INFO", section)
        except redis.AuthenticationError:
            raise ServerError(f"{self.address} knows another password.") from None
        except redis.RedisError as error:
            raise ServerError(f"{self.address} does not answer ({type(error).__name__}).") from None


def rights(part: str, passwords: Passwords) -> dict[str, str]:
    """user → its rules for `ACL SETUSER` and the configuration: passwords as hashes, then rights.

    `part` is redis, jobs or sentinels.
    """
    prefix = "REDIS" if part == "redis" else "JOBS"
    allowed = {
        "default": _EVERYTHING,
        "store": _ASKS_SENTINEL if part == "sentinels" else _STORE,
        "exporter": _ASKS_SENTINEL if part == "sentinels" else _EXPORTER,
    }
    names = {"default": "ADMIN", "store": "STORE", "exporter": "EXPORTER"}
    return {
        user: f"on {' '.join(_hashed(passwords[f'{prefix}_{names[user]}']))} {rules}" for user, rules in allowed.items()
    }


def _hashed(passwords: Iterable[str]) -> list[str]:
    return ["#" + hashlib.sha256(password.encode()).hexdigest() for password in passwords]


def keepable(servers: Sequence[Server], *command: str) -> None:
    """Have each write its configuration as it is: what is about to change must outlive a restart. Raises ServerError."""
    for server in servers:
        try:
            server.ask(*command)
        except redis.RedisError as error:
            raise ServerError(
                f"{server.address} cannot write its configuration file ({error}): let its user own the file and the folder."
            ) from None


def users_written(servers: Sequence[Server], part: str, passwords: Passwords) -> list[str]:
    """Give each server the users, with exactly these passwords and rights; returns the addresses of those that had others.

    Connections stay as they are: who is in is not asked again. Safe to repeat. Raises redis.RedisError.
    """
    changed = []
    for server in servers:
        before = server.ask("ACL LIST")
        for user, rules in rights(part, passwords).items():
            server.ask("ACL SETUSER", user, "reset", *rules.split())
        if server.ask("ACL LIST") != before:
            changed.append(server.address)
    return changed
