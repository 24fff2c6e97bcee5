"""The order table in words, from `payments.states`: for the rules page and the admin."""

import dataclasses

from django.conf import settings
from django.utils.translation import gettext as _

from payments.states import HELD, TRANSITIONS, OrderState, Transition
from payments.times import days_words, hours_words


@dataclasses.dataclass(frozen=True)
class Move:
    target: str
    by: str
    when: str
    label: str


@dataclasses.dataclass(frozen=True)
class StateRow:
    code: str
    state: str
    held: str
    moves: list[Move]


def order_table() -> list[StateRow]:
    """Every state and every way out of it, in the order of the table."""
    return [
        StateRow(
            code=state.value,
            state=str(state.label),
            held=_("the price") if state in HELD else _("nothing"),
            moves=[_move(step) for step in TRANSITIONS.values() if state in step.sources],
        )
        for state in OrderState
    ]


def _move(step: Transition) -> Move:
    by = _(", ").join(str(party.label) for party in step.by)
    return Move(target=str(step.target.label), by=by, when=str(step.when), label=str(step.label))


def time_limits() -> list[dict[str, str]]:
    """How long each step may take where a category does not say otherwise."""
    return [
        {
            "title": _("Answer a request"),
            "text": _("The seller agrees or declines. Without an answer the request ends and nothing is charged."),
            "time": hours_words(settings.ORDER_RESPOND_HOURS),
        },
        {
            "title": _("Deliver"),
            "text": _("The seller hands over the login details. If not, the store refunds the buyer."),
            "time": hours_words(settings.ORDER_DELIVER_HOURS),
        },
        {
            "title": _("Check"),
            "text": _(
                "The buyer accepts or opens a dispute. Without a word the order is accepted, but only after the"
                " buyer has opened the login details or was reminded twice."
            ),
            "time": hours_words(settings.ORDER_INSPECT_HOURS),
        },
        {
            "title": _("Warranty"),
            "text": _("The money stays in escrow and the buyer can still open a dispute. Then the seller is paid."),
            "time": days_words(settings.ORDER_WARRANTY_DAYS),
        },
    ]
