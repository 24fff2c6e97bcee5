"""`manage.py backup`: take one, keep the log, or read one back."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accountsstore.backup import bring_back, take, vault
from accountsstore.backup.errors import BackupError
from accountsstore.command_runs import command_ended


class Command(BaseCommand):
    help = (
        "Takes an encrypted backup of the database and the files to BACKUP_FOLDER or BACKUP_S3_BUCKET, and deletes those "
        "that retention lets go of. Exit code 1 and one sentence when it cannot."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--follow", action="store_true", help="keep MongoDB's log, each second, until stopped")
        one.add_argument("--verify", nargs="?", const="", metavar="BACKUP", help="read one back; the newest by default")
        one.add_argument("--list", action="store_true", help="name the complete backups and the end of the log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["follow"]:
                self._follow()
            elif options["verify"] is not None:
                until = bring_back.END_OF_TIME
                bring_back.verify(bring_back.chosen(options["verify"] or None, until), until, self.stdout.write)
            elif options["list"]:
                for moment in vault.moments():
                    self.stdout.write(moment)
                self.stdout.write(f"Everything is kept until {vault.last_backup_at() or 'never: there is none'}.")
            else:
                self._take()
        except BackupError as error:
            raise CommandError(str(error)) from error

    def _take(self) -> None:
        manifest = take.take()
        size = sum(piece["bytes"] for piece in manifest["pieces"])
        self.stdout.write(
            f"Backup {manifest['id']} is in {vault.address()}: {len(manifest['pieces'])} pieces, {size / 1e6:.1f} MB, "
            f"{manifest['file_count']} files."
        )
        command_ended("backup")
        for moment in take.prune():
            self.stdout.write(f"Backup {moment} was deleted: retention keeps others.")

    def _follow(self) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        take.follow(self._say, stop.is_set)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
