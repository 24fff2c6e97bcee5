"""The ground floor's rows: the key every model has, the clock's turns, and the two outboxes."""

import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accountsstore.db import uuid7


class Row(models.Model):
    """Base of every model: a time-ordered key, in the column that MongoDB always indexes."""

    id = models.UUIDField(primary_key=True, db_column="_id", default=uuid7, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        abstract = True


class ClockPart(Row):
    """When a part of the clock has its next turn. While one runs, `due_at` is the end of its clock's lease."""

    name = models.CharField(max_length=64, unique=True)
    due_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class CommandRun(Row):
    """How a command that somebody has run each night ended last: metrics tell when it stays away."""

    name = models.CharField(max_length=64, unique=True)
    ended_at = models.DateTimeField()
    faults = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.name


# A row this old was left behind by a crash, not merely on its way.
STRAGGLER_AFTER = datetime.timedelta(seconds=10)


def first_retry_at() -> datetime.datetime:
    return timezone.now() + STRAGGLER_AFTER


class OutboxEvent(Row):
    """An event written in the transaction that it tells of.

    The frame goes to the sockets named in `groups` right after the commit, the subscribers run in a job; the clock
    sends again what a crash left unsent. `frame_sent_at` and `handled_at` say how far it came.
    """

    topic = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    groups = models.JSONField(default=list)
    # True until both steps are done: the clock's query reads one small index.
    pending = models.BooleanField(default=True)
    frame_sent_at = models.DateTimeField(null=True, blank=True)
    handled_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    # When the clock tries again, later each time.
    retry_at = models.DateTimeField(default=first_retry_at)

    class Meta:
        indexes = [models.Index(fields=["pending", "retry_at"], name="outboxevent_pending")]

    def __str__(self) -> str:
        return f"{self.topic} {self.id}"


class OutboxMail(Row):
    """A mail that must go out, once. `dedupe_key` makes queueing it twice the same as once."""

    to = models.EmailField()
    subject = models.CharField(max_length=200)
    body_text = models.TextField(blank=True)
    body_html = models.TextField(blank=True)
    template = models.CharField(max_length=64)
    # A code or link that opens an account: the body is wiped once the mail is sent.
    sensitive = models.BooleanField(default=False)
    dedupe_key = models.CharField(max_length=200, unique=True)
    pending = models.BooleanField(default=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    # While a worker sends it nobody else does; a killed worker's lease runs out.
    lease_until = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(default=first_retry_at)

    class Meta:
        indexes = [models.Index(fields=["pending", "retry_at"], name="outboxmail_pending")]

    def __str__(self) -> str:
        return f"{self.template} {self.id}"
