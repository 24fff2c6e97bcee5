"""The simulation against a load test: predict what it saw, and say how near."""

import math
import random
from typing import Any

import simpy

from accountsstore.capacity.errors import CapacityError
from accountsstore.capacity.measurement import ROLES, Measurement
from accountsstore.capacity.scenario import HOP_SECONDS
from accountsstore.capacity.simulate import Kind, Station, Stream, percentile

WITHIN = 0.20
SECONDS, WARM_SECONDS = 60, 5
PING_SECONDS = 25
MOST_CONTENDED = 0.95
WHY = {
    "cpu": "the people of the load test do other things than the hot pages and messages that were measured",
    "mongo": "the load test counts all three members of MongoDB, the measurement its primary",
    "redis": "the load test counts replicas and heartbeats of six nodes, the measurement what commands cost the masters",
    "nginx": "nginx is assumed by the measurement, not measured",
    "worker": "the load test's worker also sends mail and works off the clock",
    "latency": "{busy:.1f} of {cores} cores were busy, with the generator and every server on one machine: what waits there for "
    "a core is drawn as a slower core",
}


def checked(report: dict[str, Any], measured: Measurement, seed: int) -> tuple[dict[str, Any], list[str]]:
    """(for programs, for people). Raises CapacityError for a file that is no report of make load."""
    try:
        seconds, cores, busy = float(report["seconds"]), float(report["cores"]), float(report["busy_cores"])
        seen = {role: float(report["cpu_seconds"][role]) for role in ROLES if role in report["cpu_seconds"]}
        seen_ms = {f"pages p{share}": float(report[f"p{share}_ms"]) for share in (50, 95)}
        rates = {
            "page": float(report["requests_per_second"]),
            "message": float(report["messages_per_second"]),
            "ping": float(report.get("sockets") or report["users"]) / PING_SECONDS,
        }
        if min(seconds, cores) <= 0 or min(rates.values()) < 0 or not math.isfinite(sum(rates.values())):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise CapacityError(
            "--check wants the report.json of make load: users, seconds, cores, cpu_seconds and rates."
        ) from None
    rows = [
        _row(f"{role} CPU, s", seconds * measured.cores_of(role, rates), seen[role], WHY.get(role, WHY["cpu"]))
        for role in seen
    ]
    latency_ms = _latencies(rates, measured, cores, busy, {role: cpu / seconds for role, cpu in seen.items()}, seed)
    why = WHY["latency"].format(busy=busy, cores=int(cores))
    rows += [_row(f"{name}, ms", latency_ms[name], value, why) for name, value in seen_ms.items()]
    lines = [
        "",
        f"Against the load test of {int(report['users']):,} people",
        f"  {'':<18}{'predicted':>11}{'measured':>11}",
    ]
    for row in rows:
        said = "within 20 %" if row["within"] else row["why"]
        lines.append(
            f"  {row['what']:<18}{row['predicted']:>11.1f}{row['measured']:>11.1f}   {row['ratio']:.2f}  {said}"
        )
    return {"rows": rows, "within": all(row["within"] for row in rows)}, lines


def _row(what: str, predicted: float, seen: float, why: str) -> dict[str, Any]:
    ratio = predicted / seen if seen else math.inf
    within = abs(ratio - 1) <= WITHIN
    return {
        "what": what,
        "predicted": predicted,
        "measured": seen,
        "ratio": ratio,
        "within": within,
        "why": "" if within else why,
    }


def _latencies(
    rates: dict[str, float], measured: Measurement, cores: float, busy: float, busy_of: dict[str, float], seed: int
) -> dict[str, float]:
    """The pages' p50 and p95 in ms, on one machine that everybody shares: who wants a core finds it taken as often as the
    others are at work, and works so much more slowly."""
    chance = random.Random(seed)  # noqa: S311
    env = simpy.Environment()
    streams = []
    for role in ("nginx", "pages", "mongo", "redis"):
        others = max(0.0, busy - busy_of.get(role, 0.0))
        stretch = 1 / (1 - min(MOST_CONTENDED, others / cores))
        kinds = [
            Kind(name, stretch * measured.cost_us(name, role) / 1e6, measured.variation.get(name, 1.0))
            for name in rates
            if measured.cost_us(name, role) > 0
        ]
        servers = 1 if role == "redis" else max(1, int(cores))
        stream = Stream(Station(servers), kinds, lambda: rates, chance)
        streams.append(stream)
        env.process(stream.run(env))
    env.run(until=WARM_SECONDS)
    for stream in streams:
        stream.stayed.clear()
    env.run(until=SECONDS)
    parts = [stayed for stream in streams if (stayed := stream.stayed.get("page"))]
    pages = [4 * HOP_SECONDS / 10 + sum(chance.choice(part) for part in parts) for _ in range(5_000)]
    return {f"pages p{share}": 1000 * percentile(pages, share / 100) for share in (50, 95)}
