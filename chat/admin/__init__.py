"""Staff and people's conversations: the tickets and reports that wait, and reading what is private for a reason."""

from chat.admin import conversations, reports, tickets

__all__ = ["conversations", "reports", "tickets"]
