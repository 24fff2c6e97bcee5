"""The seller's side: what needs doing, what was sold, what was earned."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.selectors import is_approved_seller
from accountsstore.money import format_minor
from listings.cards import picture_url
from listings.models import Listing, SellerFigures
from payments.earnings import earnings
from payments.models import Order
from payments.order_lists import orders_todo, tab_counts
from payments.selectors import wallet_available
from payments.states import OrderState
from payments.views.orders import list_context

LISTINGS_SHOWN = 6


def _has_sold(request: HttpRequest) -> bool:
    return Order.objects.filter(seller=request.user).exists()


@login_required
@require_safe
def desk(request: HttpRequest) -> HttpResponse:
    """Soonest deadline first. Whoever may not sell yet is shown the way to it."""
    if not is_approved_seller(request.user) and not _has_sold(request):
        return redirect("accounts:apply")
    rows, counts = orders_todo(request.user), tab_counts(request.user, "seller")
    newest = Listing.objects.filter(seller=request.user, state__in=Listing.PUBLIC).order_by("-created_at")
    listings = newest.select_related("category")[:LISTINGS_SHOWN]
    context = {
        "rows": rows,
        "todo_count": counts["todo"],
        "running_count": counts["running"],
        # The time of a dispute is that of staff.
        "first_due": next((row.order.due_at for row in rows if row.order.state != OrderState.DISPUTED), None),
        "earnings": earnings(request.user),
        "available": format_minor(wallet_available(request.user)),
        "figures": SellerFigures.objects.filter(seller=request.user).first(),
        "listings": [(listing, picture_url(listing, "thumb")) for listing in listings],
    }
    return render(request, "payments/desk.html", context)


@login_required
@require_safe
def sales_list(request: HttpRequest) -> HttpResponse:
    """What the person sold."""
    return render(request, "payments/sales.html", list_context(request, "seller"))


@login_required
@require_safe
def earnings_page(request: HttpRequest) -> HttpResponse:
    context = {"earnings": earnings(request.user), "available": format_minor(wallet_available(request.user))}
    return render(request, "payments/earnings.html", context)
