"""The jobs of listings."""

from celery import shared_task

from listings.models import Category
from listings.services.listings import category_index


@shared_task
def category_reindex(category_id: str) -> None:
    if category := Category.objects.filter(pk=category_id).first():
        category_index(category)
