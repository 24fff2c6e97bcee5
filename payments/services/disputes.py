"""Disputes: the clock stands still, the parties may agree, and staff decide if they do not."""

import datetime

from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services import audit_record
from accountsstore.db import atomic
from accountsstore.errors import NotAllowed
from accountsstore.money import format_minor
from payments.errors import BadDecision, OrderConflict
from payments.models import Dispute, Order
from payments.services.deadlines import Kind as DeadlineKind
from payments.services.deadlines import deadline_set, deadlines_close
from payments.services.orders import order_resolve
from payments.services.steps import order_move, order_record
from payments.states import OrderState

DECIDE_WITHIN = datetime.timedelta(hours=72)


def dispute_open(*, order: Order, buyer: User, reason: str, text: str) -> Dispute:
    """The buyer contests the order; the money stays where it is. Safe to repeat: there is one dispute per order.

    Raises NotAllowed, BadDecision (no text), OrderConflict (not paid for, or finished).
    """
    if buyer.pk != order.buyer_id:
        raise NotAllowed
    if not text.strip():
        raise BadDecision(_("Say what is wrong: the seller and our staff read it."), field="text")
    if reason not in Dispute.Reason.values:
        raise BadDecision(_("Choose what is wrong."), field="reason")
    try:
        return _dispute_open(order=order, buyer=buyer, reason=reason, text=text.strip())
    except IntegrityError:
        return Dispute.objects.get(order=order)


@atomic
def _dispute_open(*, order: Order, buyer: User, reason: str, text: str) -> Dispute:
    now = timezone.now()
    if not order_move(order, "dispute", actor=buyer):
        return Dispute.objects.get(order=order)
    dispute = Dispute.objects.create(order=order, seller_id=order.seller_id, reason=reason, text=text)
    deadlines_close(order=order, now=now)
    deadline_set(kind=DeadlineKind.DECIDE_DISPUTE, due_at=now + DECIDE_WITHIN, owner=None, order=order)
    return dispute


@atomic
def dispute_offer(*, order: Order, actor: User, refund_minor: int) -> Dispute:
    """A party offers to end the dispute with `refund_minor` for the buyer. A new offer replaces the last one.

    Raises NotAllowed, BadDecision (more than the price), OrderConflict (the dispute is over).
    """
    _require_party(order, actor)
    _require_share(order, refund_minor)
    if not Dispute.objects.filter(order=order, is_open=True).update(offer_minor=refund_minor, offer_by=actor):
        raise OrderConflict
    order.refresh_from_db()
    order_record(order, "offer", actor=actor, from_state=order.state, note=format_minor(refund_minor, order.currency))
    return Dispute.objects.get(order=order)


@atomic
def dispute_offer_accept(*, order: Order, actor: User, expected_refund_minor: int) -> None:
    """The other party takes the offer they saw; the money moves at once.

    Raises NotAllowed (own offer), OrderConflict (the offer changed or the dispute is over).
    """
    _require_party(order, actor)
    dispute = Dispute.objects.get(order=order)
    if dispute.offer_by_id == actor.pk:
        raise NotAllowed(_("This is your own offer; the other side accepts it."))
    won = Dispute.objects.filter(
        pk=dispute.pk, is_open=True, offer_minor=expected_refund_minor, offer_by=dispute.offer_by_id
    ).update(is_open=False, decided_at=timezone.now())
    if not won or dispute.offer_by_id is None:
        raise OrderConflict(_("The offer has changed in the meantime. Look at it again."))
    order_resolve(order=order, refund_minor=expected_refund_minor, actor=actor, note="")


@atomic
def dispute_decide(*, order: Order, staff: User, refund_minor: int, reason: str) -> None:
    """Staff end the dispute: `refund_minor` to the buyer, the rest to the seller; both read the reason.

    Raises NotAllowed (own case or no permission), BadDecision (no reason, or more than the price), OrderConflict.
    """
    if not staff.has_perm("payments.decide_dispute") or staff.pk in (order.buyer_id, order.seller_id):
        raise NotAllowed
    if not reason.strip():
        raise BadDecision(field="reason")
    _require_share(order, refund_minor)
    won = Dispute.objects.filter(order=order, is_open=True).update(
        is_open=False, decided_by=staff, decision_reason=reason.strip(), decided_at=timezone.now()
    )
    if not won:
        raise OrderConflict
    order_resolve(order=order, refund_minor=refund_minor, actor=staff, note=reason.strip()[:500])
    audit_record(
        actor=staff,
        action="dispute.decide",
        subject=f"order:{order.pk.hex}",
        subject_text=order.number,
        before={"state": OrderState.DISPUTED.value},
        after={"state": order.state, "refund_minor": refund_minor},
        reason=reason.strip(),
    )


def _require_party(order: Order, actor: User) -> None:
    if actor.pk not in (order.buyer_id, order.seller_id):
        raise NotAllowed


def _require_share(order: Order, refund_minor: int) -> None:
    if not 0 <= refund_minor <= order.price_minor:
        raise BadDecision(
            _("The refund is between 0 and the price, %(price)s.")
            % {"price": format_minor(order.price_minor, order.currency)},
            field="refund",
        )
