"""No page and no service reads a whole collection: the demo is lived through and every page opened, while every command
that reaches MongoDB is caught and explained."""

import functools
import io

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import AuditEvent, User
from accountsstore.demo import drawings
from accountsstore.demo.deeds.money import ask_payout
from accountsstore.demo.people import BUYERS, SELLERS, STAFF
from accountsstore.demo.stories import history, money
from accountsstore.rows import Rows, rows_find_together
from accountsstore.tests.demo.test_crawl import crawl, signed_in
from accountsstore.tests.mongo.scans import commands_caught, scans
from uploads.demo_pictures import demo_picture

pytestmark = [
    pytest.mark.production,
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "mongodb", reason="speaks of MongoDB"),
]

LITTLE = settings.WITHDRAWAL_MIN_MINOR

# Collections that are read wholly on purpose, and why that does not grow.
SMALL = {
    "auth_group": "a handful, made by staff",
    "auth_permission": "four for each kind of row, made by migrate",
    "listings_category": "some dozen, drawn as a tree on every page",
    "payments_depositmethod": "a handful, made by staff",
    "payments_feepolicy": "a row for each change of the fee",
}


@pytest.mark.django_db
def test_no_page_and_no_service_reads_a_whole_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    # One drawing for each kind of category, in a size that is stored at once. `uploads` tries them all and in full.
    once = functools.cache(lambda art: demo_picture(art, 1))
    monkeypatch.setattr(drawings, "demo_picture", lambda art, seed: once(art))
    monkeypatch.setattr(drawings, "LISTING_SIZE", (192, 120))
    # Less than half of the orders that went alike: the early ones, so that each seller earns. They are paid out what
    # that allows.
    monkeypatch.setattr(history, "HISTORY", [order for order in history.HISTORY if order[0] > 46])
    monkeypatch.setattr(money, "ask_payout", lambda who, amount, number=1: ask_payout(who, LITTLE, number))
    with commands_caught() as caught:
        call_command("seed_demo", stdout=io.StringIO())
        for who, start in ((None, "/"), (BUYERS[0], "/"), (SELLERS[0], "/"), (next(iter(STAFF)), "/admin/")):
            crawl(signed_in(who.username) if who else Client(), start, same=2, same_in_admin=1)
    faults = {shape: found for shape, command in caught.items() if (found := scans(command)) and found not in SMALL}
    assert not faults, "\n\n".join(f"{found}\n{caught[shape]}" for shape, found in faults.items())
    assert len(caught) > 200, "the demo and the pages ask for much more"


@pytest.mark.django_db
def test_a_scan_would_be_found() -> None:
    with commands_caught() as caught:
        list(AuditEvent.objects.filter(reason="unindexed"))
        list(AuditEvent.objects.filter(subject="indexed"))
        AuditEvent.objects.filter(reason="unindexed").update(reason="")
        rows_find_together(Rows(User, {"username": "indexed"}), Rows(AuditEvent, {"reason": "unindexed"}))
    found = [scans(command) for command in caught.values()]
    assert found == ["accounts_auditevent", "", "accounts_auditevent", "", "accounts_auditevent"]
