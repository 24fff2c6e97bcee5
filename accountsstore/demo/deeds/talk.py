"""Messages between buyers and sellers."""

from django.db.models import F

from accounts.models import User
from accountsstore.demo.deeds.people import user_named
from accountsstore.demo.made_up import made_up
from chat.models import Conversation, Message, Participant
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.messages import message_read, message_send
from chat.services.notifications import notifications_read
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
    message_send(conversation=conversation, sender=sender, client_id=client_id, body=text)


def catch_up(username: str) -> None:
    """Read everything: every message and every notification so far."""
    user = user_named(username)
    notifications_read(user=user)
    for mine in Participant.objects.filter(user=user, read_seq__lt=F("last_seq")).select_related("conversation"):
        message_read(conversation=mine.conversation, user=user, seq=mine.last_seq)
