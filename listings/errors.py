"""What listings may refuse."""

from django.utils.translation import gettext_lazy as _

from accountsstore.errors import Conflict, NotAllowed, StoreError


class BadListing(StoreError):
    """A field is missing or wrong; `field` names it ("price", "title", or an attribute's "attr_<key>")."""

    code = "bad_listing"


class NotASeller(NotAllowed):
    code = "not_a_seller"
    message = _("Only approved sellers offer accounts. Apply first; staff answer within a day.")


class ListingChangedMeanwhile(Conflict):
    code = "listing_changed"
    message = _("This listing was changed in another window. What you wrote is below and not saved yet.")


class NothingInStock(Conflict):
    code = "nothing_in_stock"
    message = _("There is nothing to sell yet. Add stock first.")


class CategoryClosed(Conflict):
    code = "category_closed"
    message = _("The store does not take listings of this category.")


class AlreadyReported(Conflict):
    code = "already_reported"
    message = _("You have reported this listing already. Staff look at it.")


class TooManyReports(StoreError):
    code = "too_many_reports"
    http_status = 429
    message = _("You have sent many reports. Try again in an hour, or write to support.")
