"""`manage.py restore`: a backup in the place of the database, proven afterwards."""

import time
from typing import Any

from django.core.cache import caches
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from accountsstore.backup import bring_back, oplog
from accountsstore.backup.errors import BackupError


class Command(BaseCommand):
    help = (
        "Puts a backup, and the log that was kept since, in the place of the database, brings back missing files, and runs "
        "every verify_ command. Stop the store first. Exit code 1 and one sentence when it cannot; the database is then "
        "as it was."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", nargs="?", help="its name (backup --list); the newest by default")
        parser.add_argument("--until", default="", help="leave out what was written after this: 2026-12-24T18:00:00Z")
        parser.add_argument("--wipe", default="", metavar="DATABASE", help="its name, if what it holds may be lost")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        until = _until(options["until"])
        try:
            manifest = bring_back.chosen(options["backup"], until)
            last = bring_back.restore(manifest, until, wipe=options["wipe"], report=self.stdout.write)
        except BackupError as error:
            raise CommandError(str(error)) from error
        for cache in caches.all():
            # It knows of rows that were written after the backup.
            cache.clear()
        for command in sorted(name for name in get_commands() if name.startswith("verify_")):
            call_command(command, stdout=self.stdout, stderr=self.stderr)
        minutes = (time.monotonic() - began) / 60
        self.stdout.write(f"Restored in {minutes:.1f} minutes, with every write until {last:%Y-%m-%d %H:%M:%S} UTC.")


def _until(text: str) -> str:
    if not text:
        return bring_back.END_OF_TIME
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CommandError("--until is a moment with its time zone, such as 2026-12-24T18:00:00Z.")
    return oplog.text(oplog.Timestamp(int(at.timestamp()), 2**32 - 1))
