"""Messages: written once, numbered without a gap, told to both sides."""

import contextlib
import datetime
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.errors import StoreError
from accountsstore.events import MessageNew, user_group
from accountsstore.outbox import publish, publish_all
from accountsstore.rows import rows_count_up, rows_find, rows_insert, rows_save
from chat.errors import BadMessage, ConversationLocked, NotAMember, PersonAway
from chat.message_terms import in_column, message_words, terms_insert
from chat.models import Block, Conversation, Message, Participant
from chat.notes import note_text
from chat.selectors import people_in
from chat.services.attachments import attachments_bind, attachments_find, file_card
from chat.services.blocks import blocks_among, require_not_blocked
from chat.services.drafts import Draft
from chat.services.turns import customer_wrote
from uploads.errors import FileTaken
from uploads.models import StoredFile

PREVIEW_MAX = 140
# Unread for this long, and offline: the person gets a mail.
MISSED_AFTER = datetime.timedelta(minutes=5)
# What a message changes of the place of each person in its conversation.
PLACE_FIELDS = (
    "last_seq",
    "last_text",
    "last_sender_id",
    "last_message_at",
    "read_seq",
    "delivered_seq",
    "mail_due_at",
)


def message_send(
    *, conversation_id: uuid.UUID, sender: User, client_id: str, body: str, files: Sequence[uuid.UUID] = ()
) -> Message:
    """Write a message (see `Draft`) into its conversation and tell both sides.

    Safe to repeat and to run at once with itself: a sender's `client_id` gives its first message back, whatever the
    body. Raises NotAMember, ConversationLocked, PersonAway, Blocked, BadMessage, FileTaken. Call it outside a
    transaction.
    """
    draft = Draft(conversation_id=conversation_id, sender=sender, client_id=client_id, body=body, files=files).cleaned()
    try:
        [message] = _write([draft])
        if isinstance(message, StoreError):
            raise message
    except (IntegrityError, StoreError):
        # It came before: it stands, whatever has changed since.
        first = Message.objects.filter(conversation=draft.conversation_id, dedupe_key=draft.key).first()
        if first is None:
            raise
        return first
    return message


def messages_send(drafts: Sequence[Draft]) -> list[Message | None]:
    """Write many messages in one transaction (group commit), which costs the database little more than one does.

    None for each that was not written, for whatever reason: `message_send` writes it, or says why not. Safe to repeat,
    as that is. Call it outside a transaction.
    """
    written: list[Message | None] = [None] * len(drafts)
    good = {}
    for number, draft in enumerate(drafts):
        with contextlib.suppress(BadMessage):
            good[number] = draft.cleaned()
    # One of them came before, or its file went with another message just now: nothing is written.
    with contextlib.suppress(IntegrityError, FileTaken):
        for number, message in zip(good, _write(list(good.values())), strict=True):
            written[number] = message if isinstance(message, Message) else None
    return written


@atomic
def _write(drafts: Sequence[Draft]) -> list[Message | StoreError]:
    """The messages of cleaned drafts, or why one was not written."""
    people = defaultdict(list)
    conversation_ids = list({draft.conversation_id for draft in drafts})
    for person in rows_find(Participant, "user", "conversation", conversation=conversation_ids, left_at=None):
        people[person.conversation_id].append(person)
    blocks = blocks_among(person.user for place in people.values() for person in place)
    results: list[Message | StoreError] = [ConversationLocked() for _ in drafts]
    allowed: list[tuple[int, User, list[StoredFile]]] = []
    for number, draft in enumerate(drafts):
        try:
            sender = _require_may_write(draft.sender, people[draft.conversation_id], blocks)
            allowed.append((number, sender, attachments_find(sender, draft.files)))
        except StoreError as error:
            results[number] = error
    # Taking the numbers decides every race. Whose conversation is not among them was locked.
    left = Counter(drafts[number].conversation_id for number, _sender, _files in allowed)
    conversations = rows_count_up(Conversation, "last_seq", left, is_locked=False) if left else {}
    written = []
    for number, sender, files in allowed:
        draft = drafts[number]
        if conversation := conversations.get(draft.conversation_id):
            left[conversation.pk] -= 1
            seq = conversation.last_seq - left[conversation.pk]
            cards = [file_card(file) for file in files]
            message = _new(conversation, seq=seq, sender=sender, key=draft.key, body=draft.body, files=cards)
            written.append((message, files))
            results[number] = message
    _insert([message for message, _files in written])
    for message, files in written:
        attachments_bind(message, files)
        _move_places(message, people[message.conversation_id])
    rows_save([person for pk in conversations for person in people[pk]], *PLACE_FIELDS)
    publish_all(
        (
            message_event(message, body=message.body),
            [user_group(each.user_id) for each in people[message.conversation_id]],
        )
        for message, _files in written
    )
    for message, _files in written:
        if message.conversation.kind == Conversation.Kind.TICKET:
            customer_wrote(message)
    return results


def _require_may_write(sender: User, people: list[Participant], blocks: list[Block]) -> User:
    """The sender as the database knows them now. Raises NotAMember, PersonAway, Blocked."""
    sender = require_talking(people, sender)
    if people[0].conversation.kind == Conversation.Kind.DIRECT:
        require_not_blocked(sender, [person.user for person in people], blocks)
    return sender


