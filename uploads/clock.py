"""What uploads does by itself."""

import datetime

from celery import current_app
from django.core.cache import cache

from accountsstore.clock import on_tick
from uploads.services import prune_is_due

EVERY_SECONDS = 300


@on_tick("uploads.prune")
def prune(now: datetime.datetime) -> bool:
    """Queue the job that deletes files nobody needs, at most every five minutes. True if it was queued."""
    if not prune_is_due(now=now) or not cache.add("uploads.prune", 1, EVERY_SECONDS):
        return False
    current_app.send_task("uploads.tasks.uploads_prune")
    return True
