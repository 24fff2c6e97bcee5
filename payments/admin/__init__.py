"""The staff's side of the money: queues to work through, and everything else to look at."""

from payments.admin import deposits, disputes, ledger, orders, queues, setup, withdrawals

__all__ = ["deposits", "disputes", "ledger", "orders", "queues", "setup", "withdrawals"]
