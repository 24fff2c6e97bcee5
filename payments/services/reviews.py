"""Reviews: one per finished order, written by its buyer; the seller may answer once."""

from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.errors import Conflict, NotAllowed, StoreError
from listings.models import Review
from payments.models import Order
from payments.services.figures import seller_figures_refresh
from payments.states import OrderState

REVIEWABLE = frozenset({OrderState.ACCEPTED, OrderState.RELEASED, OrderState.SPLIT})
TEXT_LIMIT = 1_000


class BadReview(StoreError):
    code = "bad_review"


def review_write(*, order: Order, buyer: User, rating: int, text: str) -> Review:
    """Say how it went, in 1 to 5 stars. Raises NotAllowed, BadReview, Conflict (not accepted yet, or said already)."""
    if order.buyer_id != buyer.pk:
        raise NotAllowed
    if not 1 <= rating <= 5:
        raise BadReview(_("Give 1 to 5 stars."), field="rating")
    if len(text) > TEXT_LIMIT:
        raise BadReview(_("Keep it under %(limit)d characters.") % {"limit": TEXT_LIMIT}, field="text")
    try:
        return _review_write(order, rating, text.strip())
    except IntegrityError:
        raise Conflict(_("You have reviewed this order already.")) from None


@atomic
def _review_write(order: Order, rating: int, text: str) -> Review:
    order.refresh_from_db()
    if order.state not in REVIEWABLE:
        raise Conflict(_("Accept the order first, then say how it went."))
    review = Review.objects.create(
        order_id=order.pk,
        listing_id=order.listing_id,
        seller_id=order.seller_id,
        buyer_id=order.buyer_id,
        rating=rating,
        text=text,
    )
    seller_figures_refresh(seller_id=order.seller_id)
    return review


@atomic
def review_reply(*, review: Review, seller: User, text: str) -> None:
    """The seller's answer, once. Raises NotAllowed, BadReview, Conflict."""
    if review.seller_id != seller.pk:
        raise NotAllowed
    if not 0 < len(text.strip()) <= TEXT_LIMIT:
        raise BadReview(_("Write 1 to %(limit)d characters.") % {"limit": TEXT_LIMIT}, field="reply")
    if not Review.objects.filter(pk=review.pk, reply="").update(reply=text.strip(), replied_at=timezone.now()):
        raise Conflict(_("You have answered this review already."))
