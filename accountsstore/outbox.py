"""The two outboxes: events and mails are written in the transaction they tell of, and carried out after it.

`publish` writes an `OutboxEvent`. After the commit its frame goes to the sockets of the people named and its
subscribers run in a job; what a crash left behind, the clock sends (`outbox_flush`).
"""

import datetime
import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import kombu.exceptions
import redis
from celery import current_app
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F, Q
from django.utils import timezone

from accountsstore.clock import on_tick
from accountsstore.db import in_atomic, on_commit
from accountsstore.events import CATALOGUE, Event, user_group
from accountsstore.models import STRAGGLER_AFTER, OutboxEvent, OutboxMail
from accountsstore.realtime import group_send

logger = logging.getLogger(__name__)

LONGEST_WAIT = datetime.timedelta(hours=1)
FLUSH_LIMIT = 500
# Longer than the mail server's timeout, so that a lease never runs out under a live sender.
MAIL_LEASE = datetime.timedelta(seconds=60)
KEEP = datetime.timedelta(days=7)

E = TypeVar("E", bound=Event)
Handler = Callable[[Any, datetime.datetime], None]
_subscribers: dict[str, list[Handler]] = defaultdict(list)


def subscriber(event_class: type[E]) -> Callable[[Callable[[E, datetime.datetime], None]], Handler]:
    """Register `handler(event, at)` in a higher app's `subscribers.py`. It runs in a job after the commit, at least
    once, with the time the event was published: it must be safe to repeat."""

    def register(handler: Callable[[E, datetime.datetime], None]) -> Handler:
        _subscribers[event_class.type].append(handler)
        return handler

    return register


def has_subscribers(topic: str) -> bool:
    """Whether a job has anything to do about events of this type."""
    return bool(_subscribers[topic])


def publish(event: Event, *, to: Iterable[uuid.UUID] = (), groups: Iterable[str] = ()) -> None:
    """Tell the open sockets of the users `to` and of `groups`, and the event's subscribers, after the commit.

    Must be called inside an `atomic` function, so that the event exists exactly if what it tells of does.
    """
    if not in_atomic():
        raise RuntimeError(f"publish({event.type}) outside a transaction: the event could outlive a rollback")
    row = OutboxEvent.objects.create(
        topic=event.type,
        payload=event.payload(),
        groups=[*(user_group(user_id) for user_id in to), *groups],
    )
    on_commit(lambda: event_send(row))


def frame(row: OutboxEvent) -> dict[str, Any]:
    """What a client receives: the event's type, fields, time, and the row's id, by which a repeat is known."""
    at = row.created_at.isoformat(timespec="milliseconds")
    return {"type": row.topic, "at": at, **row.payload, "event": row.id.hex}


# What a Redis that is away raises, through redis-py or through kombu.
AWAY = (redis.RedisError, kombu.exceptions.OperationalError, OSError)


def enqueue(task: str, row_id: uuid.UUID) -> None:
    """Queue a job by its name: tasks stand above the services that queue them. Raises one of AWAY."""
    current_app.send_task(task, args=[row_id.hex])


def event_send(row: OutboxEvent) -> None:
    """Send the row's frame and enqueue its subscribers. Safe to repeat; what fails is left for `outbox_flush`."""
    now = timezone.now()
    try:
        if row.groups and row.frame_sent_at is None:
            group_send(row.groups, frame(row))
        if has_subscribers(row.topic):
            OutboxEvent.objects.filter(pk=row.pk).update(frame_sent_at=now)
            enqueue("accountsstore.tasks.event_handle", row.pk)
        else:
            OutboxEvent.objects.filter(pk=row.pk).update(frame_sent_at=now, handled_at=now, pending=False)
    except AWAY as error:
        logger.warning("event kept for later", extra={"event_id": row.pk.hex, "topic": row.topic, "error": str(error)})


def event_handle_now(event_id: str) -> None:
    """Run the subscribers of one event. Safe to repeat: each of them is.

    One that fails does not keep the others from running; the clock then runs all of them again, later each time.
    """
    row = OutboxEvent.objects.filter(pk=event_id).first()
    if row is None or row.handled_at is not None:
        return
    event = CATALOGUE[row.topic](**row.payload)
    failed = False
    for handler in _subscribers[row.topic]:
        try:
            handler(event, row.created_at)
        except Exception:
            failed = True
            logger.exception("subscriber failed", extra={"event_id": row.pk.hex, "handler": handler.__qualname__})
    if not failed:
        OutboxEvent.objects.filter(pk=row.pk).update(handled_at=timezone.now(), pending=False)


def _left_behind(model: type[OutboxEvent] | type[OutboxMail], now: datetime.datetime) -> Iterator[Any]:
    """Rows to try again, oldest first. One UPDATE puts off the next try, so two clocks take each row once."""
    for row in model.objects.filter(pending=True, retry_at__lte=now).order_by("retry_at")[:FLUSH_LIMIT]:
        wait = min(STRAGGLER_AFTER * 2 ** min(row.attempts, 10), LONGEST_WAIT)
        if model.objects.filter(pk=row.pk, retry_at=row.retry_at).update(
            retry_at=now + wait, attempts=F("attempts") + 1
        ):
            yield row


@on_tick("outbox")
def outbox_flush(now: datetime.datetime) -> int:
    """Send what a crash or an outage left unsent: events, then mails. Returns how many were tried."""
    tried = 0
    for row in _left_behind(OutboxEvent, now):
        event_send(row)
        tried += 1
    for mail in _left_behind(OutboxMail, now):
        try:
            enqueue("accountsstore.tasks.mail_send", mail.pk)
        except AWAY:
            logger.warning("mail kept for later", extra={"mail_id": mail.pk.hex})
        tried += 1
    return tried


@on_tick("outbox_prune", every_seconds=3600)
def outbox_prune(now: datetime.datetime) -> None:
    """Delete finished rows older than a week."""
    old = now - KEEP
    OutboxEvent.objects.filter(pending=False, retry_at__lt=old).delete()
    OutboxMail.objects.filter(pending=False, retry_at__lt=old).delete()


def mail_send_now(mail_id: str) -> None:
    """Hand one mail to the mail server. Safe to repeat and to run twice at once: a lease names the sender.

    Raises OSError (smtplib's errors are OSErrors) when the server refuses or is away; the job tries again.
    """
    now = timezone.now()
    won = (
        OutboxMail.objects.filter(pk=mail_id, pending=True)
        .filter(Q(lease_until=None) | Q(lease_until__lt=now))
        .update(lease_until=now + MAIL_LEASE)
    )
    if not won:
        return
    mail = OutboxMail.objects.get(pk=mail_id)
    message = EmailMultiAlternatives(
        mail.subject,
        mail.body_text,
        settings.DEFAULT_FROM_EMAIL,
        [mail.to],
        # A server that sees a repeat after a crash can tell it by its id.
        headers={"Message-ID": f"<{mail.pk.hex}@accounts-store>", "Auto-Submitted": "auto-generated"},
    )
    if mail.body_html:
        message.attach_alternative(mail.body_html, "text/html")
    try:
        message.send()
    except OSError as error:
        OutboxMail.objects.filter(pk=mail.pk).update(lease_until=None, last_error=type(error).__name__)
        raise
    done: dict[str, object] = {"pending": False, "sent_at": timezone.now(), "lease_until": None, "last_error": ""}
    if mail.sensitive:
        done |= {"body_text": "", "body_html": ""}
    OutboxMail.objects.filter(pk=mail.pk).update(**done)
    logger.info("mail sent", extra={"mail_id": mail.pk.hex, "template": mail.template})
