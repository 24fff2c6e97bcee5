"""What every step of an order is made of: the race, the record, the money."""

import datetime
import logging
from typing import Any

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.events import OrderChanged, WalletChanged
from accountsstore.money import share_minor
from accountsstore.outbox import publish
from listings.services.stock import stock_take
from payments.errors import OrderConflict
from payments.models import Order, OrderEvent
from payments.services.ledger import Move, credit_moves, fee_income, ledger_post, order_held, user_available
from payments.states import TRANSITIONS

logger = logging.getLogger(__name__)


@atomic
def order_move(order: Order, name: str, *, actor: User | None, note: str = "", **changes: Any) -> bool:
    """One UPDATE decides the race. True: we moved it. False: it was there already.

    Raises OrderConflict when the order went elsewhere.
    """
    step = TRANSITIONS[name]
    if len(step.sources) > 1:
        order.refresh_from_db(fields=["state"])
    from_state = order.state
    won = Order.objects.filter(pk=order.pk, state__in=sorted(step.sources)).update(state=step.target, **changes)
    order.refresh_from_db()
    if not won:
        if order.state == step.target:
            return False
        raise OrderConflict
    order_record(order, name, actor=actor, from_state=from_state, note=note)
    return True


@atomic
def order_record(order: Order, happening: str, *, actor: User | None, from_state: str = "", note: str = "") -> None:
    """The timeline's row and the event for both parties."""
    OrderEvent.objects.create(
        order=order, happening=happening, from_state=from_state, to_state=order.state, actor=actor, note=note
    )
    publish(
        OrderChanged(order=order.pk.hex, number=order.number, state=order.state, happening=happening),
        to=[order.buyer_id, order.seller_id],
    )
    logger.info("order moved", extra={"order_id": order.pk.hex, "happening": happening, "state": order.state})


@atomic
def order_fund(order: Order, *, actor: User, now: datetime.datetime) -> None:
    """Reserve an item and hold the price. Raises SoldOut, InsufficientFunds."""
    item = stock_take(order.listing)
    Order.objects.filter(pk=order.pk).update(stock_item=item, funded_at=now)
    order.stock_item, order.funded_at = item, now
    ledger_post(
        kind="order_fund",
        source=f"order:{order.pk.hex}",
        actor=actor,
        moves=[
            Move(user_available(order.buyer_id, order.currency), -order.price_minor),
            Move(order_held(order.pk, order.currency), order.price_minor),
        ],
    )
    publish(WalletChanged(user=order.buyer_id.hex), to=[order.buyer_id])


@atomic
def order_settle(order: Order, *, refund_minor: int, kind: str, actor: User | None) -> None:
    """Empty the order's escrow: `refund_minor` to the buyer, the fee on the rest to the store, what remains to the
    seller. released + refunded + fee = price."""
    share = order.price_minor - refund_minor
    fee = share_minor(share, order.fee_basis_points)
    released = share - fee
    Order.objects.filter(pk=order.pk).update(released_minor=released, refunded_minor=refund_minor, fee_minor=fee)
    ledger_post(
        kind=kind,
        source=f"order:{order.pk.hex}",
        actor=actor,
        moves=[
            Move(order_held(order.pk, order.currency), -order.price_minor),
            *credit_moves(order.buyer_id, refund_minor, order.currency),
            *credit_moves(order.seller_id, released, order.currency),
            Move(fee_income(order.currency), fee),
        ],
    )
    for user_id in (order.buyer_id, order.seller_id):
        publish(WalletChanged(user=user_id.hex), to=[user_id])
    order.refresh_from_db()
