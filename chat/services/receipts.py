"""How far each person in a conversation has come."""

from django.db.models import F

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.events import Receipt
from accountsstore.outbox import publish
from chat.errors import NotAMember
from chat.models import Conversation, Participant


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
