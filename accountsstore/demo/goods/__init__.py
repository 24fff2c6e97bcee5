"""Everything on sale in the demo store."""

from accountsstore.demo.goods.games import GAMES
from accountsstore.demo.goods.gifts_and_learning import GIFTS_AND_LEARNING
from accountsstore.demo.goods.good import Good
from accountsstore.demo.goods.software import SOFTWARE
from accountsstore.demo.goods.subscriptions import SUBSCRIPTIONS

GOODS: dict[str, Good] = {good.key: good for good in (*GAMES, *SOFTWARE, *SUBSCRIPTIONS, *GIFTS_AND_LEARNING)}

__all__ = ["GOODS", "Good"]
