"""Times the jobs of a worker. Imported there alone."""

import time
from typing import Any

from celery.signals import task_postrun, task_prerun

from accountsstore.metrics import process
from accountsstore.metrics.catalogue import JOBS

_began: dict[str, float] = {}


@task_prerun.connect
def _begin(task_id: str, **kwargs: Any) -> None:
    _began[task_id] = time.perf_counter()


@task_postrun.connect
def _end(task_id: str, task: Any, state: str | None = None, **kwargs: Any) -> None:
    now = time.perf_counter()
    JOBS.labels(task.name, (state or "failure").lower()).observe((now - _began.pop(task_id, now)) * 1000)
    process.publish_if_due(now)
