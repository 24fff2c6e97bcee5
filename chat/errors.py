"""What the chat refuses."""

from django.utils.translation import gettext_lazy as _

from accountsstore.errors import Conflict, NotAllowed, StoreError


class NotAMember(NotAllowed):
    """Also for a conversation that does not exist: nobody learns which ones do."""

    code = "not_a_member"
    http_status = 404
    message = _("There is no such conversation, or you are not part of it.")


class ConversationLocked(Conflict):
    code = "conversation_locked"
    message = _("Staff have closed this conversation. Nothing new can be written here.")


class SeqAhead(StoreError):
    """No client of ours says so, unless the store's data was put back to what it was earlier."""

    code = "seq_ahead"
    message = _("This page knows of messages that the store does not have. Load it again.")


class BadMessage(StoreError):
    code = "bad_message"


class PersonAway(Conflict):
    """A suspended or closed account, on either side."""

    code = "person_away"


class NoSelfTalk(StoreError):
    code = "no_self_talk"
    message = _("You cannot write to yourself.")


class Blocked(NotAllowed):
    """One of the two does not want to hear from the other."""

    code = "blocked"


class NotReachable(NotAllowed):
    """A stranger who does not sell: nobody may begin a conversation with them."""

    code = "not_reachable"
    message = _("You can write to sellers, and to people whom you have an order with.")


class TooManyStarts(StoreError):
    code = "too_many_starts"
    http_status = 429
    message = _("You have begun many conversations today. Go on with those, or come back tomorrow.")


class TicketConflict(Conflict):
    code = "ticket_conflict"


class TooManyTickets(StoreError):
    code = "too_many_tickets"
    http_status = 429
    message = _("You have opened many tickets today. Write into one of them, or come back tomorrow.")


class AlreadyReported(Conflict):
    code = "already_reported"
    message = _("You have reported this already. Staff look at it.")


class TooManyReports(StoreError):
    code = "too_many_reports"
    http_status = 429
    message = _("You have sent many reports. Try again in an hour, or write to support.")


class NoSuchMessage(NotAllowed):
    """Also for somebody else's message, and for the store's."""

    code = "no_such_message"
    http_status = 404
    message = _("There is no such message of yours here.")


class MessageDeleted(Conflict):
    code = "message_deleted"
    message = _("This message was deleted. It cannot be edited.")


class TooLateToChange(Conflict):
    code = "too_late"
    message = _("This message is too old to be edited or deleted.")


class ContactDetails(StoreError):
    """The message would hand over contact details; its writer has not said yet that they mean to."""

    code = "contact_details"
