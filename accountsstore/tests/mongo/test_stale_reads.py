"""A site with a secondary that falls behind: which pages notice, and what they do when it dies.

The other secondary is hidden from clients, so that every read of the alias `replica` goes to the one behind. (A member with
`secondaryDelaySecs` is hidden from them too.)
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern

from accountsstore.stack import lifecycle, programs
from accountsstore.stack.layout import DATABASE, Node, Stack
from accountsstore.stack.mongo import ADMIN
from accountsstore.tests.mongo.test_away import Site
from accountsstore.tests.programs import ask, eventually, own_stack, program, run_python

pytestmark = [pytest.mark.production, pytest.mark.slow]

# Somebody with an account and a listing of this price on sale.
SELL = """
import django, sys; django.setup()
from django.test import Client
from listings.tests.factories import ListingFactory
listing = ListingFactory(price_minor=int(sys.argv[1]))
client = Client(); client.force_login(listing.seller)
print(client.cookies["sessionid"].value, listing.get_absolute_url())
"""


class LaggingSite(Site):
    def sell(self, price: int) -> tuple[str, str]:
        """The seller's session, and the new listing's address."""
        done = run_python("-c", SELL, str(price), env=self.env)
        assert done.returncode == 0, done.stderr
        session, address = done.stdout.split()
        return session, address

    def found(self, price: int) -> tuple[int, int]:
        """How many listings of that price a search draws, and how many it says there are."""
        # The figures of a search are kept for a while: no two ask for the same.
        self.asked += 1
        answer = ask(self.port, "GET", f"/browse/?min={price / 100}&max={(price + self.asked) / 100}", {})
        assert answer.status == 200
        total = re.search(r'id="total"[^>]*>([\d,]+) found', answer.text)
        assert total
        return answer.text.count('href="/listing/'), int(total[1])

    asked = 0


@contextmanager
def behind(stack: Stack) -> Iterator[Node]:
    """One secondary takes nothing new, as on a machine whose disk is full; the other is hidden from clients."""
    roles = {node: lifecycle.health(stack, node).role for node in stack.part("mongo")}
    late, hidden = (node for node, role in roles.items() if role == "secondary")
    user = {"username": ADMIN, "password": stack.passwords["admin"], "authSource": "admin"}
    with (
        MongoClient(stack.env(["mongo"])["DATABASE_URL"], **user) as primary,
        MongoClient(late.address, directConnection=True, **user) as secondary,
    ):
        config: dict[str, Any] = primary.admin.command("replSetGetConfig")["config"]
        config["version"] += 1
        for member in config["members"]:
            if member["host"] == hidden.address:
                member |= {"priority": 0, "hidden": True}
        primary.admin.command("replSetReconfig", config)
        # What is there until now, it has.
        primary[DATABASE].probe.with_options(write_concern=WriteConcern(w=3)).insert_one({})
        secondary.admin.command("fsync", lock=True)
        yield late


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaggingSite]:
    folder = tmp_path_factory.mktemp("lagging")
    with own_stack(folder, "mongo") as stack:
        site = LaggingSite(folder, stack)
        with program(site.log, "manage.py", "serve", "--port", str(site.port), env=site.env):
            eventually(site.is_well, "the site does not start", site.log)
            yield site


def test_what_was_just_done_is_shown_at_once_and_only_figures_are_behind(site: LaggingSite) -> None:
    with behind(site.stack) as late:
        session, address = site.sell(4321)
        signed_in = {"Cookie": f"sessionid={session}"}
        for path in (address, "/me/", "/sell/", "/sell/listings/", "/orders/", "/wallet/", "/messages/"):
            assert ask(site.port, "GET", path, signed_in).status == 200, path
        # The site hears of the hidden one at its next heartbeat.
        eventually(lambda: site.found(4321) == (1, 0), "no figure comes from the one behind", site.log)
        # A dead one is noticed at once, one that hangs by its heartbeat: no page fails.
        for how in (signal.SIGSTOP, signal.SIGKILL):
            os.kill(programs.running(late) or 0, how)
            for path in ("/", address, "/me/"):
                assert ask(site.port, "GET", path, signed_in).status == 200, (how, path)
            assert site.found(4321) == (1, 1)
