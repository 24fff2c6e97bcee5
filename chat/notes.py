"""The store's own lines in a conversation, and how they read.

A system message stores a key; the words are made when it is shown, so that each side reads its own language.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.models import Message

# An order's happening (payments.states.TRANSITIONS and payments.models.OrderEvent) → the line in its conversation.
# What is not here leaves no line: reveals have their own log, and reminders are mails.
ORDER_NOTES: dict[str, Promise] = {
    "request": _("The buyer asked to buy. The seller answers next."),
    "fund": _("The buyer paid. The money is in escrow; the seller delivers next."),
    "agree": _("The seller agreed and the price went into escrow. The seller delivers next."),
    "decline": _("The seller declined. Nothing was charged."),
    "withdraw": _("The buyer took the request back. Nothing was charged."),
    "expire": _("The seller did not answer in time. Nothing was charged."),
    "deliver": _("Delivered. The check period has started."),
    "redeliver": _("The seller corrected the login details."),
    "cancel": _("The order was cancelled. The money went back to the buyer."),
    "lapse": _("Not delivered in time. The money went back to the buyer."),
    "dispute": _("The buyer opened a dispute. The money stays where it is, and staff may read this conversation."),
    "offer": _("There is an offer to end the dispute. It stands on the order page."),
    "accept": _("Accepted. The warranty has started; the money stays in escrow until it ends."),
    "release": _("The warranty ended and the seller was paid."),
    "release_early": _("Staff paid the seller before the warranty ended."),
    "resolve_release": _("The dispute ended: the seller was paid."),
    "resolve_refund": _("The dispute ended: the money went back to the buyer."),
    "resolve_split": _("The dispute ended: the price was split."),
}


# What happens to a support ticket.
TICKET_NOTES: dict[str, Promise] = {
    "ticket_resolve": _("Staff marked this as solved. If it is not, just write again."),
    "ticket_solve": _("Marked as solved. If something is left, just write again."),
    "ticket_reopen": _("Staff opened this again."),
}

# What staff decide about what people write.
CONDUCT_NOTES: dict[str, Promise] = {
    "conversation_locked": _("Staff have closed this conversation after a report."),
}

NOTES = ORDER_NOTES | TICKET_NOTES | CONDUCT_NOTES


def note_text(key: str) -> str:
    """The line in the language that is active. A key of an earlier version reads as a neutral line."""
    return str(NOTES.get(key, _("The order changed.")))


def message_text(message: Message) -> str:
    """What a page shows of a message, in the reader's language."""
    if message.deleted_at is not None:
        return gettext("Message deleted")
    return note_text(message.body) if message.kind == Message.Kind.SYSTEM else message.body
