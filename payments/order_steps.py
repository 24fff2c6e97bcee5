"""Whose turn an order is, what that person does next, and what they may press.

One function for each state; each says it to the buyer and to the seller in their own words.
"""

import dataclasses
from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from listings.models import Listing
from payments.order_facts import Facts
from payments.states import OrderState
from payments.times import days_words, hours_words

S = OrderState


@dataclasses.dataclass(frozen=True)
class Action:
    """A button that changes the order. `name` is the last part of its address; the dialog asks before it is done."""

    name: str
    label: str
    style: str  # primary, line or danger
    title: str
    text: str
    short: str = ""  # on a phone's bar
    note_label: str = ""  # asks for a sentence to the other side
    form: str = ""  # a dialog of its own: "dispute" or "offer"


@dataclasses.dataclass(frozen=True)
class Step:
    """`turn` is whose move it is: "you", "other", "staff", "clock", or "" when the order is over."""

    turn: str
    tone: str  # of the badge: open, held, turn, done, fight, back or plain
    icon: str
    badge: str
    title: str
    text: str
    actions: tuple[Action, ...] = ()


def order_step(facts: Facts) -> Step:
    return _STEPS[S(facts.order.state)](facts)


def _requested(f: Facts) -> Step:
    words = f.words | {"deliver": hours_words(f.order.deliver_hours)}
    if f.is_buyer:
        return Step(
            "other", "open", "clock", _("Waiting for the answer"),
            _("%(seller)s answers next") % words,
            _("You pay %(price)s when they agree. Without an answer by then the request ends and nothing is charged.")
            % words,
            (
                Action(
                    "withdraw", _("Withdraw the request"), "line",
                    _("Withdraw the request?"), _("The request ends. Nothing was charged."), short=_("Withdraw"),
                ),
            ),
        )  # fmt: skip
    from_stock = f.order.listing.delivery == Listing.Delivery.STOCK
    then = (
        _("When you agree, %(price)s goes from %(buyer)s's wallet into escrow and your stock delivers at once.")
        if from_stock
        else _(
            "When you agree, %(price)s goes from %(buyer)s's wallet into escrow and you have %(deliver)s to deliver."
        )
    )
    return Step(
        "you", "turn", "bell-alert", _("Asked for, answer it"), _("Your turn: answer the request"), then % words,
        (
            Action("agree", _("Agree to sell"), "primary", _("Agree to sell for %(price)s?") % words, then % words),
            Action(
                "decline", _("Decline"), "line", _("Decline the request?"),
                _("The request ends and nothing is charged. %(buyer)s reads what you write here.") % words,
                note_label=_("Why (may stay empty)"),
            ),
        ),
    )  # fmt: skip


def _funded(f: Facts) -> Step:
    words = f.words
    cancel_text = _("%(price)s goes back to %(buyer)s's wallet at once. The order is over.") % words
    if f.is_buyer:
        dispute = _dispute_action(f, style="line")
        if not f.is_overdue:
            return Step(
                "other", "held", "lock-closed", _("Paid, money held"), _("%(seller)s delivers next") % words,
                _(
                    "The login details appear on this page. If they do not come by then, %(price)s goes back to your "
                    "wallet."
                )
                % words,
                (dispute,),
            )  # fmt: skip
        cancel = Action(
            "cancel", _("Cancel and take %(price)s back") % words, "primary", _("Cancel the order?"),
            _("%(price)s goes back to your wallet at once. The order is over.") % words, short=_("Cancel the order"),
        )  # fmt: skip
        return Step(
            "you", "turn", "bell-alert", _("Delivery is overdue"), _("Delivery is overdue"),
            _("You may cancel now. If you do nothing, the store refunds %(price)s by itself.") % words,
            (cancel, dispute),
        )  # fmt: skip
    return Step(
        "you", "turn", "bell-alert", _("Paid, deliver it"), _("Your turn: deliver"),
        _(
            "%(buyer)s has paid %(price)s into escrow. Fill in the login details below. If you do not deliver by "
            "then, the order is refunded."
        )
        % words,
        (
            Action(
                "cancel", _("Cancel and refund"), "danger", _("Cancel the order?"), cancel_text,
                short=_("Cancel"), note_label=_("Why (may stay empty)"),
            ),
        ),
    )  # fmt: skip


def _delivered(f: Facts) -> Step:
    words = f.words | {"warranty": days_words(f.order.warranty_days)}
    if f.is_buyer:
        accept = Action(
            "accept", _("It works, accept it"), "primary", _("Accept the order?"),
            _(
                "The warranty of %(warranty)s begins; %(seller)s is paid when it ends. Until then you can still open "
                "a dispute."
            )
            % words,
        )  # fmt: skip
        return Step(
            "you", "turn", "bell-alert", _("Delivered, check it"), _("Your turn: check what you received"),
            _("Reveal the login details below, sign in, change the password, and compare with the listing."),
            (accept, _dispute_action(f)),
        )  # fmt: skip
    return Step(
        "other", "held", "lock-closed", _("Delivered, being checked"), _("%(buyer)s checks it") % words,
        _(
            "When they accept, or when the time is over, the warranty of %(warranty)s begins. When it ends you are "
            "paid %(net)s."
        )
        % words,
    )  # fmt: skip


def _accepted(f: Facts) -> Step:
    words = f.words
    if f.is_buyer:
        return Step(
            "clock", "held", "shield-check", _("Accepted, under warranty"), _("The warranty runs"),
            _(
                "%(seller)s is paid when it ends. If the login stops working before then, open a dispute: the money "
                "is still here."
            )
            % words,
            (_dispute_action(f),),
        )  # fmt: skip
    return Step(
        "clock", "held", "shield-check", _("Accepted, under warranty"), _("The warranty runs"),
        _("You are paid %(net)s when it ends, unless %(buyer)s opens a dispute.") % words,
    )  # fmt: skip


