"""The jobs of uploads."""

from celery import shared_task

from uploads import services


@shared_task
def uploads_prune() -> None:
    services.uploads_prune()
