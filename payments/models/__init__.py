"""Money: the ledger, and the orders, deposits and withdrawals that post to it. Amounts are whole minor units."""

from payments.models.deposits import Deposit, DepositMethod
from payments.models.ledger import LedgerAccount, LedgerClosing, LedgerEntry, LedgerTransaction
from payments.models.orders import Approval, Deadline, Dispute, FeePolicy, Order, OrderEvent, Reveal
from payments.models.withdrawals import PayoutMethod, Withdrawal

__all__ = [
    "Approval",
    "Deadline",
    "Deposit",
    "DepositMethod",
    "Dispute",
    "FeePolicy",
    "LedgerAccount",
    "LedgerClosing",
    "LedgerEntry",
    "LedgerTransaction",
    "Order",
    "OrderEvent",
    "PayoutMethod",
    "Reveal",
    "Withdrawal",
]
