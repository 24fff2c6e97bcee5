"""Reads of the money."""

import dataclasses
import datetime
from collections.abc import Iterator

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import User
from accountsstore.rows import Figure, row_find, rows_figures
from payments.models import Deadline, Deposit, LedgerAccount, LedgerEntry, Order, Withdrawal
from payments.services.ledger import Place, user_available, user_debt
from payments.states import HELD, WITHDRAWAL_HELD, DepositState

IN_REVIEW = (DepositState.SUBMITTED, DepositState.UNDER_REVIEW, DepositState.NEEDS_INFO)
PAGE = 25
STATEMENT_LIMIT = 1_000


@dataclasses.dataclass(frozen=True)
class Wallet:
    """A person's money, in minor units of `currency`. All amounts ≥ 0."""

    currency: str
    available_minor: int
    held_minor: int
    in_review_minor: int
    withdrawing_minor: int
    pending_sales_minor: int
    debt_minor: int


def wallet(user: User) -> Wallet:
    """What is free to spend, what waits in escrow for the person's purchases, what is on its way in and out, and the
    prices of their sales that are still held (before the fee)."""
    currency = settings.STORE_CURRENCY
    held = sorted(HELD)
    available, bought, deposits, withdrawals, sold, debt = rows_figures(
        available_figure(user),
        Figure(Order, {"buyer": user.pk, "state": held}, total="price_minor"),
        Figure(Deposit, {"user": user.pk, "state": IN_REVIEW}, total="amount_minor"),
        Figure(Withdrawal, {"user": user.pk, "state": sorted(WITHDRAWAL_HELD)}, total="amount_minor"),
        Figure(Order, {"seller": user.pk, "state": held}, total="price_minor"),
        _balance_figure(user_debt(user.pk, currency)),
    )
    return Wallet(
        currency=currency,
        available_minor=available,
        held_minor=bought,
        in_review_minor=deposits,
        withdrawing_minor=withdrawals,
        pending_sales_minor=sold,
        debt_minor=-debt,
    )


def available_figure(user: User) -> Figure:
    """What the person can spend now, in minor units of the store's currency."""
    return _balance_figure(user_available(user.pk, settings.STORE_CURRENCY))


def _balance_figure(place: Place) -> Figure:
    return Figure(LedgerAccount, {"code": place.code}, total="balance_minor")


def wallet_available(user: User) -> int:
    """The same."""
    return rows_figures(available_figure(user))[0]


def order_for(user: User, number: str) -> Order:
    """The order, if `user` is its buyer or seller. Raises Order.DoesNotExist for everybody else."""
    order = row_find(Order, "buyer", "seller", "listing", "stock_item", number=number)
    if order is None or user.pk not in (order.buyer_id, order.seller_id):
        raise Order.DoesNotExist
    return order


@dataclasses.dataclass(frozen=True)
class Statement:
    """A wallet between two moments: opening + entries = closing, in minor units."""

    currency: str
    opening_minor: int
    closing_minor: int
    entries: list[LedgerEntry]
    # More entries than a page can show: ask for a shorter time, or take the CSV.
    is_cut: bool


def _wallet_entries(user: User, since: datetime.datetime, until: datetime.datetime) -> QuerySet[LedgerEntry]:
    account = _account(user)
    rows = LedgerEntry.objects.filter(account=account) if account else LedgerEntry.objects.none()
    return rows.filter(created_at__gte=since, created_at__lt=until).select_related("transaction")


def _account(user: User) -> LedgerAccount | None:
    return row_find(LedgerAccount, code=user_available(user.pk, settings.STORE_CURRENCY).code)


def statement(user: User, since: datetime.datetime, until: datetime.datetime) -> Statement:
    """The movements of a person's wallet from `since` (included) to `until` (not included), newest first."""
    currency = settings.STORE_CURRENCY
    rows = list(_wallet_entries(user, since, until).order_by("-seq")[: STATEMENT_LIMIT + 1])
    entries = rows[:STATEMENT_LIMIT]
    if entries:
        closing = entries[0].balance_after_minor or 0
        opening = (entries[-1].balance_after_minor or 0) - entries[-1].amount_minor
    else:
        account = _account(user)
        before = (
            LedgerEntry.objects.filter(account=account, created_at__lt=since).order_by("-seq").first()
            if account
            else None
        )
        opening = closing = (before.balance_after_minor or 0) if before else 0
    return Statement(currency, opening, closing, entries, is_cut=len(rows) > STATEMENT_LIMIT)


def statement_rows(user: User, since: datetime.datetime, until: datetime.datetime) -> Iterator[LedgerEntry]:
    """Every movement in the time, oldest first, for a download; reads as it goes."""
    return _wallet_entries(user, since, until).order_by("seq").iterator(chunk_size=500)


def deadlines_overdue(now: datetime.datetime) -> QuerySet[Deadline]:
    """Open deadlines that are past, longest overdue first."""
    return Deadline.objects.filter(is_open=True, due_at__lt=now).select_related("order", "owner").order_by("due_at")
