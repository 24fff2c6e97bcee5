"""The list of points, and what may be found at one."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

Level = Literal["ok", "warning", "wrong"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was seen, and what to do about it where it is not ok."""

    level: Level
    text: str
    remedy: str = ""


Point = Callable[[], Iterable[Finding]]

_points: dict[str, Point] = {}


def point(name: str) -> Callable[[Point], Point]:
    """Register a function that looks at `name` and tells what it found. It changes nothing and may raise anything."""

    def register(look: Point) -> Point:
        _points[name] = look
        return look

    return register


def names() -> list[str]:
    """All points, in their order."""
    return list(_points)


def examine(only: Iterable[str] = ()) -> Iterator[tuple[str, Finding]]:
    """Look at every point, or some. One that cannot be looked at is wrong and does not keep the others from it."""
    chosen = set(only) or set(_points)
    for name, look in _points.items():
        if name not in chosen:
            continue
        try:
            found = list(look())
        except Exception as error:  # whatever is ill, it shall be said
            text = " ".join(str(error).split())[:200]
            found = [
                Finding("wrong", f"cannot be looked at ({type(error).__name__}: {text})", "See manage.py preflight.")
            ]
        for each in found:
            yield name, each


def by_limits(value: float, warning: float, wrong: float) -> Level:
    """The level of a figure that should be small."""
    return "wrong" if value > wrong else "warning" if value > warning else "ok"