def _disputed(f: Facts) -> Step:
    step = _in_dispute(f)
    if not f.is_overdue:
        return step
    late = _("Our staff are late with their decision. The money stays here until they decide, or you two agree.")
    return dataclasses.replace(step, text=late)


def _in_dispute(f: Facts) -> Step:
    dispute = f.dispute
    words = f.words
    offer = Action(
        "offer", _("Make an offer"), "line", _("Offer how it ends"),
        _(
            "Say how much of %(price)s goes back to %(buyer)s. When %(other)s accepts, the money moves at once."
        ) % words,
        form="offer",
    )  # fmt: skip
    badge = ("fight", "exclamation-triangle", _("In dispute"))
    if dispute is None or dispute.offer_minor is None:
        if f.is_buyer:
            return Step(
                "other", *badge, _("In dispute: the money stays here"),
                _(
                    "Write to %(seller)s or offer how it ends. If you two do not agree, our staff read both sides and "
                    "decide by then."
                )
                % words,
                (offer,),
            )  # fmt: skip
        return Step(
            "you", *badge, _("Your turn: answer the dispute"),
            _(
                "Read below what %(buyer)s says. Correct the login details, offer a refund, or explain in the "
                "messages. Our staff decide by then if you two do not agree."
            )
            % words,
            (offer,),
        )  # fmt: skip
    words |= {
        "offer": f.money(dispute.offer_minor),
        "rest": f.money(f.order.price_minor - dispute.offer_minor),
    }
    if dispute.offer_by_id == f.viewer.pk:
        return Step(
            "other", *badge, _("%(other)s answers your offer") % words,
            _(
                "You offered that %(offer)s goes back to %(buyer)s. Our staff decide by then if you two do not agree."
            ) % words,
            (dataclasses.replace(offer, label=_("Change your offer")),),
        )  # fmt: skip
    accept = Action(
        "offer_accept", _("Accept: %(offer)s back to the buyer") % words, "primary", _("Accept the offer?"),
        _("%(offer)s goes to %(buyer)s and %(rest)s, less the fee, to %(seller)s. The dispute is over.") % words,
        short=_("Accept the offer"),
    )  # fmt: skip
    return Step(
        "you", *badge, _("Your turn: answer the offer"),
        _(
            "%(other)s offers that %(offer)s of %(price)s goes back to %(buyer)s. Accept it, make another offer, or "
            "wait: our staff decide by then."
        )
        % words,
        (accept, dataclasses.replace(offer, label=_("Make another offer"))),
    )  # fmt: skip


def _dispute_action(f: Facts, style: str = "danger") -> Action:
    return Action(
        "dispute", _("Open a dispute"), style, _("Open a dispute"),
        _("Every clock stops and %(price)s stays here. %(seller)s and our staff read what you write.") % f.words,
        short=pgettext("button", "Dispute"), form="dispute",
    )  # fmt: skip


def _released(f: Facts) -> Step:
    if f.is_buyer:
        title, text = _("Finished: %(seller)s was paid"), _("The login details stay on this page.")
    else:
        title, text = _("You were paid %(released)s"), _("It is in your wallet, after the fee.")
    return Step("", "done", "check-circle", _("Finished"), title % f.words, text)


def _refunded(f: Facts) -> Step:
    if f.is_buyer:
        title, text = _("%(refunded)s is back in your wallet"), _("The order is over.")
    else:
        title, text = _("Refunded to %(buyer)s"), _("The order is over; nothing was paid to you.")
    return Step("", "back", "arrow-uturn-left", _("Refunded"), title % f.words, text)


def _split(f: Facts) -> Step:
    if f.is_buyer:
        title, text = _("%(refunded)s is back in your wallet"), _("The rest went to %(seller)s. The dispute is over.")
    else:
        title, text = _("You were paid %(released)s"), _("%(refunded)s went back to %(buyer)s. The dispute is over.")
    return Step("", "back", "scale", _("Settled in parts"), title % f.words, text % f.words)


def _cancelled(f: Facts) -> Step:
    return dataclasses.replace(_refunded(f), tone="plain", icon="x-mark", badge=_("Cancelled, refunded"))


def _ended_unpaid(
    badge: Callable[[], str], buyer: Callable[[], str], seller: Callable[[], str]
) -> Callable[[Facts], Step]:
    def step(f: Facts) -> Step:
        title = (buyer if f.is_buyer else seller)() % f.words
        return Step("", "plain", "x-mark", badge(), title, _("Nothing was charged."))

    return step


_STEPS: dict[OrderState, Callable[[Facts], Step]] = {
    S.REQUESTED: _requested,
    S.FUNDED: _funded,
    S.DELIVERED: _delivered,
    S.ACCEPTED: _accepted,
    S.DISPUTED: _disputed,
    S.RELEASED: _released,
    S.REFUNDED: _refunded,
    S.SPLIT: _split,
    S.CANCELLED: _cancelled,
    S.DECLINED: _ended_unpaid(
        lambda: _("Declined"), lambda: _("%(seller)s declined the request"), lambda: _("You declined the request")
    ),
    S.WITHDRAWN: _ended_unpaid(
        lambda: _("Withdrawn"), lambda: _("You withdrew the request"), lambda: _("%(buyer)s withdrew the request")
    ),
    S.EXPIRED: _ended_unpaid(
        lambda: _("Not answered in time"),
        lambda: _("%(seller)s did not answer in time"),
        lambda: _("You did not answer in time"),
    ),
}
