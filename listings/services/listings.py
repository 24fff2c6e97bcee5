"""Listings: written by their seller, put on sale, changed, and taken off again.

Orders carry a copy of what they agreed to, so nothing here touches an order that runs.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.selectors import is_approved_seller
from accountsstore.codes import new_code
from accountsstore.db import atomic
from accountsstore.errors import Conflict, NotAllowed
from accountsstore.money import format_minor
from listings.attributes import attribute_fields, clean_attributes
from listings.errors import BadListing, CategoryClosed, ListingChangedMeanwhile, NotASeller, NothingInStock
from listings.models import Category, Listing, StockItem
from listings.services.stock import stock_recount
from listings.terms import terms_set
from listings.text import clean_line, clean_text
from listings.words import listing_terms

State = Listing.State
TITLE_MIN, TITLE_MAX = 8, 100
DESCRIPTION_MIN, DESCRIPTION_MAX = 20, 5_000
INDEX_BATCH = 200


def require_seller(user: User) -> None:
    """Raises NotASeller unless the person may offer and sell now."""
    if not is_approved_seller(user):
        raise NotASeller


def require_owner(listing: Listing, seller: User) -> None:
    """Raises NotAllowed for a listing of somebody else."""
    if listing.seller_id != seller.pk:
        raise NotAllowed


@atomic
def listing_create(
    *,
    seller: User,
    category: Category,
    title: str,
    description: str,
    price_minor: int,
    attributes: dict[str, Any],
    delivery: str = Listing.Delivery.MANUAL,
    asks_first: bool = False,
) -> Listing:
    """A new draft. `attributes` is {field key: value} as the category asks.

    Raises NotASeller, CategoryClosed, or BadListing naming the field.
    """
    require_seller(seller)
    listing = Listing(seller=seller, category=category, code=new_code("L"), currency=settings.STORE_CURRENCY)
    for name, value in _clean(category, title, description, price_minor, attributes, delivery, asks_first).items():
        setattr(listing, name, value)
    listing.save(force_insert=True)
    listing_index(listing)
    return listing


@atomic
def listing_update(
    *,
    listing: Listing,
    seller: User,
    expected_version: int,
    title: str,
    description: str,
    price_minor: int,
    attributes: dict[str, Any],
    delivery: str,
    asks_first: bool,
    category: Category | None = None,
) -> Listing:
    """Change what is offered. Every change makes a new version, so that a buyer who saw the old one is asked again.

    Category and way of delivery are settled by the first stock. Raises NotAllowed, NotASeller, CategoryClosed,
    BadListing, or ListingChangedMeanwhile when `expected_version` is not the newest.
    """
    require_owner(listing, seller)
    require_seller(seller)
    listing.refresh_from_db()
    if listing.version != expected_version or listing.state == State.REMOVED:
        raise ListingChangedMeanwhile
    category = category or listing.category
    wanted = _clean(category, title, description, price_minor, attributes, delivery, asks_first, listing)
    if category.pk != listing.category_id:
        if StockItem.objects.filter(listing=listing).exists():
            raise BadListing(_("The category is settled once there was stock. Make a new listing."), field="category")
        wanted["category"] = category
    if delivery != listing.delivery and _has_stock(listing):
        raise BadListing(_("Take what is in stock off sale first, and wait for open orders."), field="delivery")
    changed = {name: value for name, value in wanted.items() if getattr(listing, name) != value}
    if not changed:
        return listing
    won = Listing.objects.filter(pk=listing.pk, version=expected_version).exclude(state=State.REMOVED)
    if not won.update(**changed, version=F("version") + 1):
        raise ListingChangedMeanwhile
    listing.refresh_from_db()
    listing_index(listing)
    return listing


def _has_stock(listing: Listing) -> bool:
    """Anything unsold, or paid for and not delivered: it would not fit another way of delivery."""
    waiting = [StockItem.State.AVAILABLE, StockItem.State.RESERVED]
    return StockItem.objects.filter(listing=listing, state__in=waiting).exists()


def _clean(
    category: Category,
    title: str,
    description: str,
    price_minor: int,
    attributes: dict[str, Any],
    delivery: str,
    asks_first: bool,
    listing: Listing | None = None,
) -> dict[str, Any]:
    """The fields as they are stored. Raises CategoryClosed, or BadListing naming the first field at fault."""
    moves_in = listing is None or listing.category_id != category.pk
    if moves_in and not category.is_allowed:
        raise CategoryClosed(field="category")
    title, description = clean_line(title), clean_text(description)
    _require_length("title", title, TITLE_MIN, TITLE_MAX)
    _require_length("description", description, DESCRIPTION_MIN, DESCRIPTION_MAX)
    low, high = settings.LISTING_PRICE_MIN_MINOR, settings.LISTING_PRICE_MAX_MINOR
    if not low <= price_minor <= high:
        raise BadListing(
            _("The price is %(low)s to %(high)s.") % {"low": format_minor(low), "high": format_minor(high)},
            field="price",
        )
    if delivery not in Listing.Delivery.values:
        raise BadListing(_("Choose how you deliver."), field="delivery")
    return {
        "title": title,
        "description": description,
        "price_minor": price_minor,
        "attributes": clean_attributes(attribute_fields(category), attributes),
        "delivery": delivery,
        "asks_first": asks_first,
    }


def _require_length(name: str, text: str, least: int, most: int) -> None:
    if len(text) < least:
        raise BadListing(_("Write at least %(least)d characters.") % {"least": least}, field=name)
    if len(text) > most:
        raise BadListing(
            _("At most %(most)d characters; these are %(count)d.") % {"most": most, "count": len(text)}, field=name
        )


# ---------------------------------------------------------------- on sale and off


@atomic
def listing_publish(*, listing: Listing, seller: User) -> None:
    """Put a draft on sale. Safe to repeat. Raises NotAllowed, NotASeller, CategoryClosed, NothingInStock, Conflict."""
    _require_sellable(listing, seller)
    _to_active(listing, State.DRAFT, published_at=timezone.now())


@atomic
def listing_resume(*, listing: Listing, seller: User) -> None:
    """Put a paused listing back on sale, at its old place in the lists. Safe to repeat. Raises as above."""
    _require_sellable(listing, seller)
    _to_active(listing, State.PAUSED)


@atomic
def listing_pause(*, listing: Listing, seller: User) -> None:
    """Take it off sale for now; orders go on. Safe to repeat. Raises NotAllowed, Conflict."""
    require_owner(listing, seller)
    move(listing, [State.ACTIVE, State.SOLD_OUT], State.PAUSED)


@atomic
def listing_remove(*, listing: Listing, seller: User) -> None:
    """Take it off sale for good, with what is unsold; orders go on. Safe to repeat. Raises NotAllowed."""
    require_owner(listing, seller)
    if not move(listing, [state for state in State if state != State.REMOVED], State.REMOVED):
        return
    available = StockItem.objects.filter(listing=listing, state=StockItem.State.AVAILABLE)
    # Without its fingerprint a credential may be loaded again elsewhere: it was never shown to anybody.
    taken_back = available.update(state=StockItem.State.WITHDRAWN, fingerprint=None)
    stock_recount(listing, -taken_back)
    listing.refresh_from_db()
    terms_set(listing, [])


def _require_sellable(listing: Listing, seller: User) -> None:
    require_owner(listing, seller)
    require_seller(seller)
    if not listing.category.is_allowed:
        raise CategoryClosed


def _to_active(listing: Listing, source: str, **fields: Any) -> None:
    ready = Listing.objects.filter(pk=listing.pk, state=source, stock_count__gt=0)
    if ready.update(state=State.ACTIVE, state_reason="", state_before="", **fields):
        listing.refresh_from_db()
        return
    listing.refresh_from_db()
    if listing.state == source:
        raise NothingInStock
    if listing.state != State.ACTIVE:
        raise Conflict


def move(listing: Listing, sources: Sequence[str], target: str, **fields: Any) -> bool:
    """One UPDATE from any of `sources` to `target`; False if it was there already. Raises Conflict otherwise."""
    won = Listing.objects.filter(pk=listing.pk, state__in=sources).update(state=target, **fields)
    listing.refresh_from_db()
    if not won and listing.state != target:
        raise Conflict
    return bool(won)


# ---------------------------------------------------------------- search


def listing_index(listing: Listing) -> None:
    """Write down the words that the listing is found by. Safe to repeat."""
    terms_set(listing, listing_terms(listing, attribute_fields(listing.category)))


def category_index(category: Category) -> int:
    """Index every listing of a category whose name or fields changed, a transaction each. Returns how many.

    Safe to repeat and to interrupt.
    """
    count, last = 0, None
    rows = Listing.objects.filter(category=category).exclude(state=State.REMOVED).order_by("id")
    while batch := list((rows.filter(pk__gt=last) if last else rows).select_related("category")[:INDEX_BATCH]):
        for listing in batch:
            listing_index(listing)
        count, last = count + len(batch), batch[-1].pk
    return count
