"""A store on its planned machines, played through: quiet hours, a reconnect storm, and hosts that die one after the other.

Where the figures come from: CPU times from the measurement, machines from the plan; the rest is in ASSUMED.
"""

import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import simpy

from accountsstore.capacity.measurement import Measurement
from accountsstore.capacity.plan import Plan
from accountsstore.capacity.simulate import Kind, Station, Stream, percentile

P95_TARGET_MS, BACK_TARGET_SECONDS = 300, 15
STORM_SHARE, STORM_SECONDS = 0.2, 10
# accountsstore/static/js/socket.js: the first wait is up to 0.5 s; a dead connection is noticed by an unanswered ping.
FIRST_WAIT_SECONDS, PING_SECONDS, ANSWER_SECONDS = 0.5, 25, 10
REDIS_AWAY_SECONDS, MONGO_AWAY_SECONDS = 9.1, 3.0
CONNECT_TIMEOUT_SECONDS, NOTICE_SECONDS = 2.0, 4.0
HOP_SECONDS, MAJORITY_SECONDS = 0.0005, 0.002
ASSUMED = {
    "hops": "0.5 ms of network at each of four hops, and 2 ms until a majority of MongoDB has a write",
    "arrivals": "people come by chance (Poisson), and to every process alike",
    "Redis master": "9.1 s until its replica serves: the longest that was measured with cluster-node-timeout 5 s",
    "MongoDB primary": "3 s until another is elected: measured with electionTimeoutMillis 2000",
    "power": "a host without power resets no connection: nginx gives up after 2 s a try, browsers after an unanswered ping",
    "patience": "nobody gives up: a browser that waits more than 10 s for its welcome comes again, which is not played",
    "edge": "what stands before nginx (a load balancer, DNS) sends nobody to a dead one",
}
WARM_SECONDS, STORM_AT = 5, 30
COMBINED_PER_SECOND, COHORT_POINTS = 100, 2_000


@dataclass(frozen=True)
class Fault:
    """`at` seconds into the play. `lost` names the machine's role whose share of the sockets is lost with it."""

    what: str
    at: int
    until: int
    lost: str = ""
    silent: bool = False
    away: str = ""
    away_seconds: float = 0.0


FAULTS = (
    Fault("an app server is killed", 60, 90, lost="app"),
    Fault("an nginx host is killed", 90, 120, lost="edge"),
    Fault("a Redis master dies", 120, 150, away="redis", away_seconds=REDIS_AWAY_SECONDS),
    Fault("MongoDB's primary dies", 150, 180, away="mongo", away_seconds=MONGO_AWAY_SECONDS),
    Fault("an app server loses its power", 180, 240, lost="app", silent=True),
)
END_SECONDS = FAULTS[-1].until


@dataclass
class Play:
    """The state that the processes of simpy share."""

    plan: Plan
    measured: Measurement
    chance: random.Random
    alive: dict[str, int] = field(default_factory=dict)
    away_people: float = 0.0
    # People who connect in the second that runs, beside those who always do.
    coming_back: float = 0.0
    storm: float = 0.0
    dead_upstream: float = 0.0
    pages: list[list[float]] = field(default_factory=list)
    messages: list[list[float]] = field(default_factory=list)
    connects: list[list[float]] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.alive = {role: one.carrying for role, one in self.plan.roles.items()}
        self.everybody = dict(self.plan.workload.per_second())

    def rates(self, names: tuple[str, ...], role: str, stations_each: int = 1) -> dict[str, float]:
        """Jobs a second at one of the stations of `role` that live, `stations_each` on each machine."""
        share = 1 / (self.alive[role] * stations_each)
        online = 1 - self.away_people / self.plan.workload.users
        rates = {name: self.everybody[name] * share * (1 if name in ("page", "order") else online) for name in names}
        if "connect" in rates:
            rates["connect"] = (self.everybody["connect"] + self.storm + self.coming_back) * share
        return rates


