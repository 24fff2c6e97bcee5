"""What is not counted but read at the moment of the question: backlogs, ages, whether servers answer.

Each part reads in a thread of its own, once in KEEP_SECONDS however often it is asked. One that is late, because its
server hangs, is left out of the answer and not begun again before it has ended.
"""

import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from django.db import connections
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from accountsstore.servers import Server, servers

logger = logging.getLogger(__name__)

KEEP_SECONDS = 5
# Prometheus gives up after ten seconds; nobody waits longer than this for a server that hangs.
PATIENCE_SECONDS = 1.5


@dataclasses.dataclass(frozen=True)
class ScrapedGauge:
    """A gauge that is read."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


Reading = tuple[ScrapedGauge, tuple[str, ...], float]
Read = Callable[[], Iterable[Reading]]

PART_UP = ScrapedGauge("metrics_part_up", "Whether a part of this page could be read", ("part",))
SERVER_UP = ScrapedGauge("server_up", "Whether a server that the store needs answers", ("server",))
ROUND_TRIP = ScrapedGauge("server_round_trip_ms", "How long a server took to answer the least question", ("server",))


class Part:
    """`otherwise` stands for what cannot be read."""

    def __init__(
        self, name: str, read: Read, keep_seconds: float = KEEP_SECONDS, otherwise: Iterable[Reading] = ()
    ) -> None:
        self.name = name
        self._read, self._keep_seconds, self._otherwise = read, keep_seconds, list(otherwise)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._ended.set()
        self._read_at = float("-inf")
        self._found: list[Reading] | None = None

    def begin(self) -> None:
        """Have a thread read, unless one does or what it found is young."""
        with self._lock:
            if not self._ended.is_set() or time.monotonic() - self._read_at < self._keep_seconds:
                return
            self._ended.clear()
        threading.Thread(target=self._run, name=f"metrics: {self.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._found = list(self._read())
        except Exception as error:  # each server's client has errors of its own
            self._found = None
            logger.warning("a part of the metrics cannot be read", extra={"part": self.name, "error": repr(error)})
        finally:
            connections.close_all()
            self._read_at = time.monotonic()
            self._ended.set()

    def found(self, until: float) -> list[Reading]:
        """What was read, if it was by `until` (of the monotonic clock)."""
        found = self._found if self._ended.wait(max(0.0, until - time.monotonic())) else None
        if found is None:
            return [(PART_UP, (self.name,), 0), *self._otherwise]
        return [(PART_UP, (self.name,), 1), *found]


_parts: dict[str, Part] = {}
PROCESSES = ScrapedGauge("store_processes", "Processes of the store on this host", ("program",))
# The others are read from servers, which say the same to every host.
OF_THIS_HOST = (PART_UP, SERVER_UP, ROUND_TRIP, PROCESSES)
scraped: dict[str, ScrapedGauge] = {each.name: each for each in OF_THIS_HOST}


def on_scrape(name: str, *told: ScrapedGauge, keep_seconds: float = KEEP_SECONDS) -> Callable[[Read], Read]:
    """Register `read()` in an app's `gauges.py` (loaded at start). It gives the values of `told`, by a bounded query
    that an index answers, and may raise."""

    def register(read: Read) -> Read:
        _parts[name] = Part(name, read, keep_seconds)
        scraped.update((each.name, each) for each in told)
        return read

    return register


@functools.cache
def _server_part(server: Server) -> Part:
    """Asks the server, as `/api/health` does."""
    name = (server.name,)

    def read() -> Iterator[Reading]:
        began = time.perf_counter()
        server.ask()
        yield ROUND_TRIP, name, (time.perf_counter() - began) * 1000
        yield SERVER_UP, name, 1

    return Part(f"server {server.name}", read, otherwise=[(SERVER_UP, name, 0)])


def families(more: Iterable[Reading] = ()) -> Iterable[Metric]:
    """What the parts read, and `more`. Takes PATIENCE_SECONDS at most."""
    parts = [*_parts.values(), *map(_server_part, servers())]
    until = time.monotonic() + PATIENCE_SECONDS
    for part in parts:
        part.begin()
    gauges: dict[str, GaugeMetricFamily] = {}
    for readings in (more, *(part.found(until) for part in parts)):
        for each, labels, value in readings:
            gauge = gauges.setdefault(each.name, GaugeMetricFamily(each.name, each.meaning, labels=each.labels))
            gauge.add_metric(labels, value)
    return gauges.values()
