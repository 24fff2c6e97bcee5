"""The entries of a wallet in words: what moved, because of what."""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable

from django.db.models import Model
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accountsstore.money import format_minor
from accountsstore.rows import Rows, rows_find_together
from payments.models import Deposit, LedgerEntry, Order, Withdrawal

# What a posting is called on the statement of a wallet.
_TITLES = {
    "deposit": _("Deposit credited"),
    "deposit_reversal": _("Deposit reversed"),
    "order_fund": _("Paid into escrow"),
    "order_refund": _("Refund"),
    "order_release": _("Sale paid out"),
    "order_resolve": _("Dispute settled"),
    "withdrawal_request": _("Withdrawal"),
    "withdrawal_return": _("Withdrawal returned"),
}
# Where a posting comes from: the model, its public number, its page.
_SOURCES: dict[str, tuple[type[Model], str, str]] = {
    "order": (Order, "number", "payments:order"),
    "deposit": (Deposit, "code", "payments:deposit"),
    "withdrawal": (Withdrawal, "code", "payments:withdrawal"),
}


@dataclasses.dataclass(frozen=True)
class Movement:
    at: datetime.datetime
    title: str
    reference: str
    url: str
    amount_minor: int
    balance_minor: int
    currency: str

    @property
    def is_in(self) -> bool:
        return self.amount_minor > 0

    @property
    def amount(self) -> str:
        return ("+" if self.is_in else "−") + format_minor(abs(self.amount_minor), self.currency)

    @property
    def balance(self) -> str:
        return format_minor(self.balance_minor, self.currency)


def movements(entries: Iterable[LedgerEntry]) -> list[Movement]:
    """The entries of one wallet in words, in their order. One query for all their sources."""
    entries = list(entries)
    numbers = _numbers(entry.transaction.source for entry in entries)
    return [_movement(entry, numbers) for entry in entries]


def _movement(entry: LedgerEntry, numbers: dict[str, str]) -> Movement:
    kind, source = entry.transaction.kind, entry.transaction.source
    number = numbers.get(source, "")
    return Movement(
        at=entry.created_at,
        title=str(_TITLES.get(kind, kind)),
        reference=number,
        url=reverse(_SOURCES[source.partition(":")[0]][2], args=[number]) if number else "",
        amount_minor=entry.amount_minor,
        balance_minor=entry.balance_after_minor or 0,
        currency=entry.currency,
    )


def _numbers(sources: Iterable[str]) -> dict[str, str]:
    """{"order:<id>": "AS-…"} for all sources."""
    by_kind: dict[str, list[uuid.UUID]] = {}
    for source in sources:
        kind, __, hex_id = source.partition(":")
        if kind in _SOURCES:
            by_kind.setdefault(kind, []).append(uuid.UUID(hex_id))
    numbers = {}
    found = rows_find_together(*(Rows(_SOURCES[kind][0], {"pk": ids}) for kind, ids in by_kind.items()))
    for kind, rows in zip(by_kind, found, strict=True):
        field = _SOURCES[kind][1]
        for row in rows:
            numbers[f"{kind}:{row.pk.hex}"] = getattr(row, field)
    return numbers
