"""What the chat reads, in more than one place or with care."""

import dataclasses
import uuid
from collections.abc import Collection, Sequence

from django.db.models import QuerySet

from accounts.models import User
from accountsstore.rows import Figure, Rows, row_find, rows_figures, rows_find, rows_find_together
from chat.message_terms import seqs_with
from chat.models import Block, Conversation, Message, MessageVersion, Notification, Participant, Ticket
from listings.words import query_words
from payments.models import Order

PAGE_SIZE = 50
COUNT_LIMIT = 99
# Counting and searching look at this many conversations of a person, the newest ones.
NEWEST = 200
CONVERSATION_ORDER = ("-last_message_at", "-id")


def unread_messages_figure(user: User) -> Figure:
    """Unread messages in the newest 200 conversations."""
    mine = {"user": user.pk, "left_at": None}
    return Figure(Participant, mine, total="last_seq", less="read_seq", order_by=CONVERSATION_ORDER, limit=NEWEST)


def unread_messages_shown(unread: int) -> int:
    return min(unread, COUNT_LIMIT)


def unread_messages(user: User) -> int:
    """At most 99."""
    return unread_messages_shown(rows_figures(unread_messages_figure(user))[0])


def unread_notifications_figure(user: User) -> Figure:
    return Figure(Notification, {"user": user.pk, "is_read": False}, limit=COUNT_LIMIT)


def unread_notifications(user: User) -> int:
    """At most 99."""
    return rows_figures(unread_notifications_figure(user))[0]


def membership(user: User, conversation_id: uuid.UUID) -> Participant | None:
    """The user's own place in the conversation, with the conversation; None for everybody else."""
    return row_find(Participant, "conversation", conversation=conversation_id, user=user.pk, left_at=None)


def others_in(conversation_id: uuid.UUID, user: User) -> list[Participant]:
    """Everybody else in the conversation, with their users."""
    return [person for person in people_in(conversation_id) if person.user_id != user.pk]


def people_in(*conversation_ids: uuid.UUID) -> list[Participant]:
    """Who is in the conversations, with their users."""
    return rows_find(Participant, "user", conversation=list(conversation_ids), left_at=None)


