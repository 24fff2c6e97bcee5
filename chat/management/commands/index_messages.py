"""Write down anew what every message is found by."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chat.message_terms import terms_rebuild


class Command(BaseCommand):
    help = (
        "Index all messages again: once after the update that brought the search, and after a change of how words are "
        "compared. Safe to repeat, to interrupt, and to run while people write; after each batch it prints the --after "
        "from which another run goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--after", type=uuid.UUID, default=uuid.UUID(int=0), help="go on behind this message")
        parser.add_argument("--batch", type=int, default=500, help="messages in one transaction (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        after, total = options["after"], 0
        while messages := terms_rebuild(after, options["batch"]):
            after = messages[-1].pk
            total += len(messages)
            self.stdout.write(f"{total} messages, --after {after.hex}")
        self.stdout.write(self.style.SUCCESS(f"{total} messages indexed."))
