"""Talk: conversations, messages, notifications; support tickets; blocks and reports."""

from chat.models.conversations import Conversation, Message, Notification, NotificationPreference, Participant
from chat.models.safety import Block, MessageReport
from chat.models.tickets import Ticket, TicketNote

__all__ = [
    "Block",
    "Conversation",
    "Message",
    "MessageReport",
    "Notification",
    "NotificationPreference",
    "Participant",
    "Ticket",
    "TicketNote",
]
