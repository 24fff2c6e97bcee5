"""Photos of a listing: up to ten, in the seller's order; the first is the cover."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.errors import Conflict
from listings.errors import BadListing
from listings.models import Listing, ListingImage
from listings.services.listings import require_owner
from uploads.models import StoredFile
from uploads.services import file_attach, file_discard, file_store

LIMIT = 10


def image_add(*, listing: Listing, seller: User, upload: UploadedFile) -> ListingImage:
    """Check, store and append a photo. Raises NotAllowed, Conflict (removed), BadListing (ten already), or the
    upload's own refusal. The file is read and written before the transaction."""
    require_owner(listing, seller)
    _require_room(listing)
    file = file_store(owner=seller, purpose=StoredFile.Purpose.LISTING_IMAGE, upload=upload, field="photos")
    return _image_add(listing=listing, file=file)


@atomic
def _image_add(*, listing: Listing, file: StoredFile) -> ListingImage:
    _require_room(listing)
    last = ListingImage.objects.filter(listing=listing).order_by("-position").first()
    image = ListingImage.objects.create(listing=listing, file=file, position=last.position + 1 if last else 0)
    file_attach(file=file, to=f"listing:{listing.pk.hex}", owner=listing.seller)
    _recover(listing)
    return image


def _require_room(listing: Listing) -> None:
    if ListingImage.objects.filter(listing=listing).count() >= LIMIT:
        raise BadListing(_("A listing has at most %(limit)d photos.") % {"limit": LIMIT}, field="photos")
    if Listing.objects.filter(pk=listing.pk, state=Listing.State.REMOVED).exists():
        raise Conflict


@atomic
def image_remove(*, image: ListingImage, seller: User) -> None:
    """Take a photo off the listing. Safe to repeat."""
    require_owner(image.listing, seller)
    ListingImage.objects.filter(pk=image.pk).delete()
    _recover(image.listing)
    file_discard(file=image.file)


@atomic
def image_move(*, image: ListingImage, seller: User, position: int) -> None:
    """Put a photo at `position`, 0 being the cover; the others close up. Safe to repeat."""
    require_owner(image.listing, seller)
    images = list(ListingImage.objects.filter(listing=image.listing).exclude(pk=image.pk))
    images.insert(max(position, 0), image)
    for place, each in enumerate(images):
        ListingImage.objects.filter(pk=each.pk).update(position=place)
    _recover(image.listing)


def _recover(listing: Listing) -> None:
    """Let the cover be the first photo."""
    first: Any = ListingImage.objects.filter(listing=listing).order_by("position", "id").first()
    Listing.objects.filter(pk=listing.pk).update(cover=first.file_id if first else None)
    listing.refresh_from_db(fields=["cover"])
