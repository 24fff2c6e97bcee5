"""Afterwards: is everything that people were told true, and true once? Runs inside Django."""

import collections
import dataclasses
import email
import email.policy
import importlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from accountsstore.models import OutboxEvent, OutboxMail
from chat.models import Message
from locustfiles.chaos.seed import buyer
from payments.models import Deposit, Order


@dataclasses.dataclass
class Finding:
    """What was told and what is there, of one kind."""

    kind: str
    told: int = 0
    lost: list[str] = dataclasses.field(default_factory=list)
    doubled: list[str] = dataclasses.field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not self.lost and not self.doubled


def outbox_waiting() -> int:
    """How many events and mails are still on their way."""
    return OutboxEvent.objects.filter(pending=True).count() + OutboxMail.objects.filter(pending=True).count()


def compare(told: list[dict[str, Any]], mail_server: Path) -> list[Finding]:
    """Each acknowledgement against the database, each mail of the outbox against what the mail server received into its
    folder."""
    by_deed = collections.defaultdict(list)
    for row in told:
        by_deed[row["deed"]].append(row)
    return [
        _orders(by_deed["buy"]),
        _deposits(by_deed["pay in"]),
        _messages(by_deed["say"]),
        _sessions(by_deed["sign in"]),
        _mails(mail_server),
    ]


def _orders(told: list[dict[str, Any]]) -> Finding:
    """A person's orders are exactly those they were told of: whoever got no answer asked again until there was one."""
    found = Finding("orders", len(told))
    there = set(Order.objects.filter(buyer__username__startswith=buyer(0)[:-1]).values_list("number", flat=True))
    numbers = [row["number"] for row in told]
    found.lost = sorted(set(numbers) - there)
    found.doubled = sorted(there - set(numbers)) + _repeats(numbers)
    return found


def _deposits(told: list[dict[str, Any]]) -> Finding:
    found = Finding("deposits", len(told))
    there = list(
        Deposit.objects.filter(transfer_reference__startswith="CHAOS-").values_list("transfer_reference", flat=True)
    )
    references = [row["reference"] for row in told]
    found.lost = sorted(set(references) - set(there))
    found.doubled = sorted(set(there) - set(references)) + _repeats(there)
    return found


def _messages(told: list[dict[str, Any]]) -> Finding:
    """Each body is written once and stands at the number that was acknowledged; numbers have no gap."""
    found = Finding("messages", len(told))
    conversations = {row["conversation"] for row in told}
    rows = list(
        Message.objects.filter(conversation__in=conversations).values_list(
            "conversation_id", "seq", "body", "sender_id"
        )
    )
    there = {(conversation.hex, seq): body for conversation, seq, body, _sender in rows}
    found.lost = [row["body"] for row in told if there.get((row["conversation"], row["seq"])) != row["body"]]
    found.doubled = _repeats(body for _conversation, _seq, body, sender in rows if sender)
    last: dict[str, int] = collections.defaultdict(int)
    for conversation, seq in there:
        last[conversation] = max(last[conversation], seq)
    missing = sum(last.values()) - len(there)
    found.lost += [f"{missing} numbers"] if missing else []
    return found


def _sessions(told: list[dict[str, Any]]) -> Finding:
    """The newest sign-in of each person still opens the store."""
    store = importlib.import_module(settings.SESSION_ENGINE).SessionStore
    newest = {row["user"]: row["session"] for row in told}
    lost = [user for user, key in newest.items() if "_auth_user_id" not in store(session_key=key)]
    return Finding("sign-ins", len(told), lost)


def _mails(folder: Path) -> Finding:
    """Every mail of the outbox arrived, under its own id, once."""
    arrived = collections.Counter(_message_id(path) for path in (folder / "maildir" / "new").iterdir())
    due = {f"<{key.hex}@accounts-store>" for key in OutboxMail.objects.values_list("pk", flat=True)}
    return Finding(
        "mails",
        len(due),
        lost=sorted(due - set(arrived)),
        doubled=sorted(name for name, times in arrived.items() if times > 1),
    )


def _message_id(path: Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return str(message["Message-ID"]).strip()


def _repeats(items: Iterable[str]) -> list[str]:
    return sorted(item for item, times in collections.Counter(items).items() if times > 1)


def books() -> str:
    """What `verify_ledger` prints. Raises CommandError or SystemExit when it finds a fault."""
    out = io.StringIO()
    call_command("verify_ledger", stdout=out)
    return out.getvalue()
