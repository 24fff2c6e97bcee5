"""`manage.py doctor`: look at a live installation."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accountsstore.doctor import examine
from accountsstore.doctor.points import names


class Command(BaseCommand):
    help = (
        "Looks at this host and the servers of the store, and says of each point whether it is ok, or what to do. Changes "
        "nothing. Exit code 1 when something is wrong."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("points", nargs="*", help=f"some of: {', '.join(names())}; all by default")

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = set(options["points"]) - set(names())
        if unknown:
            raise CommandError(f"There is no point {', '.join(sorted(unknown))}. There are: {', '.join(names())}.")
        wrong = 0
        for name, found in examine(options["points"]):
            self.stdout.write(f"{found.level:<8} {name:<16} {found.text}")
            if found.level != "ok":
                self.stdout.write(f"{'':<25} -> {found.remedy}")
            wrong += found.level == "wrong"
        if wrong:
            raise CommandError(f"{wrong} points are wrong.")
