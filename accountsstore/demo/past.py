"""The demo's past is lived through, not written by hand.

While a story is told, the store's own clock stands at a moment of its past: services write the times they always
write, deadlines come due, and `payments.services.clock` does what it does every second in a running store. No row is
back-dated afterwards, so the ledger, the timelines and the deadlines of the demo agree with each other.
"""

import datetime
import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from django.utils import timezone

from accountsstore import mail, outbox
from accountsstore.db import uuid7
from accountsstore.demo.stories.usual import Story
from accountsstore.models import OutboxEvent, OutboxMail
from payments.models import Deadline
from payments.services.clock import HANDLED, clock_tick


@contextmanager
def standing_at(moment: datetime.datetime) -> Iterator[None]:
    """Let `timezone.now()` be `moment` for everything that runs in this process."""
    real = timezone.now
    timezone.now = lambda: moment
    try:
        yield
    finally:
        timezone.now = real


@contextmanager
def nobody_is_told() -> Iterator[None]:
    """Keep the past inside this process: no frame, no job and no mail leaves it. `Past` works the outboxes itself."""
    before = outbox.event_send, mail.mail_enqueue
    outbox.event_send = lambda row: True
    mail.mail_enqueue = lambda row: True
    try:
        yield
    finally:
        outbox.event_send, mail.mail_enqueue = before


class Past:
    """Tells stories side by side, each act at its own time, from the first day to `now`."""

    def __init__(self, *, begins: datetime.datetime, now: datetime.datetime) -> None:
        self.now = now
        self._ticked = begins
        # Rows of this process from here on; another process works through its own.
        self._since = uuid7()
        self._turns = count()
        self._stories: list[tuple[datetime.datetime, int, Story]] = []

    def tell(self, story: Story, *, ago: datetime.timedelta) -> None:
        """Let `story` begin that long before now. Its acts that lie beyond now do not happen."""
        heapq.heappush(self._stories, (self.now - ago, next(self._turns), story))

    def live(self, progress: Callable[[datetime.datetime], None]) -> None:
        """Live all of it, and call `progress` with the time reached after each act."""
        with nobody_is_told():
            while self._stories:
                at, _, story = heapq.heappop(self._stories)
                self._clock_until(at)
                with standing_at(at):
                    pause = next(story, None)
                    self._work_outboxes()
                progress(at)
                if pause is not None and at + pause <= self.now:
                    heapq.heappush(self._stories, (at + pause, next(self._turns), story))
            self._clock_until(self.now)

    def _clock_until(self, moment: datetime.datetime) -> None:
        """Let the clock of the orders strike whenever a deadline comes due up to `moment`."""
        waiting = Deadline.objects.filter(is_open=True, kind__in=HANDLED).order_by("due_at")
        while due := waiting.filter(due_at__gt=self._ticked, due_at__lte=moment).first():
            with standing_at(due.due_at):
                clock_tick(due.due_at)
                self._work_outboxes()
            self._ticked = due.due_at
        self._ticked = moment

    def _work_outboxes(self) -> None:
        """Run the subscribers, as the worker does, until nothing is left. One that fails ends the demo.

        Frames have nobody to reach, and a mail of weeks ago is no news: both count as sent.
        """
        now = timezone.now()
        ours = OutboxEvent.objects.filter(pending=True, pk__gt=self._since)
        while rows := list(ours.order_by("pk")):
            heard = [row for row in rows if outbox.has_subscribers(row.topic)]
            for row in heard:
                outbox.event_handle_now(row.pk.hex)
            if failed := ours.filter(pk__in=[row.pk for row in heard], handled_at__isnull=True).first():
                raise RuntimeError(f"a subscriber of {failed.topic} failed; the log above says which and why")
            ours.filter(pk__in=[row.pk for row in rows]).update(pending=False, frame_sent_at=now, handled_at=now)
        OutboxMail.objects.filter(pending=True, pk__gt=self._since).update(pending=False, sent_at=now)
