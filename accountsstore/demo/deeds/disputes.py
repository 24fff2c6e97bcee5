"""Contesting an order, and coming to an end."""

from accountsstore.demo.deeds.orders import done
from accountsstore.demo.deeds.people import user_named
from accountsstore.money import format_minor
from payments.models import Dispute, Order, OrderEvent
from payments.services import disputes


def contest(order: Order, reason: str, text: str) -> None:
    if not done(order, "dispute"):
        disputes.dispute_open(order=order, buyer=order.buyer, reason=reason, text=text)


def propose(order: Order, side: str, refund_minor: int) -> None:
    """`side` ("buyer" or "seller") offers to end the dispute with that refund."""
    actor = order.buyer if side == "buyer" else order.seller
    said = format_minor(refund_minor, order.currency)
    if not OrderEvent.objects.filter(order=order, happening="offer", actor=actor, note=said).exists():
        disputes.dispute_offer(order=order, actor=actor, refund_minor=refund_minor)


def take_offer(order: Order, side: str) -> None:
    dispute = Dispute.objects.get(order=order)
    if dispute.is_open and dispute.offer_minor is not None:
        actor = order.buyer if side == "buyer" else order.seller
        disputes.dispute_offer_accept(order=order, actor=actor, expected_refund_minor=dispute.offer_minor)


def decide(order: Order, staff: str, refund_minor: int, reason: str) -> None:
    if Dispute.objects.get(order=order).is_open:
        disputes.dispute_decide(order=order, staff=user_named(staff), refund_minor=refund_minor, reason=reason)
