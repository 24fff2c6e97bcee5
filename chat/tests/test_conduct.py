"""Who may begin a conversation, blocks, mutes and reports."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.errors import OwnCase
from accounts.models import AuditEvent, User
from accounts.tests.factories import SellerFactory, UserFactory
from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.models import OutboxEvent, OutboxMail
from chat.errors import (
    AlreadyReported,
    Blocked,
    ConversationLocked,
    NotAMember,
    NotReachable,
    TooManyReports,
    TooManyStarts,
)
from chat.models import Block, Conversation, Message, MessageReport, Notification, Participant
from chat.selectors import unread_messages
from chat.services.blocks import block_lift, block_set
from chat.services.conversations import conversation_direct, conversation_for_order, conversation_mute
from chat.services.messages import message_send
from chat.services.missed import missed_messages_mail
from chat.services.reports import message_report, report_claim, report_context_open, report_decide
from chat.services.ticket_desk import ticket_answer
from chat.services.tickets import ticket_open
from chat.tests.factories import OrderFactory
from chat.tests.test_messages import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.stack]


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_direct(user=buyer, other=seller)


def say(talk: Conversation, sender: User, number: int = 1, body: str = "Hello") -> Message:
    return message_send(conversation_id=talk.pk, sender=sender, client_id=f"client-{number:04}", body=body)


def in_an_hour() -> datetime.datetime:
    return timezone.now() + datetime.timedelta(hours=1)


# ---------------------------------------------------------------- beginning


@pytest.mark.django_db(transaction=True)
def test_two_who_write_to_each_other_at_the_same_moment_have_one_conversation(settings: Any) -> None:
    settings.DIRECT_STARTS_FIRST_DAY = 100
    one, two = SellerFactory(), SellerFactory()
    pairs = [(one, two), (two, one)] * 4
    found = at_once(lambda n: conversation_direct(user=pairs[n][0], other=pairs[n][1]).pk, 8)
    assert set(found) == {Conversation.objects.get().pk}
    assert Participant.objects.count() == 2


def test_anybody_writes_to_sellers_and_nobody_to_strangers(buyer: User, seller: User, stranger: User) -> None:
    conversation_direct(user=buyer, other=seller)
    for user, other in ((seller, stranger), (buyer, stranger)):
        with pytest.raises(NotReachable):
            conversation_direct(user=user, other=other)
    # It exists, so the one who sells answers and begins again from the other's page.
    assert conversation_direct(user=seller, other=buyer) == Conversation.objects.get()


def test_a_seller_writes_to_whoever_has_an_order_with_them(buyer: User, seller: User) -> None:
    with pytest.raises(NotReachable):
        conversation_direct(user=seller, other=buyer)
    OrderFactory(buyer=buyer, seller=seller)
    assert conversation_direct(user=seller, other=buyer).kind == "direct"


def test_an_account_of_its_first_day_begins_few_conversations_and_goes_on_with_those(settings: Any) -> None:
    settings.DIRECT_STARTS_FIRST_DAY, settings.DIRECT_STARTS_PER_DAY = 2, 3
    new, old = UserFactory(), UserFactory()
    User.objects.filter(pk=old.pk).update(created_at=timezone.now() - datetime.timedelta(days=2))
    old.refresh_from_db()
    sellers = [SellerFactory() for _ in range(4)]
    for user, many in ((new, 2), (old, 3)):
        for seller in sellers[:many]:
            conversation_direct(user=user, other=seller)
        with pytest.raises(TooManyStarts):
            conversation_direct(user=user, other=sellers[many])
        assert conversation_direct(user=user, other=sellers[0])
    assert Conversation.objects.count() == 5


# ---------------------------------------------------------------- blocks


def test_a_block_ends_a_direct_conversation_in_both_directions_until_it_is_lifted(
    talk: Conversation, buyer: User, seller: User
) -> None:
    say(talk, seller)
    block_set(user=buyer, other=seller)
    block_set(user=buyer, other=seller)
    with pytest.raises(Blocked, match="does not want to hear from you"):
        say(talk, seller, 2)
    with pytest.raises(Blocked, match="You have blocked"):
        say(talk, buyer, 3)
    for user, other in ((buyer, seller), (seller, buyer)):
        with pytest.raises(Blocked):
            conversation_direct(user=user, other=other)
    assert Message.objects.count() == 1
    block_lift(user=seller, other=buyer)  # only who blocked lifts it
    with pytest.raises(Blocked):
        say(talk, seller, 2)
    block_lift(user=buyer, other=seller)
    assert say(talk, seller, 2).seq == 2


def test_orders_and_tickets_stay_open_to_the_blocked(buyer: User, seller: User, staff: User) -> None:
    block_set(user=buyer, other=seller)
    order = conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))
    assert say(order, seller).seq == 1
    assert say(order, buyer).seq == 2
    block_set(user=buyer, other=staff)
    ticket = ticket_open(user=buyer, topic="other", body="Help", client_id="client-0001")
    assert ticket_answer(ticket=ticket, staff=staff, client_id="client-0001", body="Yes").seq == 2


@pytest.mark.django_db(transaction=True)
def test_blocking_from_six_threads_blocks_once(buyer: User, seller: User) -> None:
    assert at_once(lambda _: block_set(user=buyer, other=seller), 6) == [None] * 6
    assert Block.objects.count() == 1


def test_nobody_blocks_themselves(buyer: User) -> None:
    with pytest.raises(StoreError):
        block_set(user=buyer, other=buyer)


# ---------------------------------------------------------------- mutes


def test_a_muted_conversation_sends_no_mail_and_counts_all_the_same(
    talk: Conversation, buyer: User, seller: User, stranger: User
) -> None:
    with pytest.raises(NotAMember):
        conversation_mute(conversation=talk, user=stranger, muted=True)
    conversation_mute(conversation=talk, user=buyer, muted=True)
    say(talk, seller)
    assert missed_messages_mail(in_an_hour()) == 0
    assert unread_messages(buyer) == 1
    # The other side is not muted with it.
    say(talk, buyer, 2)
    assert missed_messages_mail(in_an_hour()) == 1
    assert [mail.to for mail in OutboxMail.objects.all()] == [seller.email]


def test_what_was_written_while_muted_is_not_mailed_afterwards(talk: Conversation, buyer: User, seller: User) -> None:
    conversation_mute(conversation=talk, user=buyer, muted=True)
    say(talk, seller)
    missed_messages_mail(in_an_hour())
    conversation_mute(conversation=talk, user=buyer, muted=False)
    assert missed_messages_mail(in_an_hour()) == 0
    assert not OutboxMail.objects.exists()


# ---------------------------------------------------------------- reports


@pytest.fixture
def report(talk: Conversation, buyer: User, seller: User) -> MessageReport:
    say(talk, seller, 1, "Pay me by gift card")
    return message_report(conversation=talk, reporter=buyer, reason="off_site", text="", seq=1)


def test_a_report_keeps_the_words_and_staff_hear_of_it(report: MessageReport, buyer: User, seller: User) -> None:
    assert (report.body, report.reported, report.reporter) == ("Pay me by gift card", seller, buyer)
    event = OutboxEvent.objects.get(topic="message_report.changed")
    assert event.groups == ["staff.chat.moderate_message"]
    Message.objects.update(body="Nothing")
    report.refresh_from_db()
    assert report.body == "Pay me by gift card"


def test_one_report_is_open_per_person_and_message(
    report: MessageReport, talk: Conversation, buyer: User, seller: User
) -> None:
    with pytest.raises(AlreadyReported):
        message_report(conversation=talk, reporter=buyer, reason="spam", text="", seq=1)
    assert message_report(conversation=talk, reporter=buyer, reason="spam", text="").message is None
    with pytest.raises(AlreadyReported):
        message_report(conversation=talk, reporter=buyer, reason="spam", text="")
    assert message_report(conversation=talk, reporter=seller, reason="spam", text="").reported == buyer


@pytest.mark.django_db(transaction=True)
def test_a_report_sent_by_six_threads_is_one(talk: Conversation, buyer: User, seller: User) -> None:
    say(talk, seller)
    results = at_once(lambda _: message_report(conversation=talk, reporter=buyer, reason="spam", text="", seq=1), 6)
    assert sum(isinstance(result, MessageReport) for result in results) == 1
    assert sum(isinstance(result, AlreadyReported) for result in results) == 5


def test_what_cannot_be_reported(talk: Conversation, buyer: User, seller: User, stranger: User) -> None:
    say(talk, buyer)
    for more, field in (
        ({"seq": 1}, "message"),  # one's own
        ({"seq": 7}, "message"),  # a number that does not exist
        ({"reason": "dislike"}, "reason"),
        ({"reason": "other"}, "text"),
    ):
        with pytest.raises(StoreError) as refused:
            message_report(**{"conversation": talk, "reporter": buyer, "reason": "spam", "text": "", **more})  # type: ignore[arg-type]
        assert refused.value.field == field
    with pytest.raises(NotAMember):
        message_report(conversation=talk, reporter=stranger, reason="spam", text="")
    ticket = ticket_open(user=buyer, topic="other", body="Help", client_id="client-0001")
    with pytest.raises(StoreError):
        message_report(conversation=ticket.conversation, reporter=buyer, reason="spam", text="")
    assert not MessageReport.objects.exists()


def test_many_reports_in_an_hour_are_refused(talk: Conversation, buyer: User, seller: User) -> None:
    for number in range(12):
        say(talk, seller, number)
    with pytest.raises(TooManyReports):
        for number in range(1, 13):
            message_report(conversation=talk, reporter=buyer, reason="spam", text="", seq=number)
    # A minute may turn over in between, an hour too.
    assert MessageReport.objects.count() in (10, 11)


@pytest.mark.django_db(transaction=True)
def test_two_who_claim_a_report_at_once_do_not_both_hold_it(
    report: MessageReport, staff: User, second_staff: User
) -> None:
    claims = [MessageReport.objects.get() for _ in range(2)]
    results = at_once(lambda n: report_claim(report=claims[n], staff=[staff, second_staff][n]), 2)
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 1


def test_what_stands_around_it_is_read_with_a_claim_and_an_audit_row(
    report: MessageReport, staff: User, second_staff: User, stranger: User
) -> None:
    with pytest.raises(Conflict):
        report_context_open(report=report, staff=staff)
    with pytest.raises(NotAllowed):
        report_claim(report=report, staff=stranger)
    assert not AuditEvent.objects.exists()
    report_claim(report=report, staff=staff)
    report_context_open(report=report, staff=staff)
    [row] = AuditEvent.objects.all()
    assert (row.actor, row.action, row.subject) == (
        staff,
        "conversation.read",
        f"conversation:{report.conversation_id.hex}",
    )
    assert "Asks to pay" in row.reason
    with pytest.raises(Conflict):
        report_context_open(report=report, staff=second_staff)


@pytest.mark.parametrize("outcome", ["dismissed", "warned", "locked"])
def test_a_decision_tells_the_reporter_and_whoever_it_concerns(
    report: MessageReport,
    talk: Conversation,
    buyer: User,
    seller: User,
    staff: User,
    run_jobs: Callable[[], None],
    outcome: str,
) -> None:
    with pytest.raises(Conflict):
        report_decide(report=report, staff=staff, outcome=outcome, reason="Gift cards")
    report_claim(report=report, staff=staff)
    with pytest.raises(StoreError):
        report_decide(report=report, staff=staff, outcome=outcome, reason=" ")
    report_decide(report=report, staff=staff, outcome=outcome, reason="Gift cards")
    with pytest.raises(Conflict):
        report_decide(report=report, staff=staff, outcome="dismissed", reason="Again")
    run_jobs()
    assert Notification.objects.get(user=buyer).kind == f"report.{outcome}"
    told = Notification.objects.filter(user=seller)
    if outcome == "dismissed":
        assert not told.exists()
    else:
        assert told.get().params["reason"] == "Gift cards"
        [mail] = OutboxMail.objects.filter(to=seller.email)
        assert "Gift cards" in mail.body_text
    assert AuditEvent.objects.filter(action=f"message_report.{outcome}", reason="Gift cards").count() == 1
    talk.refresh_from_db()
    assert talk.is_locked == (outcome == "locked")
    if outcome == "locked":
        with pytest.raises(ConversationLocked):
            say(talk, seller, 5)
    # The case is closed: the same message may be reported again.
    if outcome == "dismissed":
        assert message_report(conversation=talk, reporter=buyer, reason="spam", text="", seq=1)


def test_staff_do_not_decide_what_they_are_part_of(talk: Conversation, buyer: User, seller: User, staff: User) -> None:
    User.objects.filter(pk=seller.pk).update(is_staff=True, is_superuser=True)
    say(talk, seller)
    report = message_report(conversation=talk, reporter=buyer, reason="spam", text="", seq=1)
    with pytest.raises(OwnCase):
        report_claim(report=report, staff=User.objects.get(pk=seller.pk))
