"""`manage.py verify_ledger`: prove that the money is right."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accountsstore.command_runs import command_ended
from payments.services.verification import ledger_verify

SHOWN = 100


class Command(BaseCommand):
    help = "Checks invariants 1 to 7 of the money over the whole database; exit 1 and the offending rows if one fails."

    def handle(self, *args: Any, **options: Any) -> None:
        proof = ledger_verify()
        command_ended("verify_ledger", faults=len(proof.faults))
        for fault in proof.faults[:SHOWN]:
            self.stderr.write(str(fault))
        read = ", ".join(f"{count} {name}" for name, count in proof.counted.items())
        if proof.faults:
            raise CommandError(f"{len(proof.faults)} faults in {read}")
        self.stdout.write(f"Invariants 1 to 7 hold over {read}.")