def _move_places(message: Message, people: list[Participant]) -> None:
    """What the message changes of each person's place, not yet saved."""
    for person in people:
        _copy_to_list(message, person, preview(message.body, message.files))
        if person.user_id != message.sender_id:
            _mail_if_missed(message, person)
        elif person.read_seq == message.seq - 1:
            # Who had read everything has read this too; who had not still has the earlier ones to read.
            person.read_seq = person.delivered_seq = message.seq


def require_talking(people: list[Participant], sender: User) -> User:
    """The sender as the database knows them now. Raises NotAMember, PersonAway."""
    me = next((person.user for person in people if person.user_id == sender.pk), None)
    if me is None:
        raise NotAMember
    if not me.is_active:
        raise PersonAway(_("Your account is closed to you, so you cannot write."))
    for person in people:
        if not person.user.is_active:
            raise PersonAway(_("%(name)s cannot receive messages right now.") % {"name": person.user.name})
    return me


def _take_number(conversation_id: uuid.UUID) -> Conversation:
    """The conversation with the next message's number as its `last_seq`; taking it decides every race."""
    return rows_count_up(Conversation, "last_seq", {conversation_id: 1})[conversation_id]


def _new(
    conversation: Conversation,
    *,
    seq: int,
    sender: User | None,
    key: str,
    kind: str = Message.Kind.TEXT,
    body: str,
    files: Sequence[dict[str, Any]] = (),
) -> Message:
    """A message under a number that was taken in this transaction."""
    return Message(
        conversation=conversation, seq=seq, sender=sender, dedupe_key=key, kind=kind, body=body, files=list(files)
    )


def _insert(messages: list[Message]) -> None:
    # The store's own lines read differently in each language.
    terms = [message_words(m.body, m.files) if m.kind == Message.Kind.TEXT else [] for m in messages]
    for message, its_terms in zip(messages, terms, strict=True):
        message.terms = in_column(its_terms)
    rows_insert(messages)
    for message, its_terms in zip(messages, terms, strict=True):
        terms_insert(message, its_terms)


def _copy_to_list(message: Message, person: Participant, text: str) -> None:
    person.last_seq, person.last_sender_id, person.last_text = message.seq, message.sender_id, text
    person.last_message_at = message.created_at


def _mail_if_missed(message: Message, person: Participant) -> None:
    """Unless a mail is due, or went out and what it told of is still unread."""
    if person.mail_due_at is None and person.mailed_seq <= person.read_seq:
        person.mail_due_at = message.created_at + MISSED_AFTER


def preview(text: str, files: Sequence[dict[str, Any]] = ()) -> str:
    """A message in one line of a list: its words, or the names of its files; empty for a deleted one."""
    line = " ".join((text or ", ".join(file["name"] for file in files)).split())
    return line if len(line) <= PREVIEW_MAX else line[: PREVIEW_MAX - 1] + "…"


def message_event(message: Message, *, body: str) -> MessageNew:
    """What a message says to open sockets. `body`: its own, or the store's line in the reader's language."""
    sender = message.sender
    return MessageNew(
        conversation=message.conversation_id.hex,
        seq=message.seq,
        sender=sender.pk.hex if sender else "",
        sender_name=sender.name if sender else settings.STORE_NAME,
        client_id=message.client_id if sender else "",
        kind=message.kind,
        body=body,
        at=message.created_at.isoformat(timespec="milliseconds"),
        files=message.files,
        edited=message.is_edited,
        deleted=message.deleted_at is not None,
    )


def system_message(*, conversation: Conversation, note: str, key: str) -> Message:
    """The store's own line (a key of chat.notes) in the conversation, in each reader's language.

    Safe to repeat: one line per `key`. Call it outside a transaction.
    """
    dedupe_key = f"store:{key}"
    try:
        return _system_message(conversation=conversation, note=note, dedupe_key=dedupe_key)
    except IntegrityError:
        first = Message.objects.filter(conversation=conversation, dedupe_key=dedupe_key).first()
        if first is None:
            raise
        return first


@atomic
def _system_message(*, conversation: Conversation, note: str, dedupe_key: str) -> Message:
    if first := Message.objects.filter(conversation=conversation, dedupe_key=dedupe_key).first():
        return first
    people = people_in(conversation.pk)
    conversation = _take_number(conversation.pk)
    kind = Message.Kind.SYSTEM
    message = _new(conversation, seq=conversation.last_seq, sender=None, key=dedupe_key, kind=kind, body=note)
    _insert([message])
    for person in people:
        with translation.override(person.user.language):
            text = note_text(note)
        _copy_to_list(message, person, preview(text))
        publish(message_event(message, body=text), to=[person.user_id])
    rows_save(people, *PLACE_FIELDS)
    return message


@atomic
def store_message(*, conversation: Conversation, author: User, client_id: str, body: str) -> Message:
    """What a member of staff writes in the name of the store: the customer sees the store's name, the row remembers
    the author (`Message.author_id`). `body` as `clean_body` gives it.

    For services that have checked who may; inside their transaction, which an id that was used before ends.
    """
    conversation = _take_number(conversation.pk)
    key = f"{author.pk.hex}:{client_id}"
    message = _new(conversation, seq=conversation.last_seq, sender=None, key=key, body=body)
    _insert([message])
    people = people_in(conversation.pk)
    for person in people:
        _copy_to_list(message, person, preview(body))
        _mail_if_missed(message, person)
    rows_save(people, *PLACE_FIELDS)
    publish(message_event(message, body=body), to=[person.user_id for person in people])
    return message
