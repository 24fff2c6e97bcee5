"""gunicorn for the pages: `gunicorn -c deploy/gunicorn.conf.py accountsstore.wsgi`."""

import subprocess
import sys
from typing import Any


def on_starting(server: Any) -> None:
    """A server that does not answer ends the start with a sentence. Asked in a process of its own, so that gunicorn's
    children inherit no connection; children that are replaced later are not asked, so that they serve what they can."""
    if code := subprocess.run(
        [sys.executable, "manage.py", "preflight"], stdout=subprocess.DEVNULL, check=False
    ).returncode:
        sys.exit(code)
