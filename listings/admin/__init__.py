"""The staff's view of the catalogue: categories are edited here, listings are judged, reports are decided."""

from listings.admin.categories import CategoryAdmin
from listings.admin.listings import ListingAdmin
from listings.admin.reports import ListingReportAdmin, ReviewAdmin

__all__ = ["CategoryAdmin", "ListingAdmin", "ListingReportAdmin", "ReviewAdmin"]
