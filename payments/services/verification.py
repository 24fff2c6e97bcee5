"""Proof that the money is right: invariants 1 to 7, over the whole database, read-only.

1  the entries of each transaction sum to zero per currency; each stored balance is the sum of its entries, which are
   numbered without a gap and carry the running balance
2  wallets and held accounts are never below zero, debts never above
3  an order's escrow holds the price or nothing, as its state says; a withdrawal's likewise
4  a stock item is sold at most once, and its state fits its order's
5  every happening posted once, and every state that moves money has its posting
6  every step of an order has its event row, and the last one names the state the order is in
7  released + refunded + fee = price for finished orders, with the fee of the day of funding
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Count, F, Q, Sum

from accountsstore.money import share_minor
from listings.models import StockItem
from payments.models import (
    Deposit,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    OrderEvent,
    Withdrawal,
)
from payments.states import CLAIMS_STOCK, HELD, WITHDRAWAL_HELD, DepositState, OrderState, WithdrawalState

Kind = LedgerAccount.Kind
S = OrderState
CHUNK = 2_000


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row that breaks an invariant."""

    invariant: int
    row: str
    text: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.row}: {self.text}"


@dataclasses.dataclass
class Proof:
    """What was read, and what was wrong with it."""

    counted: dict[str, int]
    faults: list[Fault]


def ledger_verify() -> Proof:
    """Check everything. Reads row by row in bounded memory; writes nothing."""
    faults: list[Fault] = []
    for check in CHECKS:
        faults.extend(check())
    counted = {
        "accounts": LedgerAccount.objects.count(),
        "transactions": LedgerTransaction.objects.count(),
        "entries": LedgerEntry.objects.count(),
        "orders": Order.objects.count(),
        "deposits": Deposit.objects.count(),
        "withdrawals": Withdrawal.objects.count(),
        "stock items": StockItem.objects.count(),
    }
    return Proof(counted, faults)


def _transactions_sum_to_zero() -> Iterator[Fault]:
    sums = LedgerEntry.objects.values("transaction_id", "currency").annotate(total=Sum("amount_minor"))
    for row in sums.exclude(total=0).iterator(chunk_size=CHUNK):
        yield Fault(1, f"transaction {row['transaction_id']}", f"sums to {row['total']} {row['currency']}")
    for transaction in LedgerTransaction.objects.annotate(n=Count("entries")).filter(n=0).iterator(chunk_size=CHUNK):
        yield Fault(1, f"transaction {transaction.pk}", "has no entries")


def _balances_are_sums() -> Iterator[Fault]:
    balances: dict[object, tuple[int, int]] = defaultdict(lambda: (0, 0))
    entries = LedgerEntry.objects.exclude(seq=None).order_by("account_id", "seq")
    for entry in entries.iterator(chunk_size=CHUNK):
        total, count = balances[entry.account_id]
        total, count = total + entry.amount_minor, count + 1
        balances[entry.account_id] = total, count
        if entry.seq != count:
            yield Fault(1, f"entry {entry.pk}", f"has number {entry.seq}, expected {count}")
        if entry.balance_after_minor != total:
            yield Fault(
                1, f"entry {entry.pk}", f"says the balance after it is {entry.balance_after_minor}, not {total}"
            )
    for account in LedgerAccount.objects.exclude(balance_minor=None).iterator(chunk_size=CHUNK):
        total, count = balances[account.pk]
        if (account.balance_minor, account.entry_count) != (total, count):
            yield Fault(
                1,
                f"account {account.code}",
                f"stores {account.balance_minor} after {account.entry_count} entries, its entries give {total} after {count}",
            )


def _guarded_accounts_are_not_negative() -> Iterator[Fault]:
    guarded = LedgerAccount.objects.filter(kind__in=sorted(LedgerAccount.GUARDED), balance_minor__lt=0)
    debts = LedgerAccount.objects.filter(kind=Kind.USER_DEBT, balance_minor__gt=0)
    for account in [*guarded.iterator(chunk_size=CHUNK), *debts.iterator(chunk_size=CHUNK)]:
        yield Fault(2, f"account {account.code}", f"holds {account.balance_minor}")


def _held(kind: str) -> dict[Any, Any]:
    return dict(LedgerAccount.objects.filter(kind=kind).values_list("owner_id", "balance_minor"))


def _escrow_fits_the_state() -> Iterator[Fault]:
    held = _held(Kind.ORDER_HELD)
    for order in Order.objects.iterator(chunk_size=CHUNK):
        expected = order.price_minor if order.state in HELD else 0
        found = held.pop(order.pk, 0)
        if found != expected:
            yield Fault(3, f"order {order.number}", f"is {order.state} and holds {found}, expected {expected}")
    for owner_id, amount in held.items():
        yield Fault(3, f"escrow account of {owner_id}", f"belongs to no order and holds {amount}")
    held = _held(Kind.WITHDRAWAL_HELD)
    for withdrawal in Withdrawal.objects.iterator(chunk_size=CHUNK):
        expected = withdrawal.amount_minor if withdrawal.state in WITHDRAWAL_HELD else 0
        found = held.get(withdrawal.pk, 0)
        if found != expected:
            yield Fault(
                3, f"withdrawal {withdrawal.code}", f"is {withdrawal.state} and holds {found}, expected {expected}"
            )