def play(plan: Plan, measured: Measurement, seed: int) -> dict[str, Any]:
    """Play it through. The same seed gives the same answer."""
    state = Play(plan, measured, random.Random(seed))  # noqa: S311
    env = simpy.Environment()
    for name, stream in _streams(state).items():
        state.streams[name] = stream
        env.process(stream.run(env))
    env.process(_observe(env, state))
    env.process(_storm(env, state))
    for fault in FAULTS:
        env.process(_fault(env, state, fault))
    env.run(until=END_SECONDS)
    return _told(state)


def _streams(state: Play) -> dict[str, Stream]:
    plan, measured = state.plan, state.measured

    def stream(server: str, role: str, servers: int, each: int, *names: str) -> Stream:
        kinds = [
            Kind(name, measured.cost_us(name, server) / 1e6, measured.variation.get(name, 1.0))
            for name in names
            if measured.cost_us(name, server) > 0
        ]
        return Stream(
            Station(servers), kinds, lambda: state.rates(tuple(kind.name for kind in kinds), role, each), state.chance
        )

    everything = ("page", "order", "message", "event", "ping", "connect")
    machines = {role: one.machine for role, one in plan.roles.items()}
    return {
        "nginx": stream("nginx", "edge", machines["edge"].vcpus, 1, *everything),
        "pages": stream("pages", "app", plan.page_processes, 1, "page", "order"),
        "sockets": stream("sockets", "app", 1, plan.socket_processes, "message", "event", "ping", "connect"),
        "mongo": stream("mongo", "mongo", machines["mongo"].vcpus, 1, *everything),
        "redis": stream("redis", "redis", 1, 1, *everything),
    }


def _observe(env: simpy.Environment, state: Play) -> Generator[Any, Any, None]:
    """Each second, put what was seen at the stations together to whole pages and messages."""
    while True:
        yield env.timeout(1)
        seen = {name: dict(stream.stayed) for name, stream in state.streams.items()}
        for stream in state.streams.values():
            stream.stayed.clear()

        def through(kind: str, servers: tuple[str, ...], extra: float, seen: Any = seen) -> list[float]:
            parts = [found for name in servers if (found := seen[name].get(kind))]
            return [extra + sum(state.chance.choice(part) for part in parts) for _ in range(COMBINED_PER_SECOND)]

        # While a share of Redis or MongoDB is away, only what goes there waits; what is simulated is the share that died.
        pages = through("page", ("nginx", "pages", "mongo", "redis"), 4 * HOP_SECONDS)
        if state.dead_upstream:
            pages = [
                page + CONNECT_TIMEOUT_SECONDS if state.chance.random() < state.dead_upstream else page
                for page in pages
            ]
        state.pages.append(pages)
        state.messages.append(
            through("message", ("nginx", "sockets", "mongo", "redis"), 4 * HOP_SECONDS + MAJORITY_SECONDS)
        )
        state.connects.append(through("connect", ("nginx", "sockets", "mongo", "redis"), 4 * HOP_SECONDS))
        state.waiting.append(state.away_people)


def _storm(env: simpy.Environment, state: Play) -> Generator[Any, Any, None]:
    yield env.timeout(STORM_AT)
    state.storm = STORM_SHARE * state.plan.workload.users / STORM_SECONDS
    yield env.timeout(STORM_SECONDS)
    state.storm = 0.0


def _fault(env: simpy.Environment, state: Play, fault: Fault) -> Generator[Any, Any, None]:
    yield env.timeout(fault.at)
    if fault.away:
        state.streams[fault.away].station.away_until = env.now + fault.away_seconds
        return
    before = state.alive[fault.lost]
    state.alive[fault.lost] = max(1, before - 1)
    env.process(_come_back(env, state, state.plan.workload.users / before, silent=fault.silent))
    if fault.silent:
        state.dead_upstream = 1 / before
        yield env.timeout(NOTICE_SECONDS)
        state.dead_upstream = 0.0
    yield env.timeout(fault.until - 1 - env.now)
    state.alive[fault.lost] = before


