"""The middleware around all others: it times each request, and answers `/metrics` to those inside."""

import time
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Histogram

from accountsstore import served
from accountsstore.metrics import page, process
from accountsstore.metrics.catalogue import HTTP

PATH = "/metrics"

_timers: dict[tuple[str, str, int], Histogram] = {}


class MetricsMiddleware:
    """Under ASGI it stands on the event loop, so that the wait for a thread counts too and none is added."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.answer(request)
        began = time.perf_counter()
        response = page.metrics(request) if is_asked(request) else self.get_response(request)
        observe(request, response.status_code, began)  # type: ignore[union-attr]
        return response

    async def answer(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        if is_asked(request):
            response: HttpResponseBase = await sync_to_async(page.metrics, thread_sensitive=False)(request)
        else:
            response = await self.get_response(request)  # type: ignore[misc]
        observe(request, response.status_code, began)
        return response


def is_asked(request: HttpRequest) -> bool:
    """Anybody else finds no such page."""
    return request.path == PATH and request.method == "GET" and page.is_inside(request)


def observe(request: HttpRequest, status: int, began: float) -> None:
    key = served.method(request), served.route(request), status
    timer = _timers.get(key)
    if timer is None:
        timer = _timers[key] = HTTP.labels(*key)
    now = time.perf_counter()
    timer.observe((now - began) * 1000)
    process.publish_if_due(now)
