"""Which servers the local stack has, on which ports and in which folders, and how the site reaches them."""

import contextlib
import json
import random
import secrets
from dataclasses import dataclass
from pathlib import Path

from accountsstore.fleet.configuration import write_private
from accountsstore.management.processes import can_listen
from accountsstore.stack.errors import StackError

HOST = "127.0.0.1"
DEFAULT_PORT_BASE = 27100
# From the base to the highest port in NODES.
PORTS = 61
DATABASE = "accountsstore"
BUCKET = "accounts-store"
# part -> name -> port, counted from the base. The order is the one of `status`.
NODES = {
    "mongo": {f"mongo-{n}": n for n in (1, 2, 3)},
    "redis": {f"redis-{n}": 10 + n for n in range(1, 7)},
    "jobs": {"jobs-1": 31, "jobs-2": 32, "sentinel-1": 41, "sentinel-2": 42, "sentinel-3": 43},
    "s3": {"s3": 51},
    "mail": {"mail": 61},
}
PARTS = tuple(NODES)


@dataclass(frozen=True)
class Health:
    """What a server is (primary, secondary, master, replica, ...) and, when it is not well, what ails it."""

    role: str
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem


@dataclass(frozen=True)
class Node:
    """One server: its name, the part it belongs to, its port and the folder that holds all it has."""

    name: str
    part: str
    port: int
    folder: Path

    @property
    def ports(self) -> list[int]:
        """Every port it listens on: a node of the cluster has a second one for the others."""
        return [self.port, self.bus_port] if self.part == "redis" else [self.port]

    @property
    def bus_port(self) -> int:
        return self.port + 10

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid"


class Stack:
    """A folder, its ports and its passwords. Made once; later commands find them in `stack.json`."""

    def __init__(self, folder: Path, port_base: int, passwords: dict[str, str]) -> None:
        self.folder = folder
        self.port_base = port_base
        self.passwords = passwords
        self.nodes = [
            Node(name, part, port_base + offset, folder / name)
            for part, names in NODES.items()
            for name, offset in names.items()
        ]

    @classmethod
    def open(cls, folder: Path, port_base: int | None = None) -> "Stack":
        """The stack in `folder`, or a new one that is not on the disk yet. `port_base` 0 is any that is free.

        Raises StackError when the folder holds something else, or a stack with other ports.
        """
        folder = folder.resolve()
        file = folder / "stack.json"
        try:
            kept = json.loads(file.read_text()) if file.exists() else None
            # `down --wipe` removes folders by their names: here they must be ours.
            foreign = not kept and folder.exists() and {path.name for path in folder.iterdir()} - {"lock"}
        except (OSError, ValueError) as error:
            raise StackError(f"{file} cannot be read ({error}). Take another --folder.") from None
        if foreign:
            raise StackError(f"{folder} holds other files than a stack's. Take another --folder.")
        if kept:
            if port_base and port_base != kept["port_base"]:
                raise StackError(
                    f"The stack in {folder} has the ports from {kept['port_base']} on, and its servers know each other "
                    "by them. Leave out --port-base, take another --folder, or first remove it: stack down --wipe"
                )
            return cls(folder, kept["port_base"], kept["passwords"])
        if port_base == 0:
            port_base = _free_port_base()
        passwords = {name: secrets.token_urlsafe(24) for name in (*PARTS, "admin", "keyfile")}
        return cls(folder, port_base or DEFAULT_PORT_BASE, passwords)

    @property
    def exists(self) -> bool:
        return (self.folder / "stack.json").exists()

    def save(self) -> None:
        """Keep ports and passwords for the next command. Raises OSError where nothing can be written."""
        text = json.dumps({"port_base": self.port_base, "passwords": self.passwords})
        write_private(self.folder / "stack.json", text)
        self.folder.chmod(0o700)

    @property
    def mailbox(self) -> Path:
        """The Maildir that the mail server writes."""
        return self.node("mail").folder / "maildir"

    def part(self, part: str) -> list[Node]:
        return [node for node in self.nodes if node.part == part]

    def node(self, name: str) -> Node:
        """Raises StackError for a name that is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise StackError(f"{name} is no server of the stack. There are: {', '.join(node.name for node in self.nodes)}.")

    def env(self, parts: list[str]) -> dict[str, str]:
        """The variables that point the site at these parts. They hold passwords."""
        lines: dict[str, str] = {}
        if "mongo" in parts:
            hosts = ",".join(node.address for node in self.part("mongo"))
            # A pool as large as in production would be 150 idle connections for each process of the store.
            options = "replicaSet=rs0&authSource=admin&minPoolSize=2"
            lines["DATABASE_URL"] = f"mongodb://{DATABASE}:{self.passwords['mongo']}@{hosts}/{DATABASE}?{options}"
        if "redis" in parts:
            hosts = ",".join(node.address for node in self.part("redis"))
            lines["REDIS_URL"] = f"redis+cluster://:{self.passwords['redis']}@{hosts}"
        if "jobs" in parts:
            sentinels = [node.address for node in self.part("jobs") if node.name.startswith("sentinel")]
            lines["CELERY_BROKER_URL"] = ";".join(f"sentinel://:{self.passwords['jobs']}@{at}" for at in sentinels)
            lines["CELERY_SENTINEL_MASTER"] = "jobs"
        if "s3" in parts:
            lines |= {
                "S3_BUCKET": BUCKET,
                "S3_REGION": "us-east-1",
                "S3_ENDPOINT_URL": f"http://{self.node('s3').address}",
                "S3_ACCESS_KEY_ID": "accounts-store",
                "S3_SECRET_ACCESS_KEY": self.passwords["s3"],
            }
        if "mail" in parts:
            lines["EMAIL_URL"] = f"smtp://{self.node('mail').address}"
            lines["DEV_MAILBOX"] = str(self.mailbox)
        return lines


def _free_port_base() -> int:
    """Where no port of a stack is taken, below those that the kernel lends to clients. Raises StackError."""
    for base in random.sample(range(20_000, 32_700 - PORTS, 100), 20):
        with contextlib.suppress(OSError):
            for offset in range(1, PORTS + 1):
                can_listen(HOST, base + offset)
            return base
    raise StackError("No free ports were found between 20000 and 32700. Give --port-base.")
