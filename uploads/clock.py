"""What uploads does by itself."""

import datetime

from accountsstore.clock import on_tick
from accountsstore.outbox import enqueue
from uploads.incoming import incoming_prune_is_due
from uploads.services import prune_is_due


@on_tick("uploads.prune", every_seconds=300)
def prune(now: datetime.datetime) -> bool:
    """Queue the job that deletes files nobody needs, if there are any. True if it was queued."""
    if not (prune_is_due(now=now) or incoming_prune_is_due(now=now)):
        return False
    enqueue("uploads.tasks.uploads_prune")
    return True
