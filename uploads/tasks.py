"""The jobs of uploads."""

from celery import shared_task
from django.utils import timezone

from uploads import incoming, services


@shared_task
def uploads_prune() -> None:
    services.uploads_prune()
    incoming.incoming_prune(now=timezone.now())
