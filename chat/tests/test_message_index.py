"""Indexing messages that were written before there was a search."""

import io
import re

import pytest
from django.core.management import call_command

from accounts.models import User
from chat.models import Conversation, Message, MessageTerm
from chat.selectors import messages_with
from chat.services.changes import message_delete, message_edit
from chat.services.conversations import conversation_for_order
from chat.services.messages import message_send, system_message
from chat.tests.factories import OrderFactory

pytestmark = [pytest.mark.django_db, pytest.mark.stack]


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    """Five messages without words, as from before: the second edited, the third deleted; then one of the store's."""
    talk = conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))
    for number in range(5):
        body = f"Castle {number}"
        message_send(conversation_id=talk.pk, sender=buyer, client_id=f"client-000{number}", body=body)
    message_edit(conversation=talk, sender=buyer, client_id="client-0001", body="Castle corrected")
    message_delete(conversation=talk, sender=buyer, client_id="client-0002")
    system_message(conversation=talk, note="deliver", key="e1")
    Message.objects.update(terms=[])
    MessageTerm.objects.all().delete()
    assert found(talk, "castle") == []
    return talk


def found(talk: Conversation, words: str) -> list[int]:
    return [message.seq for message in messages_with(talk, words)[0]]


def index(**options: object) -> str:
    out = io.StringIO()
    call_command("index_messages", stdout=out, **options)
    return out.getvalue()


def test_old_messages_are_found_by_what_they_say_now_however_often_they_are_indexed(talk: Conversation) -> None:
    for _ in range(2):
        assert "4 messages indexed." in index(batch=3)
        assert found(talk, "castle") == [5, 4, 2, 1]
        assert found(talk, "corrected") == [2]
        assert found(talk, "deliver") == []
        # What says nothing any more is looked for by nobody.
        assert not MessageTerm.objects.filter(seq=3).exists()
    assert MessageTerm.objects.count() in (8, 0)


def test_a_run_goes_on_where_another_one_ended(talk: Conversation) -> None:
    first_batch = re.search(r"^2 messages, --after (\w+)$", index(batch=2), re.MULTILINE)
    assert first_batch
    Message.objects.update(terms=[])
    MessageTerm.objects.all().delete()
    assert "2 messages indexed." in index(after=first_batch[1])
    assert found(talk, "castle") == [5, 4]
