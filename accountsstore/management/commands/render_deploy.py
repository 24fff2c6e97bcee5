"""`manage.py render_deploy`: the configuration of every host, from one inventory."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accountsstore.fleet.errors import ServerError
from accountsstore.fleet.inventory import InventoryError, inventory_read
from accountsstore.fleet.passwords import passwords_read
from accountsstore.fleet.rendering import rendered, write


class Command(BaseCommand):
    help = (
        "Writes nginx's configuration, each host's settings and units, and the servers' configuration from an inventory, "
        "which deploy/inventory.example.toml explains. A wrong inventory is answered with a sentence for each fault, and "
        "nothing is written. Safe to repeat."
    )
    # It asks no server.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("inventory", type=Path, help="the inventory, a TOML file")
        parser.add_argument("--into", type=Path, required=True, help="the folder that is made or replaced")
        parser.add_argument(
            "--passwords",
            type=Path,
            help="also write the servers' configuration, with the passwords in this file, which is made where there is none",
        )

    def handle(self, *args: Any, inventory: Path, into: Path, passwords: Path | None, **options: Any) -> None:
        try:
            read = inventory_read(inventory.read_text())
            files = rendered(read, passwords_read(passwords, make=True) if passwords else None)
            write(files, into)
        except (InventoryError, ServerError) as error:
            raise CommandError(str(error)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{getattr(error, 'filename', None) or inventory} cannot be used: {error}.") from None
        for name in files:
            self.stdout.write(str(into / name))
