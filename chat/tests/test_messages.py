import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from accountsstore.models import OutboxEvent
from chat.errors import BadMessage, ConversationLocked, NoSelfTalk, NotAMember, PersonAway
from chat.models import Conversation, Message, Participant
from chat.selectors import unread_messages
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.messages import message_send, system_message
from chat.services.receipts import message_delivered, message_read
from chat.tests.factories import OrderFactory
from payments.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.stack]


@pytest.fixture
def order(buyer: User, seller: User) -> Order:
    return OrderFactory(buyer=buyer, seller=seller)


@pytest.fixture
def talk(order: Order) -> Conversation:
    return conversation_for_order(order=order)


def say(talk: Conversation, sender: User, body: str = "Hello", client_id: str = "client-0001") -> Message:
    return message_send(conversation_id=talk.pk, sender=sender, client_id=client_id, body=body)


def at_once(work: Callable[[int], Any], count: int) -> list[Any]:
    """Run `work(0)` to `work(count - 1)` in as many threads, all released at the same moment."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# ---------------------------------------------------------------- conversations


def test_an_order_has_one_conversation_with_its_buyer_and_seller(order: Order, buyer: User, seller: User) -> None:
    first, second = conversation_for_order(order=order), conversation_for_order(order=order)
    assert first == second
    assert set(first.participants.values_list("user", flat=True)) == {buyer.pk, seller.pk}
    assert first.order_id == order.pk


@pytest.mark.django_db(transaction=True)
def test_eight_threads_that_open_an_orders_conversation_get_the_same_one(order: Order) -> None:
    found = at_once(lambda _: conversation_for_order(order=order).pk, 8)
    assert set(found) == {Conversation.objects.get().pk}
    assert Participant.objects.count() == 2


def test_two_people_have_one_direct_conversation_whoever_begins(buyer: User, seller: User) -> None:
    assert conversation_direct(user=buyer, other=seller) == conversation_direct(user=seller, other=buyer)


def test_nobody_opens_a_conversation_with_themselves_or_with_somebody_suspended(buyer: User, seller: User) -> None:
    with pytest.raises(NoSelfTalk):
        conversation_direct(user=buyer, other=buyer)
    seller.status = User.Status.SUSPENDED
    with pytest.raises(PersonAway):
        conversation_direct(user=buyer, other=seller)
    assert not Conversation.objects.exists()


# ---------------------------------------------------------------- sending


def test_messages_are_numbered_in_their_order_and_both_lists_show_the_last(
    talk: Conversation, buyer: User, seller: User
) -> None:
    assert [say(talk, who, f"m{n}", f"client-{n:04}").seq for n, who in enumerate([buyer, seller, buyer])] == [1, 2, 3]
    assert set(talk.participants.values_list("last_seq", "last_text", "last_sender_id")) == {(3, "m2", buyer.pk)}


@pytest.mark.django_db(transaction=True)
def test_eight_threads_in_one_conversation_leave_no_gap_and_no_repeat(
    talk: Conversation, buyer: User, seller: User
) -> None:
    def send_ten(number: int) -> list[int]:
        sender = buyer if number % 2 else seller
        return [say(talk, sender, f"{number}-{n}", f"thread{number}-{n:04}").seq for n in range(10)]

    results = at_once(send_ten, 8)
    assert sorted(seq for seqs in results for seq in seqs) == list(range(1, 81))
    assert list(Message.objects.order_by("seq").values_list("seq", flat=True)) == list(range(1, 81))
    assert set(talk.participants.values_list("last_seq", flat=True)) == {80}
    # Each thread's own messages keep their order.
    assert all(seqs == sorted(seqs) for seqs in results)


def test_sending_the_same_message_again_gives_the_first_one_back(talk: Conversation, buyer: User) -> None:
    first = say(talk, buyer, "Hello")
    again = say(talk, buyer, "Hello, changed on the way")
    assert (again.pk, again.body) == (first.pk, "Hello")
    assert Message.objects.count() == 1
    talk.refresh_from_db()
    assert talk.last_seq == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_message_from_eight_threads_at_once_is_stored_once(talk: Conversation, buyer: User) -> None:
    stored = at_once(lambda _: say(talk, buyer).pk, 8)
    assert set(stored) == {Message.objects.get().pk}
    talk.refresh_from_db()
    assert talk.last_seq == 1
    assert OutboxEvent.objects.filter(topic="message.new").count() == 1


def test_two_people_may_use_the_same_client_id(talk: Conversation, buyer: User, seller: User) -> None:
    assert say(talk, buyer).seq == 1
    assert say(talk, seller).seq == 2


def test_a_stranger_neither_writes_nor_reads(talk: Conversation, stranger: User) -> None:
    with pytest.raises(NotAMember):
        say(talk, stranger)
    with pytest.raises(NotAMember):
        message_read(conversation=talk, user=stranger, seq=1)
    assert not Message.objects.exists()


def test_who_was_suspended_after_signing_in_does_not_write(talk: Conversation, buyer: User, seller: User) -> None:
    User.objects.filter(pk=buyer.pk).update(status=User.Status.SUSPENDED)
    assert buyer.is_active  # as the session remembers
    with pytest.raises(PersonAway):
        say(talk, buyer)
    with pytest.raises(PersonAway, match="Amal"):
        say(talk, seller)
    assert not Message.objects.exists()


def test_a_restricted_person_still_talks_about_what_runs(talk: Conversation, buyer: User) -> None:
    User.objects.filter(pk=buyer.pk).update(status=User.Status.RESTRICTED)
    assert say(talk, buyer).seq == 1


def test_a_locked_conversation_takes_the_stores_lines_only(talk: Conversation, buyer: User) -> None:
    Conversation.objects.filter(pk=talk.pk).update(is_locked=True)
    with pytest.raises(ConversationLocked):
        say(talk, buyer)
    assert system_message(conversation=talk, note="deliver", key="e1").seq == 1


@pytest.mark.parametrize("body", ["", "  \n\t ", "\x00\x07", "\u200f\u200c", "\ud800"])
def test_a_message_without_anything_to_read_is_refused(talk: Conversation, buyer: User, body: str) -> None:
    with pytest.raises(BadMessage, match="Write something"):
        say(talk, buyer, body)


def test_a_message_has_at_most_4000_characters_after_trimming(talk: Conversation, buyer: User) -> None:
    assert len(say(talk, buyer, "  " + "ا" * 4000 + "\n").body) == 4000
    with pytest.raises(BadMessage, match="4001"):
        say(talk, buyer, "x" * 4001, "client-0002")


def test_control_characters_go_and_arabic_joiners_stay(talk: Conversation, buyer: User) -> None:
    assert say(talk, buyer, "a\x00b\x1b[31m\nمی\u200cخواهم\ud800").body == "ab[31m\nمی\u200cخواهم"


@pytest.mark.parametrize("client_id", ["", "short", "x" * 41, "with space", "semi;colon", "ids\n00000"])
def test_a_client_id_that_is_none_is_refused(talk: Conversation, buyer: User, client_id: str) -> None:
    with pytest.raises(BadMessage):
        say(talk, buyer, "Hello", client_id)


def test_the_event_goes_to_both_sides_and_carries_no_mail_address(
    talk: Conversation, buyer: User, seller: User
) -> None:
    say(talk, buyer)
    event = OutboxEvent.objects.get(topic="message.new")
    assert set(event.groups) == {f"user.{buyer.pk.hex}", f"user.{seller.pk.hex}"}
    assert event.payload["sender_name"] == "Amal"
    assert "@" not in str(event.payload)


# ---------------------------------------------------------------- the store's own lines


def test_a_system_line_reads_in_each_sides_language_and_comes_once(
    talk: Conversation, buyer: User, seller: User
) -> None:
    first = system_message(conversation=talk, note="deliver", key="event-1")
    assert system_message(conversation=talk, note="deliver", key="event-1") == first
    events = OutboxEvent.objects.filter(topic="message.new")
    assert sorted(len(event.groups) for event in events) == [1, 1]
    assert {event.payload["body"] for event in events} == {"Delivered. The check period has started."}
    assert {event.payload["sender"] for event in events} == {""}


# ---------------------------------------------------------------- receipts


def test_reading_only_ever_grows_and_never_passes_the_last_message(
    talk: Conversation, buyer: User, seller: User
) -> None:
    for n in range(3):
        say(talk, seller, f"m{n}", f"client-{n:04}")
    mine = talk.participants.get(user=buyer)

    def after(seq: int) -> tuple[int, int]:
        message_read(conversation=talk, user=buyer, seq=seq)
        mine.refresh_from_db()
        return mine.read_seq, mine.delivered_seq

    assert after(2) == (2, 2)
    assert after(1) == (2, 2)
    assert after(999) == (3, 3)
    assert OutboxEvent.objects.filter(topic="receipt").count() == 2


def test_delivery_does_not_count_as_reading(talk: Conversation, buyer: User, seller: User) -> None:
    say(talk, seller)
    message_delivered(conversation=talk, user=buyer, seq=1)
    mine = talk.participants.get(user=buyer)
    assert (mine.delivered_seq, mine.read_seq, mine.unread) == (1, 0, 1)


def test_own_messages_are_not_unread_but_do_not_hide_earlier_ones(
    talk: Conversation, buyer: User, seller: User
) -> None:
    say(talk, buyer)
    assert (unread_messages(buyer), unread_messages(seller)) == (0, 1)
    say(talk, seller, client_id="client-0002")
    assert unread_messages(seller) == 2  # wrote blindly: the first is still unread
    message_read(conversation=talk, user=seller, seq=2)
    say(talk, seller, client_id="client-0003")
    assert unread_messages(seller) == 0


def test_counting_unread_messages_takes_one_query(
    talk: Conversation, buyer: User, seller: User, django_assert_num_queries: Any
) -> None:
    for n in range(3):
        other = conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))
        say(other, seller, client_id=f"client-{n:04}")
    with django_assert_num_queries(1):
        assert unread_messages(buyer) == 3


def test_leaving_ends_membership(talk: Conversation, buyer: User) -> None:
    talk.participants.filter(user=buyer).update(left_at=timezone.now())
    with pytest.raises(NotAMember):
        say(talk, buyer)
