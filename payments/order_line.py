"""The order in lines: where the money is (the hold line), what happened and what comes (the timeline), and the sums."""

import dataclasses

from django.utils.translation import gettext as _

from accountsstore.bidi import isolated
from accountsstore.templatetags.store import when
from payments.models import OrderEvent
from payments.order_facts import Facts
from payments.states import FINAL, HELD, TRANSITIONS, OrderState
from payments.times import days_words, hours_words, short_day, took_words

S = OrderState
# Of no use on a timeline: reveals have a log of their own, and a reminder is a mail.
UNTOLD = frozenset({"reveal", "remind"})


@dataclasses.dataclass(frozen=True)
class Stop:
    """A stop of the hold line. `state` is "past", "now" or ""."""

    label: str
    note: str
    state: str
    icon: str


@dataclasses.dataclass(frozen=True)
class Moment:
    """A row of the timeline. `state` is "past", "now" or "next"; `says` is what the person wrote with it."""

    title: str
    note: str = ""
    state: str = "next"
    says: str = ""


@dataclasses.dataclass(frozen=True)
class Sum:
    name: str
    amount: str
    is_total: bool = False


# ---------------------------------------------------------------- the hold line


def hold_tone(f: Facts) -> str:
    """ "fight" in dispute, "back" when the money went back, else nothing."""
    if f.order.state == S.DISPUTED:
        return "fight"
    return "back" if f.order.state in (S.REFUNDED, S.CANCELLED) else ""


def hold_line(f: Facts) -> list[Stop]:
    """Four stops: the buyer, escrow, the warranty, the seller. One of them has the money now."""
    order, words = f.order, f.words
    here = 2 if order.state == S.ACCEPTED else 1 if order.state in HELD else 3 if order.released_minor else 0
    marks = ["past" if i < here else "now" if i == here else "" for i in range(4)]
    names = [
        _("You") if f.is_buyer else words["buyer"],
        _("Escrow"),
        _("Warranty"),
        words["seller"] if f.is_buyer else _("You"),
    ]
    icons = ["wallet", "lock-closed", "shield-check", "check"]
    return [Stop(*stop) for stop in zip(names, _hold_notes(f), marks, icons, strict=True)]


def _hold_notes(f: Facts) -> list[str]:
    order, words = f.order, f.words
    price, warranty = words["price"], days_words(order.warranty_days)
    paid = _("paid on %(day)s") % {"day": short_day(order.funded_at)}
    match order.state:
        case S.REQUESTED:
            return [_("%(price)s stays here") % words, _("when the seller agrees"), warranty, ""]
        case S.DECLINED | S.WITHDRAWN | S.EXPIRED:
            return [_("nothing charged"), "", "", ""]
        case S.REFUNDED | S.CANCELLED:
            return [_("%(refunded)s came back") % words, _("empty"), "", _("not paid")]
        case S.SPLIT:
            return [_("%(refunded)s came back") % words, _("empty"), "", words["released"]]
        case S.RELEASED:
            return [paid, _("accepted") if order.accepted_at else _("empty"), _("over"), words["released"]]
        case S.ACCEPTED:
            return [paid, _("accepted"), price, _("paid on %(day)s") % {"day": short_day(order.due_at)}]
    return [paid, price, warranty, _("not paid yet")]


# ---------------------------------------------------------------- the timeline


def timeline(f: Facts) -> list[Moment]:
    """What happened, what happens now, and how it goes on if nobody objects."""
    past = [_told(f, event) for event in f.events if event.happening not in UNTOLD]
    if f.order.state in FINAL:
        return past
    now, *ahead = _plan(f)
    until = _("until %(when)s") % {"when": when(f.order.due_at)} if f.order.due_at else ""
    return [*past, dataclasses.replace(now, state="now", note=until), *ahead]


def _told(f: Facts, event: OrderEvent) -> Moment:
    note = when(event.created_at)
    if event.happening == "deliver" and f.order.funded_at:
        note = _(", ").join([note, took_words(event.created_at - f.order.funded_at)])
    return Moment(event_title(event), note, "past", says="" if event.happening == "offer" else event.note)


def event_title(event: OrderEvent) -> str:
    """What happened, in words for both sides and for staff."""
    if event.happening == "accept" and event.actor is None:
        return _("The time to check was over, the warranty began")
    own = {
        "request": _("The buyer asked for it"),
        "fund": _("Paid into escrow"),
        "redeliver": _("The seller corrected the login details"),
        "offer": _("%(name)s offered %(amount)s back")
        % {"name": event.actor.name if event.actor else "", "amount": isolated(event.note)},
    }
    return str(own.get(event.happening) or TRANSITIONS[event.happening].label)


def _plan(f: Facts) -> list[Moment]:
    """The steps from the present state to the end."""
    order, words = f.order, f.words
    if order.state == S.DISPUTED:
        ends = Moment(_("The dispute ends"), _("by agreement, or by our staff"))
        return [Moment(_("In dispute, the money stays here")), ends]
    deliver, check = hours_words(order.deliver_hours), hours_words(order.inspect_hours)
    if f.is_buyer:
        answers, delivers, checks = _("%(seller)s answers"), _("%(seller)s delivers"), _("You check it")
        paid = Moment(_("%(seller)s is paid") % words)
    else:
        answers, delivers, checks = _("You answer"), _("You deliver"), _("%(buyer)s checks it")
        paid = Moment(_("You are paid"), words["net"])
    steps = {
        S.REQUESTED: Moment(answers % words),
        S.FUNDED: Moment(delivers % words, _("within %(span)s") % {"span": deliver}),
        S.DELIVERED: Moment(checks % words, _("within %(span)s") % {"span": check}),
        S.ACCEPTED: Moment(_("The warranty runs"), days_words(order.warranty_days)),
        S.RELEASED: paid,
    }
    states = list(steps)
    return [steps[state] for state in states[states.index(S(order.state)) :]]


# ---------------------------------------------------------------- the sums


def money_table(f: Facts) -> list[Sum]:
    """What the viewer pays or gets. The seller sees the fee, the buyer pays none."""
    order = f.order
    rows = [Sum(_("Price"), f.words["price"])]
    if order.refunded_minor:
        rows.append(Sum(_("Back in the buyer's wallet"), f.minus(order.refunded_minor)))
    if f.is_buyer:
        paid = order.price_minor - order.refunded_minor if order.funded_at else 0
        name = _("Held in escrow") if order.state in HELD else _("You paid")
        return [*rows, Sum(name, f.money(paid), is_total=True)]
    is_over = order.state in FINAL
    fee = order.fee_minor if is_over else f.fee_minor
    if fee:
        rows.append(Sum(_("Fee, %(percent)s%%") % {"percent": f"{order.fee_basis_points / 100:g}"}, f.minus(fee)))
    return [*rows, Sum(_("You got"), f.words["released"], True) if is_over else Sum(_("You get"), f.words["net"], True)]
