"""What a run does: its options and its steps."""

import argparse
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# What is tried where PEOPLE is not given: doubled until it does not fit.
CLIMB = (200, 400, 800, 1600, 3200)
ARRIVALS, SETTLE_SECONDS, MEASURE_SECONDS = 40, 30, 30
MOST_PEOPLE = 20_000
# Beyond what the steps take by themselves: a machine so busy that nobody can come.
SPARE_SECONDS = 180


@dataclass(frozen=True)
class Plan:
    stack: Path
    stages: list[int]
    settle: int
    measure: int
    page_seconds: float
    message_seconds: float
    listings: int

    @property
    def seconds(self) -> float:
        """After so long it has not come to its end. A step halfway back may follow the others."""
        steps = [*self.stages, self.stages[-1]]
        return sum(2 * people / ARRIVALS + self.settle + self.measure for people in steps) + SPARE_SECONDS


def _number(least: float, most: float, kind: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:.10g} to {most:.10g}")
        return value

    return read


def plan_of(arguments: list[str]) -> Plan:
    """What to do. Ends the program with a sentence for what cannot be done."""
    parser = argparse.ArgumentParser(prog="make load")
    parser.add_argument("--stack", type=Path, required=True, help="the folder of the servers that carry the store")
    people = _number(20, MOST_PEOPLE, int)
    parser.add_argument("--people", type=people, help="so many, instead of the most that fit (PEOPLE=)")
    parser.add_argument("--seconds", type=_number(5, 3600, int), default=MEASURE_SECONDS, help="of a step (SECONDS=)")
    parser.add_argument("--page-seconds", type=_number(0.1, 3600, float), default=120.0)
    parser.add_argument("--message-seconds", type=_number(0.1, 3600, float), default=60.0)
    parser.add_argument("--listings", type=_number(100, 1_000_000, int), default=20_000, help="(LISTINGS=)")
    options = parser.parse_args(arguments)
    if missing := [
        name for name in ("prometheus", "nginx") if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    ]:
        parser.error(f"{' and '.join(missing)} not installed: apt-get install {' '.join(missing)}")
    stages = [int(options.people)] if options.people else list(CLIMB)
    settle = min(SETTLE_SECONDS, options.seconds)
    pace = options.page_seconds, options.message_seconds
    return Plan(options.stack, stages, settle, options.seconds, *pace, options.listings)


def stages_of(text: str) -> list[int]:
    """Numbers of people, step after step, from "100,200". Raises ValueError, in a sentence."""
    stages = [int(one) if one.strip().isdecimal() else 0 for one in text.split(",")]
    if not all(stages):
        raise ValueError(f"--stages is {text!r}; it is numbers of people, such as 100,200,400.")
    return stages
