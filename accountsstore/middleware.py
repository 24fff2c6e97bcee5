"""The store's own middleware."""

import ipaddress
import sys
import uuid
import weakref
from collections.abc import Callable

from django.conf import settings
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from accountsstore import health, served, tracing, views
from accountsstore.errors import StoreError, Unavailable
from accountsstore.faults import server_away

Next = Callable[[HttpRequest], HttpResponse]


class HealthMiddleware:
    """Answers health questions before hosts, sessions or languages are looked at: a probe has none of them."""

    paths = {"/api/health": health.ready, "/api/health/live": health.live}

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.paths.get(request.path)
        return answer(request) if answer else self.get_response(request)


class RequestIdMiddleware:
    """Gives what is logged, reported and traced meanwhile the id of this request: nginx's, or one of our own."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = served.request_id_of(request.headers.get("X-Request-ID", "")) or uuid.uuid4().hex
        # Not taken back: Django logs a 404 after the last middleware has returned.
        served.begin(served.Served(request_id, request=weakref.ref(request)))
        with tracing.span("SERVER"):
            response = self.get_response(request)
            tracing.answered(request, response.status_code)
            return response


class ClientAddressMiddleware:
    """Behind proxies, REMOTE_ADDR becomes the address that the outermost one of ours saw, for limits and records.

    Each of our proxies adds one address to the end of X-Forwarded-For; what stands before those a client made up.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if count := settings.TRUSTED_PROXY_COUNT:
            addresses = request.headers.get("X-Forwarded-For", "").split(",")
            try:
                request.META["REMOTE_ADDR"] = str(ipaddress.ip_address(addresses[-count].strip()))
            except (IndexError, ValueError):
                # It came past the proxies: it is who it seems to be.
                pass
        return self.get_response(request)


class LanguageMiddleware:
    """Activates the visitor's language (cookie, then Accept-Language) and the store's time zone."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = translation.get_language_from_request(request)
        translation.activate(language)
        request.LANGUAGE_CODE = language
        timezone.activate(settings.STORE_TIME_ZONE)
        response = self.get_response(request)
        response.headers.setdefault("Content-Language", translation.get_language() or language)
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response


class ServerAwayMiddleware:
    """Answers 503 with Retry-After when a server that the page needs is away.

    It hears of errors in views by `process_exception`. Those in the middleware further in Django has turned into a
    page 500 by the time they come here; the signal that it sends then tells which they were.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        server = getattr(request, "server_away", "")
        return views.server_away(request, server) if server and response.status_code == 500 else response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        server = server_away(error)
        return views.server_away(request, server) if server else None


@receiver(got_request_exception)
def _note_server_away(request: HttpRequest, **kwargs: object) -> None:
    request.server_away = server_away(sys.exc_info()[1])  # type: ignore[attr-defined]


class StoreErrorMiddleware:
    """Turns a service's refusal into an answer: JSON for programs, a page for people."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        # Unavailable is a server that is away.
        if not isinstance(error, StoreError) or isinstance(error, Unavailable):
            return None
        if views.wants_json(request):
            return JsonResponse({"code": error.code, "detail": str(error)}, status=error.http_status)
        back = request.headers.get("Referer", "")
        if not url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure()):
            back = ""
        return render(request, "refused.html", {"error": error, "back": back}, status=error.http_status)


class ScriptedUploadMiddleware:
    """Tells an upload sent by script where to go, instead of letting it follow the redirect unseen.

    The browser then opens the page itself, so that its messages are shown to the person.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "X-Upload" in request.headers and response.status_code in (302, 303):
            return JsonResponse({"location": response.headers["Location"]})
        return response
