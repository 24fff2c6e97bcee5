"""Afterwards: what people were told of orders, logins and messages, beside what is there. Runs inside Django."""

import collections
from pathlib import Path
from typing import Any

from locustfiles.chaos import proof
from locustfiles.chaos.proof import Finding
from payments.models import Deposit, OrderEvent

Row = dict[str, Any]


def compare(told: list[Row], mail_server: Path) -> list[Finding]:
    """As in a chaos run; and each step of an order, each approval, each login, and each message at the other's tab."""
    return [*proof.compare(told, mail_server), compare_steps(told), _approvals(told), _logins(told), unheard(told)]


def compare_steps(told: list[Row]) -> Finding:
    """Each stands in the order's timeline, once."""
    found = Finding("steps")
    expected = {f"{row['number']} {row['happening']}" for row in told if row["deed"] == "step"}
    kinds = {step.partition(" ")[2] for step in expected}
    numbers = [row["number"] for row in told if row["deed"] == "buy"]
    events = OrderEvent.objects.filter(order__number__in=numbers, happening__in=kinds)
    there = collections.Counter(f"{number} {name}" for number, name in events.values_list("order__number", "happening"))
    found.told = len(expected)
    found.lost = sorted(expected - set(there))
    found.doubled = sorted(step for step, times in there.items() if times > 1)
    return found


def _approvals(told: list[Row]) -> Finding:
    """The deposits that staff approved are in the payer's wallet; that no money is there twice, the ledger says."""
    deposits = {row["deposit"].replace("-", "") for row in told if row["deed"] == "approve"}
    there = Deposit.objects.filter(state="approved").values_list("pk", flat=True)
    return Finding("approvals", len(deposits), lost=sorted(deposits - {key.hex for key in there}))


def _logins(told: list[Row]) -> Finding:
    """What a buyer revealed is what the seller handed over."""
    handed = {row["number"]: row["value"] for row in told if row["deed"] == "hand over"}
    revealed = {row["number"]: row["value"] for row in told if row["deed"] == "reveal"}
    return Finding("logins", len(revealed), lost=[key for key, value in revealed.items() if handed.get(key) != value])


def unheard(told: list[Row]) -> Finding:
    """Each acknowledged message came to the other one's tab, once."""
    said = {(row["conversation"], row["seq"], row["body"]): row["user"] for row in told if row["deed"] == "say"}
    heard = [((row["conversation"], row["seq"], row["body"]), row["user"]) for row in told if row["deed"] == "hear"]
    # The store's own notes come to both.
    times = collections.Counter(message for message, user in heard if message in said and user != said[message])
    return Finding(
        "heard",
        len(said),
        lost=[message[2] for message in said if message not in times],
        doubled=[message[2] for message, count in times.items() if count > 1],
    )
