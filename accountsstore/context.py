"""What every page knows: the store's name and languages, and the figures of the header.

The ground floor knows neither messages nor money. The apps that do register a function here, in `AppConfig.ready`;
it runs only when a template prints its figure.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest

Counter = Callable[[Any], int | str | bool]

_counters: dict[str, Counter] = {}


def register_counter(name: str, counter: Counter) -> None:
    """Let templates print `{{ counts.<name> }}`: `counter(user)` for somebody signed in. Safe to repeat."""
    _counters[name] = counter


class Counts:
    """The header's figures of one person, each asked for at most once a page; 0 for a visitor."""

    def __init__(self, user: Any) -> None:
        self._user = user

    def __getattr__(self, name: str) -> int | str | bool:
        if name.startswith("_"):
            raise AttributeError(name)
        counter = _counters.get(name)
        known = counter is not None and self._user is not None and self._user.is_authenticated
        figure = counter(self._user) if known and counter else 0
        setattr(self, name, figure)
        return figure


def store(request: HttpRequest) -> dict[str, Any]:
    """`store_name`, `store` (name, currency, support address, terms version) and `counts`."""
    return {
        "store_name": settings.STORE_NAME,
        "store": {
            "name": settings.STORE_NAME,
            "currency": settings.STORE_CURRENCY,
            "support_email": settings.STORE_SUPPORT_EMAIL,
            "terms_version": settings.TERMS_VERSION,
        },
        # An error page may be drawn before anybody is known.
        "counts": Counts(getattr(request, "user", None)),
    }
