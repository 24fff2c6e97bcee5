"""`manage.py bootstrap_servers`: servers that were started become a cluster, a queue, a replica set."""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from accountsstore.fleet import redis_cluster, redis_queue, replica_set
from accountsstore.fleet.errors import ServerError
from accountsstore.fleet.inventory import Inventory, InventoryError, inventory_read
from accountsstore.fleet.passwords import KEY, Passwords, passwords_read
from accountsstore.fleet.replica_set import Member
from accountsstore.fleet.valkey import Server, keepable, users_written

PARTS = ("redis", "jobs", "mongo")
# A new member of a replica set copies all data first; the rest takes seconds.
PATIENCE_SECONDS, POLL_SECONDS = 120, 0.2


class Command(BaseCommand):
    help = (
        "Makes a Redis Cluster, the queue with its Sentinels and a MongoDB replica set of the servers that an inventory "
        "names and that run with the configuration of render_deploy, and gives their users the passwords and rights that "
        "they should have. All servers are looked at first: one that does not answer, holds something else or belongs to "
        "others is answered with a sentence and exit code 1, and nothing is changed. Safe to repeat."
    )
    # It asks no server of the settings.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("inventory", type=Path, help="the inventory, a TOML file")
        parser.add_argument(
            "parts", nargs="*", help=f"some of {', '.join(PARTS)}; all that the inventory names by default"
        )
        parser.add_argument("--passwords", type=Path, required=True, help="the file that render_deploy was given")
        parser.add_argument("--look", action="store_true", help="say what there is and change nothing")

    def handle(
        self, *args: Any, inventory: Path, parts: list[str], passwords: Path, look: bool, **options: Any
    ) -> None:
        if unknown := sorted(set(parts) - set(PARTS)):
            raise CommandError(f"There is no part {', '.join(unknown)}; there are {', '.join(PARTS)}.")
        try:
            fleet, known = inventory_read(inventory.read_text()), passwords_read(passwords)
            chosen = [part for part in PARTS if part in (parts or fleet.servers)]
            made = [getattr(self, f"_{part}")(fleet, known) for part in chosen]
            if not look:
                for form in made:
                    form()
        except (InventoryError, ServerError) as error:
            raise CommandError(str(error)) from None
        except redis.RedisError as error:
            raise CommandError(f"A server stopped answering ({error}): start it and repeat this.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{getattr(error, 'filename', None) or inventory} cannot be used: {error}.") from None

    def _redis(self, fleet: Inventory, passwords: Passwords) -> Callable[[], None]:
        nodes = _servers(fleet, "redis", passwords["REDIS_ADMIN"])
        self._say("redis", f"found {redis_cluster.examined(nodes)}.")

        def form() -> None:
            keepable(nodes, "CONFIG REWRITE")
            self._users("redis", "redis", nodes, passwords)
            self._lead("redis", nodes, passwords["REDIS_ADMIN"][0])
            self._do("redis", redis_cluster.steps(nodes))

        return form

    def _jobs(self, fleet: Inventory, passwords: Passwords) -> Callable[[], None]:
        known = passwords["JOBS_ADMIN"]
        nodes, sentinels = _servers(fleet, "jobs", known), _servers(fleet, "sentinels", known)
        self._say("jobs", f"found {redis_queue.examined(nodes, sentinels)}.")

        def form() -> None:
            keepable(nodes, "CONFIG REWRITE")
            keepable(sentinels, "SENTINEL FLUSHCONFIG")
            self._users("jobs", "jobs", nodes, passwords)
            self._users("jobs", "sentinels", sentinels, passwords)
            self._lead("jobs", nodes, known[0])
            for sentinel in sentinels:
                sentinel.ask("SENTINEL CONFIG SET", "sentinel-pass", known[0])
                sentinel.ask("SENTINEL SET", redis_queue.MASTER_NAME, "auth-pass", known[0])
            self._do("jobs", redis_queue.steps(nodes, sentinels))

        return form

    def _mongo(self, fleet: Inventory, passwords: Passwords) -> Callable[[], None]:
        members = [Member(address, passwords[KEY]) for address in fleet.servers.get("mongo", ())]
        self._say("mongo", f"found {replica_set.examined(members)}.")

        def form() -> None:
            changed: list[str] = []
            megabytes = fleet.sizes["mongo_oplog_gb"] * 1024
            self._do("mongo", replica_set.steps(members, passwords, changed, megabytes))
            self._say("mongo", f"users: {', '.join(changed) or 'as they should be'}.")
            self._say("mongo", "next: manage.py migrate makes the tables and every index.")

        return form

    def _users(self, part: str, kind: str, servers: list[Server], passwords: Passwords) -> None:
        changed = users_written(servers, kind, passwords)
        for server in servers:
            server.ask("SENTINEL FLUSHCONFIG" if kind == "sentinels" else "CONFIG REWRITE")
        self._say(part, f"users: {'changed on ' + ', '.join(changed) if changed else 'as they should be'}.")

    def _lead(self, part: str, servers: list[Server], password: str) -> None:
        """What they show each other; by now all of them believe it."""
        changed = []
        for server in servers:
            if server.ask("CONFIG GET", "masterauth")["masterauth"] != password:
                server.ask("CONFIG SET", "masterauth", password)
                server.ask("CONFIG REWRITE")
                changed.append(server.address)
        if changed:
            self._say(part, f"the password among themselves: changed on {', '.join(changed)}.")

    def _do(self, part: str, steps: list[tuple[str, Callable[[], bool]]]) -> None:
        for what, step in steps:
            began = time.monotonic()
            while not step():
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise ServerError(
                        f"{part}: after {PATIENCE_SECONDS} s it is not so that {what}. Look at the servers' logs."
                    )
                time.sleep(POLL_SECONDS)
            self._say(part, f"{what}.")

    def _say(self, part: str, what: str) -> None:
        self.stdout.write(f"{part:<6} {what}")


def _servers(fleet: Inventory, part: str, passwords: tuple[str, ...]) -> list[Server]:
    return [Server.at(address, passwords) for address in fleet.servers.get(part, ())]
