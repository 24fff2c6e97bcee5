"""A store that really runs, as `make run` starts it: Valkey, Daphne, the worker and the clock, with the demo data."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from accountsstore.tests.programs import run_python

# Starting, migrating and loading ten weeks of demo data on two busy cores.
START_SECONDS = 420
STOP_SECONDS = 60


class RunningStore:
    """Its address, its log, and the commands of manage.py on its data."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://localhost:{port}"
        self.log = folder / "store.log"
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # With the tests' keys, so that they open what it has sealed.
        keys = ",".join(settings.CREDENTIAL_KEYS)
        self.env = inherited | {"VAR_DIR": str(folder), "PORT": str(port), "CREDENTIAL_KEYS": keys}
        # No file changes here: twenty questions less for each page.
        self.env["STATIC_MAX_AGE"] = "3600"

    def manage(self, *arguments: str) -> str:
        """Run a command against the store's data and return what it printed. The test fails if the command does."""
        done = run_python("manage.py", *arguments, env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def running_store(folder: Path) -> Iterator[RunningStore]:
    """Start a store that keeps its data in `folder`, and stop it as Ctrl-C does."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = RunningStore(folder, port)
    subprocess.run([sys.executable, "deploy/local/dev_env.py", folder / "dev.env"], cwd=settings.BASE_DIR, check=True)
    command = [sys.executable, "manage.py", "run_store"]
    with store.log.open("w") as log:
        process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=store.env, stdout=log, stderr=log)
        try:
            _await_start(store, process)
            yield store
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _await_start(store: RunningStore, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "The store runs at" not in store.log.read_text():
        assert process.poll() is None, store.log.read_text()
        assert time.monotonic() < deadline, store.log.read_text()
        time.sleep(0.2)
