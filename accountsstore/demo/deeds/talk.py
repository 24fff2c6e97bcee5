"""Messages between buyers and sellers."""

from django.db.models import F, Max
from django.utils import timezone

from accounts.models import User
from accountsstore.demo.deeds.people import user_named
from accountsstore.demo.made_up import made_up
from chat.models import Conversation, Message, Notification, Participant
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.messages import message_send
from chat.services.notifications import notification_read
from chat.services.receipts import message_read
from payments.models import Order


def say(order: Order, side: str, text: str) -> None:
    """`side` is "buyer" or "seller". Who writes has read what the other side wrote."""
    _say(conversation_for_order(order=order), order.buyer if side == "buyer" else order.seller, text)


def say_directly(sender: str, other: str, text: str) -> None:
    user = user_named(sender)
    _say(conversation_direct(user=user, other=user_named(other)), user, text)


def _say(conversation: Conversation, sender: User, text: str) -> None:
    client_id = f"demo-{made_up(text, length=20)}"
    if Message.objects.filter(conversation=conversation, dedupe_key=f"{sender.pk.hex}:{client_id}").exists():
        return
    conversation.refresh_from_db()
    if conversation.last_seq:
        message_read(conversation=conversation, user=sender, seq=conversation.last_seq)
    message_send(conversation_id=conversation.pk, sender=sender, client_id=client_id, body=text)


def catch_up(username: str) -> None:
    """Read every message and every notification up to this moment of the past.

    Not those after it: a load that is repeated finds them there, and they are to stay unread.
    """
    user, now = user_named(username), timezone.now()
    for notification in Notification.objects.filter(user=user, is_read=False, created_at__lte=now):
        notification_read(user=user, notification=notification)
    for mine in Participant.objects.filter(user=user, read_seq__lt=F("last_seq")).select_related("conversation"):
        written = Message.objects.filter(conversation=mine.conversation, created_at__lte=now)
        message_read(
            conversation=mine.conversation, user=user, seq=written.aggregate(last=Max("seq", default=0))["last"]
        )
