"""The store's own middleware."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from accountsstore import health
from accountsstore.errors import StoreError

Next = Callable[[HttpRequest], HttpResponse]


class HealthMiddleware:
    """Answers health questions before hosts, sessions or languages are looked at: a probe has none of them."""

    paths = {"/api/health": health.ready, "/api/health/live": health.live}

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.paths.get(request.path)
        return answer(request) if answer else self.get_response(request)


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


class StoreErrorMiddleware:
    """Turns a service's refusal into an answer: JSON for programs, a page for people."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, StoreError):
            return None
        if request.path.startswith("/api/") or request.accepts("text/html") is False:
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
