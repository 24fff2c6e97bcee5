"""What pages, messages and orders cost through the WSGI application and the services."""

import statistics
import time
import zlib
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection

from accounts.models import User
from accountsstore import outbox
from accountsstore.capacity.errors import CapacityError
from accountsstore.capacity.meters import Cost, Meters
from accountsstore.capacity.probes import key, spread
from accountsstore.models import OutboxEvent
from chat.services.conversations import conversation_direct
from chat.services.messages import message_send
from listings.models import Listing
from payments.models import Order
from payments.services.orders import order_buy

WARM = 3
HEAD_BYTES = 700
# How often each of the hot pages is asked for, of 20 views. An assumption: most look around, some talk, few pay.
WEIGHTS = {
    "home": 2, "browse": 3, "search": 2, "listing": 5, "messages": 2, "conversation": 3, "orders": 1, "order": 1, "wallet": 1,
}  # fmt: skip


def pages(meters: Meters, codes: list[str], rounds: int) -> Cost:
    """The hot pages, seen by a buyer with an order and a conversation; `routes_us` is each, `own_us` by WEIGHTS."""
    from accountsstore.wsgi import application

    buyer = User.objects.get(username="buyer-0")
    order = _buy(buyer, codes[0])
    talk = conversation_direct(user=buyer, other=User.objects.get(username="seller-0"))
    for _ in range(20):
        message_send(conversation_id=talk.pk, sender=buyer, client_id=key(), body="Is it still the first owner's mail?")
    cookie = _cookie(buyer)
    paths = {
        "home": "/", "browse": "/browse/", "search": "/browse/?q=survivor", "listing": f"/listing/{codes[0]}/",
        "messages": "/messages/", "conversation": f"/messages/{talk.pk.hex}/", "orders": "/orders/",
        "order": f"/orders/{order.number}/", "wallet": "/wallet/",
    }  # fmt: skip
    total = sum(WEIGHTS.values())
    found, drawn = Cost(), list[float]()
    for name, path in paths.items():
        path = _final(application, path, cookie)
        for _ in range(WARM):
            _get(application, path, cookie)
        samples = []
        with meters.counting(rounds) as cost:
            for _ in range(rounds):
                began = time.process_time()
                _status, _location, body = _get(application, path, cookie)
                samples.append(1e6 * (time.process_time() - began))
        share = WEIGHTS[name] / total
        found.routes_us[name] = statistics.median(samples)
        found.own_us += share * statistics.median(samples)
        found.database_us += share * cost.database_us
        found.redis_us += share * cost.redis_us
        found.redis_commands += share * cost.redis_commands
        found.bytes_out += share * (len(zlib.compress(body, 5)) + HEAD_BYTES)
        drawn += samples * WEIGHTS[name]
    if connection.vendor != "mongodb":
        found.own_us -= found.database_us
    found.variation = spread(drawn)
    return found


def messages(meters: Meters, times: int) -> Cost:
    """The service alone; what a socket costs around it, `probes_of_sockets` measures."""
    buyer, seller = (User.objects.get(username=name) for name in ("buyer-0", "seller-0"))
    talk = conversation_direct(user=buyer, other=seller)
    return _service(
        meters,
        times,
        lambda: message_send(conversation_id=talk.pk, sender=buyer, client_id=key(), body="Sent it. " * 6),
    )


def orders(meters: Meters, code: str, times: int) -> Cost:
    """An order that is paid and delivered from stock, and what the worker does about it."""
    buyer = User.objects.get(username="buyer-0")
    return _service(meters, times, lambda: _buy(buyer, code))


def _service(meters: Meters, times: int, work: Callable[[], object]) -> Cost:
    for _ in range(WARM):
        work()
    _handle()
    samples = []
    with meters.counting(times) as cost:
        for _ in range(times):
            began = time.process_time()
            work()
            samples.append(1e6 * (time.process_time() - began))
    cost.own_us = statistics.median(samples)
    if connection.vendor != "mongodb":
        cost.own_us = max(0.0, cost.own_us - cost.database_us)
    cost.variation = spread(samples)
    began = time.process_time()
    _handle()
    cost.worker_us = 1e6 * (time.process_time() - began) / times
    return cost


def _handle() -> None:
    """Do what a worker does with the events that wait."""
    for row in list(OutboxEvent.objects.filter(pending=True, handled_at__isnull=True).order_by("pk")[:2_000]):
        if outbox.has_subscribers(row.topic):
            outbox.event_handle_now(row.pk.hex)
        OutboxEvent.objects.filter(pk=row.pk).update(pending=False)


def _buy(buyer: User, code: str) -> Order:
    listing = Listing.objects.get(code=code)
    return order_buy(
        buyer=buyer,
        listing_id=listing.pk,
        expected_price_minor=listing.price_minor,
        expected_version=listing.version,
        checkout_key=key(),
        terms_version=settings.TERMS_VERSION,
    )


def _cookie(user: User) -> str:
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = user.pk.hex, settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def _final(application: Any, path: str, cookie: str) -> str:
    """Where a short address leads to. Raises CapacityError for a page that does not come."""
    for _ in range(3):
        status, location, _body = _get(application, path, cookie)
        if status == 200:
            return path
        if not location:
            break
        path = location
    raise CapacityError(f"The page {path} answers {status} on the data that was made to measure it.")


def _get(application: Any, path: str, cookie: str) -> tuple[int, str, bytes]:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    address, _, query = path.partition("?")
    environ |= {
        "PATH_INFO": address, "QUERY_STRING": query, "HTTP_COOKIE": cookie, "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1", "wsgi.input": BytesIO(),
    }  # fmt: skip
    seen: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        seen["status"], seen["location"] = int(status[:3]), dict(headers).get("Location", "")

    answer = application(environ, start)
    try:
        body = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return seen["status"], seen["location"], body
