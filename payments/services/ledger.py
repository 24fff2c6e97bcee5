"""The ledger: the only place that writes postings.

A posting is a list of moves that sum to zero per currency. Credit is positive. Balances of people, orders and
withdrawals are updated in the same transaction, by an UPDATE that refuses to go below zero; system accounts are not
updated at all, so that no row is written by every order.
"""

import dataclasses
import datetime
import uuid
from collections import defaultdict
from collections.abc import Iterable

from django.db import IntegrityError
from django.db.models import F, Sum

from accounts.models import User
from accountsstore.db import atomic, lock
from accountsstore.rows import rows_find
from payments.errors import InsufficientFunds
from payments.models import LedgerAccount, LedgerClosing, LedgerEntry, LedgerTransaction

Kind = LedgerAccount.Kind

# An entry becomes visible when its transaction commits, up to this long after its time: a closing leaves it open.
CLOSING_LAG = datetime.timedelta(minutes=5)


@dataclasses.dataclass(frozen=True)
class Place:
    """Which account: its kind, whose it is (user, order or withdrawal; a method's code for cash), the currency."""

    kind: str
    currency: str
    owner_id: uuid.UUID | None = None
    name: str = ""

    @property
    def code(self) -> str:
        return f"{self.kind}:{self.owner_id.hex if self.owner_id else self.name}:{self.currency}"


def cash(method_code: str, currency: str) -> Place:
    return Place(Kind.CASH, currency, name=method_code)


def user_available(user_id: uuid.UUID, currency: str) -> Place:
    return Place(Kind.USER_AVAILABLE, currency, user_id)


def user_debt(user_id: uuid.UUID, currency: str) -> Place:
    return Place(Kind.USER_DEBT, currency, user_id)


def order_held(order_id: uuid.UUID, currency: str) -> Place:
    return Place(Kind.ORDER_HELD, currency, order_id)


def withdrawal_held(withdrawal_id: uuid.UUID, currency: str) -> Place:
    return Place(Kind.WITHDRAWAL_HELD, currency, withdrawal_id)


def fee_income(currency: str) -> Place:
    return Place(Kind.FEE_INCOME, currency)


@dataclasses.dataclass(frozen=True)
class Move:
    place: Place
    amount_minor: int


def account_for(place: Place) -> LedgerAccount:
    """The account, made when it is first needed."""
    return _accounts_for([place])[place]


def _accounts_for(places: Iterable[Place]) -> dict[Place, LedgerAccount]:
    by_code = {place.code: place for place in places}
    found = {by_code[row.code]: row for row in LedgerAccount.objects.filter(code__in=by_code)}
    return found | {place: _account_new(place) for place in by_code.values() if place not in found}


def _account_new(place: Place) -> LedgerAccount:
    account = LedgerAccount(
        code=place.code,
        kind=place.kind,
        owner_id=place.owner_id,
        currency=place.currency,
        balance_minor=None if place.kind in LedgerAccount.SYSTEM else 0,
    )
    account.save(force_insert=True)
    return account


def account_ensure(place: Place) -> LedgerAccount:
    """Like `account_for`, before a transaction: of two that make the account at once one waits for the other's."""
    try:
        return atomic(account_for)(place)
    except IntegrityError:
        return LedgerAccount.objects.get(code=place.code)


@atomic
def ledger_post(
    *, kind: str, source: str, moves: list[Move], actor: User | None = None, reason: str = ""
) -> LedgerTransaction:
    """Insert one transaction with its entries and move the balances.

    `source` names the happening, such as "order:<id>"; `(kind, source)` is unique, so posting a happening again raises
    IntegrityError and rolls the caller's transaction back. Moves of zero are left out; moves on one place are added.

    Raises InsufficientFunds when a guarded account would go below zero, ValueError when the moves do not sum to zero.
    """
    totals: dict[Place, int] = defaultdict(int)
    for move in moves:
        totals[move.place] += move.amount_minor
    sums: dict[str, int] = defaultdict(int)
    for place, amount in totals.items():
        sums[place.currency] += amount
    if any(sums.values()):
        raise ValueError(f"posting {kind} {source} does not sum to zero: {dict(sums)}")
    # The row that makes a repeat impossible comes first.
    transaction = LedgerTransaction.objects.create(kind=kind, source=source, actor=actor, reason=reason)
    moved = {place: amount for place, amount in totals.items() if amount}
    # One global order of accounts: two postings never wait for each other in a circle.
    for place, account in sorted(_accounts_for(moved).items(), key=lambda pair: pair[1].pk):
        _apply(transaction, account, moved[place])
    return transaction


