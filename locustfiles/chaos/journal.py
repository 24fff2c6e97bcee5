"""What the people were told: each success in a file at the moment it is known, each failure in memory."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Trouble:
    """Something that a person saw go wrong, `at` seconds of the monotonic clock."""

    at: float
    deed: str
    what: str


class Journal:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        # One line at a time: what was acknowledged is on the disk's way before the person goes on.
        self._file = path.open("w", buffering=1)
        self.troubles: list[Trouble] = []
        self.successes: list[tuple[float, str]] = []
        self.waits: list[tuple[float, float]] = []

    def acknowledged(self, deed: str, **facts: Any) -> None:
        self.successes.append((time.monotonic(), deed))
        self._file.write(json.dumps({"deed": deed, "at": time.time(), **facts}) + "\n")

    def waited(self, seconds: float) -> None:
        """Somebody had an answer after this long."""
        self.waits.append((time.monotonic(), seconds))

    def longest_wait(self, since: float) -> float:
        """In seconds, of the answers that came since then."""
        return max((seconds for at, seconds in self.waits if at >= since), default=0.0)

    def failed(self, deed: str, what: str) -> None:
        self.troubles.append(Trouble(time.monotonic(), deed, what))

    def between(self, begin: float, end: float) -> list[Trouble]:
        return [trouble for trouble in self.troubles if begin <= trouble.at < end]

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]
