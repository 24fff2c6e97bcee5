"""What the store does by itself. Apps register their part; `manage.py run_clock` does all of it.

Every part is idempotent and safe to run twice at once: two clocks do no more than one.
"""

import dataclasses
import datetime
import logging
from collections.abc import Callable

from django.utils import timezone

logger = logging.getLogger(__name__)

Tick = Callable[[datetime.datetime], object]


@dataclasses.dataclass
class Part:
    run: Tick
    every: datetime.timedelta
    last_run: datetime.datetime | None = None


_parts: dict[str, Part] = {}


def on_tick(name: str, *, every_seconds: float = 0) -> Callable[[Tick], Tick]:
    """Register `part(now)` in an app's `clock.py` (loaded at start). It is called at every tick, about a second
    apart, or once in `every_seconds` per process, and finds out from the database whether there is anything to do."""

    def register(part: Tick) -> Tick:
        _parts[name] = Part(part, datetime.timedelta(seconds=every_seconds))
        return part

    return register


def tick(now: datetime.datetime | None = None) -> dict[str, object]:
    """Run every part once. One that fails is logged and does not keep the others from running.

    Returns {part: what it returned, or the exception}.
    """
    now = now or timezone.now()
    done: dict[str, object] = {}
    for name, part in _parts.items():
        if part.last_run and part.last_run <= now < part.last_run + part.every:
            continue
        part.last_run = now
        try:
            done[name] = part.run(now)
        except Exception as error:
            logger.exception("a part of the clock failed", extra={"part": name})
            done[name] = error
    return done
