"""The job queue. Tasks take an id and call a service; every one of them is safe to run twice."""

import os

from celery import Celery
from celery.signals import beat_init, celeryd_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")

app = Celery("accountsstore")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
@beat_init.connect
def _require_servers(**kwargs: object) -> None:
    """A worker or beat that cannot reach a server says so and ends, instead of trying for ever."""
    from django.db import connections  # the settings are ready now

    from accountsstore.servers import require_servers

    require_servers()
    # The children make their own connections: MongoDB's do not survive a fork.
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
