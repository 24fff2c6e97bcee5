"""What staff did, in words: the audit's actions as the staff desk says them."""

from django.utils.translation import gettext_lazy as _

# What stands before it is who, what follows is the thing: "ines | credited a deposit | DP-6H5P11J61".
DEEDS = {
    "approval.confirm": _("confirmed a second approval"),
    "approval.decline": _("declined a second approval"),
    "approval.request": _("asked for a second approval"),
    "category.fields": _("changed the fields of a category"),
    "conversation.lock": _("closed a conversation"),
    "conversation.read": _("read a conversation"),
    "conversation.unlock": _("opened a conversation again"),
    "demo.loaded": _("the demo was loaded"),
    "deposit.approved": _("credited a deposit"),
    "deposit.needs_info": _("asked a payer for more"),
    "deposit.rejected": _("rejected a deposit"),
    "dispute.decide": _("decided a dispute"),
    "listing.restore": _("restored a listing"),
    "listing.take_down": _("took down a listing"),
    "listing_report.dismissed": _("dismissed a report"),
    "listing_report.upheld": _("upheld a report"),
    "message_report.dismissed": _("dismissed a report of a message by"),
    "message_report.locked": _("closed a conversation after a report of"),
    "message_report.warned": _("warned"),
    "payout.open": _("looked at an account number"),
    "review.hide": _("hid a review"),
    "review.show": _("showed a review again"),
    "seller.approved": _("opened selling again for"),
    "seller.suspended": _("closed selling for"),
    "seller_application.approved": _("approved a seller"),
    "seller_application.needs_info": _("asked a seller for more"),
    "seller_application.rejected": _("rejected a seller"),
    "ticket.assign": _("handed on a ticket"),
    "ticket.priority": _("changed the priority of a ticket"),
    "ticket.reopen": _("opened a ticket again"),
    "ticket.resolve": _("solved a ticket"),
    "user.active": _("restored"),
    "user.restricted": _("restricted"),
    "user.suspended": _("suspended"),
    "withdrawal.approve": _("approved a withdrawal"),
    "withdrawal.fail": _("marked a withdrawal as failed"),
    "withdrawal.reject": _("rejected a withdrawal"),
    "withdrawal.send": _("sent a withdrawal"),
    "withdrawal.settle": _("settled a withdrawal"),
}


def deed_words(action: str) -> str:
    """The deed of an audit row; the action itself where it has no words, such as "group.change"."""
    return str(DEEDS.get(action, action))
