"""Orders: from the click on “Pay” to the seller's money, along the table in `payments.states`.

Every step is one transaction: the state (one conditional UPDATE decides a race), the order event, the posting, the
deadlines and the outgoing event. A step taken twice is quiet the second time; a step that came too late raises
OrderConflict and changes nothing.
"""

import datetime
import hashlib
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.selectors import is_approved_seller
from accounts.services import password_require, user_require_active
from accountsstore import codes
from accountsstore.db import atomic
from accountsstore.errors import NotAllowed, StoreError
from accountsstore.events import OrderChanged
from accountsstore.outbox import publish
from listings.credentials import credential_latest, credential_open, credential_store
from listings.models import Listing
from listings.services.stock import stock_deliver, stock_return, stock_revoke
from payments.errors import (
    InsufficientFunds,
    ListingGone,
    OrderConflict,
    OwnListing,
    PriceChanged,
    SoldOut,
    TermsNotAccepted,
)
from payments.models import FeePolicy, Order, Reveal
from payments.services.deadlines import Kind as DeadlineKind
from payments.services.deadlines import deadline_set, deadlines_close
from payments.services.steps import order_fund, order_move, order_record, order_settle
from payments.states import OrderState

S = OrderState
# The buyer may open the credentials from delivery on, and keeps them when the order is finished.
READABLE = frozenset({S.DELIVERED, S.ACCEPTED, S.DISPUTED, S.RELEASED, S.SPLIT})
CORRECTABLE = frozenset({S.DELIVERED, S.ACCEPTED, S.DISPUTED})


class BuyerCannotPay(StoreError):
    code = "buyer_cannot_pay"
    http_status = 409
    message = _("The buyer's wallet does not cover the price right now. The request stays open until its time is over.")


# ---------------------------------------------------------------- buying


def order_buy(
    *,
    buyer: User,
    listing_id: Any,
    expected_price_minor: int,
    expected_version: int,
    checkout_key: str,
    terms_version: str,
) -> Order:
    """Buy one item: the price goes into escrow, and an item from stock is delivered at once. A listing that asks first
    gets a request, which holds no money.

    Safe to repeat: the same buyer's `checkout_key` gives the first order back. Raises, with nothing changed: NotAllowed,
    ListingGone, SoldOut, OwnListing, TermsNotAccepted, PriceChanged (what was seen is not what is sold now),
    InsufficientFunds.
    """
    key = hashlib.sha256(f"{buyer.pk.hex}:{checkout_key}".encode()).hexdigest()
    if first := Order.objects.filter(checkout_key=key).first():
        return first
    try:
        return _order_buy(
            buyer=buyer,
            listing_id=listing_id,
            expected_price_minor=expected_price_minor,
            expected_version=expected_version,
            key=key,
            terms_version=terms_version,
        )
    except IntegrityError:
        # The same page was submitted twice at once, and the other one came first.
        if first := Order.objects.filter(checkout_key=key).first():
            return first
        raise


@atomic
def _order_buy(
    *, buyer: User, listing_id: Any, expected_price_minor: int, expected_version: int, key: str, terms_version: str
) -> Order:
    now = timezone.now()
    user_require_active(buyer)
    listing = Listing.objects.select_related("category", "seller").filter(pk=listing_id).first()
    _require_on_sale(listing, buyer)
    assert listing is not None
    if terms_version != settings.TERMS_VERSION:
        raise TermsNotAccepted(field="terms")
    if (listing.price_minor, listing.version) != (expected_price_minor, expected_version):
        raise PriceChanged(listing.price_minor, listing.currency, listing.version)
    category = listing.category
    order = Order.objects.create(
        number=codes.new_code("AS"),
        buyer=buyer,
        seller=listing.seller,
        listing=listing,
        state=S.REQUESTED if listing.asks_first else S.FUNDED,
        title=listing.title,
        listing_version=listing.version,
        price_minor=listing.price_minor,
        currency=listing.currency,
        fee_basis_points=fee_basis_points(listing, now),
        deliver_hours=category.deliver_hours or settings.ORDER_DELIVER_HOURS,
        inspect_hours=category.inspect_hours or settings.ORDER_INSPECT_HOURS,
        warranty_days=settings.ORDER_WARRANTY_DAYS if category.warranty_days is None else category.warranty_days,
        terms_version=terms_version,
        checkout_key=key,
        requested_at=now,
    )
    if listing.asks_first:
        due_at = now + datetime.timedelta(hours=settings.ORDER_RESPOND_HOURS)
        deadline_set(kind=DeadlineKind.RESPOND, due_at=due_at, owner=order.seller, order=order)
        order_record(order, "request", actor=buyer)
    else:
        order_fund(order, actor=buyer, now=now)
        order_record(order, "fund", actor=buyer)
        _begin_delivery(order, now)
    return order


