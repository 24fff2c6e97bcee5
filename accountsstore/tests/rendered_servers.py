"""The servers of an inventory, started here from the files that `render_deploy` writes for them: empty, and not yet a whole."""

import contextlib
import io
import random
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management import CommandError, call_command

from accountsstore.fleet.inventory import BUS
from accountsstore.fleet.passwords import passwords_make
from accountsstore.management.processes import can_listen
from accountsstore.stack import programs
from accountsstore.stack.layout import Node
from accountsstore.stack.mongo import mongod
from accountsstore.stack.valkey import PROGRAM
from accountsstore.tests.programs import eventually

EXAMPLE = (settings.BASE_DIR / "deploy" / "inventory.example.toml").read_text()
HOST = "127.0.0.1"
COUNTS = {"mongo": 3, "redis": 6, "jobs": 2, "sentinels": 3}


class Servers:
    """`nodes` by name: mongo-1, redis-1, jobs-1, sentinel-1, ..."""

    def __init__(self, folder: Path, *parts: str) -> None:
        self.folder, self.parts = folder, parts
        self.passwords_file = folder / "passwords.env"
        self.passwords_file.write_text(passwords_make())
        first = _free_ports(sum(COUNTS[part] for part in parts) + 1)
        self.spare_port = first
        self.addresses: dict[str, list[str]] = {}
        for part in parts:
            ports = [first := first + 1 for _ in range(COUNTS[part])]
            self.addresses[part] = [f"{HOST}:{port}" for port in ports]
        self.nodes: dict[str, Node] = {}
        self.render()
        for name, files in self.files.items():
            part = name.rpartition("-")[0]
            port = int(re.search(r"^\s*port:? (\d+)$", files["conf"].read_text(), re.MULTILINE)[1])  # type: ignore[index]
            node = self.nodes[name] = Node(name, part, port, folder / name)
            self._place(node)
            self.start(node)

    def inventory(self, **replaced: list[str]) -> Path:
        """A file that names these servers, or others in their place."""
        text = re.sub(r"\[servers\].*?(?=^# A host's roles)", "", EXAMPLE, flags=re.DOTALL | re.MULTILINE)
        lines = [f"{part} = {addresses}\n" for part, addresses in (self.addresses | replaced).items()]
        path = self.folder / "inventory.toml"
        path.write_text("[servers]\nmongo_oplog_gb = 1\nmongo_cache_gb = 1\n" + "".join(lines) + text)
        return path

    def render(self) -> None:
        """Have render_deploy write the files of all servers, with the passwords as they are in their file now."""
        out = self.folder / "rendered"
        call_command("render_deploy", self.inventory(), into=out, passwords=self.passwords_file, stdout=io.StringIO())
        self.files = {
            path.name: {"conf": next(path.glob("*.conf")), "keyfile": path / "keyfile"}
            for path in (out / "servers").iterdir()
        }

    def _place(self, node: Node) -> None:
        """Put the rendered files where a host would have them, with folders of this machine in them."""
        (node.folder / "data").mkdir(parents=True)
        text = self.files[node.name]["conf"].read_text()
        text = re.sub(r"/var/lib/(redis/\w+|mongodb)", str(node.folder), text)
        self.conf(node).write_text(text)
        if node.part == "mongo":
            keyfile = shutil.copy(self.files[node.name]["keyfile"], node.folder / "keyfile")
            Path(keyfile).chmod(0o600)

    def conf(self, node: Node) -> Path:
        return node.folder / "server.conf"

    def start(self, node: Node) -> None:
        command = [PROGRAM, str(self.conf(node)), *(["--sentinel"] if node.part == "sentinel" else [])]
        if node.part == "mongo":
            command = [str(mongod()), "--config", str(self.conf(node))]
        programs.start(node, command, with_parent=True)

    def wait(self) -> None:
        """Until every server listens."""
        for node in self.nodes.values():
            eventually(lambda node=node: listens(node.port), f"{node.name} does not listen", node.log)

    def bootstrap(self, *parts: str, look: bool = False, **replaced: list[str]) -> str:
        """What the command says. Raises CommandError."""
        out = io.StringIO()
        call_command(
            "bootstrap_servers",
            self.inventory(**replaced),
            *parts,
            passwords=self.passwords_file,
            look=look,
            stdout=out,
        )
        return out.getvalue()

    def refusal(self, *parts: str, **replaced: list[str]) -> str:
        try:
            said = self.bootstrap(*parts, **replaced)
        except CommandError as error:
            return str(error)
        raise AssertionError(f"it was not refused: {said}")

    def password(self, name: str) -> str:
        """The newest value of a line of the passwords' file; of a user of MongoDB with its name."""
        return self._line(name).partition(",")[0]

    def set_password(self, name: str, value: str) -> None:
        text = self.passwords_file.read_text()
        self.passwords_file.write_text(text.replace(f"{name}={self._line(name)}", f"{name}={value}"))

    def _line(self, name: str) -> str:
        found = re.search(rf"^{name}=(.*)$", self.passwords_file.read_text(), re.MULTILINE)
        assert found
        return found[1]


@contextlib.contextmanager
def rendered_servers(folder: Path, *parts: str) -> Iterator[Servers]:
    """These parts of the example inventory, running until the end of the block."""
    servers = Servers(folder, *parts)
    try:
        servers.wait()
        yield servers
    finally:
        for node in servers.nodes.values():
            with contextlib.suppress(programs.StackError):
                programs.kill(node)


def listens(port: int) -> bool:

    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _free_ports(count: int) -> int:
    """The first of so many that nobody has, nor those of the cluster's bus above them."""
    for base in random.sample(range(11_000, 17_000, 20), 50):
        with contextlib.suppress(OSError):
            for port in range(base, base + count):
                can_listen(HOST, port)
                can_listen(HOST, port + BUS)
            return base
    raise AssertionError("no free ports")
