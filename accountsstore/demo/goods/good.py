"""What a demo listing is made of."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Good:
    """A listing. `price` is in whole units of the store's currency times 100, `day` in days before today."""

    key: str
    seller: str
    category: str
    title: str
    text: str
    price: int
    attributes: dict[str, Any]
    day: int
    pieces: int = 3
    # From loaded stock, at once; otherwise by hand.
    instant: bool = False
    asks_first: bool = False
    pictures: int = 1
    # What the seller did with it in the end: "on sale", "draft", "paused" or "removed".
    then: str = "on sale"
