"""What the money services refuse."""

from django.utils.translation import gettext_lazy as _

from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.money import format_minor
from listings.services.stock import SoldOut

__all__ = [
    "BadDecision",
    "DepositConflict",
    "InsufficientFunds",
    "ListingGone",
    "OrderConflict",
    "OwnListing",
    "PayoutConflict",
    "PriceChanged",
    "ReferenceUsed",
    "SecondPersonNeeded",
    "SoldOut",
    "TermsNotAccepted",
]


class InsufficientFunds(StoreError):
    """The wallet does not cover it; `shortfall_minor` is what is missing."""

    code = "insufficient_funds"
    http_status = 409

    def __init__(self, shortfall_minor: int, currency: str) -> None:
        self.shortfall_minor = shortfall_minor
        self.currency = currency
        super().__init__(
            _("Your wallet is %(amount)s short. Nothing was charged.")
            % {"amount": format_minor(shortfall_minor, currency)}
        )


class PriceChanged(Conflict):
    """The listing is not what the buyer saw; `price_minor` and `version` are what it is now."""

    code = "price_changed"

    def __init__(self, price_minor: int, currency: str, version: int) -> None:
        self.price_minor = price_minor
        self.version = version
        super().__init__(
            _("The seller changed this listing while you looked at it. It costs %(price)s now. Nothing was charged.")
            % {"price": format_minor(price_minor, currency)}
        )


class ListingGone(Conflict):
    code = "listing_gone"
    message = _("This listing is not on sale any more. Nothing was charged.")


class OwnListing(StoreError):
    code = "own_listing"
    message = _("This is your own listing.")


class TermsNotAccepted(StoreError):
    code = "terms_not_accepted"
    message = _("Accept the terms to buy.")


class OrderConflict(Conflict):
    code = "order_conflict"
    message = _("This order has moved on in the meantime. Nothing was changed.")


class DepositConflict(Conflict):
    code = "deposit_conflict"
    message = _("This deposit has moved on in the meantime. Nothing was changed.")


class PayoutConflict(Conflict):
    code = "withdrawal_conflict"
    message = _("This withdrawal has moved on in the meantime. Nothing was changed.")


class ReferenceUsed(StoreError):
    code = "reference_used"
    message = _("This reference was used for another deposit. Check the number on your receipt.")


class SecondPersonNeeded(NotAllowed):
    code = "second_person_needed"
    message = _("This takes a second person: somebody else must do this step.")


class BadDecision(StoreError):
    code = "bad_decision"
    message = _("Give a reason: both sides read it.")
