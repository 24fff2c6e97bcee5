"""Stock of the seller's own listing: pieces by hand, or credentials."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accountsstore.errors import Conflict, StoreError
from listings.bulk_stock import bulk_parse
from listings.credentials import credential_fields
from listings.forms import BulkStockForm, CountForm, OneStockForm
from listings.models import Listing, StockItem
from listings.selectors import stock_counts, stock_items
from listings.services.stock import LOAD_LIMIT, stock_add_manual, stock_load, stock_withdraw
from listings.views.desk import desk_context
from listings.views.guards import first_submit, own_listing, seller_only


def _page(request: HttpRequest, listing: Listing, forms: dict[str, Any]) -> HttpResponse:
    listing.refresh_from_db(fields=["stock_count", "state"])
    page = stock_items(listing, request.GET.get("cursor", ""))
    fields = credential_fields(listing.category)
    counts = stock_counts(listing)
    context = {
        **desk_context(listing, "stock"),
        "items": page.items,
        "counts_by_state": [(state.label, counts[state]) for state in StockItem.State if counts.get(state)],
        "fields": fields,
        "example": " | ".join(field.label for field in fields),
        "limit": LOAD_LIMIT,
        "next": f"?cursor={page.next}" if page.next else "",
        "previous": f"?cursor={page.previous}" if page.previous else "",
        "count_form": CountForm(),
        "one_form": OneStockForm(fields=fields),
        "bulk_form": BulkStockForm(),
        **forms,
    }
    return render(request, "listings/listing_stock.html", context)


@never_cache
@sensitive_post_parameters()
@seller_only
def listing_stock(request: HttpRequest, code: str) -> HttpResponse:
    """Shows the stock; a POST adds to it, by the form that its button names."""
    listing = own_listing(request, code)
    if request.method != "POST":
        return _page(request, listing, {})
    way = request.POST.get("way", "")
    if way == "count":
        form: Any = CountForm(request.POST)
    elif way == "one":
        form = OneStockForm(request.POST, fields=credential_fields(listing.category))
    elif way == "bulk":
        form = BulkStockForm(request.POST)
    else:
        raise Http404
    if form.is_valid():
        if way == "count" and not first_submit(request):
            messages.info(request, _("These pieces were added already."))
            return redirect("listings:listing_stock", listing.code)
        try:
            added = _add(request, listing, way, form)
        except StoreError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            if added:
                sentence = ngettext("%(n)d piece is in stock now.", "%(n)d pieces more are in stock now.", added)
                messages.success(request, sentence % {"n": added})
                return redirect("listings:listing_stock", listing.code)
    return _page(request, listing, {f"{way}_form": form})


def _add(request: HttpRequest, listing: Listing, way: str, form: Any) -> int:
    """How many were added; 0 with the reasons in the form. Raises StoreError."""
    if way == "count":
        stock_add_manual(listing=listing, seller=request.user, count=form.cleaned_data["count"])
        return int(form.cleaned_data["count"])
    if way == "one":
        return stock_load(listing=listing, seller=request.user, credentials=[form.cleaned_data])
    bulk = bulk_parse(listing.category, form.cleaned_data["credentials"])
    for problem in bulk.problems[:10]:
        form.add_error("credentials", problem)
    if bulk.problems:
        return 0
    return stock_load(listing=listing, seller=request.user, credentials=bulk.credentials)


@never_cache
@sensitive_post_parameters()
@require_POST
@seller_only
def stock_preview(request: HttpRequest, code: str) -> HttpResponse:
    """What a pasted text would load, while it is being typed. Nothing of it is kept."""
    listing = own_listing(request, code)
    bulk = bulk_parse(listing.category, request.POST.get("credentials", "")[:500_000])
    return render(request, "listings/_stock_preview.html", {"bulk": bulk, "problems": bulk.problems[:10]})


@require_POST
@seller_only
def stock_take_back(request: HttpRequest, code: str, item_id: UUID) -> HttpResponse:
    listing = own_listing(request, code)
    item = get_object_or_404(StockItem, pk=item_id, listing=listing)
    try:
        stock_withdraw(item=item, seller=request.user)
        messages.success(request, _("Taken off sale."))
    except Conflict as error:
        messages.error(request, str(error))
    return redirect("listings:listing_stock", listing.code)
