"""Who plays: the file that `python -m locustfiles.load.cast` writes on the store, read on each host that generates load.

    {"password": …, "words": [[words of a title], …], "receipt": base64 of a JPEG,
     "for_sale": [{"code", "title", "path"}, …],
     "visitor": [], "buyer": [{"email", "session"}, …], "seller": […], "staff": […],
     "chatter": [{"email", "session", "user", "talk"}, …]}          two and two of them in one conversation

It opens the accounts in it, so nobody else may read it.
"""

import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

ROLES = ("visitor", "buyer", "seller", "chatter", "staff")


class Cast:
    """Gives each one who comes a part, so that no two processes give the same one as long as there are enough.

    `process` counts from 0 to `processes`. When all parts of a role are given they are given again: the same person with
    another tab. Raises ValueError, in a sentence, for a file that is none.
    """

    def __init__(self, path: Path, process: int = 0, processes: int = 1) -> None:
        try:
            self._parts: dict[str, Any] = json.loads(path.read_text())
            self.words: list[list[str]] = self._parts["words"]
            self.for_sale: list[dict[str, str]] = self._parts["for_sale"]
            self.password, self.receipt = self._parts["password"], self._parts["receipt"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} cannot be read as a cast ({error!r}). Write one on the store: python -m locustfiles.load.cast"
            ) from None
        self._process, self._processes = process, max(processes, process + 1)
        self._given: dict[str, itertools.count[int]] = defaultdict(itertools.count)
        self._addresses = itertools.count(1)

    def part(self, role: str) -> dict[str, str]:
        """A person of this role. Both of a pair who chat are given by one process, one after the other."""
        people: list[dict[str, str]] = self._parts[role]
        if not people:
            return {}
        group = 2 if role == "chatter" else 1
        turn, one = divmod(next(self._given[role]), group)
        return people[((turn * self._processes + self._process) * group + one) % len(people)]

    def address(self) -> str:
        """An address that nobody else comes from, of a network that is nobody's on the internet (RFC 1918)."""
        number = next(self._addresses) % 0xFFFF
        return f"10.{self._process % 256}.{number >> 8}.{number & 255}"