def _come_back(env: simpy.Environment, state: Play, people: float, *, silent: bool) -> Generator[Any, Any, None]:
    """A cohort: each notices, waits as the page's client does, and connects. In tenths of a second."""
    returning: dict[int, float] = {}
    for _ in range(COHORT_POINTS):
        noticed = state.chance.random() * PING_SECONDS + ANSWER_SECONDS if silent else 0.0
        tenth = int(10 * (noticed + state.chance.random() * FIRST_WAIT_SECONDS))
        returning[tenth] = returning.get(tenth, 0.0) + people / COHORT_POINTS
    state.away_people += people
    for tenth in range(max(returning) + 1):
        now = returning.get(tenth, 0.0)
        state.coming_back += 10 * now
        yield env.timeout(0.1)
        state.coming_back -= 10 * now
        state.away_people = max(0.0, state.away_people - now)


def _told(state: Play) -> dict[str, Any]:
    steady = range(WARM_SECONDS, STORM_AT)
    storm = range(STORM_AT, STORM_AT + STORM_SECONDS + 5)
    faults: list[dict[str, Any]] = [{"what": fault.what, **_recovery(state, fault)} for fault in FAULTS]
    found: dict[str, Any] = {
        "users": state.plan.workload.users,
        "steady": _latency(state, steady),
        "storm": _latency(state, storm),
        "faults": faults,
        "longest_recovery_seconds": max(fault["back_seconds"] for fault in faults),
        "utilisation": {name: round(stream.utilisation, 3) for name, stream in state.streams.items()},
    }
    found["targets"] = {
        f"pages and messages p95 < {P95_TARGET_MS} ms in quiet hours": _holds(found["steady"]),
        f"the same while {STORM_SHARE:.0%} reconnect in {STORM_SECONDS} s": _holds(found["storm"]),
        f"back within {BACK_TARGET_SECONDS} s after each death": found["longest_recovery_seconds"]
        <= BACK_TARGET_SECONDS,
    }
    return found


def _holds(latency: dict[str, float]) -> bool:
    return max(latency["page_p95_ms"], latency["message_p95_ms"]) < P95_TARGET_MS


def _latency(state: Play, seconds: range) -> dict[str, float]:
    found = {}
    for name, series in (("page", state.pages), ("message", state.messages), ("connect", state.connects)):
        values = [value for second in seconds for value in series[second]]
        for share in (50, 95):
            found[f"{name}_p{share}_ms"] = round(1000 * percentile(values, share / 100), 2)
    return found


def _recovery(state: Play, fault: Fault) -> dict[str, float]:
    """Seconds until everybody is connected and pages and messages are as quick again as the target wants."""
    last = fault.at
    worst = 0.0
    for second in range(fault.at, min(fault.until - 1, len(state.pages))):
        slow = 1000 * max(percentile(state.pages[second], 0.95), percentile(state.messages[second], 0.95))
        worst = max(worst, slow)
        if slow >= P95_TARGET_MS or state.waiting[second] > 0.5:
            last = second + 1
    return {"back_seconds": last - fault.at, "worst_p95_ms": round(worst, 1)}


def played(plans: list[Plan], measured: Measurement, seed: int) -> tuple[list[dict[str, Any]], list[str]]:
    """(for programs, for people)."""
    found = [play(plan, measured, seed) for plan in plans]
    lines = ["", f"Simulated ({END_SECONDS} s of each, seed {seed})"]
    for one in found:
        lines += _lines(one)
    return found, [*lines, "", "Assumed by the simulation", *(f"  {name}: {text}" for name, text in ASSUMED.items())]


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"  {found['users']:,} users"
    for when in ("steady", "storm"):
        row = found[when]
        parts = [
            f"{name} {row[f'{name}_p50_ms']:.0f}/{row[f'{name}_p95_ms']:.0f}" for name in ("page", "message", "connect")
        ]
        yield f"    {when:<8} p50/p95 ms: {', '.join(parts)}"
    yield f"    busy: {', '.join(f'{name} {share:.0%}' for name, share in found['utilisation'].items())}"
    for fault in found["faults"]:
        back, worst = fault["back_seconds"], fault["worst_p95_ms"]
        yield f"    {fault['what']:<32} back after {back:>3} s, p95 at worst {worst:,.0f} ms"
    for target, holds in found["targets"].items():
        yield f"    {'holds' if holds else 'DOES NOT HOLD':<14} {target}"
