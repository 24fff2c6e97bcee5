"""One listing: its page, keeping it, and reporting it."""

from urllib.parse import unquote

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accountsstore.errors import StoreError
from accountsstore.money import format_minor
from listings.attributes import attribute_fields, attribute_rows, summary
from listings.cards import deliver_hours, inspect_hours, warranty_days
from listings.credentials import credential_fields
from listings.forms import ReportForm
from listings.models import Listing
from listings.selectors import listing_by_code, listing_page
from listings.services.favourites import favourite_toggle
from listings.services.moderation import PERMISSION, listing_report
from listings.views.guards import signed_in_only

State = Listing.State


def _visible(request: HttpRequest, code: str) -> Listing:
    """The listing if this visitor may see it. Raises Http404."""
    try:
        listing = listing_by_code(code.upper())
    except Listing.DoesNotExist:
        raise Http404 from None
    if listing.state == State.DRAFT and not _is_insider(request, listing):
        raise Http404
    return listing


def _is_insider(request: HttpRequest, listing: Listing) -> bool:
    return request.user.is_authenticated and (listing.seller_id == request.user.pk or request.user.has_perm(PERMISSION))


def detail(request: HttpRequest, code: str, slug: str = "") -> HttpResponse:
    listing = _visible(request, code)
    if listing.state in (State.REMOVED, State.REJECTED) and not _is_insider(request, listing):
        return render(request, "listings/gone.html", {"listing": listing}, status=410)
    # Decoded, as the path is: else a title that is not Latin would be sent to itself for ever.
    if request.path != unquote(listing.get_absolute_url()):
        return redirect(listing.get_absolute_url(), permanent=False)
    page = listing_page(listing, request.user)
    category, fields = listing.category, attribute_fields(listing.category)
    context = {
        "page": page,
        "listing": listing,
        "price": format_minor(listing.price_minor, listing.currency),
        "summary": summary(listing, fields),
        "attributes": attribute_rows(listing, fields),
        "receives": credential_fields(category),
        "deliver_hours": deliver_hours(category),
        "inspect_hours": inspect_hours(category),
        "warranty_days": warranty_days(category),
        "is_own": request.user.pk == listing.seller_id,
        "crumbs": [
            {"label": _("Home"), "href": reverse("listings:home")},
            {"label": category.name, "href": category.get_absolute_url()},
            {"label": listing.title, "href": ""},
        ],
    }
    return render(request, "listings/listing.html", context)


@require_POST
@signed_in_only
def favourite(request: HttpRequest, code: str) -> HttpResponse:
    listing = _visible(request, code)
    kept = favourite_toggle(user=request.user, listing=listing)
    if request.htmx:
        return render(
            request, "listings/_heart.html", {"listing": listing, "is_kept": kept, "wide": "wide" in request.POST}
        )
    messages.success(request, _("Kept in your favourites.") if kept else _("Taken out of your favourites."))
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if safe else listing.get_absolute_url())


def report(request: HttpRequest, code: str) -> HttpResponse:
    listing = _visible(request, code)
    form = ReportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            listing_report(
                listing=listing,
                reporter=request.user if request.user.is_authenticated else None,
                ip=request.META.get("REMOTE_ADDR", ""),
                **form.cleaned_data,
            )
        except StoreError as error:
            form.add_error(error.field, str(error))
        else:
            return render(request, "listings/reported.html", {"listing": listing})
    return render(request, "listings/report.html", {"listing": listing, "form": form})
