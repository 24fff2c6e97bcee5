"""The seller's listings: the list, writing one, and putting it on and off sale."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accountsstore.errors import StoreError
from accountsstore.money import format_minor
from listings.cards import picture_url
from listings.credentials import credential_fields
from listings.errors import ListingChangedMeanwhile
from listings.forms import ListingForm, form_values
from listings.models import Category, Listing
from listings.selectors import allowed_categories, desk_counts, desk_listings
from listings.services.listings import (
    listing_create,
    listing_pause,
    listing_publish,
    listing_remove,
    listing_resume,
    listing_update,
)
from listings.services.stock import stock_add_manual
from listings.views.guards import first_submit, own_listing, seller_only, signed_in_only

State = Listing.State
# What each state asks of the seller.
ADVICE = {
    State.DRAFT: gettext_lazy("Only you see it. Add stock and photos, then publish."),
    State.ACTIVE: gettext_lazy("Buyers see it and can buy."),
    State.PAUSED: gettext_lazy("Nobody can buy it. Open orders go on."),
    State.SOLD_OUT: gettext_lazy("Nothing is left. Add stock and it is on sale again."),
    State.REJECTED: gettext_lazy("Staff took it down. Open orders go on."),
}


@seller_only
def listing_list(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    page = desk_listings(request.user, state, request.GET.get("cursor", ""))
    counts = desk_counts(request.user)
    base = f"?state={state}&" if state else "?"
    shown = [each for each in State if each != State.REMOVED]
    context = {
        "rows": [
            {
                "listing": each,
                "price": format_minor(each.price_minor, each.currency),
                "advice": ADVICE.get(State(each.state), ""),
                "picture": picture_url(each),
            }
            for each in page.items
        ],
        "has_any": bool(counts),
        "tabs": [
            {
                "label": _("All"),
                "href": request.path,
                "current": not state,
                "count": sum(counts.get(each, 0) for each in shown),
            },
            *(
                {"label": each.label, "href": f"?state={each}", "current": state == each, "count": counts[each]}
                for each in shown
                if counts.get(each)
            ),
        ],
        "next": f"{base}cursor={page.next}" if page.next else "",
        "previous": f"{base}cursor={page.previous}" if page.previous else "",
    }
    return render(request, "listings/desk_listings.html", context)


# ---------------------------------------------------------------- writing


def _chosen_category(request: HttpRequest, categories: list[Category]) -> Category | None:
    slug = request.POST.get("category") or request.GET.get("category")
    return next((category for category in categories if category.slug == slug), None)


def _category_facts(category: Category | None) -> dict[str, Any]:
    return {
        "category": category,
        "receives": [field.label for field in credential_fields(category)] if category else [],
    }


@seller_only
def listing_new(request: HttpRequest) -> HttpResponse:
    categories = allowed_categories()
    category = _chosen_category(request, categories)
    form = ListingForm(request.POST or None, categories=categories, category=category, initial={"category": category})
    if request.method == "POST" and form.is_valid():
        if not first_submit(request):
            messages.info(request, _("This draft was saved already."))
            return redirect("listings:desk_listings")
        try:
            listing = listing_create(seller=request.user, **form.values)
        except StoreError as error:
            _add_error(form, error)
        else:
            if listing.delivery == Listing.Delivery.MANUAL:
                stock_add_manual(listing=listing, seller=request.user, count=form.cleaned_data["count"] or 1)
            messages.success(request, _("Saved as a draft. Add photos, then publish."))
            return redirect("listings:listing_photos", listing.code)
    return render(request, "listings/listing_new.html", {"form": form, **_category_facts(category)})


@seller_only
def listing_fields(request: HttpRequest) -> HttpResponse:
    """The part of the form that depends on the category, when another one is chosen."""
    categories = allowed_categories()
    category = _chosen_category(request, categories)
    data = {name: value for name, value in request.GET.items() if name.startswith("attr_")}
    form = ListingForm(categories=categories, category=category, initial=data)
    return render(request, "listings/_category_fields.html", {"form": form, **_category_facts(category)})


@seller_only
def listing_edit(request: HttpRequest, code: str) -> HttpResponse:
    listing = own_listing(request, code)
    categories = allowed_categories()
    category = _chosen_category(request, [*categories, listing.category]) or listing.category
    form = ListingForm(
        request.POST or None,
        categories=categories,
        category=category,
        listing=listing,
        initial=form_values(listing),
    )
    if request.method == "POST" and form.is_valid():
        try:
            listing_update(
                listing=listing,
                seller=request.user,
                expected_version=form.cleaned_data["version"] or 0,
                **form.values,
            )
        except ListingChangedMeanwhile as error:
            # What was written stays in the form, beside what is stored now; saving again replaces that.
            form.data = form.data.copy()
            form.data["version"] = Listing.objects.values_list("version", flat=True).get(pk=listing.pk)
            form.add_error(None, f"{error} " + _("Save again to put it in place of the other change."))
        except StoreError as error:
            _add_error(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("listings:listing_edit", listing.code)
    listing = own_listing(request, code)
    context = {"form": form, **desk_context(listing, "edit"), **_category_facts(category)}
    return render(request, "listings/listing_edit.html", context)


def _add_error(form: ListingForm, error: StoreError) -> None:
    form.add_error(error.field if error.field in form.fields else None, str(error))


def desk_context(listing: Listing, current: str) -> dict[str, Any]:
    """What the pages of one listing share: its state, what to do, and the way between them."""
    images = listing.images.count()
    missing = []
    if listing.stock_count <= 0:
        missing.append(_("Add stock: there is nothing to sell yet."))
    if not listing.category.is_allowed:
        missing.append(_("The store does not take listings of this category now."))
    return {
        "listing": listing,
        "part": current,
        "price": format_minor(listing.price_minor, listing.currency),
        "advice": ADVICE.get(State(listing.state), ""),
        "missing": missing,
        "tabs": [
            {"label": label, "href": href, "current": name == current, "count": count}
            for name, label, href, count in (
                ("edit", _("Text and price"), _url("listing_edit", listing), ""),
                ("photos", _("Photos"), _url("listing_photos", listing), images),
                ("stock", _("Stock"), _url("listing_stock", listing), listing.stock_count),
            )
        ],
    }


def _url(name: str, listing: Listing) -> str:
    return reverse(f"listings:{name}", args=[listing.code])


# ---------------------------------------------------------------- on sale and off

ACTIONS: dict[str, tuple[Callable[..., None], Any]] = {
    "publish": (listing_publish, gettext_lazy("It is on sale now.")),
    "pause": (listing_pause, gettext_lazy("Paused. Nobody can buy it until you resume.")),
    "resume": (listing_resume, gettext_lazy("It is on sale again.")),
    "remove": (listing_remove, gettext_lazy("Removed. Open orders go on.")),
}


@require_POST
@signed_in_only
def listing_action(request: HttpRequest, code: str, action: str) -> HttpResponse:
    """Not for approved sellers alone: somebody restricted may still take a listing off sale."""
    listing = own_listing(request, code)
    if action not in ACTIONS:
        raise Http404
    call, done = ACTIONS[action]
    try:
        call(listing=listing, seller=request.user)
    except StoreError as error:
        messages.error(request, str(error))
        return redirect("listings:listing_edit", listing.code)
    messages.success(request, done)
    return redirect("listings:desk_listings") if action == "remove" else redirect("listings:listing_edit", listing.code)
