"""`manage.py seed_demo`: a store to look around in."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accountsstore.demo import SIGN_INS
from accountsstore.demo.load import demo_load


class Command(BaseCommand):
    help = (
        "Fill the store with invented people, listings, orders and talk, all through the services. "
        "A second run adds nothing; an interrupted one goes on where it stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--force", action="store_true", help="also where DEBUG is false")
        parser.add_argument(
            "--no-sign-ins", action="store_true", help="leave out how to sign in, which `make run` says"
        )

    def handle(self, *args: Any, force: bool, no_sign_ins: bool, **options: Any) -> None:
        if not (settings.DEBUG or settings.TESTING or force):
            raise CommandError(
                "This is a production store (DEBUG is false). seed_demo adds invented people whose passwords are public "
                "and money that nobody paid. If that is what you want, for example on a test server, add --force."
            )
        started = time.monotonic()
        if not demo_load(lambda line: self.stdout.write(f"  {line}")):
            self.stdout.write("The demo is there already; nothing was added.")
            return
        self.stdout.write(f"The demo is ready after {time.monotonic() - started:.0f} s.")
        if no_sign_ins:
            return
        self.stdout.write("Sign in as:")
        for role, email, password in SIGN_INS:
            self.stdout.write(f"  {role:<10} {email:<28} {password}")
