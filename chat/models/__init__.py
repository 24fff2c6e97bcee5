"""Talk: conversations, messages, notifications; support tickets; blocks and reports; announcements."""

from chat.models.announcements import Announcement
from chat.models.conversations import (
    Conversation,
    Message,
    MessageTerm,
    MessageVersion,
    Notification,
    NotificationPreference,
    Participant,
)
from chat.models.safety import Block, MessageReport
from chat.models.tickets import Ticket, TicketNote

__all__ = [
    "Announcement",
    "Block",
    "Conversation",
    "Message",
    "MessageReport",
    "MessageTerm",
    "MessageVersion",
    "Notification",
    "NotificationPreference",
    "Participant",
    "Ticket",
    "TicketNote",
]
