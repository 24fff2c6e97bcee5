"""Editing and deleting one's own messages, and what is kept of them."""

import datetime

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accountsstore.models import OutboxEvent, OutboxMail
from chat.errors import (
    BadMessage,
    Blocked,
    ConversationLocked,
    MessageDeleted,
    NoSuchMessage,
    NotAMember,
    PersonAway,
    TooLateToChange,
)
from chat.models import Conversation, Message, MessageTerm, MessageVersion
from chat.selectors import messages_with
from chat.services.blocks import block_set
from chat.services.changes import message_delete, message_edit
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.messages import message_send, system_message
from chat.services.missed import missed_messages_mail
from chat.tests.factories import OrderFactory
from chat.tests.test_messages import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.stack]


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))


def say(talk: Conversation, sender: User, body: str = "Hello", client_id: str = "client-0001") -> Message:
    return message_send(conversation_id=talk.pk, sender=sender, client_id=client_id, body=body)


def edit(talk: Conversation, sender: User, body: str = "Hello again", client_id: str = "client-0001") -> Message:
    return message_edit(conversation=talk, sender=sender, client_id=client_id, body=body)


def delete(talk: Conversation, sender: User, client_id: str = "client-0001") -> Message:
    return message_delete(conversation=talk, sender=sender, client_id=client_id)


def grown_old(message: Message, minutes: float) -> None:
    Message.objects.filter(pk=message.pk).update(created_at=timezone.now() - datetime.timedelta(minutes=minutes))


def versions() -> list[tuple[int, str]]:
    return list(MessageVersion.objects.order_by("change").values_list("change", "body"))


def test_an_edited_message_says_the_new_text_and_every_earlier_one_is_kept(talk: Conversation, buyer: User) -> None:
    say(talk, buyer, "One")
    edit(talk, buyer, "Two")
    edit(talk, buyer, "Three")
    message = Message.objects.get()
    assert (message.body, message.change, message.is_edited) == ("Three", 2, True)
    assert versions() == [(1, "One"), (2, "Two")]


def test_a_deleted_message_keeps_its_number_and_nothing_of_its_text_but_the_version(
    talk: Conversation, buyer: User
) -> None:
    say(talk, buyer, "Secret")
    delete(talk, buyer)
    message = Message.objects.get()
    assert (message.seq, message.body, message.is_edited) == (1, "", False)
    assert message.deleted_at is not None
    assert versions() == [(1, "Secret")]
    assert set(talk.participants.values_list("last_text", flat=True)) == {""}


def test_repeating_an_edit_or_a_deletion_changes_nothing(talk: Conversation, buyer: User) -> None:
    message = say(talk, buyer)
    assert edit(talk, buyer).change == edit(talk, buyer).change == 1
    delete(talk, buyer)
    grown_old(message, 60)
    assert delete(talk, buyer).change == 2
    assert len(versions()) == 2
    assert OutboxEvent.objects.filter(topic="message.changed").count() == 2


def test_what_was_deleted_is_not_edited(talk: Conversation, buyer: User) -> None:
    say(talk, buyer)
    delete(talk, buyer)
    with pytest.raises(MessageDeleted):
        edit(talk, buyer)
    assert Message.objects.get().body == ""


@pytest.mark.django_db(transaction=True)
def test_edits_and_a_deletion_at_once_end_deleted_with_every_version_numbered_once(
    talk: Conversation, buyer: User
) -> None:
    say(talk, buyer, "First")

    def change(number: int) -> None:
        delete(talk, buyer) if number == 3 else edit(talk, buyer, f"Edit {number}")

    results = at_once(change, 8)
    assert all(result is None or isinstance(result, MessageDeleted) for result in results), results
    message = Message.objects.get()
    assert (message.body, message.deleted_at is None) == ("", False)
    kept = versions()
    talk.refresh_from_db()
    assert [number for number, _ in kept] == list(range(1, talk.last_change + 1))
    assert kept[0][1] == "First"
    assert message.change == talk.last_change


@pytest.mark.parametrize(("minutes", "allowed"), [(14, True), (16, False)])
def test_a_message_is_changed_within_a_quarter_of_an_hour(
    talk: Conversation, buyer: User, minutes: int, allowed: bool
) -> None:
    grown_old(say(talk, buyer), minutes)
    if allowed:
        edit(talk, buyer)
    else:
        for change in (edit, delete):
            with pytest.raises(TooLateToChange):
                change(talk, buyer)
        assert versions() == []


