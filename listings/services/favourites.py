"""Listings that a person wants to find again."""

from django.db import IntegrityError

from accounts.models import User
from listings.models import Favourite, Listing


def favourite_toggle(*, user: User, listing: Listing) -> bool:
    """Keep the listing, or let it go if it was kept. Returns whether it is kept now."""
    # Each branch is one statement, so no transaction is needed, and a second click at once finds the row there.
    if Favourite.objects.filter(user=user, listing=listing).delete()[0]:
        return False
    try:
        Favourite.objects.create(user=user, listing=listing)
    except IntegrityError:
        return True
    return True
