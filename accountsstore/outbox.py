"""The two outboxes: events and mails are written in the transaction they tell of, and carried out after it.

`publish` writes an `OutboxEvent`. After the commit its frame goes to the sockets of the people named and its
subscribers run in a job; what a crash left behind, the clock sends (`outbox_flush`).
"""

import contextlib
import datetime
import functools
import logging
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import kombu.exceptions
import redis
from celery import current_app
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models import F, Q
from django.utils import timezone

from accountsstore.clock import on_tick
from accountsstore.db import in_atomic, on_commit
from accountsstore.events import CATALOGUE, Event, user_group
from accountsstore.models import STRAGGLER_AFTER, OutboxEvent, OutboxMail
from accountsstore.realtime import group_send
from accountsstore.rows import rows_insert, rows_save

logger = logging.getLogger(__name__)

LONGEST_WAIT = datetime.timedelta(hours=1)
FLUSH_LIMIT = 500
# Longer than a dozen answers of the mail server at its timeout (EMAIL_TIMEOUT), so that a lease never runs out under
# a live sender.
MAIL_LEASE = datetime.timedelta(seconds=60)
MAIL_BACKOFF = datetime.timedelta(seconds=2)
# As long as mail servers themselves try (RFC 5321, 4.5.4.1).
GIVE_UP = datetime.timedelta(days=5)
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
    publish_all([(event, [*map(user_group, to), *groups])])


def publish_all(events: Iterable[tuple[Event, list[str]]]) -> None:
    """As `publish`, many at once, each to its groups."""
    rows = [OutboxEvent(topic=event.type, payload=event.payload(), groups=groups) for event, groups in events]
    if not in_atomic():
        topics = ", ".join(row.topic for row in rows)
        raise RuntimeError(f"publish({topics}) outside a transaction: the event could outlive a rollback")
    rows_insert(rows)
    for row in rows:
        on_commit(functools.partial(_send_first, row))


def frame(row: OutboxEvent) -> dict[str, Any]:
    """What a client receives: the event's type, fields, time, and the row's id, by which a repeat is known."""
    at = row.created_at.isoformat(timespec="milliseconds")
    return {"type": row.topic, "at": at, **row.payload, "event": row.id.hex}


class Carrier(Protocol):
    def take(self, row: OutboxEvent) -> None: ...


# Set in a server of sockets (accountsstore/carrier.py).
carrier: Carrier | None = None


def _send_first(row: OutboxEvent) -> None:
    if carrier and row.groups and not has_subscribers(row.topic):
        carrier.take(row)
    else:
        event_send(row)


# What a Redis that is away raises, through redis-py or through kombu.
AWAY = (redis.RedisError, kombu.exceptions.OperationalError, OSError)

# After a queue that did not answer, nobody asks it again for so long: no page waits for a server that hangs.
QUEUE_REST_SECONDS = 5
_queue_rests_until = 0.0


def enqueue(task: str, *row_ids: uuid.UUID) -> None:
    """Queue a job by its name: tasks stand above the services that queue them. Raises one of AWAY, and for five
    seconds after that at once: rows wait for the clock."""
    global _queue_rests_until
    if time.monotonic() < _queue_rests_until:
        raise kombu.exceptions.OperationalError("the job queue did not answer a moment ago")
    try:
        current_app.send_task(task, args=[row_id.hex for row_id in row_ids])
    except AWAY:
        _queue_rests_until = time.monotonic() + QUEUE_REST_SECONDS
        raise


def event_send(row: OutboxEvent) -> bool:
    """Send the row's frame and enqueue its subscribers; neither waits for the other's server. Safe to repeat.

    Returns False if a server was away: `outbox_flush` tries again.
    """
    handled = row.handled_at is not None or not has_subscribers(row.topic)
    told = row.frame_sent_at is not None or not row.groups or _tried(row, group_send, row.groups, frame(row))
    if told:
        if handled:
            events_note([row])
        else:
            row.frame_sent_at = timezone.now()
            rows_save([row], "frame_sent_at")
    return (handled or _tried(row, enqueue, "accountsstore.tasks.event_handle", row.pk)) and told


