"""The first page."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from listings.cards import cards
from listings.selectors import allowed_categories, bought_most, category_counts, store_figures


def home(request: HttpRequest) -> HttpResponse:
    counts, figures = category_counts(), store_figures()
    categories = [category for category in allowed_categories() if category.parent_id is None]
    return render(
        request,
        "listings/home.html",
        {
            "categories": [(category, counts.get(category.pk, 0)) for category in categories],
            "cards": cards(bought_most(), request.user),
            "figures": figures,
            "dispute_rate": _rate(figures.orders_disputed, figures.orders_finished) if figures else "",
            "steps": _steps(),
            "example_hold": _example(),
            "inspect_hours": settings.ORDER_INSPECT_HOURS,
        },
    )


def _rate(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else ""


def _example() -> list[dict[str, str]]:
    """The hold line of an order that was just delivered."""
    return [
        {"label": _("You"), "note": _("paid"), "state": "past"},
        {"label": _("In escrow"), "note": _("while you check"), "state": "now"},
        {"label": _("Warranty"), "note": _("%(days)d days") % {"days": settings.ORDER_WARRANTY_DAYS}, "state": "next"},
        {"label": _("Seller"), "note": _("not yet paid"), "state": "next"},
    ]


def _steps() -> list[dict[str, str]]:
    hours, inspect, days = settings.ORDER_DELIVER_HOURS, settings.ORDER_INSPECT_HOURS, settings.ORDER_WARRANTY_DAYS
    return [
        {
            "title": _("You pay into escrow"),
            "text": _("From your wallet. The seller sees that the money is there, and cannot touch it."),
            "time": _("now"),
        },
        {
            "title": _("The seller delivers"),
            "text": _("The login appears on your order page. If it is late, you get everything back."),
            "time": _("within %(hours)d hours") % {"hours": hours},
        },
        {
            "title": _("You check it"),
            "text": _("Sign in, change the password, compare with the listing. Accept, or open a dispute."),
            "time": _("%(hours)d hours") % {"hours": inspect},
        },
        {
            "title": _("The warranty runs"),
            "text": _("The money stays in escrow. If the account is taken back, you open a dispute."),
            "time": _("%(days)d days") % {"days": days},
        },
        {
            "title": _("The seller is paid"),
            "text": _("When the warranty is over and nothing is in dispute."),
            "time": _("at once"),
        },
    ]
