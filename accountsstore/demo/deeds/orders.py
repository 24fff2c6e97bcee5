"""Buying, delivering, checking, reviewing."""

from django.conf import settings

from accountsstore.demo.deeds.listings import credential, listing_of
from accountsstore.demo.deeds.people import user_named
from listings.credentials import credential_fields
from listings.models import Review
from payments.models import Approval, Order, OrderEvent, Reveal
from payments.services import approvals, orders, reviews


def buy(name: str, buyer: str, key: str) -> Order:
    """`name` tells this purchase from every other one of the buyer."""
    listing = listing_of(key)
    return orders.order_buy(
        buyer=user_named(buyer),
        listing_id=listing.pk,
        expected_price_minor=listing.price_minor,
        expected_version=listing.version,
        checkout_key=f"demo:{name}",
        terms_version=settings.TERMS_VERSION,
    )


def done(order: Order, *happenings: str) -> bool:
    return OrderEvent.objects.filter(order=order, happening__in=happenings).exists()


def agree(order: Order) -> None:
    if not done(order, "agree"):
        orders.order_agree(order=order, seller=order.seller)


def decline(order: Order, note: str) -> None:
    if not done(order, "decline"):
        orders.order_decline(order=order, seller=order.seller, note=note)


def withdraw_request(order: Order) -> None:
    if not done(order, "withdraw"):
        orders.order_withdraw(order=order, buyer=order.buyer)


def cancel(order: Order, note: str) -> None:
    """The seller calls it off."""
    if not done(order, "cancel"):
        orders.order_cancel(order=order, actor=order.seller, note=note)


def deliver(order: Order) -> None:
    if not done(order, "deliver"):
        values = credential(order.listing.category, "order", order.number)
        orders.order_deliver(order=order, seller=order.seller, values=values)


def correct(order: Order) -> None:
    """The seller hands over a corrected credential."""
    if not done(order, "redeliver"):
        values = credential(order.listing.category, "corrected", order.number)
        orders.order_redeliver(order=order, seller=order.seller, values=values)


def reveal(order: Order) -> None:
    """The buyer opens the first two fields of the credential: a login and its password, or a key."""
    seen = set(Reveal.objects.filter(order=order, user=order.buyer).values_list("field", flat=True))
    for field in credential_fields(order.listing.category)[:2]:
        if field.key not in seen:
            orders.order_reveal(
                order=order, user=order.buyer, field=field.key, stepped_up=True, ip="203.0.113.7", device="Firefox"
            )


def accept(order: Order) -> None:
    if not done(order, "accept"):
        orders.order_accept(order=order, buyer=order.buyer)


def review(order: Order, rating: int, text: str) -> None:
    if not Review.objects.filter(order_id=order.pk).exists():
        reviews.review_write(order=order, buyer=order.buyer, rating=rating, text=text)


def reply(order: Order, text: str) -> None:
    """The seller answers the review."""
    written = Review.objects.get(order_id=order.pk)
    if not written.reply:
        reviews.review_reply(review=written, seller=order.seller, text=text)


def ask_early_release(order: Order, staff: str, reason: str) -> Approval:
    found = Approval.objects.filter(subject=f"order:{order.pk.hex}").first()
    order.refresh_from_db()
    return found or approvals.early_release_request(order=order, staff=user_named(staff), reason=reason)


def confirm_early_release(approval: Approval, staff: str) -> None:
    approval.refresh_from_db()
    if approval.is_open:
        approvals.early_release_confirm(approval=approval, staff=user_named(staff))