def _tried(row: OutboxEvent, send: Callable[..., None], *args: Any) -> bool:
    try:
        send(*args)
    except AWAY as error:
        log_kept(row, error)
        return False
    return True


def log_kept(row: OutboxEvent, error: Exception) -> None:
    logger.warning("event kept for later", extra={"event_id": row.pk.hex, "topic": row.topic, "error": str(error)})


def events_note(rows: Sequence[OutboxEvent]) -> None:
    """Their frames are out, and nothing else is to be done about them. Safe to repeat."""
    for row in rows:
        row.frame_sent_at = row.handled_at = timezone.now()
        row.pending = False
    rows_save(rows, "frame_sent_at", "handled_at", "pending")


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
        now, rows = timezone.now(), OutboxEvent.objects.filter(pk=row.pk)
        # A frame that could not be sent yet keeps the row waiting for the clock.
        if not rows.filter(frame_sent_at__isnull=False).update(handled_at=now, pending=False):
            rows.update(handled_at=now)


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
    """Send what a crash or an outage left unsent: events, then mails. Returns how many went out.

    The first that meets a server that is away ends its kind for this tick: the others keep their turn.
    """
    sent = 0
    for row in _left_behind(OutboxEvent, now):
        if not event_send(row):
            break
        sent += 1
    for mail in _left_behind(OutboxMail, now):
        if not mail_enqueue(mail):
            break
        sent += 1
    return sent


@on_tick("outbox_prune", every_seconds=3600)
def outbox_prune(now: datetime.datetime) -> None:
    """Delete finished rows older than a week. A mail that no server took for five days is given up."""
    lost = OutboxMail.objects.filter(pending=True, created_at__lt=now - GIVE_UP).update(
        pending=False, body_text="", body_html=""
    )
    if lost:
        logger.error("mails were given up: no mail server took them for five days", extra={"mails": lost})
    old = now - KEEP
    OutboxEvent.objects.filter(pending=False, retry_at__lt=old).delete()
    OutboxMail.objects.filter(pending=False, retry_at__lt=old).delete()


def mail_enqueue(mail: OutboxMail) -> bool:
    """Queue the job that sends the mail. Returns False if the queue is away: `outbox_flush` tries again."""
    try:
        enqueue("accountsstore.tasks.mail_send", mail.pk)
    except AWAY:
        logger.warning("mail kept for later", extra={"mail_id": mail.pk.hex})
        return False
    return True


def mail_send_now(mail_id: str) -> None:
    """Hand one mail to the mail server. Safe to repeat and to run twice at once: a lease names the sender.

    What the server does not take is tried again after 2, 4, 8… seconds with jitter, up to hourly, by the clock: the
    row alone knows how often, so no try is lost with a worker. Only a crash between the server's acknowledgement
    and our note of it sends a mail twice, under the same Message-ID.
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
    server = get_connection()
    try:
        server.open()
        server.send_messages([message])
    except Exception as error:  # refused, away, or an address that no server could take
        _mail_keep(mail, error)
    else:
        # Before the goodbye, which takes a while: a crash from the acknowledgement to here sends the mail twice.
        _mail_done(mail)
    finally:
        with contextlib.suppress(Exception):
            server.close()


def _mail_keep(mail: OutboxMail, error: Exception) -> None:
    wait = min(MAIL_BACKOFF * 2 ** min(mail.attempts, 11), LONGEST_WAIT) * random.uniform(1, 1.5)  # noqa: S311
    retry = {"lease_until": None, "last_error": type(error).__name__, "retry_at": timezone.now() + wait}
    OutboxMail.objects.filter(pk=mail.pk).update(**retry)
    logger.warning("mail kept for later", extra={"mail_id": mail.pk.hex, "error": f"{type(error).__name__}: {error}"})


def _mail_done(mail: OutboxMail) -> None:
    done: dict[str, object] = {"pending": False, "sent_at": timezone.now(), "lease_until": None, "last_error": ""}
    if mail.sensitive:
        done |= {"body_text": "", "body_html": ""}
    OutboxMail.objects.filter(pk=mail.pk).update(**done)
    logger.info("mail sent", extra={"mail_id": mail.pk.hex, "template": mail.template})
