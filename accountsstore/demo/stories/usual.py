"""The course that most orders take."""

import datetime
import random
from collections.abc import Iterator

from accountsstore.demo.deeds.orders import accept, buy, deliver, reply, reveal, review
from payments.models import Order

Pause = datetime.timedelta
# A story acts, then yields how long it waits until its next act.
Story = Iterator[Pause]


def days(number: float) -> Pause:
    return Pause(days=number)


def hours(number: float) -> Pause:
    return Pause(hours=number)


def minutes(number: float) -> Pause:
    return Pause(minutes=number)


def bought(name: str, buyer: str, key: str, stars: int = 0, words: str = "", answer: str = "") -> Story:
    """Bought, delivered, checked, accepted, and reviewed in `words` if there are `stars`. The clock does the rest.

    How long each of them takes follows from `name`, the same at every load.
    """
    dice = random.Random(name)  # noqa: S311 - no secret
    order = buy(name, buyer, key)
    if order.state == Order.State.FUNDED:
        yield minutes(dice.uniform(4, 190))
        deliver(order)
    yield hours(dice.uniform(0.2, 9))
    reveal(order)
    yield minutes(dice.uniform(12, 400))
    accept(order)
    if stars:
        yield hours(dice.uniform(0.1, 50))
        review(order, stars, words)
    if answer:
        yield hours(dice.uniform(1, 20))
        reply(order, answer)
