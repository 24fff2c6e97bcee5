"""Paying for a listing."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from accountsstore.errors import StoreError
from accountsstore.money import format_minor, to_decimal
from listings.cards import picture_url
from listings.models import Listing
from payments.errors import InsufficientFunds, PriceChanged
from payments.forms import CheckoutForm, add_error
from payments.models import Order
from payments.order_plan import checkout_plan
from payments.selectors import wallet_available
from payments.services.orders import order_buy
from payments.states import OrderState


@login_required
def checkout(request: HttpRequest, code: str) -> HttpResponse:
    """What is bought, when what happens, what it costs. The form carries what the buyer saw: if the listing has
    changed since, nothing is charged and the page asks again."""
    listing = (
        Listing.objects.select_related("category", "seller").filter(code=code.upper(), state__in=Listing.PUBLIC).first()
    )
    if listing is None:
        raise Http404
    if request.method == "POST":
        return _buy(request, listing)
    return _page(request, listing, _fresh_form(listing, uuid.uuid4().hex))


def _buy(request: HttpRequest, listing: Listing) -> HttpResponse:
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        # Only hidden fields can be wrong here: start over with what is true now.
        return _page(request, listing, _fresh_form(listing, uuid.uuid4().hex), status=422)
    seen = form.cleaned_data
    try:
        order = order_buy(
            buyer=request.user,
            listing_id=listing.pk,
            expected_price_minor=seen["expected_price"],
            expected_version=seen["expected_version"],
            checkout_key=seen["checkout_key"],
            terms_version=seen["terms_version"] if seen["terms"] else "",
        )
    except PriceChanged as error:
        listing.refresh_from_db()
        fresh = _fresh_form(listing, seen["checkout_key"])
        changed = {"before": format_minor(seen["expected_price"], listing.currency), "sentence": str(error)}
        return _page(request, listing, fresh, status=409, changed=changed)
    except InsufficientFunds:
        return _page(request, listing, form, status=409)
    except StoreError as error:
        if error.field:
            add_error(form, error)
            return _page(request, listing, form, status=422)
        listing.refresh_from_db()
        return _page(request, listing, form, status=error.http_status, refusal=str(error))
    messages.success(request, _bought(order))
    return redirect(order)


def _bought(order: Order) -> str:
    words = {"price": format_minor(order.price_minor, order.currency), "seller": order.seller.name}
    if order.state == OrderState.REQUESTED:
        return _("%(seller)s was asked. Nothing is charged before they agree.") % words
    if order.state == OrderState.DELIVERED:
        return _("%(price)s is in escrow and the login details are here.") % words
    return _("%(price)s is in escrow. %(seller)s delivers next.") % words


def _fresh_form(listing: Listing, key: str) -> CheckoutForm:
    return CheckoutForm(
        initial={
            "expected_price": listing.price_minor,
            "expected_version": listing.version,
            "checkout_key": key,
            "terms_version": settings.TERMS_VERSION,
        }
    )


def _page(
    request: HttpRequest,
    listing: Listing,
    form: CheckoutForm,
    *,
    status: int = 200,
    changed: dict[str, str] | None = None,
    refusal: str = "",
) -> HttpResponse:
    available = wallet_available(request.user)
    left = available - listing.price_minor
    context: dict[str, Any] = {
        "listing": listing,
        "form": form,
        "plan": checkout_plan(listing),
        "picture": picture_url(listing),
        "price": format_minor(listing.price_minor, listing.currency),
        "available": format_minor(available, listing.currency),
        "left": format_minor(left, listing.currency) if left >= 0 else "",
        "shortfall": format_minor(-left, listing.currency) if left < 0 else "",
        "deposit_url": _deposit_url(request, listing, -left) if left < 0 else "",
        "changed": changed,
        "refusal": refusal or _refusal(request, listing),
        "terms_version": settings.TERMS_VERSION,
    }
    return render(request, "payments/checkout.html", context, status=status)


def _refusal(request: HttpRequest, listing: Listing) -> str:
    """Why there is nothing to press, said before anybody presses it. The service decides again."""
    if listing.seller_id == request.user.pk:
        return _("This is your own listing.")
    if listing.state == Listing.State.SOLD_OUT:
        return _("This is sold.")
    if not listing.is_buyable or not listing.category.is_allowed:
        return _("This listing is not on sale right now.")
    return ""


def _deposit_url(request: HttpRequest, listing: Listing, shortfall_minor: int) -> str:
    """Where the missing money is paid in, and from where the buyer comes back."""
    needed = max(shortfall_minor, settings.DEPOSIT_MIN_MINOR)
    query = {"next": request.path, "amount": str(to_decimal(needed, listing.currency))}
    return f"{reverse('payments:deposit_new')}?{urlencode(query)}"
