"""The order table: every state, and every way from one to the next.

It is data. The services move orders by it, the admin and the docs draw it, the rules page prints it, and the tests
walk all of it.
"""

import dataclasses

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class OrderState(models.TextChoices):
    REQUESTED = "requested", _("Waiting for the seller's answer")
    FUNDED = "funded", _("Paid into escrow")
    DELIVERED = "delivered", _("Delivered, being checked")
    ACCEPTED = "accepted", _("Accepted, under warranty")
    DISPUTED = "disputed", _("In dispute")
    RELEASED = "released", _("Finished, seller paid")
    REFUNDED = "refunded", _("Refunded")
    SPLIT = "split", _("Settled in parts")
    CANCELLED = "cancelled", _("Cancelled, refunded")
    DECLINED = "declined", _("Declined by the seller")
    WITHDRAWN = "withdrawn", _("Withdrawn by the buyer")
    EXPIRED = "expired", _("Not answered in time")


S = OrderState

# States in which the price lies in the order's escrow account. In all others that account is empty.
HELD = frozenset({S.FUNDED, S.DELIVERED, S.ACCEPTED, S.DISPUTED})
# States in which the stock item belongs to the order: at most one such order per item.
CLAIMS_STOCK = frozenset({S.FUNDED, S.DELIVERED, S.ACCEPTED, S.DISPUTED, S.RELEASED, S.SPLIT})
FINAL = frozenset({S.RELEASED, S.REFUNDED, S.SPLIT, S.CANCELLED, S.DECLINED, S.WITHDRAWN, S.EXPIRED})


class Party(models.TextChoices):
    BUYER = "buyer", _("buyer")
    SELLER = "seller", _("seller")
    CLOCK = "clock", _("clock")
    STAFF = "staff", _("staff")
    TWO_STAFF = "two_staff", _("two staff members")
    BOTH = "both", _("both parties")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transition:
    """One row of the table. `when` is the condition beyond the state, in words for the rules page."""

    name: str
    sources: frozenset[OrderState]
    target: OrderState
    by: tuple[Party, ...]
    label: Promise | str
    when: Promise | str = ""


def _row(
    name: str,
    sources: set[OrderState],
    target: OrderState,
    by: tuple[Party, ...],
    label: Promise | str,
    when: Promise | str = "",
) -> Transition:
    return Transition(name=name, sources=frozenset(sources), target=target, by=by, label=label, when=when)


P = Party
TRANSITIONS: dict[str, Transition] = {
    row.name: row
    for row in (
        _row("agree", {S.REQUESTED}, S.FUNDED, (P.SELLER,), _("The seller agreed and the price went into escrow"), _("the buyer's wallet covers the price")),
        _row("decline", {S.REQUESTED}, S.DECLINED, (P.SELLER,), _("The seller declined")),
        _row("withdraw", {S.REQUESTED}, S.WITHDRAWN, (P.BUYER,), _("The buyer withdrew the request")),
        _row("expire", {S.REQUESTED}, S.EXPIRED, (P.CLOCK,), _("The seller did not answer in time"), _("the time to answer is over")),
        _row("deliver", {S.FUNDED}, S.DELIVERED, (P.SELLER,), _("The seller delivered"), _("or at once, from stock")),
        _row("cancel", {S.FUNDED}, S.CANCELLED, (P.SELLER, P.BUYER), _("The order was cancelled and refunded"), _("the buyer only when delivery is overdue")),
        _row("lapse", {S.FUNDED}, S.REFUNDED, (P.CLOCK,), _("Not delivered in time, refunded"), _("delivery is overdue")),
        _row("dispute", {S.FUNDED, S.DELIVERED, S.ACCEPTED}, S.DISPUTED, (P.BUYER,), _("The buyer opened a dispute"), _("every other clock stands still")),
        _row("accept", {S.DELIVERED}, S.ACCEPTED, (P.BUYER, P.CLOCK), _("Accepted, the warranty began"), _("the clock only when the time is over and the buyer has revealed the credentials or was reminded twice")),
        _row("release", {S.ACCEPTED}, S.RELEASED, (P.CLOCK,), _("The warranty ended and the seller was paid"), _("the warranty is over")),
        _row("release_early", {S.ACCEPTED}, S.RELEASED, (P.TWO_STAFF,), _("Staff paid the seller before the warranty ended")),
        _row("resolve_release", {S.DISPUTED}, S.RELEASED, (P.BOTH, P.STAFF), _("The dispute ended: the seller was paid"), _("staff give a reason")),
        _row("resolve_refund", {S.DISPUTED}, S.REFUNDED, (P.BOTH, P.STAFF), _("The dispute ended: the buyer was refunded"), _("staff give a reason")),
        _row("resolve_split", {S.DISPUTED}, S.SPLIT, (P.BOTH, P.STAFF), _("The dispute ended: the price was split"), _("staff give a reason")),
    )
}  # fmt: skip


class DepositState(models.TextChoices):
    SUBMITTED = "submitted", _("Waiting for review")
    UNDER_REVIEW = "under_review", _("Being reviewed")
    NEEDS_INFO = "needs_info", _("We need more from you")
    APPROVED = "approved", _("Credited")
    REJECTED = "rejected", _("Rejected")
    REVERSED = "reversed", _("Reversed")


class WithdrawalState(models.TextChoices):
    REQUESTED = "requested", _("Waiting for approval")
    APPROVED = "approved", _("Approved, being sent")
    SENT = "sent", _("Sent")
    SETTLED = "settled", _("Paid out")
    REJECTED = "rejected", _("Rejected, returned to the wallet")
    FAILED = "failed", _("Failed, returned to the wallet")
    CANCELLED = "cancelled", _("Cancelled, returned to the wallet")


# States in which the amount lies in the withdrawal's own held account.
WITHDRAWAL_HELD = frozenset({WithdrawalState.REQUESTED, WithdrawalState.APPROVED, WithdrawalState.SENT})