def _require_on_sale(listing: Listing | None, buyer: User) -> None:
    if listing is None or not listing.category.is_allowed:
        raise ListingGone
    if listing.seller_id == buyer.pk:
        raise OwnListing
    if listing.state == Listing.State.SOLD_OUT:
        raise SoldOut
    if listing.state != Listing.State.ACTIVE:
        raise ListingGone
    if listing.seller.status != User.Status.ACTIVE or not is_approved_seller(listing.seller):
        raise ListingGone


def fee_basis_points(listing: Listing, now: datetime.datetime) -> int:
    """The fee in force: the category's newest policy, else the store's newest, else the setting."""
    rows = FeePolicy.objects.filter(starts_at__lte=now).order_by("-starts_at")
    policy = rows.filter(category=listing.category_id).first() or rows.filter(category=None).first()
    return policy.basis_points if policy else settings.FEE_BASIS_POINTS


def _begin_delivery(order: Order, now: datetime.datetime) -> None:
    """At once from stock, or the seller's time to deliver begins."""
    if order.listing.delivery == Listing.Delivery.STOCK:
        _delivered(order, actor=None, now=now)
        return
    deadline_set(
        kind=DeadlineKind.DELIVER,
        due_at=now + datetime.timedelta(hours=order.deliver_hours),
        owner=order.seller,
        order=order,
        reminder=DeadlineKind.DELIVER_REMINDER,
        begins_at=now,
    )


def _require(user: User, expected_id: Any) -> None:
    if user.pk != expected_id:
        raise NotAllowed


# ---------------------------------------------------------------- requests


@atomic
def order_agree(*, order: Order, seller: User) -> None:
    """The seller takes a request: now the price goes into escrow.

    Safe to repeat. Raises NotAllowed, OrderConflict, SoldOut, BuyerCannotPay.
    """
    now = timezone.now()
    _require(seller, order.seller_id)
    user_require_active(seller)
    if not order_move(order, "agree", actor=seller):
        return
    deadlines_close(order=order, now=now)
    try:
        order_fund(order, actor=seller, now=now)
    except InsufficientFunds:
        raise BuyerCannotPay from None
    _begin_delivery(order, now)


@atomic
def order_decline(*, order: Order, seller: User, note: str = "") -> None:
    """The seller refuses a request. Safe to repeat. Raises NotAllowed, OrderConflict."""
    _require(seller, order.seller_id)
    _close(order, "decline", actor=seller, now=timezone.now(), note=note)


@atomic
def order_withdraw(*, order: Order, buyer: User) -> None:
    """The buyer takes a request back. Safe to repeat. Raises NotAllowed, OrderConflict."""
    _require(buyer, order.buyer_id)
    _close(order, "withdraw", actor=buyer, now=timezone.now())


@atomic
def order_expire(*, order: Order, now: datetime.datetime) -> None:
    """The clock ends an unanswered request. Safe to repeat. Raises OrderConflict."""
    _close(order, "expire", actor=None, now=now)


