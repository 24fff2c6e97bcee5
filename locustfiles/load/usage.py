"""What the processes of a run take from the machine: CPU and memory of each, looked at every two seconds.

Linux only. Memory is the resident set, in which pages that processes share are counted for each of them.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

EVERY_SECONDS = 2.0
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MB = 1_000_000
# {role: the processes that were started for it}; what these start counts with them.
Roots = Callable[[], dict[str, list[int]]]


@dataclass(frozen=True)
class Process:
    cpu_seconds: float
    rss_bytes: int


@dataclass(frozen=True)
class Sample:
    """At a moment, in seconds since 1970: the processes of each role, and what all cores together had done."""

    at: float
    roles: dict[str, dict[int, Process]]
    busy_seconds: float


@dataclass
class Usage:
    """`with Usage(roots):` looks until the end of the block; `between` tells."""

    roots: Roots
    samples: list[Sample] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            self.samples.append(Sample(time.time(), processes_of(self.roots()), _busy_seconds()))
            self._stop.wait(EVERY_SECONDS)

    def between(self, began: float, ended: float) -> dict[str, Any]:
        """By role: {"processes", "cpu_seconds", "cores", "rss_bytes", "rss_growth_bytes", "peak_rss_bytes",
        "each": [...]}, and {"busy_cores"} of the whole machine. Raises ValueError where nothing was seen."""
        samples = [sample for sample in self.samples if began - EVERY_SECONDS <= sample.at <= ended + EVERY_SECONDS]
        if len(samples) < 2:
            raise ValueError("the processes were not looked at in this time")
        first, last = samples[0], samples[-1]
        seconds = last.at - first.at
        return {
            "busy_cores": round((last.busy_seconds - first.busy_seconds) / seconds, 3),
            "seconds": round(seconds, 1),
            "roles": {role: _of_role(role, samples, seconds) for role in last.roles},
        }


def _of_role(role: str, samples: list[Sample], seconds: float) -> dict[str, Any]:
    first, last = samples[0].roles.get(role, {}), samples[-1].roles[role]
    each = [
        {
            "pid": pid,
            "cpu_seconds": round(
                process.cpu_seconds - first[pid].cpu_seconds if pid in first else process.cpu_seconds, 2
            ),
            "rss_bytes": process.rss_bytes,
            "rss_growth_bytes": process.rss_bytes - first[pid].rss_bytes if pid in first else 0,
        }
        for pid, process in sorted(last.items())
    ]
    cpu = sum(one["cpu_seconds"] for one in each)
    return {
        "processes": len(each),
        "cpu_seconds": round(cpu, 2),
        "cores": round(cpu / seconds, 3),
        "rss_bytes": sum(one["rss_bytes"] for one in each),
        "rss_growth_bytes": sum(one["rss_growth_bytes"] for one in each),
        "each": each,
    }


def processes_of(roots: dict[str, Iterable[int]] | dict[str, list[int]]) -> dict[str, dict[int, Process]]:
    """Every process of each role that lives now. One that is started for one role and by another counts for its own."""
    stats: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended
            stats[int(path.name)] = fields
            children.setdefault(int(fields[1]), []).append(int(path.name))
    own = {pid for pids in roots.values() for pid in pids}
    found: dict[str, dict[int, Process]] = {}
    for role, pids in roots.items():
        waiting, found[role] = list(pids), {}
        while waiting:
            pid = waiting.pop()
            if pid in stats:
                cpu = (int(stats[pid][11]) + int(stats[pid][12])) / TICKS
                found[role][pid] = Process(cpu, int(stats[pid][21]) * PAGE_BYTES)
            waiting += [child for child in children.get(pid, []) if child not in own]
    return found


def _busy_seconds() -> float:
    """What all cores of the machine have computed, for anybody."""
    user, nice, system, _idle, _wait, irq, soft, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + soft + steal) / TICKS