def test_nobody_changes_somebody_elses_message_or_the_stores(
    talk: Conversation, buyer: User, seller: User, stranger: User
) -> None:
    say(talk, buyer)
    system_message(conversation=talk, note="deliver", key="client-0002")
    for change in (edit, delete):
        with pytest.raises(NoSuchMessage):
            change(talk, seller)
        with pytest.raises(NoSuchMessage):
            change(talk, buyer, client_id="client-0002")
        with pytest.raises(NotAMember):
            change(talk, stranger)
    assert versions() == []


def test_changing_asks_what_sending_asks(talk: Conversation, buyer: User, seller: User) -> None:
    say(talk, buyer)
    with pytest.raises(BadMessage):
        edit(talk, buyer, "  ")
    Conversation.objects.update(is_locked=True)
    for change in (edit, delete):
        with pytest.raises(ConversationLocked):
            change(talk, buyer)
    Conversation.objects.update(is_locked=False)
    User.objects.filter(pk=seller.pk).update(status=User.Status.SUSPENDED)
    with pytest.raises(PersonAway):
        edit(talk, buyer)
    assert (Message.objects.get().body, versions()) == ("Hello", [])
    assert Conversation.objects.get().last_change == 0


def test_the_lists_follow_a_change_of_the_newest_message_only(talk: Conversation, buyer: User, seller: User) -> None:
    say(talk, buyer, "One")
    say(talk, seller, "Two", "client-0002")
    edit(talk, buyer, "One, changed")
    assert set(talk.participants.values_list("last_text", flat=True)) == {"Two"}
    edit(talk, seller, "Two, changed", "client-0002")
    assert set(talk.participants.values_list("last_text", flat=True)) == {"Two, changed"}
    newest = OutboxEvent.objects.filter(topic="message.changed").order_by("created_at")
    assert [event.payload["newest"] for event in newest] == [False, True]


def test_the_event_goes_to_both_sides_with_what_the_message_says_now(
    talk: Conversation, buyer: User, seller: User
) -> None:
    say(talk, buyer, "Secret")
    delete(talk, buyer)
    event = OutboxEvent.objects.get(topic="message.changed")
    assert set(event.groups) == {f"user.{buyer.pk.hex}", f"user.{seller.pk.hex}"}
    assert (event.payload["body"], event.payload["deleted"], event.payload["change"]) == ("", True, 1)
    assert "Secret" not in str(event.payload)


def test_direct_conversations_are_no_different(buyer: User, seller: User) -> None:
    talk = conversation_direct(user=buyer, other=seller)
    say(talk, buyer)
    assert edit(talk, buyer).body == "Hello again"


def test_the_mail_about_missed_messages_holds_no_text_of_a_deleted_one(
    talk: Conversation, buyer: User, seller: User
) -> None:
    say(talk, buyer, "Secret of the deleted")
    delete(talk, buyer)
    missed_messages_mail(timezone.now() + datetime.timedelta(minutes=6))
    mail = OutboxMail.objects.get(to=seller.email)
    assert "Secret" not in mail.subject + mail.body_text + mail.body_html


# ---------------------------------------------------------------- who sees what


def page_of(user: User, url: str) -> str:
    client = Client()
    client.force_login(user)
    return client.get(url).content.decode()


def test_the_thread_says_deleted_and_edited_and_never_what_was_before(
    talk: Conversation, buyer: User, seller: User
) -> None:
    say(talk, buyer, "Alpha")
    say(talk, buyer, "Bravo", "client-0002")
    edit(talk, buyer, "Charlie")
    delete(talk, buyer, "client-0002")
    for person in (buyer, seller):
        text = page_of(person, talk.get_absolute_url())
        assert "Charlie" in text
        assert "Message deleted" in text
        assert "Alpha" not in text
        assert "Bravo" not in text


def test_staff_with_a_reason_read_what_messages_said_before_and_without_one_nothing(
    talk: Conversation, buyer: User, staff: User, client: Client
) -> None:
    say(talk, buyer, "Alpha")
    edit(talk, buyer, "Bravo")
    delete(talk, buyer)
    client.force_login(staff)
    url = reverse("admin:chat_conversation_messages", args=[talk.pk])
    assert client.get(url).status_code == 302
    asked = client.post(reverse("admin:chat_conversation_read", args=[talk.pk]), {"reason": "Dispute"})
    text = client.get(asked.url).content.decode()
    assert "Alpha" in text
    assert "Bravo" in text


