"""The job queue. Tasks take an id and call a service; every one of them is safe to run twice."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")

app = Celery("accountsstore")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
