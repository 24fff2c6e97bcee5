"""What the commands of the night leave behind, for the metrics: that they ran, and what they found."""

from django.utils import timezone

from accountsstore.models import CommandRun

# Those that are missed when they stay away.
NIGHTLY = ("backup", "verify_ledger")


def command_ended(name: str, *, faults: int = 0) -> None:
    """The command did its work just now and found so many faults. Safe to repeat; the last one counts. A command that
    fails does not say this."""
    ended = {"ended_at": timezone.now(), "faults": faults}
    if not CommandRun.objects.filter(name=name).update(**ended):
        CommandRun.objects.get_or_create(name=name, defaults=ended)