def _close(order: Order, name: str, *, actor: User | None, now: datetime.datetime, note: str = "") -> None:
    """End a request, which holds nothing."""
    if order_move(order, name, actor=actor, note=note, finished_at=now):
        deadlines_close(order=order, now=now)


# ---------------------------------------------------------------- delivery


@atomic
def order_deliver(*, order: Order, seller: User, values: dict[str, str]) -> None:
    """The seller hands over the credential ({field key: text}).

    A second call changes nothing; a correction is `order_redeliver`. Raises NotAllowed, BadCredential, OrderConflict.
    """
    _require(seller, order.seller_id)
    _delivered(order, actor=seller, now=timezone.now(), values=values)


def _delivered(
    order: Order, *, actor: User | None, now: datetime.datetime, values: dict[str, str] | None = None
) -> None:
    if not order_move(order, "deliver", actor=actor, delivered_at=now):
        return
    assert order.stock_item is not None
    if values is not None:
        credential_store(stock_item=order.stock_item, category=order.listing.category, values=values)
    stock_deliver(order.stock_item)
    if actor:  # from stock, no time to deliver has begun
        deadlines_close(order=order, now=now)
    deadline_set(
        kind=DeadlineKind.INSPECT,
        due_at=now + datetime.timedelta(hours=order.inspect_hours),
        owner=order.buyer,
        order=order,
        reminder=DeadlineKind.INSPECT_REMINDER,
        begins_at=now,
    )


@atomic
def order_redeliver(*, order: Order, seller: User, values: dict[str, str]) -> None:
    """The seller corrects the credential; the earlier version is kept. Raises NotAllowed, BadCredential,
    OrderConflict (not delivered, or finished)."""
    _require(seller, order.seller_id)
    if not Order.objects.filter(pk=order.pk, state__in=sorted(CORRECTABLE)).update(delivered_at=F("delivered_at")):
        raise OrderConflict
    order.refresh_from_db()
    assert order.stock_item is not None
    credential_store(stock_item=order.stock_item, category=order.listing.category, values=values)
    order_record(order, "redeliver", actor=seller, from_state=order.state)


def order_reveal(
    *,
    order: Order,
    user: User,
    field: str,
    password: str | None = None,
    stepped_up: bool = False,
    ip: str = "",
    device: str = "",
) -> str:
    """One field of the credential, for a party of the order who has just proved who they are: by `password`, or
    `stepped_up` when the session did so within minutes. Writes a Reveal, which both parties see, before it decrypts.

    Raises NotAllowed, WrongPassword, OrderConflict (nothing to reveal in this state, or no such field).
    """
    if user.pk not in (order.buyer_id, order.seller_id):
        raise NotAllowed
    if not stepped_up:
        # Before the transaction: hashing takes tens of milliseconds.
        password_require(user=user, password=password or "")
    order.refresh_from_db()
    credential = credential_latest(order.stock_item) if order.stock_item and order.state in READABLE else None
    labels = {key: english for key, english, _arabic in credential.fields} if credential else {}
    if credential is None or field not in labels:
        raise OrderConflict
    _reveal_record(order=order, user=user, field=field, label=labels[field], ip=ip, device=device)
    return credential_open(credential)[field]


@atomic
def _reveal_record(*, order: Order, user: User, field: str, label: str, ip: str, device: str) -> None:
    if user.pk == order.buyer_id:
        Order.objects.filter(pk=order.pk, revealed_at=None).update(revealed_at=timezone.now())
    Reveal.objects.create(order=order, user=user, field=field, label=label, ip=ip[:45], device=device[:80])
    order.refresh_from_db()
    publish(
        OrderChanged(order=order.pk.hex, number=order.number, state=order.state, happening="reveal"),
        to=[order.buyer_id, order.seller_id],
    )


# ---------------------------------------------------------------- the ends


