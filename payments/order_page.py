"""Everything the order page shows one of its two parties, ready to print."""

import dataclasses
import datetime

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import User
from accountsstore.templatetags.store import when
from listings.credentials import credential_fields
from listings.models import CategoryField, Review
from payments.models import Dispute, Order
from payments.order_facts import Facts, order_facts
from payments.order_line import Moment, Stop, Sum, hold_line, hold_tone, money_table, timeline
from payments.order_steps import Step, order_step
from payments.services.orders import CORRECTABLE, READABLE
from payments.states import HELD, OrderState


@dataclasses.dataclass(frozen=True)
class SecretRow:
    """A locked field of the credential: its key for the server, its name for people."""

    key: str
    label: str


@dataclasses.dataclass(frozen=True)
class RevealRow:
    label: str
    who: str
    when: str
    device: str


@dataclasses.dataclass(frozen=True)
class OrderPage:
    order: Order
    is_buyer: bool
    other: User
    step: Step
    due_at: datetime.datetime | None
    began_at: datetime.datetime | None
    hold_tone: str
    hold: list[Stop]
    timeline: list[Moment]
    money: list[Sum]
    money_note: str
    secrets: list[SecretRow]
    reveals: list[RevealRow]
    deliver_fields: list[CategoryField]
    may_correct: bool
    dispute: Dispute | None
    dispute_offer: str
    review: Review | None
    may_review: bool
    may_reply: bool
    credential_version: int

    @property
    def work_key(self) -> str:
        """Changes when the part of the page that people type into must be drawn anew."""
        return f"{self.order.state}-{self.credential_version}-{bool(self.review)}-{self.dispute_offer}"


def order_page(order: Order, viewer: User) -> OrderPage:
    facts = order_facts(order, viewer)
    is_finished = order.state in (OrderState.RELEASED, OrderState.SPLIT)
    return OrderPage(
        order=order,
        is_buyer=facts.is_buyer,
        other=facts.other,
        step=order_step(facts),
        due_at=order.due_at,
        began_at=_began_at(facts),
        hold_tone=hold_tone(facts),
        hold=hold_line(facts),
        timeline=timeline(facts),
        money=money_table(facts),
        money_note=_money_note(facts),
        secrets=_secrets(facts),
        reveals=_reveals(facts),
        deliver_fields=_deliver_fields(facts),
        may_correct=not facts.is_buyer and order.state in CORRECTABLE,
        dispute=facts.dispute,
        dispute_offer=_offer_words(facts),
        review=facts.review,
        may_review=facts.is_buyer and is_finished and facts.review is None,
        may_reply=not facts.is_buyer and facts.review is not None and not facts.review.reply,
        credential_version=facts.credential.version if facts.credential else 0,
    )


def _began_at(f: Facts) -> datetime.datetime | None:
    """When the time that runs now began, for its meter."""
    order = f.order
    return {
        OrderState.REQUESTED: order.requested_at,
        OrderState.FUNDED: order.funded_at,
        OrderState.DELIVERED: order.delivered_at,
        OrderState.ACCEPTED: order.accepted_at,
        OrderState.DISPUTED: f.dispute.created_at if f.dispute else None,
    }.get(OrderState(order.state))


def _money_note(f: Facts) -> str:
    if f.order.state == OrderState.REQUESTED:
        return _("Nothing is charged before the seller agrees.")
    if f.order.state not in HELD:
        return ""
    if f.is_buyer:
        return _("If the order is refunded, %(price)s returns to your wallet at once.") % f.words
    return _("The fee is taken only from what you are paid.")


def _secrets(f: Facts) -> list[SecretRow]:
    return [SecretRow(*field) for field in _field_names(f).items()] if f.order.state in READABLE else []


def _field_names(f: Facts) -> dict[str, str]:
    """The credential's fields in the reader's language: key → name."""
    is_arabic = get_language() == "ar"
    fields = f.credential.fields if f.credential else []
    return {key: arabic if is_arabic and arabic else english for key, english, arabic in fields}


def _reveals(f: Facts) -> list[RevealRow]:
    names = _field_names(f)
    return [
        RevealRow(
            # A field that a correction left out keeps the name it was opened under.
            label=names.get(reveal.field, reveal.label),
            who=_("You") if reveal.user_id == f.viewer.pk else reveal.user.name,
            when=when(reveal.created_at),
            device=reveal.device,
        )
        for reveal in f.reveals
    ]


def _deliver_fields(f: Facts) -> list[CategoryField]:
    """The fields the seller fills in, to deliver or to correct; none for anybody else."""
    if f.is_buyer or f.order.state not in CORRECTABLE | {OrderState.FUNDED}:
        return []
    return credential_fields(f.order.listing.category)


def _offer_words(f: Facts) -> str:
    dispute = f.dispute
    if dispute is None or not dispute.is_open or dispute.offer_minor is None or dispute.offer_by is None:
        return ""
    words = f.words | {
        "name": dispute.offer_by.name,
        "offer": f.money(dispute.offer_minor),
        "rest": f.money(f.order.price_minor - dispute.offer_minor),
    }
    return _("%(name)s offers: %(offer)s back to %(buyer)s, %(rest)s less the fee to %(seller)s.") % words