def people_with(user: User, conversation_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Everybody else in those of the conversations that the user is in; nobody with a block between them. Two
    queries."""
    people = rows_find(Participant, conversation=list(conversation_ids), left_at=None)
    joined = {person.conversation_id for person in people if person.user_id == user.pk}
    others = {person.user_id for person in people if person.conversation_id in joined} - {user.pk}
    both = [user.pk, *others]
    blocks = rows_find(Block, blocker=both, blocked=both) if others else []
    pairs = [{block.blocker_id, block.blocked_id} for block in blocks]
    return others.difference(*(pair for pair in pairs if user.pk in pair))


def messages_before(conversation: Conversation, before: int | None = None) -> tuple[list[Message], bool]:
    """The newest 50 messages, or the 50 before number `before`, oldest first; and whether there are earlier ones."""
    if before is None:
        found = rows_find(Message, "sender", order_by=["-seq"], limit=PAGE_SIZE, conversation=conversation.pk)
    else:
        rows = Message.objects.filter(conversation=conversation, seq__lt=before)
        found = list(rows.order_by("-seq").select_related("sender")[:PAGE_SIZE])
    found.reverse()
    return found, bool(found) and found[0].seq > 1


def messages_since(conversation_id: uuid.UUID, seq: int, limit: int) -> list[Message]:
    """Up to `limit` messages after number `seq`, in their order."""
    rows = Message.objects.filter(conversation_id=conversation_id, seq__gt=seq)
    return list(rows.order_by("seq").select_related("sender")[:limit])


def newest_of_others(conversation: Conversation, user: User, seq: int | None = None) -> list[Message]:
    """The newest messages that the other side wrote, at most ten, newest first; and number `seq` if it is another."""
    page, _earlier = messages_before(conversation)
    newest = [m for m in reversed(page) if m.sender_id not in (None, user.pk)][:10]
    if seq is not None and all(m.seq != seq for m in newest):
        chosen = Message.objects.filter(conversation=conversation, seq=seq).select_related("sender").first()
        if chosen and chosen.sender_id not in (None, user.pk):
            newest.append(chosen)
    return newest


def blocks_between(user: User, other: User) -> tuple[bool, bool]:
    """Whether `user` has blocked `other`, and whether `other` has blocked `user`. One query."""
    pair = [user.pk, other.pk]
    blockers = {block.blocker_id for block in rows_find(Block, blocker=pair, blocked=pair)}
    return user.pk in blockers, other.pk in blockers


def own_message(conversation: Conversation, sender: User, client_id: str) -> Message | None:
    """The message that the sender's client named so."""
    key = f"{sender.pk.hex}:{client_id}"
    return Message.objects.filter(conversation=conversation, dedupe_key=key, kind=Message.Kind.TEXT).first()


def messages_changed_since(conversation_id: uuid.UUID, change: int, limit: int) -> list[Message]:
    """The messages of up to `limit` edits and deletions after number `change`, as they are now, in the order of their
    last change."""
    rows = MessageVersion.objects.filter(conversation_id=conversation_id, change__gt=change)
    ids = set(rows.order_by("change").values_list("message_id", flat=True)[:limit])
    return sorted(Message.objects.filter(pk__in=ids), key=lambda message: message.change)


def messages_with(conversation: Conversation, text: str, before: int | None = None) -> tuple[list[Message], int]:
    """A page of the messages that hold all words of `text`, newest first, of those before number `before`; and the
    number before which the next page goes on (0: there is none). Two look-ups in indexes."""
    terms = query_words(text)
    seqs = seqs_with(conversation, terms, before, PAGE_SIZE + 1) if terms else []
    page = seqs[:PAGE_SIZE]
    rows = Message.objects.filter(conversation=conversation, seq__in=page, deleted_at=None)
    return list(rows.order_by("-seq").select_related("sender")), page[-1] if len(seqs) > PAGE_SIZE else 0


def talked(user: User) -> QuerySet[Participant]:
    """The person's places in conversations in which something was said. Sort them by CONVERSATION_ORDER."""
    return Participant.objects.filter(user=user, left_at=None, last_seq__gt=0)


@dataclasses.dataclass(frozen=True)
class Row:
    """A conversation as the list shows it to one person."""

    conversation: Conversation
    mine: Participant
    other: User | None
    order: Order | None
    ticket: Ticket | None

    @property
    def is_own(self) -> bool:
        return self.mine.last_sender_id == self.mine.user_id

    def matches(self, words: str) -> bool:
        """Whether the other's name, the title or the order's number contain `words`, given in lower case."""
        texts = [self.conversation.title]
        if self.other:
            texts += [self.other.name, self.other.username]
        if self.order:
            texts.append(self.order.number)
        return any(words in text.lower() for text in texts)


def conversation_rows(mine: Sequence[Participant]) -> list[Row]:
    """The rows of these places of one person: two queries for all of them, three if there are tickets."""
    ids = [row.conversation_id for row in mine]
    if not ids:
        return []
    found, people = rows_find_together(
        Rows(Conversation, {"pk": ids}), Rows(Participant, {"conversation": ids}, joined=["user"])
    )
    conversations = {row.pk: row for row in found}
    own = {row.pk for row in mine}
    others = {person.conversation_id: person.user for person in people if person.pk not in own}
    asked = [row.pk for row in conversations.values() if row.kind == Conversation.Kind.TICKET]
    bought = [order_id for row in conversations.values() if (order_id := row.order_id)]
    tickets = {ticket.conversation_id: ticket for ticket in rows_find(Ticket, conversation=asked)} if asked else {}
    orders = {order.pk: order for order in rows_find(Order, pk=bought)} if bought else {}
    return [
        Row(
            conversation=conversation,
            mine=row,
            other=others.get(row.conversation_id),
            order=orders.get(conversation.order_id) if conversation.order_id else None,
            ticket=tickets.get(row.conversation_id),
        )
        for row in mine
        if (conversation := conversations.get(row.conversation_id))
    ]


def conversations_matching(user: User, words: str) -> list[Row]:
    """Of the person's newest 200 conversations those with `words` in a name, a title or an order's number."""
    newest = list(talked(user).order_by(*CONVERSATION_ORDER)[:NEWEST])
    words = words.strip().lower()
    return [row for row in conversation_rows(newest) if row.matches(words)][:PAGE_SIZE]
