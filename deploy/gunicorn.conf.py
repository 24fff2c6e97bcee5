"""gunicorn for the pages: `gunicorn -c deploy/gunicorn.conf.py accountsstore.wsgi`.

Where it listens and with how many processes stands in GUNICORN_CMD_ARGS, which `manage.py render_deploy` writes.
"""

import subprocess
import sys
from typing import Any

worker_class = "gthread"
# A page waits for the database more than it computes.
threads = 4
# Above the 60 s of nginx, so that nginx is the one who closes: no request meets a connection that just ended.
keepalive = 75
# Above the longest that the store itself waits for a server of its own (docs/operations/mongodb.md).
timeout = 60
# What is under way when it is asked to stop may end.
graceful_timeout = 30
# As long as nginx lets them be.
limit_request_line = limit_request_field_size = 8190
# A slow disk must not look like a dead process.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None  # noqa: S108


def on_starting(server: Any) -> None:
    """A server that does not answer ends the start with a sentence. Asked in a process of its own, so that gunicorn's
    children inherit no connection; children that are replaced later are not asked, so that they serve what they can."""
    if code := subprocess.run(
        [sys.executable, "manage.py", "preflight"], stdout=subprocess.DEVNULL, check=False
    ).returncode:
        sys.exit(code)