@atomic
def order_cancel(*, order: Order, actor: User, note: str = "") -> None:
    """Call an undelivered order off and refund it: the seller at any time, the buyer once delivery is overdue.

    Safe to repeat. Raises NotAllowed, OrderConflict.
    """
    now = timezone.now()
    if actor.pk == order.buyer_id:
        order.refresh_from_db()
        if order.state == S.FUNDED and not is_overdue(order, now):
            raise NotAllowed(_("You can cancel when the seller's time to deliver is over."))
    else:
        _require(actor, order.seller_id)
    _refund_undelivered(order, "cancel", actor=actor, now=now, note=note)


@atomic
def order_lapse(*, order: Order, now: datetime.datetime) -> None:
    """The clock refunds an order that was not delivered in time. Safe to repeat. Raises OrderConflict."""
    _refund_undelivered(order, "lapse", actor=None, now=now)


def is_overdue(order: Order, now: datetime.datetime) -> bool:
    """Whether the time for the order's next step is over."""
    return order.due_at is not None and order.due_at <= now


def _refund_undelivered(order: Order, name: str, *, actor: User | None, now: datetime.datetime, note: str = "") -> None:
    if not order_move(order, name, actor=actor, note=note, finished_at=now):
        return
    assert order.stock_item is not None
    stock_return(order.stock_item)
    order_settle(order, refund_minor=order.price_minor, kind="order_refund", actor=actor)
    deadlines_close(order=order, now=now)


@atomic
def order_accept(*, order: Order, buyer: User) -> None:
    """The buyer accepts: the warranty begins. Safe to repeat. Raises NotAllowed, OrderConflict."""
    _require(buyer, order.buyer_id)
    _accepted(order, actor=buyer, now=timezone.now())


@atomic
def order_accept_by_clock(*, order: Order, now: datetime.datetime) -> None:
    """The time to check is over. Does nothing unless the buyer has revealed the credentials or was reminded twice.

    Safe to repeat. Raises OrderConflict.
    """
    order.refresh_from_db()
    if order.revealed_at or order.reminders_sent >= 2:
        _accepted(order, actor=None, now=now)


def _accepted(order: Order, *, actor: User | None, now: datetime.datetime) -> None:
    if not order_move(order, "accept", actor=actor, accepted_at=now):
        return
    deadlines_close(order=order, now=now)
    deadline_set(
        kind=DeadlineKind.WARRANTY,
        due_at=now + datetime.timedelta(days=order.warranty_days),
        owner=order.buyer,
        order=order,
    )


@atomic
def order_release(
    *, order: Order, now: datetime.datetime, name: str = "release", actor: User | None = None, note: str = ""
) -> None:
    """Pay the seller: `release` by the clock after the warranty, `release_early` by two staff members.

    Safe to repeat. Raises OrderConflict.
    """
    if not order_move(order, name, actor=actor, note=note, finished_at=now):
        return
    order_settle(order, refund_minor=0, kind="order_release", actor=actor)
    deadlines_close(order=order, now=now)


@atomic
def order_resolve(*, order: Order, refund_minor: int, actor: User | None, note: str) -> None:
    """End a dispute: `refund_minor` (0 to the price) to the buyer, the rest less the fee to the seller.

    `payments.services.disputes` decides who may. Safe to repeat. Raises OrderConflict.
    """
    now = timezone.now()
    if refund_minor == 0:
        name = "resolve_release"
    else:
        name = "resolve_refund" if refund_minor == order.price_minor else "resolve_split"
    if not order_move(order, name, actor=actor, note=note, finished_at=now):
        return
    item = order.stock_item
    assert item is not None
    if item.state == item.State.DELIVERED:
        if refund_minor == order.price_minor:
            stock_revoke(item)
    elif refund_minor == order.price_minor:
        stock_return(item)
    else:
        # Paid for without a delivery in the store: the item is consumed all the same.
        stock_deliver(item)
    order_settle(order, refund_minor=refund_minor, kind="order_resolve", actor=actor)
    deadlines_close(order=order, now=now)
