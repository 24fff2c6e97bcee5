"""What every page knows: the store's name and languages, and the figures of the header.

The ground floor knows neither messages nor money. The apps that do register a function here, in `AppConfig.ready`;
nothing is asked before a template prints it.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accountsstore.rows import Figure, rows_figures

Shown = int | str | bool
Counter = Callable[[Any], Shown]

_counters: dict[str, Counter] = {}
_figures: dict[str, tuple[Callable[[Any], Figure], Callable[[int], Shown]]] = {}


def register_counter(name: str, counter: Counter) -> None:
    """Let templates print `{{ counts.<name> }}`: `counter(user)` for somebody signed in. Safe to repeat."""
    _counters[name] = counter


def register_figure(name: str, figure: Callable[[Any], Figure], shown: Callable[[int], Shown] = int) -> None:
    """The same for what every page prints: `shown(...)` of `figure(user)`. All of them are one question."""
    _figures[name] = figure, shown


class Counts:
    """The header's figures of one person, asked for at most once a page; 0 for a visitor."""

    def __init__(self, user: Any) -> None:
        self._user = user

    def __getattr__(self, name: str) -> Shown:
        if name.startswith("_"):
            raise AttributeError(name)
        found: dict[str, Shown] = {name: 0}
        if self._user is not None and self._user.is_authenticated:
            if name in _figures:
                figures = rows_figures(*(figure(self._user) for figure, _shown in _figures.values()))
                found = {each: _figures[each][1](n) for each, n in zip(_figures, figures, strict=True)}
            elif name in _counters:
                found = {name: _counters[name](self._user)}
        self.__dict__.update(found)
        return found[name]


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
