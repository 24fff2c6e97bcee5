"""The job queue. Tasks take an id and call a service; every one of them is safe to run twice."""

import os
import time
from typing import Any

from celery import Celery
from celery.signals import beat_init, before_task_publish, celeryd_init

from accountsstore.metrics import share

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")

app = Celery("accountsstore")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def _worker(**kwargs: object) -> None:
    from accountsstore.metrics import jobs  # noqa: F401  (its handlers)

    _require_servers()
    share("worker")


@beat_init.connect
def _beat(**kwargs: object) -> None:
    _require_servers()
    share("beat")


def _require_servers() -> None:
    """A worker or beat that cannot reach a server says so and ends, instead of trying for ever."""
    from django.db import connections  # the settings are ready now

    from accountsstore.servers import require_servers

    require_servers()
    # The children make their own connections: MongoDB's do not survive a fork.
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()


@before_task_publish.connect
def _say_when(headers: dict[str, Any], **kwargs: object) -> None:
    """So that its age shows how long a queue makes jobs wait (gauges.py)."""
    headers["sent_at"] = time.time()
