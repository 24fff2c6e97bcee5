"""`manage.py run_clock`: move everything that is due."""

import datetime
import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accountsstore import clock
from accountsstore.metrics import process, share
from accountsstore.servers import require_servers

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Does what is due: refunds, acceptances, payments to sellers, reminders, unsent events and mails. "
        "Safe to run twice at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped, once a second")
        parser.add_argument("--at", help="pretend it is this moment (ISO 8601, UTC); refused in production")

    def handle(self, *args: Any, loop: bool, at: str | None, **options: Any) -> None:
        now = self._moment(at) if at else None
        if not loop:
            done = clock.tick_at(now)
            for name, result in done.items():
                self.stdout.write(f"{name}: {result if result is not None else 'done'}")
            if any(isinstance(result, Exception) for result in done.values()):
                raise CommandError("a part of the clock failed; the log above says which and why")
            return
        if now:
            raise CommandError("--at goes with a single run, not with --loop")
        require_servers()
        share("clock")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("the clock runs")
        while not stop.is_set():
            # A connection that broke is replaced, as at the start of a request.
            close_old_connections()
            try:
                clock.tick()
            except DatabaseError as error:
                logger.warning("no tick: the database does not answer", extra={"error": str(error)})
            process.publish()
            stop.wait(INTERVAL_SECONDS)

    def _moment(self, text: str) -> datetime.datetime:
        if not (settings.DEBUG or settings.TESTING):
            raise CommandError("--at moves real money at a false time; it exists outside production only")
        moment = parse_datetime(text)
        if moment is None:
            raise CommandError("--at takes a moment such as 2026-12-24T18:00:00Z")
        return moment if timezone.is_aware(moment) else moment.replace(tzinfo=datetime.UTC)
