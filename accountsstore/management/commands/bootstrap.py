"""`manage.py bootstrap`: what a store needs before its first customer. Safe to run again at any time."""

import getpass
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.services import user_add
from accountsstore.db import atomic
from listings.catalogue import catalogue_install
from payments.catalogue import deposit_methods_install

# Who may do what. A group that exists is left as its store has made it.
GROUPS = {
    "Reviewers": ["payments.review_deposit", "uploads.view_proof", "accounts.review_seller"],
    "Payouts": ["payments.approve_withdrawal"],
    "Treasury": ["payments.send_withdrawal", "payments.reverse_deposit"],
    "Disputes": ["payments.decide_dispute", "payments.release_early", "chat.read_conversation"],
    "Moderators": ["listings.moderate_listing", "chat.moderate_message", "accounts.suspend_user"],
    "Support": ["chat.answer_ticket"],
    "Catalogue": [
        *(f"listings.{verb}_category" for verb in ("view", "add", "change")),
        *(f"listings.{verb}_categoryfield" for verb in ("view", "add", "change", "delete")),
        *(f"payments.{verb}_depositmethod" for verb in ("view", "add", "change")),
        *(f"payments.{verb}_feepolicy" for verb in ("view", "add")),
    ],
    "Auditors": [
        "accounts.view_auditevent",
        "payments.view_order",
        "payments.view_deadline",
        "payments.view_ledgeraccount",
        "payments.view_ledgertransaction",
        "payments.view_ledgerentry",
        "uploads.view_fileaccess",
    ],
}


class Command(BaseCommand):
    help = (
        "Make the first superuser, the staff groups, the categories and the deposit methods. "
        "Makes only what is missing, so it is safe to run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", default=os.environ.get("BOOTSTRAP_EMAIL", ""), help="of the first superuser")
        parser.add_argument("--username", default=os.environ.get("BOOTSTRAP_USERNAME", ""))
        parser.add_argument(
            "--bank",
            default=os.environ.get("BOOTSTRAP_BANK", ""),
            help="the account that bank transfers go to, as customers should read it",
        )
        parser.add_argument(
            "--wallet",
            default=os.environ.get("BOOTSTRAP_WALLET", ""),
            help="the e-wallet that customers send money to",
        )
        parser.add_argument(
            "--no-superuser", action="store_true", help="leave the superuser out, for example in a demo"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["no_superuser"]:
            self._superuser(options["email"], options["username"])
        made = groups_install()
        self._say("staff groups", made)
        self._say("categories", [category.slug for category in catalogue_install()])
        methods = deposit_methods_install(bank=options["bank"], wallet=options["wallet"])
        self._say("deposit methods", [method.code for method in methods])
        for method in methods:
            if not method.is_active:
                self.stdout.write(
                    f"  “{method.name_en}” is not offered yet: write where the money goes into it, in the admin "
                    f"under Deposit methods, and tick “offered” (or run this first with --{method.code})."
                )

    def _superuser(self, email: str, username: str) -> None:
        if User.objects.filter(is_superuser=True).exists():
            self.stdout.write("Superuser: there is one already.")
            return
        email = email or self._ask("Email address of the first superuser: ", "--email or BOOTSTRAP_EMAIL")
        username = username or self._ask("Username: ", "--username or BOOTSTRAP_USERNAME")
        password = os.environ.get("BOOTSTRAP_PASSWORD") or self._ask(
            "Password: ", "BOOTSTRAP_PASSWORD in the environment", hidden=True
        )
        try:
            validate_password(password, User(email=email, username=username))
            user = user_add(email=email, username=username, password=password, is_staff=True, is_superuser=True)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"Superuser: made {user.email}, who signs in at /account/login/ and works at /admin/.")

    def _ask(self, question: str, instead: str, *, hidden: bool = False) -> str:
        if not sys.stdin.isatty():
            raise CommandError(f"Nobody is here to answer “{question.rstrip(': ')}”. Set {instead}.")
        return getpass.getpass(question) if hidden else input(question).strip()

    def _say(self, what: str, made: list[str]) -> None:
        self.stdout.write(f"{what.capitalize()}: {'made ' + ', '.join(made) if made else 'all there already'}.")


@atomic
def groups_install() -> list[str]:
    """Make the staff groups that are missing; returns their names. Safe to repeat."""
    made = []
    for name, permissions in GROUPS.items():
        if Group.objects.filter(name=name).exists():
            continue
        group = Group.objects.create(name=name)
        group.permissions.set([_permission(full_name) for full_name in permissions])
        made.append(name)
    return made


def _permission(full_name: str) -> Permission:
    app, _, codename = full_name.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)
