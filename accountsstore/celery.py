"""The job queue. Tasks take an id and call a service; every one of them is safe to run twice."""

import os
import time
from contextlib import AbstractContextManager
from typing import Any

from celery import Celery
from celery.signals import beat_init, before_task_publish, celeryd_init, task_postrun, task_prerun

from accountsstore.metrics import share

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")

app = Celery("accountsstore")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_spans: dict[str, AbstractContextManager[None]] = {}


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
def _say_when_and_for_whom(headers: dict[str, Any], **kwargs: object) -> None:
    """So that its age shows how long a queue makes jobs wait (gauges.py), and the log of a job whose request it was."""
    from accountsstore import served, tracing

    headers["sent_at"] = time.time()
    headers["served"] = served.ids() | tracing.carried()


@task_prerun.connect
def _begin(task_id: str, task: Any, **kwargs: object) -> None:
    from accountsstore import served, tracing

    told = task.request.get("served") or {}
    served.begin(served.Served(told.get("request_id", ""), told.get("user_id", ""), task.name))
    _spans[task_id] = tracing.span("CONSUMER", told)
    _spans[task_id].__enter__()


@task_postrun.connect
def _end(task_id: str, state: str | None = None, **kwargs: object) -> None:
    from accountsstore import served, tracing

    if state == "FAILURE":
        tracing.failed(state)
    if span := _spans.pop(task_id, None):
        span.__exit__(None, None, None)
    served.begin(served.NOBODY)
