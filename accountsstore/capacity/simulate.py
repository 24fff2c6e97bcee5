"""Queues: the pieces that `scenario` puts together to a store, on simpy's clock.

A store of two million people has too many events for one simulation. But what comes to many equal processes by chance is,
for each of them, the same stream of its share (the splitting of a Poisson process). So one process of each role is simulated,
exactly, and stands for its peers; and what comes within one tick is worked off in one go, each job with its own moment, size
and place in the queue. tests/test_capacity_simulation.py holds this against the closed formulas of M/M/c and M/G/1.
"""

import heapq
import math
import random
from collections import defaultdict
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

TICK_SECONDS = 0.05
# Sizes are drawn from a table: as good as drawing each, at a fraction of the time.
DRAWS = 8192
LEAST_VARIATION = 0.001
# Of a busier queue only some ticks are simulated, unless jobs wait in it from one tick to the next.
JOBS_PER_SECOND = 4_000
NEARLY_FULL = 0.9


class Station:
    """`servers` alike behind one queue: first come, first served."""

    def __init__(self, servers: int) -> None:
        self._free = [0.0] * servers
        # Nothing begins before: the servers are away.
        self.away_until = 0.0
        self.busy_seconds = 0.0

    @property
    def servers(self) -> int:
        return len(self._free)

    def serve(self, at: float, seconds: float) -> float:
        """How long a job that comes at `at` stays, waiting and served. Call it in the order in which jobs come."""
        begins = max(at, self._free[0], self.away_until)
        heapq.heapreplace(self._free, begins + seconds)
        self.busy_seconds += seconds
        return begins + seconds - at

    def is_idle(self, now: float) -> bool:
        return max(self._free) <= now and self.away_until <= now


@dataclass(frozen=True)
class Kind:
    """One sort of job at a station: seconds of service with a spread, as a share of the mean."""

    name: str
    seconds: float
    variation: float = 1.0

    def sizes(self, chance: random.Random) -> list[float]:
        """Gamma distributed: 0 is always the same, 1 is exponential, more has a longer tail."""
        if self.seconds == 0 or self.variation < LEAST_VARIATION:
            return [self.seconds]
        shape = 1 / self.variation**2
        drawn = [chance.gammavariate(shape, self.seconds / shape) for _ in range(DRAWS)]
        # Exactly the mean that was measured, whatever this table drew.
        correction = self.seconds * DRAWS / sum(drawn)
        return [size * correction for size in drawn]


# {kind: jobs a second that come to one station now}
Rates = Callable[[], dict[str, float]]


@dataclass
class Stream:
    """What comes to a station, as a process of simpy. `stayed[kind]` collects seconds until somebody takes them away."""

    station: Station
    kinds: list[Kind]
    rates: Rates
    chance: random.Random
    stayed: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    simulated_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._sizes = {kind.name: kind.sizes(self.chance) for kind in self.kinds}
        self._means = {kind.name: kind.seconds for kind in self.kinds}

    def run(self, env: Any) -> Generator[Any, Any, None]:
        tick = 0
        while True:
            rates = {name: rate for name, rate in self.rates().items() if rate > 0 and name in self._means}
            total = sum(rates.values())
            use = sum(rate * self._means[name] for name, rate in rates.items()) / self.station.servers
            every = 1 if use > NEARLY_FULL else math.ceil(total / JOBS_PER_SECOND)
            if total and (tick % max(1, every) == 0 or not self.station.is_idle(env.now)):
                self._work(env.now, rates, total)
                self.simulated_seconds += TICK_SECONDS
            elif not total:
                self.simulated_seconds += TICK_SECONDS
            tick += 1
            yield env.timeout(TICK_SECONDS)

    def _work(self, now: float, rates: dict[str, float], total: float) -> None:
        chance, serve = self.chance, self.station.serve
        names, weights, at = list(rates), list(rates.values()), now
        moments = []
        while (at := at + chance.expovariate(total)) < now + TICK_SECONDS:
            moments.append(at)
        drawn = chance.choices(names, weights, k=len(moments)) if len(names) > 1 else names * len(moments)
        for moment, name in zip(moments, drawn, strict=True):
            sizes = self._sizes[name]
            self.stayed[name].append(serve(moment, sizes[int(chance.random() * len(sizes))]))

    @property
    def utilisation(self) -> float:
        return (
            self.station.busy_seconds / self.simulated_seconds / self.station.servers if self.simulated_seconds else 0.0
        )


def percentile(values: list[float], share: float) -> float:
    """NaN for none."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
