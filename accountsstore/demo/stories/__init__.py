"""What happened in the demo store. Each story begins some days before today and is told at its own pace."""

from accountsstore.demo.stories import history, money, opening, support, today, unusual
from accountsstore.demo.stories.usual import Story


def all_stories() -> list[tuple[float, Story]]:
    """(days before today, story), in no order."""
    return [
        *opening.stories(),
        *history.stories(),
        *unusual.stories(),
        *money.stories(),
        *support.stories(),
        *today.stories(),
    ]
