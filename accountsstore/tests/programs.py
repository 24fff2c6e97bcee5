"""The store's own programs as processes on the test's database, and a mail server that counts what it took."""

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection

from accountsstore.stack import lifecycle
from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import Stack

# Only a backstop: what is waited for is a condition.
PATIENCE_SECONDS = 240
# No answer within this is a page that hangs: the longest of the store's own limits is 30 s, for a MongoDB that hangs.
ANSWER_SECONDS = 60
WORKER = ["worker", "--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle"]


def eventually(condition: Callable[[], object], what: str, log: Path | None = None) -> None:
    """Wait until `condition()` is true. The test fails with `what` if it never is."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, f"{what}\n{log.read_text()[-3000:] if log else ''}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def database_url() -> str:
    """The address of the database that this test uses."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def program_env(**more: str) -> dict[str, str]:
    """What a program needs to run as a part of the test's store, in production."""
    return os.environ | {
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS),
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "PYTHONUNBUFFERED": "1",
        "LOG_FORMAT": "plain",
        **more,
    }


@contextmanager
def program(log: Path, *command: str, env: dict[str, str], restarts: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python <command>` in a group of its own; whatever is left of it at the end is killed.

    `restarts` starts it again whenever it ends, as a service manager does.
    """
    keeper = ["sh", "-c", 'while :; do "$@"; sleep 1; done', "keeper"] if restarts else []
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*keeper, sys.executable, *command],
            cwd=settings.BASE_DIR,
            env=env,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill_group(process)
        wrote()


def wrote() -> None:
    """A program has run on the test's database: on MongoDB, where nothing is rolled back, all of it is emptied."""
    if connection.vendor == "mongodb":
        from accountsstore.mongo_for_tests import written_elsewhere

        written_elsewhere()


def run_python(*command: str, env: dict[str, str], within: int = PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
    """What `python <command>` printed and how it ended. Fails when that takes more than `within` seconds."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=env,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


def ended_within(seconds: int, *command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What `python <command>` printed and how it ended. Fails when it runs longer, by a clock that stands still while
    the program would run and other programs have the processors."""
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, *command], cwd=settings.BASE_DIR, env=env, stdout=out, stderr=errors
        ) as process,
    ):
        began, waited = time.monotonic(), 0.0
        while process.poll() is None:
            # Nanoseconds: on a processor, and waiting for one (Documentation/scheduler/sched-stats.rst of Linux).
            with contextlib.suppress(OSError):
                waited = int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9
            if time.monotonic() - began - waited > seconds:
                process.kill()
                pytest.fail(f"{command} still runs after {seconds} s")
            time.sleep(0.02)
        printed = []
        for file in (out, errors):
            file.seek(0)
            printed.append(file.read())
        return subprocess.CompletedProcess(command, process.returncode, *printed)


def celery(log: Path, *arguments: str, env: dict[str, str], restarts: bool = False) -> Any:
    command = ["-m", "celery", "-A", "accountsstore", *arguments, "--loglevel", "INFO"]
    return program(log, *command, env=env, restarts=restarts)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class MailServer:
    """Takes every mail and counts it by its Message-ID, once its sender has been told so. `hold()` keeps the senders
    waiting for that word until `release()`; `refuse(n)` refuses the next n."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.waiting = 0
        self.refusals = 0
        self._held = False
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusals:
            self.refusals -= 1
            return "451 Try again later"
        self.waiting += 1
        try:
            # A sender that goes away ends this here.
            while self._held:
                await asyncio.sleep(0.02)
        finally:
            self.waiting -= 1
        lines = envelope.content.decode(errors="replace").splitlines()
        self.taken[next(line for line in lines if line.lower().startswith("message-id:"))] += 1
        return "250 OK"

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False

    def refuse(self, number: int) -> None:
        self.refusals = number

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._controller.port}"


@contextmanager
def own_stack(folder: Path, *parts: str) -> Iterator[Stack]:
    """These parts of the production stack, from deploy/, on free ports: a test may treat them as it likes."""
    for tries_left in reversed(range(10)):
        stack = Stack.open(folder / "stack", 0)
        try:
            asyncio.run(lifecycle.up(stack, parts, lambda line: None, asyncio.Event(), with_parent=True))
            break
        except StackError:  # somebody else was quicker on one of the ports
            lifecycle.down(stack, wipe=True)
            if not tries_left:
                raise
    try:
        yield stack
    finally:
        lifecycle.down(stack, wipe=True)


def ask(port: int, method: str, path: str, headers: dict[str, str], body: str = "") -> Any:
    """The answer, with its text; status 0 when nobody listens. Fails when there is none in time."""
    connected = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connected.request(method, path, body or None, headers)
        answer: Any = connected.getresponse()
        answer.text = answer.read().decode(errors="replace")
    except ConnectionError:
        answer = http.client.HTTPResponse.__new__(http.client.HTTPResponse)
        answer.status = 0
    finally:
        connected.close()
    return answer
