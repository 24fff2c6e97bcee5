"""What listings do when something happens below them."""

import datetime

from accounts.models import User
from accountsstore.events import SellerChanged
from accountsstore.outbox import subscriber
from listings.services.moderation import seller_listings_follow


@subscriber(SellerChanged)
def hide_or_show_listings(event: SellerChanged, at: datetime.datetime) -> None:
    """Looks at the seller's present standing, so that a late or repeated event does no harm."""
    seller_listings_follow(seller=User.objects.get(pk=event.user))
