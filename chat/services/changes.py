"""Messages that their writer edits or deletes for a while, and the versions that are kept of them."""

import datetime

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.errors import Conflict
from accountsstore.events import MessageChanged
from accountsstore.outbox import publish
from chat.errors import ConversationLocked, MessageDeleted, NoSuchMessage, TooLateToChange
from chat.message_terms import message_words, terms_set
from chat.models import Conversation, Message, MessageVersion, Participant
from chat.selectors import own_message, people_in
from chat.services.blocks import require_not_blocked
from chat.services.drafts import clean_body
from chat.services.messages import preview, require_talking


def may_still_change(message: Message, now: datetime.datetime) -> bool:
    """Whether its writer may edit or delete the message at `now`."""
    return (
        message.kind == Message.Kind.TEXT
        and message.deleted_at is None
        and now < message.created_at + datetime.timedelta(minutes=settings.MESSAGE_CHANGE_MINUTES)
    )


@atomic
def message_edit(*, conversation: Conversation, sender: User, client_id: str, body: str) -> Message:
    """Have the sender's message `client_id` say `body` from now on; what it said is kept as a MessageVersion.

    Safe to repeat: a message that says so already stays as it is. Raises NotAMember, PersonAway, Blocked,
    NoSuchMessage, MessageDeleted, BadMessage, TooLateToChange, ConversationLocked, and Conflict to the second of two
    at once.
    """
    message = _own(conversation, sender, client_id)
    if message.deleted_at is not None:
        raise MessageDeleted
    if conversation.kind == Conversation.Kind.DIRECT:
        # Taking something back is open to who was blocked; saying something else is not.
        require_not_blocked(sender, [person.user for person in people_in(conversation.pk)])
    body = clean_body(body, may_be_empty=bool(message.files))
    if body != message.body:
        _change(message, body=body)
    return message


@atomic
def message_delete(*, conversation: Conversation, sender: User, client_id: str) -> Message:
    """Take the sender's message `client_id` away with its files; what it said is kept as a MessageVersion.

    Safe to repeat: a deleted message stays deleted. Raises as `message_edit`.
    """
    message = _own(conversation, sender, client_id)
    if message.deleted_at is None:
        _change(message, body="", files=[], deleted_at=timezone.now())
    return message


def _own(conversation: Conversation, sender: User, client_id: str) -> Message:
    require_talking(people_in(conversation.pk), sender)
    message = own_message(conversation, sender, client_id)
    if message is None:
        raise NoSuchMessage
    return message


def _change(
    message: Message,
    *,
    body: str,
    files: list[dict[str, object]] | None = None,
    deleted_at: datetime.datetime | None = None,
) -> None:
    """Inside the caller's transaction."""
    if not may_still_change(message, timezone.now()):
        raise TooLateToChange
    talk = Conversation.objects.filter(pk=message.conversation_id)
    # Taking the number decides every race, as with new messages.
    if not talk.filter(is_locked=False).update(last_change=F("last_change") + 1):
        raise ConversationLocked
    change, last_seq = talk.values_list("last_change", "last_seq").get()
    MessageVersion.objects.create(
        conversation_id=message.conversation_id,
        change=change,
        message=message,
        body=message.body,
        files=message.files,
    )
    files = message.files if files is None else files
    now_says = {"body": body, "files": files, "deleted_at": deleted_at, "change": change}
    if not Message.objects.filter(pk=message.pk, change=message.change, deleted_at=None).update(**now_says):
        raise Conflict
    for name, value in now_says.items():
        setattr(message, name, value)
    terms_set(message, message_words(body, files))
    people = Participant.objects.filter(conversation=message.conversation_id)
    people.filter(last_seq=message.seq).update(last_text=preview(body, files))
    publish(
        changed_event(message, newest=message.seq == last_seq),
        to=people.filter(left_at=None).values_list("user_id", flat=True),
    )


def changed_event(message: Message, *, newest: bool) -> MessageChanged:
    """What the message says now, of a person's message that was changed."""
    return MessageChanged(
        conversation=message.conversation_id.hex,
        seq=message.seq,
        change=message.change,
        sender=message.sender_id.hex if message.sender_id else "",
        client_id=message.client_id,
        body=message.body,
        files=message.files,
        deleted=message.deleted_at is not None,
        newest=newest,
    )
