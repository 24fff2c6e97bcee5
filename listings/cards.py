"""How a listing is drawn in lists."""

import dataclasses
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accountsstore.money import format_minor
from accountsstore.templatetags.store import art, stars
from listings.attributes import attribute_fields, summary
from listings.models import Category, Listing
from listings.selectors import kept_ids
from uploads.links import public_picture_url
from uploads.models import StoredFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What a card or a row shows of `listing`, in the reader's language, as it is printed."""

    listing: Listing
    url: str
    text: str
    price: str
    delivery: str
    is_instant: bool
    seller: str
    stars: str
    disputes: str
    art: str
    is_kept: bool


def cards(listings: list[Listing], viewer: Any) -> list[Card]:
    """One per listing, in order. The listings come with category, fields and figures (`listings.search.for_cards`)."""
    kept = kept_ids(viewer, listings)
    found = []
    for listing in listings:
        figures = getattr(listing.seller, "figures", None)
        card = Card(
            listing=listing,
            url=listing.get_absolute_url(),
            text=summary(listing, attribute_fields(listing.category)) or listing.category.name,
            price=format_minor(listing.price_minor, listing.currency),
            delivery=delivery_text(listing),
            is_instant=listing.is_instant,
            seller=listing.seller.name,
            stars=stars(figures.rating_text, f"{figures.rating_count:,}") if figures else stars(),
            disputes=figures.dispute_rate_text if figures else "",
            art=art(
                listing.category.art,
                listing.art_variant,
                picture=picture_url(listing),
                mirror=listing.is_art_mirrored,
            ),
            is_kept=listing.pk in kept,
        )
        found.append(card)
    return found


def picture_url(listing: Listing, variant: str = "card") -> str:
    """The cover's address, or nothing. Costs no query."""
    return public_picture_url(StoredFile.Purpose.LISTING_IMAGE, listing.cover_id, variant) if listing.cover_id else ""


def deliver_hours(category: Category) -> int:
    return category.deliver_hours or settings.ORDER_DELIVER_HOURS


def inspect_hours(category: Category) -> int:
    return category.inspect_hours or settings.ORDER_INSPECT_HOURS


def warranty_days(category: Category) -> int:
    return settings.ORDER_WARRANTY_DAYS if category.warranty_days is None else category.warranty_days


def delivery_text(listing: Listing) -> str:
    """ "at once" or "within 24 hours"."""
    if listing.is_instant:
        return _("at once")
    hours = deliver_hours(listing.category)
    return ngettext("within %(hours)d hour", "within %(hours)d hours", hours) % {"hours": hours}
