import datetime
from collections.abc import Callable

import pytest
from django.utils import timezone

from accounts.models import User
from accountsstore import clock
from accountsstore.models import OutboxMail
from chat.models import Conversation, Participant
from chat.presence import leases_renew
from chat.services import missed
from chat.services.conversations import conversation_for_order
from chat.services.messages import message_send, system_message
from chat.services.missed import missed_messages_mail
from chat.services.notifications import preferences_set
from chat.services.receipts import message_read
from chat.tests.factories import OrderFactory

pytestmark = [pytest.mark.django_db, pytest.mark.stack]


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))


def say(talk: Conversation, sender: User, body: str, number: int) -> None:
    message_send(conversation_id=talk.pk, sender=sender, client_id=f"client-{number:04}", body=body)


def after(minutes: float) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(minutes=minutes)


def mails(user: User) -> list[OutboxMail]:
    return list(OutboxMail.objects.filter(to=user.email, template="message_missed").order_by("created_at"))


def test_who_is_away_gets_one_mail_for_a_burst_after_five_minutes(
    talk: Conversation, buyer: User, seller: User
) -> None:
    for n in range(3):
        say(talk, seller, f"My password is hunter{n}", n)
    assert missed_messages_mail(after(4)) == 0
    assert missed_messages_mail(after(6)) == 1
    say(talk, seller, "Are you there?", 9)
    assert missed_messages_mail(after(60)) == 0
    [mail] = mails(buyer)
    assert mail.subject == "northpine wrote to you, 3 new messages"
    assert talk.get_absolute_url() in mail.body_text
    assert "hunter" not in mail.body_text + mail.body_html
    assert seller.email not in mail.body_text + mail.body_html
    assert not mails(seller)


def test_after_reading_the_next_burst_is_mailed_again(talk: Conversation, buyer: User, seller: User) -> None:
    say(talk, seller, "One", 1)
    missed_messages_mail(after(6))
    message_read(conversation=talk, user=buyer, seq=1)
    say(talk, seller, "Two", 2)
    missed_messages_mail(after(12))
    assert [mail.subject for mail in mails(buyer)] == ["northpine wrote to you"] * 2


def test_who_has_read_in_time_gets_no_mail(talk: Conversation, buyer: User, seller: User) -> None:
    say(talk, seller, "One", 1)
    message_read(conversation=talk, user=buyer, seq=1)
    assert missed_messages_mail(after(6)) == 0
    assert Participant.objects.get(user=buyer).mail_due_at is None


def test_who_is_online_gets_the_mail_only_after_leaving(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases_renew([buyer.pk])
    say(talk, seller, "One", 1)
    assert missed_messages_mail(after(6)) == 0
    monkeypatch.setattr(missed, "online", lambda user_ids: set())
    assert missed_messages_mail(after(10)) == 0  # put off by another five minutes
    assert missed_messages_mail(after(12)) == 1


def test_an_unread_line_of_the_store_does_not_hide_a_message_that_follows(
    talk: Conversation, buyer: User, seller: User
) -> None:
    system_message(conversation=talk, note="deliver", key="e1")
    assert missed_messages_mail(after(6)) == 0
    say(talk, seller, "Delivered, please check", 1)
    assert missed_messages_mail(after(6)) == 1


def test_who_declined_or_was_suspended_gets_none(talk: Conversation, buyer: User, seller: User) -> None:
    preferences_set(user=buyer, muted={"messages"})
    say(talk, seller, "One", 1)
    say(talk, buyer, "Two", 2)
    User.objects.filter(pk=seller.pk).update(status=User.Status.SUSPENDED)
    assert missed_messages_mail(after(6)) == 0
    assert not OutboxMail.objects.exists()


def test_two_clocks_at_once_mail_once(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(talk, seller, "One", 1)
    real: Callable[..., set] = missed.online

    def meanwhile(user_ids: list) -> set:
        """The other clock runs between this one's look and its claim."""
        monkeypatch.setattr(missed, "online", real)
        assert missed_messages_mail(after(6)) == 1
        return set()

    monkeypatch.setattr(missed, "online", meanwhile)
    assert missed_messages_mail(after(6)) == 0
    assert len(mails(buyer)) == 1


def test_the_clock_calls_it(talk: Conversation, buyer: User, seller: User) -> None:
    say(talk, seller, "One", 1)
    assert clock._parts["missed messages"].run(after(6)) == 1
