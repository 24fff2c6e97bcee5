"""What the wallet page shows: what waits, where it goes next, and the newest movements."""

import dataclasses
import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accountsstore.money import format_minor
from accountsstore.rows import rows_find
from accountsstore.templatetags.store import when
from payments.models import Deposit, Order, Withdrawal
from payments.movements import Movement, movements
from payments.selectors import IN_REVIEW, Wallet, statement, wallet
from payments.states import HELD, WITHDRAWAL_HELD, DepositState, OrderState, WithdrawalState

# Of each kind; the lists have pages of their own.
WAITING_LIMIT = 3
MOVEMENTS_LIMIT = 8
MOVEMENTS_DAYS = 90


@dataclasses.dataclass(frozen=True)
class Waiting:
    """Money on its way: how much, why, and what happens next."""

    title: str
    next: str
    amount: str
    url: str
    state: str
    state_label: str


@dataclasses.dataclass(frozen=True)
class WalletPage:
    wallet: Wallet
    amounts: dict[str, str]
    waiting: list[Waiting]
    movements: list[Movement]


def wallet_page(user: User) -> WalletPage:
    """Balances and lists; about a dozen queries, none per row."""
    purse = wallet(user)
    now = timezone.now()
    newest = statement(user, now - datetime.timedelta(days=MOVEMENTS_DAYS), now + datetime.timedelta(minutes=1))
    figures = dataclasses.asdict(purse)
    return WalletPage(
        wallet=purse,
        amounts={
            name.removesuffix("_minor"): format_minor(minor, purse.currency)
            for name, minor in figures.items()
            if name.endswith("_minor")
        },
        waiting=[
            *(_withdrawals(user) if purse.withdrawing_minor else []),
            *(_deposits(user) if purse.in_review_minor else []),
            *(_orders(user) if purse.held_minor else []),
        ],
        movements=movements(newest.entries[:MOVEMENTS_LIMIT]),
    )


def _orders(user: User) -> list[Waiting]:
    rows = rows_find(Order, "seller", order_by=["due_at", "id"], limit=WAITING_LIMIT, buyer=user.pk, state=sorted(HELD))
    return [
        Waiting(
            order.title,
            _order_next(order),
            format_minor(order.price_minor, order.currency),
            order.get_absolute_url(),
            order.state,
            order.get_state_display(),
        )
        for order in rows
    ]


def _order_next(order: Order) -> str:
    words: dict[str, Any] = {"seller": order.seller.name, "when": when(order.due_at)}
    match order.state:
        case OrderState.FUNDED:
            return _("%(seller)s delivers by %(when)s, or it comes back to you.") % words
        case OrderState.DELIVERED:
            return _("Check it by %(when)s. Then the warranty begins.") % words
        case OrderState.ACCEPTED:
            return _("Goes to %(seller)s on %(when)s, unless you open a dispute.") % words
    return _("Stays here until you two agree, or our staff decide by %(when)s.") % words


def _deposits(user: User) -> list[Waiting]:
    rows = rows_find(Deposit, "method", order_by=["-created_at"], limit=WAITING_LIMIT, user=user.pk, state=IN_REVIEW)
    return [
        Waiting(
            _("Deposit by %(method)s") % {"method": deposit.method.name},
            deposit_next(deposit),
            format_minor(deposit.amount_minor, deposit.currency),
            reverse("payments:deposit", args=[deposit.code]),
            deposit.state,
            deposit.get_state_display(),
        )
        for deposit in rows
    ]


def deposit_next(deposit: Deposit) -> str:
    """What happens to a deposit next, in one sentence for its payer."""
    hours = settings.DEPOSIT_REVIEW_HOURS
    by = when(deposit.created_at + datetime.timedelta(hours=hours))
    match deposit.state:
        case DepositState.SUBMITTED:
            return _("Our staff compare the proof with the bank, by %(when)s.") % {"when": by}
        case DepositState.UNDER_REVIEW:
            return _("Somebody is looking at it now.")
        case DepositState.NEEDS_INFO:
            return _("Your turn: %(reason)s") % {"reason": deposit.reason}
        case DepositState.APPROVED:
            amount = format_minor(deposit.credited_minor, deposit.currency)
            return _("%(amount)s is in your wallet.") % {"amount": amount}
        case DepositState.REJECTED:
            return _("Nothing was credited: %(reason)s") % {"reason": deposit.reason}
    return _("The credit was taken back: %(reason)s") % {"reason": deposit.reason}


def _withdrawals(user: User) -> list[Waiting]:
    states = sorted(WITHDRAWAL_HELD)
    rows = rows_find(
        Withdrawal, "payout_method", order_by=["-created_at"], limit=WAITING_LIMIT, user=user.pk, state=states
    )
    return [
        Waiting(
            _("Withdrawal to %(account)s") % {"account": withdrawal.payout_method.masked},
            withdrawal_next(withdrawal),
            format_minor(withdrawal.amount_minor, withdrawal.currency),
            reverse("payments:withdrawal", args=[withdrawal.code]),
            withdrawal.state,
            withdrawal.get_state_display(),
        )
        for withdrawal in rows
    ]


def withdrawal_next(withdrawal: Withdrawal) -> str:
    """What happens to a withdrawal next, in one sentence for its owner."""
    match withdrawal.state:
        case WithdrawalState.REQUESTED:
            return _("One member of staff approves it, another sends it. You can still cancel.")
        case WithdrawalState.APPROVED:
            return _("Approved. Somebody sends it next.")
        case WithdrawalState.SENT:
            return _("Sent under the bank's reference %(reference)s. It arrives as fast as your bank is.") % {
                "reference": withdrawal.external_reference
            }
        case WithdrawalState.SETTLED:
            return _("The bank has paid it out.")
        case WithdrawalState.CANCELLED:
            return _("You cancelled it. The money is back in your wallet.")
    return _("The money is back in your wallet: %(reason)s") % {"reason": withdrawal.reason}
