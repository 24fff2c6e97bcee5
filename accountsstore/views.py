"""Pages that belong to no app: help, terms, errors, the language switch."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.views.i18n import set_language

from accountsstore.money import format_minor

language_set = set_language


def _rules() -> dict[str, object]:
    """The store's figures as its pages print them."""
    return {
        "respond_hours": settings.ORDER_RESPOND_HOURS,
        "deliver_hours": settings.ORDER_DELIVER_HOURS,
        "inspect_hours": settings.ORDER_INSPECT_HOURS,
        "warranty_days": settings.ORDER_WARRANTY_DAYS,
        "review_hours": settings.DEPOSIT_REVIEW_HOURS,
        "cool_off_hours": settings.PAYOUT_COOL_OFF_HOURS,
        "deposit_min": format_minor(settings.DEPOSIT_MIN_MINOR),
        "withdrawal_min": format_minor(settings.WITHDRAWAL_MIN_MINOR),
        "upload_max_mb": settings.UPLOAD_MAX_BYTES // (1024 * 1024),
    }


def help_page(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/help.html", {"rules": _rules()})


def terms(request: HttpRequest) -> HttpResponse:
    """The terms, with the version that a buyer accepts at checkout."""
    return render(request, "pages/terms.html", {"rules": _rules()})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Drawn without the request: whatever broke, the database or the session may be part of it."""
    with translation.override(translation.get_language_from_request(request)):
        return HttpResponse(render_to_string("500.html", {"store_name": settings.STORE_NAME}), status=500)