def _apply(transaction: LedgerTransaction, account: LedgerAccount, amount: int) -> None:
    entry = LedgerEntry(transaction=transaction, account=account, amount_minor=amount, currency=account.currency)
    if account.balance_minor is not None:
        rows = LedgerAccount.objects.filter(pk=account.pk)
        if amount < 0 and account.kind in LedgerAccount.GUARDED:
            rows = rows.filter(balance_minor__gte=-amount)
        elif amount > 0 and account.kind == Kind.USER_DEBT:
            rows = rows.filter(balance_minor__lte=-amount)
        moved = rows.update(balance_minor=F("balance_minor") + amount, entry_count=F("entry_count") + 1)
        now = LedgerAccount.objects.values_list("balance_minor", "entry_count").get(pk=account.pk)
        if not moved:
            raise InsufficientFunds(-amount - (now[0] or 0), account.currency)
        entry.balance_after_minor, entry.seq = now
    entry.save(force_insert=True)


def credit_moves(user_id: uuid.UUID, amount_minor: int, currency: str) -> list[Move]:
    """The moves that give a person `amount_minor`: a debt is repaid first. Call inside the posting's transaction."""
    debt = -balance(user_debt(user_id, currency))
    repaid = min(debt, amount_minor)
    return [
        Move(user_debt(user_id, currency), repaid),
        Move(user_available(user_id, currency), amount_minor - repaid),
    ]


def debit_moves(user_id: uuid.UUID, amount_minor: int, currency: str) -> list[Move]:
    """The moves that take `amount_minor` back: what the wallet no longer holds becomes a debt."""
    wallet = account_for(user_available(user_id, currency))
    # With nothing to take the posting leaves this row alone; a credit at the same time must still meet the new debt.
    lock(wallet)
    taken = min(wallet.balance_minor or 0, amount_minor)
    return [
        Move(user_available(user_id, currency), -taken),
        Move(user_debt(user_id, currency), taken - amount_minor),
    ]


def balance(place: Place) -> int:
    """The balance of an account in minor units: as stored, or for a system account the last closing plus the entries
    since. 0 for an account that was never used."""
    found = rows_find(LedgerAccount, code=place.code)
    if not found:
        return 0
    [account] = found
    return system_balance(account) if account.balance_minor is None else account.balance_minor


def system_balance(account: LedgerAccount, until: datetime.datetime | None = None) -> int:
    closing = LedgerClosing.objects.filter(account=account)
    entries = LedgerEntry.objects.filter(account=account)
    if until:
        closing, entries = closing.filter(until__lte=until), entries.filter(created_at__lt=until)
    last = closing.order_by("-until").first()
    if last:
        entries = entries.filter(created_at__gte=last.until)
    return (last.balance_minor if last else 0) + (entries.aggregate(total=Sum("amount_minor"))["total"] or 0)


def ledger_close(now: datetime.datetime) -> int:
    """Write a closing for each system account, at most one a day. Safe to repeat. Returns how many were written."""
    until = now - CLOSING_LAG
    written = 0
    for account in LedgerAccount.objects.filter(kind__in=sorted(LedgerAccount.SYSTEM)):
        last = LedgerClosing.objects.filter(account=account).order_by("-until").first()
        if last and last.until > until - datetime.timedelta(days=1):
            continue
        LedgerClosing.objects.create(account=account, until=until, balance_minor=system_balance(account, until))
        written += 1
    return written
