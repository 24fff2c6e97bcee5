"""Reads of the money."""

import dataclasses
import datetime
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Q, QuerySet, Sum

from accounts.models import User
from payments.models import Deadline, Deposit, LedgerAccount, LedgerEntry, Order, Withdrawal
from payments.services.ledger import balance, user_available, user_debt
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

    def total(rows: QuerySet, field: str) -> int:
        return rows.aggregate(total=Sum(field))["total"] or 0

    held = sorted(HELD)
    return Wallet(
        currency=currency,
        available_minor=balance(user_available(user.pk, currency)),
        held_minor=total(Order.objects.filter(buyer=user, state__in=held), "price_minor"),
        in_review_minor=total(Deposit.objects.filter(user=user, state__in=IN_REVIEW), "amount_minor"),
        withdrawing_minor=total(
            Withdrawal.objects.filter(user=user, state__in=sorted(WITHDRAWAL_HELD)), "amount_minor"
        ),
        pending_sales_minor=total(Order.objects.filter(seller=user, state__in=held), "price_minor"),
        debt_minor=-balance(user_debt(user.pk, currency)),
    )


def wallet_available(user: User) -> int:
    """What the person can spend now, in minor units of the store's currency: one indexed read, for every page."""
    return balance(user_available(user.pk, settings.STORE_CURRENCY))


def order_for(user: User, number: str) -> Order:
    """The order, if `user` is its buyer or seller. Raises Order.DoesNotExist for everybody else."""
    return (
        Order.objects.select_related("buyer", "seller", "listing__category", "listing__cover", "stock_item")
        .filter(Q(buyer=user) | Q(seller=user))
        .get(number=number)
    )


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
    account = LedgerAccount.objects.filter(code=user_available(user.pk, settings.STORE_CURRENCY).code).first()
    rows = LedgerEntry.objects.filter(account=account) if account else LedgerEntry.objects.none()
    return rows.filter(created_at__gte=since, created_at__lt=until).select_related("transaction")


def statement(user: User, since: datetime.datetime, until: datetime.datetime) -> Statement:
    """The movements of a person's wallet from `since` (included) to `until` (not included), newest first."""
    currency = settings.STORE_CURRENCY
    rows = list(_wallet_entries(user, since, until).order_by("-seq")[: STATEMENT_LIMIT + 1])
    entries = rows[:STATEMENT_LIMIT]
    if entries:
        closing = entries[0].balance_after_minor or 0
        opening = (entries[-1].balance_after_minor or 0) - entries[-1].amount_minor
    else:
        account = LedgerAccount.objects.filter(code=user_available(user.pk, currency).code).first()
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
