"""What people do: the profile `realistic` of `make bench-sockets`, and pages and orders beside it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from accountsstore.capacity.errors import CapacityError

MOST_USERS = 100_000_000
# Where each default comes from, by the name of its field.
SOURCES = {
    "pages_per_minute": "one page per user in two minutes: the target for app servers in the design",
    "messages_per_minute": "profile realistic of make bench-sockets",
    "events_per_minute": "profile realistic of make bench-sockets: one event in ten seconds",
    "pings_per_minute": "profile realistic of make bench-sockets: the page's client pings every 25 s",
    "reconnects_per_minute": "profile realistic of make bench-sockets: 1 % in a minute",
    "orders_per_minute": "one page view in 250 becomes an order; nobody has measured that, pass your own",
}


@dataclass(frozen=True)
class Workload:
    """`users` at once, each with one socket; rates are of each user. Raises CapacityError for a number that cannot be."""

    users: int
    pages_per_minute: float = 0.5
    messages_per_minute: float = 1.0
    events_per_minute: float = 6.0
    pings_per_minute: float = 2.4
    reconnects_per_minute: float = 0.01
    orders_per_minute: float = 0.002

    def __post_init__(self) -> None:
        if not 1 <= self.users <= MOST_USERS:
            raise CapacityError(f"--users is {self.users}; take 1 to {MOST_USERS:,}.")
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0:
                raise CapacityError(f"--{field.name.replace('_', '-')} is {value}; a rate is a number from 0 on.")

    def per_second(self) -> Mapping[str, float]:
        """{operation: how often in a second, by all}; the operations of `Measurement.cpu_us`."""
        return {
            operation: self.users * rate / 60
            for operation, rate in (
                ("page", self.pages_per_minute),
                ("message", self.messages_per_minute),
                ("event", self.events_per_minute),
                ("ping", self.pings_per_minute),
                ("connect", self.reconnects_per_minute),
                ("order", self.orders_per_minute),
            )
        }
