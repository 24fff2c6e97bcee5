"""`manage.py preflight`: ask every server once, before the site starts."""

from typing import Any

from django.core.management.base import BaseCommand

from accountsstore.servers import require_servers


class Command(BaseCommand):
    help = "Asks every server that the settings name. Exit code 1 and one sentence when one does not answer."
    # They might want the database that this is about to ask.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        require_servers(self.stdout.write)
