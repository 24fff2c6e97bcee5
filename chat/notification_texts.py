"""What people are told, in words: one table from a notification's kind to its sentence, mail and topic.

Rows keep a kind and params; the words are made when they are shown, in the reader's language. Params ending in
`_minor` read as money (with `currency`), those ending in `_at` as a date; both lose the ending in the sentence.
"""

import dataclasses
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accountsstore.bidi import isolated
from accountsstore.money import format_minor
from accountsstore.templatetags.store import when


@dataclasses.dataclass(frozen=True)
class Topic:
    """What a person can decline mails about; `mutable` is False where the mail always goes."""

    label: Promise
    help: Promise
    mutable: bool = True


TOPICS: dict[str, Topic] = {
    "orders": Topic(_("Orders"), _("Somebody bought, delivered, accepted, or opened a dispute.")),
    "deadlines": Topic(_("Deadlines"), _("The time for your next step is half over, or nearly over.")),
    "messages": Topic(_("Missed messages"), _("Somebody wrote and you were away. One mail until you have read it.")),
    "listings": Topic(_("Listings"), _("A listing of yours is sold out.")),
    "money": Topic(
        _("Money"), _("Deposits, withdrawals, refunds and payments to your wallet. These always go."), mutable=False
    ),
    "account": Topic(
        _("Account and security"),
        _("Sign-in codes, your standing, decisions of staff. These always go."),
        mutable=False,
    ),
}
MUTABLE = frozenset(name for name, topic in TOPICS.items() if topic.mutable)


@dataclasses.dataclass(frozen=True)
class Kind:
    """`title` is short: a mail's subject. `text` is the sentence. `mail` names the template, empty for no mail."""

    title: Promise
    text: Promise
    topic: str
    mail: str = ""


