import datetime

import pytest
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
    import redis

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


def test_a_mail_server_that_refuses_leaves_the_mail_for_the_next_try(db, monkeypatch):
    queue()
    row = OutboxMail.objects.get()

    def refuses(self: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMultiAlternatives.send", refuses)
        with pytest.raises(OSError):
            outbox.mail_send_now(row.pk.hex)
    row.refresh_from_db()
    assert (row.pending, row.lease_until, row.last_error) == (True, None, "ConnectionRefusedError")
    outbox.mail_send_now(row.pk.hex)
    assert len(django_mail.outbox) == 1


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
