"""Who may open the seller's pages, and that a form counts once."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.cache import caches
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django_htmx.http import HttpResponseClientRedirect

from accounts.selectors import is_approved_seller
from listings.models import Listing
from listings.selectors import listing_of

View = Callable[..., HttpResponse]
ONCE_SECONDS = 3600


def signed_in_only(view: View) -> View:
    """Visitors sign in first; a part of a page that finds its session ended leads the whole page there."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.htmx:
            return HttpResponseClientRedirect(redirect_to_login(request.htmx.current_url_abs_path or "/").url)
        return redirect_to_login(request.get_full_path())

    return guarded


def seller_only(view: View) -> View:
    """Visitors sign in; people who may not sell come to the application, which says why."""

    @functools.wraps(view)
    @signed_in_only
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_approved_seller(request.user):
            return redirect("accounts:apply")
        return view(request, *args, **kwargs)

    return guarded


def own_listing(request: HttpRequest, code: str) -> Listing:
    """Raises Http404 for a listing of somebody else, and for a removed one."""
    try:
        return listing_of(request.user, code.upper())
    except Listing.DoesNotExist:
        raise Http404 from None


def first_submit(request: HttpRequest) -> bool:
    """Whether the form comes for the first time, by the key that `{% once_key %}` drew into it.

    For what has no unique row of its own. While Redis is away every submit counts.
    """
    key = request.POST.get("once", "")[:64]
    return not key or caches["limits"].add(f"once:{request.user.pk.hex}:{key}", 1, ONCE_SECONDS)