KINDS: dict[str, Kind] = {
    # ------------------------------------------------------------ orders, to the seller
    "order.requested": Kind(
        _("%(buyer)s asks to buy %(title)s"),
        _("%(buyer)s asks to buy “%(title)s” for %(price)s. Agree or decline by %(due)s."),
        "orders",
        "order_requested",
    ),
    "order.sold": Kind(
        _("Sold: %(title)s"),
        _("%(buyer)s bought “%(title)s” for %(price)s. The money is in escrow. Deliver by %(due)s."),
        "orders",
        "order_sold",
    ),
    "order.sold_from_stock": Kind(
        _("Sold: %(title)s"),
        _("%(buyer)s bought “%(title)s” for %(price)s. It was delivered from your stock at once."),
        "orders",
        "order_news",
    ),
    "order.request_withdrawn": Kind(
        _("%(buyer)s took the request back"),
        _("%(buyer)s does not want to buy “%(title)s” any more. You need not do anything."),
        "orders",
        "order_news",
    ),
    "order.expired_seller": Kind(
        _("A request ran out: %(title)s"),
        _("You did not answer %(buyer)s in time. The request for “%(title)s” is over."),
        "orders",
        "order_news",
    ),
    "order.cancelled_by_buyer": Kind(
        _("Cancelled: %(title)s"),
        _("%(buyer)s cancelled “%(title)s”, because delivery was overdue. The money went back."),
        "orders",
        "order_news",
    ),
    "order.lapsed_seller": Kind(
        _("Not delivered in time: %(title)s"),
        _("You did not deliver “%(title)s” in time. %(buyer)s got %(price)s back."),
        "orders",
        "order_news",
    ),
    "order.disputed": Kind(
        _("Dispute: %(title)s"),
        _("%(buyer)s opened a dispute about “%(title)s”. The money stays in escrow. Read what is wrong and answer."),
        "orders",
        "order_disputed",
    ),
    "order.accepted": Kind(
        _("Accepted: %(title)s"),
        _("%(buyer)s accepted “%(title)s”. You are paid when the warranty ends, on %(due)s."),
        "orders",
        "order_news",
    ),
    "order.paid": Kind(
        _("Paid: %(released)s for %(title)s"),
        _("The warranty of “%(title)s” is over. %(released)s is in your wallet."),
        "money",
        "order_paid",
    ),
    # ------------------------------------------------------------ orders, to the buyer
    "order.agreed": Kind(
        _("%(seller)s agreed: %(title)s"),
        _("%(seller)s agreed. %(price)s went from your wallet into escrow for “%(title)s”."),
        "money",
        "order_news",
    ),
    "order.declined": Kind(
        _("%(seller)s declined: %(title)s"),
        _("%(seller)s declined to sell “%(title)s”. Nothing was charged."),
        "orders",
        "order_news",
    ),
    "order.expired_buyer": Kind(
        _("No answer: %(title)s"),
        _("%(seller)s did not answer in time. Nothing was charged for “%(title)s”."),
        "orders",
        "order_news",
    ),
    "order.delivered": Kind(
        _("Delivered: %(title)s"),
        _("%(seller)s delivered “%(title)s”. Check it by %(due)s."),
        "orders",
        "order_delivered",
    ),
    "order.redelivered": Kind(
        _("Corrected: %(title)s"),
        _("%(seller)s corrected the login details of “%(title)s”. Open them again."),
        "orders",
        "order_news",
    ),
    "order.cancelled_by_seller": Kind(
        _("Cancelled: %(title)s"),
        _("%(seller)s cancelled “%(title)s”. %(price)s is back in your wallet."),
        "money",
        "order_news",
    ),
    "order.lapsed_buyer": Kind(
        _("Refunded: %(title)s"),
        _("%(seller)s did not deliver “%(title)s” in time. %(price)s is back in your wallet."),
        "money",
        "order_news",
    ),
    "order.accepted_by_clock": Kind(
        _("Accepted: %(title)s"),
        _("The time to check “%(title)s” is over, so it counts as accepted. You can still open a dispute until %(due)s."),
        "orders",
        "order_news",
    ),
    "order.finished": Kind(
        _("Finished: %(title)s"),
        _("The warranty of “%(title)s” is over and %(seller)s was paid. Say how it went in a review."),
        "orders",
    ),
    # ------------------------------------------------------------ orders, to both
    "order.offer": Kind(
        _("An offer to end the dispute: %(title)s"),
        _("%(other)s offers to end the dispute about “%(title)s”: %(refund)s goes back to the buyer. Accept it or answer."),
        "orders",
        "order_news",
    ),
    "order.resolved": Kind(
        _("The dispute ended: %(title)s"),
        _("The dispute about “%(title)s” is over: %(refunded)s goes to %(buyer)s, %(released)s to %(seller)s."),
        "money",
        "order_news",
    ),
    # ------------------------------------------------------------ support and conduct
    # No mail of their own: the mail about missed messages tells of an answer, once.
    "ticket.answered": Kind(
        _("Staff answered: %(number)s"),
        _("Staff answered your ticket %(number)s."),
        "messages",
    ),
    "ticket.resolved": Kind(
        _("Solved: %(number)s"),
        _("Staff marked your ticket %(number)s as solved. If it is not, write in it again."),
        "messages",
    ),
    "report.dismissed": Kind(
        _("Your report was looked at"),
        _("Staff looked at what you reported about %(name)s and saw nothing against the rules. You can block %(name)s."),
        "account",
    ),
    "report.warned": Kind(
        _("Your report was looked at"),
        _("Staff looked at what you reported about %(name)s and warned them. Thank you."),
        "account",
    ),
    "report.locked": Kind(
        _("Your report was looked at"),
        _("Staff looked at what you reported about %(name)s and closed the conversation. Thank you."),
        "account",
    ),
    "conduct.warned": Kind(
        _("A warning about what you wrote"),
        _("Staff warn you because of what you wrote in a conversation: %(reason)s"),
        "account",
        "conduct_warned",
    ),
    "conduct.locked": Kind(
        _("A conversation was closed"),
        _("Staff closed your conversation with %(name)s: %(reason)s"),
        "account",
        "conduct_warned",
    ),
    # ------------------------------------------------------------ deadlines
    "deadline.deliver": Kind(
        _("Deliver by %(due)s: %(title)s"),
        _("%(buyer)s waits for “%(title)s”. Deliver by %(due)s, or the money goes back."),
        "deadlines",
        "order_deadline",
    ),
    "deadline.inspect": Kind(
        _("Check by %(due)s: %(title)s"),
        _("Check “%(title)s” by %(due)s. Accept it, or open a dispute if something is wrong."),
        "deadlines",
        "order_deadline",
    ),
    "deadline.respond": Kind(
        _("Answer by %(due)s: %(title)s"),
        _("%(buyer)s waits for your answer about “%(title)s” until %(due)s."),
        "deadlines",
        "order_deadline",
    ),
    # ------------------------------------------------------------ money in and out
    "deposit.approved": Kind(
        _("Deposit %(code)s: %(amount)s credited"),
        _("Your deposit %(code)s was approved. %(amount)s is in your wallet."),
        "money",
        "deposit_decided",
    ),
    "deposit.rejected": Kind(
        _("Deposit %(code)s was rejected"),
        _("Your deposit %(code)s of %(amount)s was rejected: %(reason)s"),
        "money",
        "deposit_decided",
    ),
    "deposit.needs_info": Kind(
        _("Deposit %(code)s needs an answer"),
        _("Staff need something from you for deposit %(code)s of %(amount)s: %(reason)s"),
        "money",
        "deposit_decided",
    ),
    "deposit.reversed": Kind(
        _("Deposit %(code)s was reversed"),
        _("Deposit %(code)s of %(amount)s was taken back: %(reason)s"),
        "money",
        "deposit_decided",
    ),
    "withdrawal.requested": Kind(
        _("You asked for a withdrawal of %(amount)s"),
        _("%(amount)s is set aside for withdrawal %(code)s. If this was not you, change your password and write to us."),
        "money",
        "withdrawal_moved",
    ),
    "withdrawal.approved": Kind(
        _("Withdrawal %(code)s was approved"),
        _("Withdrawal %(code)s of %(amount)s was approved. We send it next."),
        "money",
    ),
    "withdrawal.sent": Kind(
        _("Withdrawal %(code)s is on its way"),
        _("%(amount)s of withdrawal %(code)s was sent to you. The bank's reference is on its page."),
        "money",
        "withdrawal_moved",
    ),
    "withdrawal.settled": Kind(
        _("Withdrawal %(code)s arrived"),
        _("Withdrawal %(code)s of %(amount)s is paid out."),
        "money",
        "withdrawal_moved",
    ),
    "withdrawal.rejected": Kind(
        _("Withdrawal %(code)s was rejected"),
        _("Withdrawal %(code)s was rejected: %(reason)s %(amount)s is back in your wallet."),
        "money",
        "withdrawal_moved",
    ),
    "withdrawal.failed": Kind(
        _("Withdrawal %(code)s failed"),
        _("Withdrawal %(code)s could not be paid out: %(reason)s %(amount)s is back in your wallet."),
        "money",
        "withdrawal_moved",
    ),
    # ------------------------------------------------------------ sellers and listings
    "seller.approved": Kind(
        _("You can sell now"), _("Staff approved you as a seller. Make your first listing."), "account", "seller_decided"
    ),
    "seller.rejected": Kind(
        _("Your application to sell was rejected"),
        _("Your application to sell was rejected: %(reason)s You can apply again."),
        "account",
        "seller_decided",
    ),
    "seller.needs_info": Kind(
        _("A question about your application to sell"),
        _("Staff have a question about your application to sell: %(reason)s"),
        "account",
        "seller_decided",
    ),
    "seller.suspended": Kind(
        _("Selling is closed for you"),
        _("Staff have closed selling for you. Orders that run go on; your money stays where it is."),
        "account",
        "seller_decided",
    ),
    "listing.rejected": Kind(
        _("Taken down: %(title)s"),
        _("Staff took “%(title)s” down: %(reason)s"),
        "account",
        "listing_taken_down",
    ),
    "listing.sold_out": Kind(
        _("Sold out: %(title)s"), _("“%(title)s” is sold out. Add stock to go on selling."), "listings", "listing_sold_out"
    ),
}  # fmt: skip


def notification_text(kind: str, params: dict[str, Any]) -> str:
    """The sentence, in the language that is active. Unknown kinds and missing params read as a neutral line."""
    return _filled(kind, "text", params)


def notification_title(kind: str, params: dict[str, Any]) -> str:
    """The short form: a mail's subject."""
    return _filled(kind, "title", params)


def _filled(kind: str, part: str, params: dict[str, Any]) -> str:
    if kind not in KINDS:  # a row of an earlier version
        return _now("Something changed. Open it to see what.")
    return str(getattr(KINDS[kind], part)) % _Words(params)


class _Words(dict[str, Any]):
    """Params as they read in a sentence."""

    def __init__(self, params: dict[str, Any]) -> None:
        for name, value in params.items():
            if name.endswith("_minor"):
                self[name.removesuffix("_minor")] = format_minor(value, params.get("currency"))
            elif name.endswith("_at"):
                self[name.removesuffix("_at")] = isolated(when(parse_datetime(value)) if value else "–")
            else:
                self[name] = isolated(str(value))

    def __missing__(self, name: str) -> str:
        return "–"
