"""Whom the code at work serves: the ids that log lines, errors and traces carry.

They are set where work comes in: by a middleware for a request, in the thread that answers a frame of a socket, by the
signals around a job. What was queued on the way carries them on.
"""

import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.http import HttpRequest

# nginx's $request_id, or a UUID. Whoever comes past nginx may send anything.
REQUEST_ID = re.compile(r"[0-9a-f-]{16,64}")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Served:
    """`work` is the name of a job or frame, never what is in it."""

    request_id: str = ""
    user_id: str = ""
    work: str = ""
    # Weak: a task of the event loop that a request happened to start does not work for it ever after.
    request: "weakref.ref[HttpRequest] | None" = None


NOBODY = Served()
_served = ContextVar("served", default=NOBODY)


def request_id_of(sent: str) -> str:
    """The id that a proxy gave to a request, or nothing for what is none."""
    return sent if REQUEST_ID.fullmatch(sent) else ""


def begin(served: Served) -> None:
    """From now on the code of this thread or task works for somebody else."""
    _served.set(served)


@contextmanager
def serving(served: Served) -> Iterator[None]:
    token = _served.set(served)
    try:
        yield
    finally:
        _served.reset(token)


def ids() -> dict[str, str]:
    """{"request_id": …, "user_id": …}, of these what is known: whose request it is nobody asks the database for this."""
    served = _served.get()
    user_id = served.user_id
    if served.request:
        request = served.request()
        if request is None:
            return {}
        # AuthenticationMiddleware keeps here whom it has loaded.
        user = getattr(request, "_cached_user", None)
        user_id = user.pk.hex if user is not None and user.is_authenticated else ""
    return {name: value for name, value in (("request_id", served.request_id), ("user_id", user_id)) if value}


def work() -> str:
    """What is being done: "GET /orders/<str:code>/", "accountsstore.tasks.mail_send", "MessageSend"; empty for none."""
    served = _served.get()
    request = served.request() if served.request else None
    return f"{method(request)} {route(request)}" if request else served.work


def method(request: HttpRequest) -> str:
    """One of a few, whatever was sent."""
    return request.method if request.method in METHODS else "other"


def route(request: HttpRequest) -> str:
    """The pattern of the address, whatever was asked for; all that lead nowhere, or are answered before the addresses are
    looked at (static files, health), are one."""
    return "/" + request.resolver_match.route if request.resolver_match else "none"
