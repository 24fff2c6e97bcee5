"""What is for sale."""

from listings.models.categories import Category, CategoryField, in_language
from listings.models.figures import SellerFigures, StoreFigures
from listings.models.listings import Favourite, Listing, ListingImage, ListingTerm
from listings.models.reviews import ListingReport, Review
from listings.models.stock import Credential, StockItem

__all__ = [
    "Category",
    "CategoryField",
    "Credential",
    "Favourite",
    "Listing",
    "ListingImage",
    "ListingReport",
    "ListingTerm",
    "Review",
    "SellerFigures",
    "StockItem",
    "StoreFigures",
    "in_language",
]
