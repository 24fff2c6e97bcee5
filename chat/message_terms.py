"""The words of messages as the database keeps and finds them, within one conversation.

SQLite has a row for each word of a message. MongoDB has them in an array on the message, whose index continues with
the message's number. The same as `listings.terms`, and the words are compared as there (`listings.words`).
"""

import uuid
from typing import Any

from django.db import connection
from django.db.models import Exists, JSONField, Lookup, OuterRef

from accountsstore.db import atomic
from accountsstore.rows import rows_save
from chat.models import Conversation, Message, MessageTerm
from listings.words import words

# A message of 4000 characters rarely has as many different words; what follows them is not found.
WORDS_PER_MESSAGE = 500
# Of several words the rarest is looked up and the others are asked of its rows; counting further tells nothing more.
COUNTED = 1_000


def _is_array() -> bool:
    return connection.vendor == "mongodb"


def message_words(body: str, files: list[dict[str, Any]]) -> list[str]:
    """What a message is found by: its words, and those of its files' names."""
    return words(" ".join([body, *(file["name"] for file in files)]))[:WORDS_PER_MESSAGE]


def in_column(terms: list[str]) -> list[str]:
    """What a new message holds of its words in its own row."""
    return terms if _is_array() else []


def terms_insert(message: Message, terms: list[str]) -> None:
    """The words of a new message, as far as its own row does not hold them. Inside the caller's transaction."""
    if terms and not _is_array():
        MessageTerm.objects.bulk_create(
            MessageTerm(conversation_id=message.conversation_id, term=term, seq=message.seq) for term in terms
        )


@atomic
def terms_set(message: Message, terms: list[str]) -> None:
    """Have the message found by `terms` and by nothing else. Safe to repeat."""
    if _is_array():
        Message.objects.filter(pk=message.pk).update(terms=terms)
        return
    MessageTerm.objects.filter(conversation_id=message.conversation_id, seq=message.seq).delete()
    terms_insert(message, terms)


@atomic
def terms_rebuild(after: uuid.UUID, limit: int) -> list[Message]:
    """Have up to `limit` messages, in the order of their ids from behind `after`, be found by what they say. Returns them.

    Safe to repeat, and to run while people write: an edit comes before this transaction or after it.
    """
    rows = Message.objects.filter(pk__gt=after, kind=Message.Kind.TEXT, deleted_at=None)
    messages = list(rows.order_by("pk")[:limit])
    for message in messages:
        message.terms = message_words(message.body, message.files)
    if _is_array() and messages:
        rows_save(messages, "terms")
    elif messages:
        for message in messages:
            terms_set(message, message.terms)
    return messages


@JSONField.register_lookup
class AllOf(Lookup):
    """An array holds all of these, on MongoDB. The first is looked up in an index and should be the rarest, the others are
    read from the rows. From conditions of their own MongoDB would make a plan for each and try them all: seconds."""

    lookup_name = "all_of"
    prepare_rhs = False

    def as_mql(self, compiler: Any, connection: Any, **options: Any) -> dict[str, Any]:
        from django_mongodb_backend.query_utils import process_lhs

        return {process_lhs(self, compiler, connection): {"$all": self.rhs}}


def seqs_with(conversation: Conversation, terms: list[str], before: int | None, limit: int) -> list[int]:
    """The numbers of up to `limit` messages that hold all of `terms`, newest first, of those before number `before`."""
    if len(terms) > 1:
        terms = sorted(terms, key=lambda term: _rows(conversation, term)[:COUNTED].count())
    if _is_array():
        rows = Message.objects.filter(conversation=conversation, terms__all_of=terms)
    else:
        rarest, *others = terms
        rows = _rows(conversation, rarest)
        for term in others:
            rows = rows.filter(Exists(_rows(conversation, term).filter(seq=OuterRef("seq"))))
    if before is not None:
        rows = rows.filter(seq__lt=before)
    return list(rows.order_by("-seq").values_list("seq", flat=True)[:limit])


def _rows(conversation: Conversation, term: str) -> Any:
    if _is_array():
        return Message.objects.filter(conversation=conversation, terms__all_of=[term])
    return MessageTerm.objects.filter(conversation=conversation, term=term)
