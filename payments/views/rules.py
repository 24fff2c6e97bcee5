"""Fees and rules, printed from what the code does."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accountsstore.money import format_minor, share_minor
from payments.models import FeePolicy
from payments.order_table import order_table, time_limits

EXAMPLE_MINOR = 5_000


@require_safe
def fees(request: HttpRequest) -> HttpResponse:
    points = _fee_in_force()
    fee = share_minor(EXAMPLE_MINOR, points)
    context = {
        "fee": {
            "percent": f"{points / 100:g}%",
            "example_price": format_minor(EXAMPLE_MINOR),
            "example_fee": format_minor(fee),
            "example_seller": format_minor(EXAMPLE_MINOR - fee),
        },
        "limits": [
            {"label": _("Smallest deposit"), "text": format_minor(settings.DEPOSIT_MIN_MINOR)},
            {"label": _("Largest deposit"), "text": format_minor(settings.DEPOSIT_MAX_MINOR)},
            {"label": _("Smallest withdrawal"), "text": format_minor(settings.WITHDRAWAL_MIN_MINOR)},
            {"label": _("Lowest price"), "text": format_minor(settings.LISTING_PRICE_MIN_MINOR)},
            {"label": _("Highest price"), "text": format_minor(settings.LISTING_PRICE_MAX_MINOR)},
        ],
    }
    return render(request, "pages/fees.html", context)


def _fee_in_force() -> int:
    """The store's fee for categories without one of their own, in basis points."""
    policies = FeePolicy.objects.filter(starts_at__lte=timezone.now(), category=None)
    policy = policies.order_by("-starts_at").first()
    return policy.basis_points if policy else settings.FEE_BASIS_POINTS


@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/rules.html", {"order_table": order_table(), "deadlines": time_limits()})
