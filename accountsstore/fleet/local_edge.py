"""nginx as deploy/nginx has it, run by anybody on high ports with a certificate of its own: for tests and rehearsals."""

import datetime
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accountsstore.fleet.inventory import Inventory
from accountsstore.fleet.rendering import SAID, Edge, nginx_conf
from accountsstore.management.processes import WITH_PARENT

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
START_SECONDS = STOP_SECONDS = 30


class EdgeError(Exception):
    """nginx refuses its configuration or does not start. The text is what it says."""


@dataclass(frozen=True)
class LocalEdge:
    """A running nginx: `reload` takes another inventory without losing a connection."""

    folder: Path
    settings: Edge
    process: subprocess.Popen[bytes]

    @property
    def maintenance(self) -> Path:
        """While this file exists the store is closed."""
        return self.folder / "maintenance"

    def log(self) -> str:
        return (self.folder / "error.log").read_text()

    def reload(self, inventory: Inventory) -> None:
        """Serve another inventory from now on; what is under way is finished by the old one. Raises EdgeError."""
        before = self.workers()
        _write(self.folder, inventory, self.settings)
        self.process.send_signal(signal.SIGHUP)
        _until(lambda: not set(before) & set(self.workers()), "nginx did not load its new configuration", self.folder)

    def workers(self) -> list[int]:
        """Those that take new connections, not those that a reload lets finish."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if not _leaves(pid)]


@contextmanager
def local_edge(folder: Path, inventory: Inventory, settings: Edge) -> Iterator[LocalEdge]:
    """Run nginx until the end of the block. Its certificate lies where the inventory says. Raises EdgeError."""
    if not NGINX:
        raise EdgeError("nginx is not installed: apt-get install nginx-light")
    _write(folder, inventory, settings)
    command = [
        *WITH_PARENT,
        NGINX,
        "-c",
        str(folder / "nginx.conf"),
        "-e",
        str(folder / "error.log"),
        "-g",
        "daemon off;",
    ]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        _until(
            lambda: process.poll() is None and _listens(inventory),
            "nginx does not listen",
            folder,
        )
        yield LocalEdge(folder, settings, process)
    finally:
        # QUIT would wait for the sockets of old workers.
        process.terminate()
        process.wait(STOP_SECONDS)


def local_settings(folder: Path, **limits: int) -> Edge:
    """What of `Edge` is another here: who runs it and where it writes."""
    here = str(folder)
    return Edge(user=pwd.getpwuid(os.getuid()).pw_name, conf=here, state=here, logs=here, run=here, **limits)


def certificate_write(names: tuple[str, ...], certificate: Path, key: Path) -> None:
    """A certificate for these names that lasts a day, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    certificate.write_bytes(signed.public_bytes(pem))
    key.touch(mode=0o600)
    plain = serialization.NoEncryption()
    key.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def trusting(certificate: Path) -> ssl.SSLContext:
    """What a client needs to trust that certificate."""
    return ssl.create_default_context(cafile=str(certificate))


def _write(folder: Path, inventory: Inventory, settings: Edge) -> None:
    """Put the configuration in place if nginx takes it. Raises EdgeError."""
    shutil.copytree(SAID, folder / "said", dirs_exist_ok=True)
    new = folder / "nginx.conf.new"
    new.write_text(nginx_conf(inventory, settings))
    assert NGINX
    command = [NGINX, "-t", "-q", "-c", str(new), "-e", str(folder / "test.log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgeError(done.stderr)
    new.replace(folder / "nginx.conf")


def _listens(inventory: Inventory) -> bool:
    try:
        with socket.create_connection((inventory.listen[0], inventory.ports["https"]), timeout=1):
            return True
    except OSError:
        return False


def _leaves(pid: str) -> bool:
    try:
        return b"shutting down" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


def _until(done: Callable[[], bool], what: str, folder: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not done():
        if time.monotonic() > give_up:
            log = folder / "error.log"
            raise EdgeError(f"{what}:\n{log.read_text()[-2000:] if log.exists() else ''}")
        time.sleep(0.02)