def _stock_is_sold_once() -> Iterator[Fault]:
    claims = Order.objects.filter(state__in=sorted(CLAIMS_STOCK))
    twice = claims.values("stock_item_id").annotate(n=Count("id")).filter(n__gt=1)
    for row in twice.iterator(chunk_size=CHUNK):
        yield Fault(4, f"stock item {row['stock_item_id']}", f"belongs to {row['n']} orders")
    for order in claims.filter(Q(stock_item=None) | ~Q(stock_item__listing=F("listing"))).iterator(chunk_size=CHUNK):
        yield Fault(4, f"order {order.number}", "has no stock item of its listing")
    item = StockItem.State
    wrong = claims.exclude(state=S.FUNDED).exclude(state=S.DISPUTED).exclude(stock_item__state=item.DELIVERED)
    wrong_funded = claims.filter(state=S.FUNDED).exclude(stock_item__state=item.RESERVED)
    wrong_disputed = claims.filter(state=S.DISPUTED).exclude(stock_item__state__in=[item.RESERVED, item.DELIVERED])
    for rows in (wrong, wrong_funded, wrong_disputed):
        for order in rows.select_related("stock_item").iterator(chunk_size=CHUNK):
            state = order.stock_item.state if order.stock_item else "missing"
            yield Fault(4, f"order {order.number}", f"is {order.state} and its stock item {state}")
    claimed = set(claims.values_list("stock_item_id", flat=True))
    for stock_item in StockItem.objects.filter(state__in=[item.RESERVED, item.DELIVERED]).iterator(chunk_size=CHUNK):
        if stock_item.pk not in claimed:
            yield Fault(4, f"stock item {stock_item.pk}", f"is {stock_item.state} and belongs to no order")


# The postings that each state must have behind it, and no others.
ORDER_POSTINGS: dict[str, tuple[set[str], ...]] = {
    **{state: (set(),) for state in (S.REQUESTED, S.DECLINED, S.WITHDRAWN, S.EXPIRED)},
    **{state: ({"order_fund"},) for state in HELD},
    S.CANCELLED: ({"order_fund", "order_refund"},),
    S.REFUNDED: ({"order_fund", "order_refund"}, {"order_fund", "order_resolve"}),
    S.SPLIT: ({"order_fund", "order_resolve"},),
    S.RELEASED: ({"order_fund", "order_release"}, {"order_fund", "order_resolve"}),
}
DEPOSIT_POSTINGS: dict[str, tuple[set[str], ...]] = {
    DepositState.APPROVED: ({"deposit"},),
    DepositState.REVERSED: ({"deposit", "deposit_reversal"},),
}
WITHDRAWAL_POSTINGS: dict[str, tuple[set[str], ...]] = {
    **{state: ({"withdrawal_request"},) for state in WITHDRAWAL_HELD},
    WithdrawalState.SETTLED: ({"withdrawal_request", "withdrawal_settle"},),
    **{
        state: ({"withdrawal_request", "withdrawal_return"},)
        for state in (WithdrawalState.REJECTED, WithdrawalState.FAILED, WithdrawalState.CANCELLED)
    },
}


def _postings_fit_the_state() -> Iterator[Fault]:
    postings: dict[str, Counter[str]] = defaultdict(Counter)
    for source, kind in LedgerTransaction.objects.values_list("source", "kind").iterator(chunk_size=CHUNK):
        postings[source][kind] += 1
    subjects: tuple[tuple[str, Any, dict[str, tuple[set[str], ...]]], ...] = (
        ("order", Order, ORDER_POSTINGS),
        ("deposit", Deposit, DEPOSIT_POSTINGS),
        ("withdrawal", Withdrawal, WITHDRAWAL_POSTINGS),
    )
    for name, model, allowed in subjects:
        for row in model.objects.iterator(chunk_size=CHUNK):
            found = postings.pop(f"{name}:{row.pk.hex}", Counter())
            if any(count > 1 for count in found.values()):
                yield Fault(5, f"{name} {row}", f"posted more than once: {dict(found)}")
            if set(found) not in allowed.get(row.state, (set(),)):
                yield Fault(5, f"{name} {row}", f"is {row.state} with the postings {sorted(found)}")
    for source, kinds in postings.items():
        if source.partition(":")[0] in ("order", "deposit", "withdrawal"):
            yield Fault(5, f"posting {source}", f"{sorted(kinds)} belongs to nothing")


def _every_step_is_recorded() -> Iterator[Fault]:
    last: dict[object, str] = dict(
        OrderEvent.objects.order_by("created_at", "id").values_list("order_id", "to_state").iterator(chunk_size=CHUNK)
    )
    for pk, number, state in Order.objects.values_list("pk", "number", "state").iterator(chunk_size=CHUNK):
        if last.get(pk) != state:
            yield Fault(6, f"order {number}", f"is {state}, its last recorded step led to {last.get(pk)}")


def _shares_make_the_price() -> Iterator[Fault]:
    for order in Order.objects.iterator(chunk_size=CHUNK):
        parts = (order.released_minor, order.refunded_minor, order.fee_minor)
        if order.state in (S.RELEASED, S.REFUNDED, S.SPLIT, S.CANCELLED):
            fee = share_minor(order.price_minor - order.refunded_minor, order.fee_basis_points)
            if sum(parts) != order.price_minor or min(parts) < 0:
                yield Fault(7, f"order {order.number}", f"released + refunded + fee {parts} is not {order.price_minor}")
            elif order.fee_minor != fee:
                yield Fault(7, f"order {order.number}", f"charged a fee of {order.fee_minor}, agreed was {fee}")
        elif any(parts):
            yield Fault(7, f"order {order.number}", f"is {order.state} and has shares {parts}")


CHECKS: tuple[Callable[[], Iterator[Fault]], ...] = (
    _transactions_sum_to_zero,
    _balances_are_sums,
    _guarded_accounts_are_not_negative,
    _escrow_fits_the_state,
    _stock_is_sold_once,
    _postings_fit_the_state,
    _every_step_is_recorded,
    _shares_make_the_price,
)
