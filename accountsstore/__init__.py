from accountsstore import metrics  # noqa: F401  (before anything makes a metric)
from accountsstore.celery import app as celery_app

__all__ = ["celery_app"]
