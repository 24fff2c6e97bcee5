import datetime
import uuid

import pytest
import redis
from django.core import mail as django_mail
from django.utils import timezone

from accountsstore import outbox
from accountsstore.db import atomic
from accountsstore.events import WalletChanged, user_group
from accountsstore.mail import mail_queue
from accountsstore.models import OutboxEvent, OutboxMail

pytestmark = pytest.mark.stack

EVENT = WalletChanged(user="00")
LATER = datetime.timedelta(seconds=11)


@atomic
def tell(fail: bool = False) -> None:
    outbox.publish(EVENT, groups=["user.00"])
    if fail:
        raise RuntimeError("planted")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Frames handed to Redis."""
    frames: list[dict] = []
    monkeypatch.setattr(outbox, "group_send", lambda groups, frame: frames.append(frame))
    return frames


def test_an_event_outside_a_transaction_is_a_programming_error(db):
    with pytest.raises(RuntimeError, match="outside a transaction"):
        outbox.publish(EVENT)


@pytest.mark.django_db(transaction=True)
def test_an_event_goes_out_after_the_commit_and_never_if_it_fails(sent):
    with pytest.raises(RuntimeError, match="planted"):
        tell(fail=True)
    assert (sent, OutboxEvent.objects.count()) == ([], 0)
    tell()
    row = OutboxEvent.objects.get()
    assert [frame["event"] for frame in sent] == [row.pk.hex]
    assert row.frame_sent_at


@pytest.mark.django_db(transaction=True)
def test_what_an_outage_kept_back_is_sent_when_it_is_over(sent, monkeypatch):
    def away(groups: list[str], frame: dict) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(outbox, "group_send", away)
    tell()
    assert OutboxEvent.objects.get().frame_sent_at is None
    monkeypatch.setattr(outbox, "group_send", lambda groups, frame: sent.append(frame))
    assert outbox.outbox_flush(timezone.now()) == 0, "it may still be on its way"
    assert outbox.outbox_flush(timezone.now() + LATER) == 1
    assert len(sent) == 1


@pytest.mark.django_db(transaction=True)
def test_a_subscriber_that_fails_is_run_again_later_and_stops_no_other(sent, monkeypatch):
    ran: list[str] = []

    def broken(event: WalletChanged, at: datetime.datetime) -> None:
        ran.append("broken")
        if ran.count("broken") == 1:
            raise RuntimeError("planted")

    monkeypatch.setitem(outbox._subscribers, EVENT.type, [broken, lambda event, at: ran.append("sound")])
    tell()
    row = OutboxEvent.objects.get()
    outbox.event_handle_now(row.pk.hex)
    assert ran == ["broken", "sound"]
    row.refresh_from_db()
    assert row.pending
    outbox.event_handle_now(row.pk.hex)
    outbox.event_handle_now(row.pk.hex)
    assert ran == ["broken", "sound"] * 2, "and never again once all have run"


@pytest.mark.django_db(transaction=True)
def test_tries_are_put_off_further_each_time(sent, monkeypatch):
    monkeypatch.setitem(outbox._subscribers, EVENT.type, [lambda event, at: 1 / 0])
    tell()
    now = timezone.now() + LATER
    waits = []
    for _ in range(4):
        assert outbox.outbox_flush(now) == 1
        retry_at = OutboxEvent.objects.get().retry_at
        waits.append(round((retry_at - now).total_seconds()))
        assert outbox.outbox_flush(now) == 0
        now = retry_at
    assert waits == [10, 20, 40, 80]


def queue(key: str = "k1", sensitive: bool = False) -> None:
    mail_queue(
        to="amal@example.com",
        template="account_password_changed",
        context={"name": "Amal", "user": None},
        dedupe_key=key,
        language="en",
        sensitive=sensitive,
    )


def test_a_mail_queued_twice_is_one_mail(db):
    queue(), queue()
    assert OutboxMail.objects.count() == 1


def test_a_mail_is_sent_once_however_often_the_job_runs(db):
    queue()
    row = OutboxMail.objects.get()
    for _ in range(3):
        outbox.mail_send_now(row.pk.hex)
    assert len(django_mail.outbox) == 1
    assert django_mail.outbox[0].extra_headers["Message-ID"].startswith(f"<{row.pk.hex}")


def refused(self: object, messages: object) -> None:
    raise ConnectionRefusedError


def test_a_mail_server_that_refuses_leaves_the_mail_for_the_next_try(db, monkeypatch):
    queue()
    row = OutboxMail.objects.get()
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refused)
        outbox.mail_send_now(row.pk.hex)
    row.refresh_from_db()
    assert (row.pending, row.lease_until, row.last_error) == (True, None, "ConnectionRefusedError")
    outbox.mail_send_now(row.pk.hex)
    assert len(django_mail.outbox) == 1


def test_a_mail_is_tried_three_times_within_seconds_and_then_less_and_less_often(db, monkeypatch):
    """The clock goes by the row: 2, 4, 8… seconds and up to half as much again, then hourly."""
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refused)
    monkeypatch.setattr(outbox, "enqueue", lambda task, row_id: outbox.mail_send_now(row_id.hex))
    queue()
    outbox.mail_send_now(OutboxMail.objects.get().pk.hex)
    waits = []
    for _ in range(14):
        before = timezone.now()
        retry_at = OutboxMail.objects.get().retry_at
        waits.append((retry_at - before).total_seconds())
        assert outbox.outbox_flush(retry_at - datetime.timedelta(seconds=1)) == 0, "not before its time"
        assert outbox.outbox_flush(retry_at) == 1
    for number, wait in enumerate(waits[:8]):
        assert 2 * 2**number - 1 < wait <= 2 * 2**number * 1.5
    assert 3599 < waits[-1] <= 3600 * 1.5
    assert len({round(wait / 2 ** min(number, 10), 2) for number, wait in enumerate(waits[:8])}) > 1, "without jitter"


def test_a_mail_that_no_server_takes_for_five_days_is_given_up(db, monkeypatch):
    queue(sensitive=True)
    outbox.outbox_prune(timezone.now() + datetime.timedelta(days=4))
    assert OutboxMail.objects.get().pending
    outbox.outbox_prune(timezone.now() + datetime.timedelta(days=6))
    row = OutboxMail.objects.get()
    assert (row.pending, row.sent_at, row.body_text) == (False, None, "")


def test_while_the_queue_is_away_the_clock_asks_once_a_tick_and_keeps_the_rest(db, monkeypatch):
    for key in ("k1", "k2", "k3"):
        queue(key)
    asked: list[str] = []

    def away(task: str, row_id: uuid.UUID) -> None:
        asked.append(task)
        raise redis.ConnectionError

    monkeypatch.setattr(outbox, "enqueue", away)
    now = timezone.now() + LATER
    assert outbox.outbox_flush(now) == 0
    assert len(asked) == 1
    assert OutboxMail.objects.filter(pending=True, retry_at__lte=now).count() == 2


def test_after_a_queue_that_does_not_answer_nobody_waits_for_it_for_a_moment(monkeypatch, settings):
    asked: list[str] = []

    def away(task: str, args: list[str]) -> None:
        asked.append(task)
        raise redis.TimeoutError

    monkeypatch.setattr(outbox.current_app, "send_task", away)
    monkeypatch.setattr(outbox, "_queue_rests_until", 0.0)
    with pytest.raises(redis.TimeoutError):
        outbox.enqueue("a.task")
    with pytest.raises(outbox.AWAY):
        outbox.enqueue("a.task")
    assert len(asked) == 1
    monkeypatch.setattr(outbox, "_queue_rests_until", 0.0)
    with pytest.raises(redis.TimeoutError):
        outbox.enqueue("a.task")


@pytest.mark.django_db(transaction=True)
def test_without_the_realtime_server_the_subscribers_run_and_the_frame_follows(sent, monkeypatch):
    def away(groups: list[str], frame: dict) -> None:
        raise redis.ConnectionError

    ran: list[str] = []
    monkeypatch.setitem(outbox._subscribers, EVENT.type, [lambda event, at: ran.append("sound")])
    monkeypatch.setattr(outbox, "enqueue", lambda task, row_id: outbox.event_handle_now(row_id.hex))
    with monkeypatch.context() as outage:
        outage.setattr(outbox, "group_send", away)
        tell()
    assert (ran, sent) == (["sound"], [])
    assert outbox.outbox_flush(timezone.now() + LATER) == 1
    row = OutboxEvent.objects.get()
    assert (len(sent), ran, row.pending) == (1, ["sound"], False)


def test_while_one_worker_sends_another_does_not(db):
    queue()
    OutboxMail.objects.update(lease_until=timezone.now() + datetime.timedelta(seconds=30))
    outbox.mail_send_now(OutboxMail.objects.get().pk.hex)
    assert django_mail.outbox == []


def test_the_body_of_a_mail_that_opens_an_account_is_wiped_once_sent(db):
    queue(sensitive=True)
    row = OutboxMail.objects.get()
    outbox.mail_send_now(row.pk.hex)
    row.refresh_from_db()
    assert django_mail.outbox[0].body
    assert (row.body_text, row.body_html) == ("", "")


def test_finished_rows_leave_after_a_week(db):
    queue()
    outbox.mail_send_now(OutboxMail.objects.get().pk.hex)
    outbox.outbox_prune(timezone.now() + datetime.timedelta(days=6))
    assert OutboxMail.objects.count() == 1
    outbox.outbox_prune(timezone.now() + datetime.timedelta(days=8))
    assert OutboxMail.objects.count() == 0


def test_groups_name_the_person(buyer):
    assert user_group(buyer.pk) == f"user.{buyer.pk.hex}"
