"""Messages: written once, numbered without a gap, told to both sides."""

import datetime
import re
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.errors import StoreError
from accountsstore.events import MessageNew, Receipt
from accountsstore.outbox import publish
from accountsstore.rows import row_count_up, row_insert, rows_save
from chat.errors import BadMessage, ConversationLocked, NotAMember, PersonAway
from chat.message_terms import in_column, message_words, terms_insert
from chat.models import Conversation, Message, Participant
from chat.notes import note_text
from chat.selectors import people_in
from chat.services.attachments import attachments_bind, attachments_find, file_card
from chat.services.blocks import require_not_blocked
from chat.services.turns import customer_wrote

BODY_MAX = 4000
PREVIEW_MAX = 140
# Made by the client: a UUID, or anything as hard to repeat by accident.
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,40}")
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
    """Write `body` (1 to 4000 characters after trimming) into the conversation and tell both sides.

    `files` are up to 5 uploads of the sender (`chat.services.attachments`); with them `body` may be empty. Safe to
    repeat and to run at once with itself: a sender's `client_id` gives its first message back, whatever the body.
    Raises NotAMember, ConversationLocked, PersonAway, Blocked, BadMessage, FileTaken. Call it outside a transaction.
    """
    if not CLIENT_ID.fullmatch(client_id):
        raise BadMessage(_("The message has no valid id. Load the page again."))
    body = clean_body(body, may_be_empty=bool(files))
    key = f"{sender.pk.hex}:{client_id}"
    try:
        return _message_send(conversation_id=conversation_id, sender=sender, key=key, body=body, files=files)
    except (IntegrityError, StoreError):
        # It came before: it stands, whatever has changed since.
        first = Message.objects.filter(conversation=conversation_id, dedupe_key=key).first()
        if first is None:
            raise
        return first


def clean_body(body: str, *, may_be_empty: bool = False) -> str:
    """Trimmed, without control characters. Raises BadMessage when nothing is left, or too much."""
    # Cc: control characters; Cs: halves of a character, which no database stores.
    body = "".join(c for c in body if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs")).strip()
    # Cf: marks of direction and joining. They belong into Arabic text, but alone they are nothing to read.
    if all(c.isspace() or unicodedata.category(c) == "Cf" for c in body):
        if may_be_empty:
            return ""
        raise BadMessage(_("Write something first."), field="body")
    if len(body) > BODY_MAX:
        raise BadMessage(
            _("A message has at most %(max)d characters; this one has %(length)d.")
            % {"max": BODY_MAX, "length": len(body)},
            field="body",
        )
    return body


@atomic
def _message_send(
    *, conversation_id: uuid.UUID, sender: User, key: str, body: str, files: Sequence[uuid.UUID]
) -> Message:
    people = people_in(conversation_id)
    sender = require_talking(people, sender)
    conversation = _take_number(conversation_id, is_locked=False)
    if conversation.kind == Conversation.Kind.DIRECT:
        require_not_blocked(sender, [person.user for person in people])
    attached = attachments_find(sender, files)
    cards = [file_card(file) for file in attached]
    message = _append(conversation, sender=sender, key=key, kind=Message.Kind.TEXT, body=body, files=cards)
    attachments_bind(message, attached)
    for person in people:
        _copy_to_list(message, person, preview(body, cards))
        if person.user_id != sender.pk:
            _mail_if_missed(message, person)
        elif person.read_seq == message.seq - 1:
            # Who had read everything has read this too; who had not still has the earlier ones to read.
            person.read_seq = person.delivered_seq = message.seq
    rows_save(people, *PLACE_FIELDS)
    _publish_new(message, [person.user_id for person in people], sender=sender, body=body)
    if conversation.kind == Conversation.Kind.TICKET:
        customer_wrote(message)
    return message


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


def _take_number(conversation_id: uuid.UUID, **equal: bool) -> Conversation:
    """The conversation with the next message's number as its `last_seq`; taking it decides every race.

    Raises ConversationLocked unless the conversation's fields are `equal`."""
    conversation = row_count_up(Conversation, "last_seq", pk=conversation_id, **equal)
    if conversation is None:
        raise ConversationLocked
    return conversation


def _append(
    conversation: Conversation,
    *,
    sender: User | None,
    key: str,
    kind: str,
    body: str,
    files: list[dict[str, Any]],
) -> Message:
    """Insert under the number just taken. Inside the caller's transaction."""
    # The store's own lines read differently in each language.
    terms = message_words(body, files) if kind == Message.Kind.TEXT else []
    message = Message(
        conversation=conversation,
        seq=conversation.last_seq,
        sender=sender,
        dedupe_key=key,
        kind=kind,
        body=body,
        files=files,
        terms=in_column(terms),
    )
    row_insert(message)
    terms_insert(message, terms)
    return message


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


def _publish_new(message: Message, user_ids: Iterable[uuid.UUID], *, sender: User | None, body: str) -> None:
    publish(
        MessageNew(
            conversation=message.conversation_id.hex,
            seq=message.seq,
            sender=sender.pk.hex if sender else "",
            sender_name=sender.name if sender else settings.STORE_NAME,
            client_id=message.client_id if sender else "",
            kind=message.kind,
            body=body,
            at=message.created_at.isoformat(timespec="milliseconds"),
            files=message.files,
        ),
        to=user_ids,
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
    message = _append(conversation, sender=None, key=dedupe_key, kind=Message.Kind.SYSTEM, body=note, files=[])
    for person in people:
        with translation.override(person.user.language):
            text = note_text(note)
        _copy_to_list(message, person, preview(text))
        _publish_new(message, [person.user_id], sender=None, body=text)
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
    message = _append(conversation, sender=None, key=key, kind=Message.Kind.TEXT, body=body, files=[])
    people = people_in(conversation.pk)
    for person in people:
        _copy_to_list(message, person, preview(body))
        _mail_if_missed(message, person)
    rows_save(people, *PLACE_FIELDS)
    _publish_new(message, [person.user_id for person in people], sender=None, body=body)
    return message


# ---------------------------------------------------------------- how far somebody has come


def message_read(*, conversation: Conversation, user: User, seq: int) -> None:
    """The user has seen everything up to `seq`. Only ever grows; a number that does not exist yet counts as the last.

    Safe to repeat. Raises NotAMember.
    """
    _come_to(conversation, user, seq, read=True)


def message_delivered(*, conversation: Conversation, user: User, seq: int) -> None:
    """A device of the user has everything up to `seq`. As `message_read`."""
    _come_to(conversation, user, seq, read=False)


@atomic
def _come_to(conversation: Conversation, user: User, seq: int, *, read: bool) -> None:
    mine = Participant.objects.filter(conversation=conversation, user=user, left_at=None)
    me = mine.first()
    if me is None:
        raise NotAMember
    seq = min(seq, me.last_seq)
    moved = mine.filter(delivered_seq__lt=seq).update(delivered_seq=seq)
    if read:
        moved += mine.filter(read_seq__lt=seq).update(read_seq=seq)
        mine.filter(read_seq__gte=F("last_seq")).exclude(mail_due_at=None).update(mail_due_at=None)
    if not moved:
        return
    me.refresh_from_db()
    publish(
        Receipt(
            conversation=conversation.pk.hex, user=user.pk.hex, delivered_seq=me.delivered_seq, read_seq=me.read_seq
        ),
        to=Participant.objects.filter(conversation=conversation, left_at=None).values_list("user_id", flat=True),
    )
