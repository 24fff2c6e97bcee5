"""Staff and people's conversations: the tickets and reports that wait, and reading what is private for a reason."""

from chat.admin import announcements, conversations, reports, tickets

__all__ = ["announcements", "conversations", "reports", "tickets"]
