"""The money's part of the clock."""

import datetime

from accountsstore.clock import on_tick
from payments.services.clock import clock_tick
from payments.services.figures import store_figures_refresh
from payments.services.ledger import ledger_close


@on_tick("orders")
def orders(now: datetime.datetime) -> int:
    return clock_tick(now)


@on_tick("figures", every_seconds=300)
def figures(now: datetime.datetime) -> bool:
    return store_figures_refresh(now)


@on_tick("closings", every_seconds=3600)
def closings(now: datetime.datetime) -> int:
    return ledger_close(now)
