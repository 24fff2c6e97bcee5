"""What pages read of listings."""

import dataclasses
import uuid
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count

from accounts.models import SellerProfile, User
from accountsstore.paging import Page, page_of
from accountsstore.rows import Rows, row_find, rows_find, rows_find_together
from listings.models import Category, Favourite, Listing, ListingImage, Review, SellerFigures, StockItem, StoreFigures
from listings.search import SORTS, fields_of, fields_prefetched, for_cards, on_sale

State = Listing.State
COUNTS_KEPT_SECONDS = 300
HOME_ROWS = 4
REVIEWS_SHOWN = 5


def allowed_categories() -> list[Category]:
    """The categories that take listings, in the store's order: parents first, each followed by its children."""
    found = rows_find(Category, order_by=["position", "slug"], is_allowed=True)
    children = {parent.pk: [c for c in found if c.parent_id == parent.pk] for parent in found}
    known = {category.pk for category in found}
    top = [category for category in found if category.parent_id not in known]
    return [category for parent in top for category in (parent, *children[parent.pk])]


def category_counts() -> dict[uuid.UUID, int]:
    """{category: listings on sale in it and below it}, at most five minutes old."""
    counts: dict[uuid.UUID, int] | None = cache.get("listings.category_counts")
    if counts is None:
        listed = on_sale().using(settings.STALE_READS).order_by().values("category_id").annotate(n=Count("pk"))
        counts = dict(listed.values_list("category_id", "n"))
        for child, parent in Category.objects.filter(parent__isnull=False).values_list("pk", "parent_id"):
            counts[parent] = counts.get(parent, 0) + counts.get(child, 0)
        cache.set("listings.category_counts", counts, COUNTS_KEPT_SECONDS)
    return counts


def bought_most() -> list[Listing]:
    return for_cards(list(on_sale().order_by(*SORTS["best-selling"])[:HOME_ROWS]))


def store_figures() -> StoreFigures | None:
    """The store's last 30 days, or None before the clock has counted for the first time."""
    return row_find(StoreFigures, key="store")


# ---------------------------------------------------------------- one listing


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListingPage:
    listing: Listing
    images: list[ListingImage]
    figures: SellerFigures | None
    reviews: list[Review]
    is_kept: bool
    selling_since: Any


def listing_by_code(code: str) -> Listing:
    """Whatever its state. Raises Listing.DoesNotExist."""
    listing = row_find(Listing, "category", "seller", code=code)
    if listing is None:
        raise Listing.DoesNotExist
    return listing


def listing_of(seller: User, code: str) -> Listing:
    """The seller's own listing, unless removed. Raises Listing.DoesNotExist, also for another seller's."""
    rows = Listing.objects.select_related("category", "seller").exclude(state=State.REMOVED)
    return rows.get(code=code, seller=seller)


def listing_page(listing: Listing, viewer: Any) -> ListingPage:
    """Everything around a listing that its page shows, in one query; the fields of its category come with it."""
    seller = listing.seller_id
    fields, images, figures, reviews, kept, profiles = rows_find_together(
        fields_of([listing.category_id]),
        Rows(ListingImage, {"listing": listing.pk}, joined=["file"], order_by=["position", "id"]),
        Rows(SellerFigures, {"seller": seller}),
        Rows(
            Review,
            {"seller": seller, "is_hidden": False},
            joined=["listing"],
            order_by=["-created_at"],
            limit=REVIEWS_SHOWN,
        ),
        # A visitor keeps nothing.
        Rows(Favourite, {"listing": listing.pk, "user": [viewer.pk] if viewer.is_authenticated else []}),
        _approval_of(listing.seller),
    )
    fields_prefetched(listing.category, fields)
    return ListingPage(
        listing=listing,
        images=images,
        figures=figures[0] if figures else None,
        reviews=reviews,
        is_kept=bool(kept),
        selling_since=_since(profiles),
    )


def selling_since(seller: User) -> Any:
    """When staff approved the seller, or None for somebody who may not sell now."""
    return _since(rows_find_together(_approval_of(seller))[0])


def _approval_of(seller: User) -> Rows:
    return Rows(SellerProfile, {"user": seller.pk, "state": SellerProfile.State.APPROVED})


def _since(approvals: list[SellerProfile]) -> Any:
    return approvals[0].approved_at or approvals[0].created_at if approvals else None


# ---------------------------------------------------------------- lists of a person


def seller_by_username(username: str) -> User:
    """Somebody who sells or has sold. Raises User.DoesNotExist."""
    people = User.objects.exclude(status=User.Status.CLOSED).exclude(seller_profile__state=SellerProfile.State.APPLIED)
    return people.get(username=username.lower(), seller_profile__isnull=False)


def seller_listings(seller: User, cursor: str = "") -> Page[Listing]:
    """What the seller has on sale, newest first."""
    page = page_of(on_sale().filter(seller=seller), SORTS["newest"], cursor)
    for_cards(page.items)
    return page


def seller_reviews(seller: User, cursor: str = "") -> Page[Review]:
    rows = Review.objects.filter(seller=seller, is_hidden=False).select_related("listing", "buyer")
    return page_of(rows, ("-created_at", "-id"), cursor)


def favourites(user: User, cursor: str = "") -> Page[Favourite]:
    """Kept listings, the newest choice first; those that are gone are left out, those that sold out are shown."""
    rows = Favourite.objects.filter(user=user, listing__state__in=Listing.PUBLIC)
    page = page_of(rows.prefetch_related("listing"), ("-created_at", "-id"), cursor)
    for_cards([kept.listing for kept in page.items])
    return page


def kept_ids(user: Any, listings: list[Listing]) -> set[uuid.UUID]:
    """Which of the listings the person keeps."""
    if not user.is_authenticated or not listings:
        return set()
    return {kept.listing_id for kept in rows_find(Favourite, user=user.pk, listing=[each.pk for each in listings])}


# ---------------------------------------------------------------- the seller's desk


def desk_listings(seller: User, state: str = "", cursor: str = "") -> Page[Listing]:
    """The seller's own listings, newest first; `state` empty shows all but the removed ones."""
    rows = Listing.objects.filter(seller=seller).select_related("category")
    rows = rows.filter(state=state) if state in State.values else rows.exclude(state=State.REMOVED)
    return page_of(rows, ("-created_at", "-id"), cursor)


def desk_counts(seller: User) -> dict[str, int]:
    """{state: how many of the seller's listings}."""
    rows = Listing.objects.filter(seller=seller).order_by().values("state").annotate(n=Count("pk"))
    return dict(rows.values_list("state", "n"))


def stock_items(listing: Listing, cursor: str = "") -> Page[StockItem]:
    """What is or was in stock, newest first."""
    return page_of(StockItem.objects.filter(listing=listing), ("-id",), cursor, size=50)


def stock_counts(listing: Listing) -> dict[str, int]:
    """{state of item: how many}."""
    rows = StockItem.objects.filter(listing=listing).order_by().values("state").annotate(n=Count("pk"))
    return dict(rows.values_list("state", "n"))
