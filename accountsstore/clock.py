"""What the store does by itself. Apps register their parts; a clock gives each its turn.

Any number of clocks may run: `manage.py run_clock --loop` on a laptop, Celery's beat (which queues `clock_tick`) on each
host. A turn is a row, and one UPDATE takes it: two clocks do no more than one. Every part is idempotent besides, so a
clock that was killed or overtaken does no harm.
"""

import dataclasses
import datetime
import logging
from collections.abc import Callable

from django.utils import timezone

from accountsstore.models import ClockPart

logger = logging.getLogger(__name__)

Tick = Callable[[datetime.datetime], object]

# Who was killed in its turn is overtaken after this. A part that takes longer is begun a second time.
LEASE = datetime.timedelta(seconds=10)
# Ticks are a second apart, a little more or less.
SHORTEST = datetime.timedelta(seconds=0.8)


@dataclasses.dataclass(frozen=True)
class Part:
    run: Tick
    every: datetime.timedelta


_parts: dict[str, Part] = {}


def on_tick(name: str, *, every_seconds: float = 0) -> Callable[[Tick], Tick]:
    """Register `part(now)` in an app's `clock.py` (loaded at start). It has its turn at every tick, about a second
    apart, or once in `every_seconds`, and finds out from the database whether there is anything to do."""

    def register(part: Tick) -> Tick:
        _parts[name] = Part(part, max(datetime.timedelta(seconds=every_seconds), SHORTEST))
        return part

    return register


def parts() -> list[str]:
    """The names of all parts."""
    return list(_parts)


def tick(now: datetime.datetime | None = None) -> dict[str, object]:
    """Run the parts whose turn has come and that no other clock runs. Safe to run on any number of hosts at once.

    Returns {part: what it returned, or the exception}; one that fails does not keep the others from running. Raises
    DatabaseError when the database is away: the next tick tries again.
    """
    now = now or timezone.now()
    turns = dict(ClockPart.objects.filter(name__in=_parts).values_list("name", "due_at"))
    done: dict[str, object] = {}
    for name, part in _parts.items():
        if name not in turns:
            turns[name] = ClockPart.objects.get_or_create(name=name, defaults={"due_at": now})[0].due_at
        lease = now + LEASE
        # A turn further off than any clock puts it was set by one that went wrong: it counts as due.
        waits = now < turns[name] <= lease + part.every
        if waits or not _turn_move(name, turns[name], lease):
            continue
        done[name] = _run(name, part, now)
        _turn_move(name, lease, now + part.every)
    return done


def tick_at(now: datetime.datetime | None = None) -> dict[str, object]:
    """Run every part once, whoever's turn it is: what a person asks for by hand, at any moment. Returns as `tick`."""
    now = now or timezone.now()
    return {name: _run(name, part, now) for name, part in _parts.items()}


def _turn_move(name: str, due_at: datetime.datetime, to: datetime.datetime) -> bool:
    return bool(ClockPart.objects.filter(name=name, due_at=due_at).update(due_at=to))


def _run(name: str, part: Part, now: datetime.datetime) -> object:
    try:
        return part.run(now)
    except Exception as error:
        logger.exception("a part of the clock failed", extra={"part": name})
        return error