def test_without_a_script_a_form_edits_and_deletes(talk: Conversation, buyer: User, client: Client) -> None:
    say(talk, buyer, "Alpha")
    client.force_login(buyer)
    url = reverse("chat:message_change", args=[talk.pk.hex, "client-0001"])
    assert "Alpha" in client.get(url).content.decode()
    assert client.post(url, {"act": "edit", "body": "Bravo"}).url == talk.get_absolute_url()
    assert Message.objects.get().body == "Bravo"
    warned = client.post(url, {"act": "edit", "body": "Write to sam@mailbox.example"})
    assert "not protected by escrow" in warned.content.decode()
    assert Message.objects.get().body == "Bravo"
    client.post(url, {"confirmed": "1", "body": "Write to sam@mailbox.example"})
    assert "sam@" in Message.objects.get().body
    client.post(url, {"act": "delete"})
    assert Message.objects.get().deleted_at is not None
    assert client.get(url).status_code == 404


def test_the_form_for_somebody_elses_message_does_not_exist(
    talk: Conversation, buyer: User, seller: User, stranger: User, client: Client
) -> None:
    say(talk, buyer)
    for person in (seller, stranger):
        client.force_login(person)
        for answer in (client.get, client.post):
            url = reverse("chat:message_change", args=[talk.pk.hex, "client-0001"])
            assert answer(url, {"act": "delete"}).status_code == 404
    assert Message.objects.get().deleted_at is None


# ---------------------------------------------------------------- searching


def found(talk: Conversation, words: str, before: int | None = None) -> list[str]:
    return [message.body for message in messages_with(talk, words, before)[0]]


def test_a_search_finds_messages_with_all_words_newest_first_in_this_conversation_alone(
    talk: Conversation, buyer: User, seller: User
) -> None:
    for number, body in enumerate(["The red key", "A blue key", "red and blue", "مفتاح أزرق"]):
        say(talk, buyer, body, f"client-{number:04}")
    say(conversation_direct(user=buyer, other=seller), buyer, "red key elsewhere")
    assert found(talk, "KEY") == ["A blue key", "The red key"]
    assert found(talk, "key red") == ["The red key"]
    assert found(talk, "ازرق") == ["مفتاح أزرق"]
    assert found(talk, "green") == found(talk, "key green") == found(talk, "") == []


def test_a_search_follows_edits_and_forgets_what_was_deleted(talk: Conversation, buyer: User) -> None:
    say(talk, buyer, "red key")
    edit(talk, buyer, "blue key")
    assert found(talk, "red") == []
    assert found(talk, "blue") == ["blue key"]
    delete(talk, buyer)
    assert found(talk, "blue") == found(talk, "key") == []


def test_a_search_goes_on_page_by_page(talk: Conversation, buyer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.selectors.PAGE_SIZE", 2)
    for number in range(5):
        say(talk, buyer, f"key {number}", f"client-{number:04}")
    pages, before = [], None
    while before != 0:
        hits, before = messages_with(talk, "key", before)
        pages.append([hit.seq for hit in hits])
    assert pages == [[5, 4], [3, 2], [1]]


def test_a_hit_leads_to_its_place_in_the_thread_and_strangers_search_nothing(
    talk: Conversation, buyer: User, stranger: User, client: Client
) -> None:
    say(talk, buyer, "The needle")
    for number in range(120):
        say(talk, buyer, "straw", f"client-1{number:04}")
    url = reverse("chat:conversation_search", args=[talk.pk.hex])
    client.force_login(buyer)
    text = client.get(url, {"q": "needle"}).content.decode()
    assert f"{talk.get_absolute_url()}?before=26#m1" in text
    assert 'id="m1"' in client.get(f"{talk.get_absolute_url()}?before=26").content.decode()
    assert "No message here" in client.get(url, {"q": "haystack"}).content.decode()
    client.force_login(stranger)
    assert client.get(url, {"q": "needle"}).status_code == 404


def test_a_search_reads_an_index_that_is_sorted_as_its_answer(talk: Conversation) -> None:

    if connection.vendor == "mongodb":
        plan = Message.objects.filter(conversation=talk, terms="key").order_by("-seq")[:51].explain()
        assert "message_terms" in plan
        assert "COLLSCAN" not in plan
        return
    plan = MessageTerm.objects.filter(conversation=talk, term="key").order_by("-seq")[:51].explain()
    assert "message_term_once" in plan or "sqlite_autoindex" in plan
    assert "TEMP B-TREE" not in plan


def test_who_was_blocked_may_take_back_what_they_said_but_not_say_something_else(buyer: User, seller: User) -> None:
    talk = conversation_direct(user=buyer, other=seller)
    message_send(conversation_id=talk.pk, sender=buyer, client_id="client-0001", body="Hello")
    block_set(user=seller, other=buyer)
    with pytest.raises(Blocked):
        message_edit(conversation=talk, sender=buyer, client_id="client-0001", body="Listen to me")
    assert Message.objects.get(conversation=talk).body == "Hello"
    message_delete(conversation=talk, sender=buyer, client_id="client-0001")
    assert Message.objects.get(conversation=talk).body == ""
