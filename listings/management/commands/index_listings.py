"""Write down anew what every listing is found by."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from listings.models import Category
from listings.services.listings import category_index


class Command(BaseCommand):
    help = "Index all listings again: after a change of how words are compared, or of many categories. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--category", help="only this one, by its slug")

    def handle(self, *args: Any, **options: Any) -> None:
        categories = Category.objects.order_by("position", "slug")
        if slug := options["category"]:
            categories = categories.filter(slug=slug)
        total = 0
        for category in categories:
            count = category_index(category)
            total += count
            self.stdout.write(f"{category.slug}: {count}")
        self.stdout.write(self.style.SUCCESS(f"{total} listings indexed."))
