"""Pages that belong to no app: help, terms, errors, the language switch."""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.views.i18n import set_language

from accountsstore.errors import Unavailable
from accountsstore.money import format_minor

logger = logging.getLogger(__name__)

# About as long as a fail-over takes.
RETRY_AFTER_SECONDS = 10
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


def wants_json(request: HttpRequest) -> bool:
    """Whether a program asks, not a person."""
    return request.path.startswith("/api/") or not request.accepts("text/html")


def server_away(request: HttpRequest, server: str) -> HttpResponse:
    """503: `server` (a name of `/api/health`) does not answer. Drawn without asking any server for anything."""
    logger.warning("a page needs a server that is away", extra={"server": server, "path": request.path})
    with translation.override(translation.get_language_from_request(request)):
        if wants_json(request):
            detail = {"code": Unavailable.code, "detail": str(Unavailable.message), "server": server}
            answer: HttpResponse = JsonResponse(detail, status=503)
        else:
            again = request.get_full_path() if request.method == "GET" else "/"
            page = render_to_string("503.html", {"store_name": settings.STORE_NAME, "again": again})
            answer = HttpResponse(page, status=503)
    answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    answer["Cache-Control"] = "no-store"
    return answer


def server_error(request: HttpRequest) -> HttpResponse:
    """Drawn without the request: whatever broke, the database or the session may be part of it."""
    with translation.override(translation.get_language_from_request(request)):
        return HttpResponse(render_to_string("500.html", {"store_name": settings.STORE_NAME}), status=500)
