"""What will happen, with its times: said before anybody pays, and on the rules page."""

from django.conf import settings
from django.utils.translation import gettext as _

from accountsstore.money import format_minor
from listings.cards import deliver_hours, inspect_hours, warranty_days
from listings.models import Listing
from payments.order_line import Moment
from payments.times import days_words, hours_words


def checkout_plan(listing: Listing) -> list[Moment]:
    """The steps of a purchase of this listing. The first is the click on the button."""
    category = listing.category
    words = {
        "price": format_minor(listing.price_minor, listing.currency),
        "seller": listing.seller.name,
        "respond": hours_words(settings.ORDER_RESPOND_HOURS),
        "deliver": hours_words(deliver_hours(category)),
        "inspect": hours_words(inspect_hours(category)),
        "warranty": days_words(warranty_days(category)),
    }
    if listing.asks_first:
        first = [
            Moment(_("You ask %(seller)s") % words, _("Nothing is charged yet."), "now"),
            Moment(
                _("%(seller)s answers within %(respond)s") % words,
                _("If they agree, %(price)s goes from your wallet into escrow. If not, or without an answer, it ends.")
                % words,
            ),
        ]
    else:
        held = _("You pay. The store holds %(price)s.") % words
        first = [Moment(held, _("%(seller)s cannot touch it.") % words, "now")]
    if listing.delivery == Listing.Delivery.STOCK:
        login = Moment(_("The login details appear on your order page"), _("At once, from stock."))
    else:
        login = Moment(
            _("%(seller)s delivers within %(deliver)s") % words,
            _("If they do not, the store returns %(price)s to your wallet.") % words,
        )
    return [
        *first,
        login,
        Moment(
            _("You have %(inspect)s to check it") % words,
            _("Accept it, or open a dispute: then the money stays in escrow and our staff look at both sides."),
        ),
        Moment(
            _("The warranty runs for %(warranty)s") % words,
            _("If the login stops working, you can still open a dispute."),
        ),
        Moment(_("%(seller)s is paid") % words, _("When the warranty is over.")),
    ]
