"""A seller's public page, and a buyer's favourites."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.selectors import is_approved_seller
from listings.cards import cards
from listings.models import SellerFigures
from listings.selectors import favourites, seller_by_username, seller_listings, seller_reviews, selling_since
from listings.views.guards import signed_in_only


def seller(request: HttpRequest, username: str) -> HttpResponse:
    try:
        person = seller_by_username(username)
    except User.DoesNotExist:
        raise Http404 from None
    shows_reviews = request.GET.get("show") == "reviews"
    cursor = request.GET.get("cursor", "")
    page = seller_reviews(person, cursor) if shows_reviews else seller_listings(person, cursor)
    base = f"{request.path}?show=reviews" if shows_reviews else f"{request.path}?"
    context = {
        "seller": person,
        "sells_now": is_approved_seller(person),
        "selling_since": selling_since(person),
        "figures": SellerFigures.objects.filter(seller=person).first(),
        "shows_reviews": shows_reviews,
        "reviews": page.items if shows_reviews else [],
        "cards": [] if shows_reviews else cards(page.items, request.user),
        "next": f"{base}&cursor={page.next}" if page.next else "",
        "previous": f"{base}&cursor={page.previous}" if page.previous else "",
        "tabs": [
            {"label": _("On sale"), "href": request.path, "current": not shows_reviews, "count": ""},
            {"label": _("Reviews"), "href": f"{request.path}?show=reviews", "current": shows_reviews, "count": ""},
        ],
    }
    return render(request, "listings/seller.html", context)


@signed_in_only
def favourite_list(request: HttpRequest) -> HttpResponse:
    page = favourites(request.user, request.GET.get("cursor", ""))
    context = {
        "cards": cards([row.listing for row in page.items], request.user),
        "next": f"?cursor={page.next}" if page.next else "",
        "previous": f"?cursor={page.previous}" if page.previous else "",
    }
    return render(request, "listings/favourites.html", context)
