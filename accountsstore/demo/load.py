"""Putting the demo into the database."""

import datetime
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db.models import Model
from django.utils import timezone

from accounts.models import AuditEvent, User
from accounts.services import audit_record
from accountsstore.demo.past import Past
from accountsstore.demo.stories import all_stories
from listings.models import Listing
from payments.models import Order
from payments.services.figures import store_figures_refresh

FIRST_DAY = datetime.timedelta(days=91)
LOADED = "demo.loaded"
BANK = "Meridian Bank, IBAN XX00 MERI 0042 1180 07, Accounts Store Ltd"
WALLET = "Corvo Pay, number 0550 118 007, Accounts Store Ltd"


def demo_is_loaded() -> bool:
    return AuditEvent.objects.filter(action=LOADED).exists()


def demo_load(say: Callable[[str], None]) -> bool:
    """Load the demo store, telling `say` how far it is. Returns False if it was there already.

    Safe to repeat and to interrupt: what was done is not done again.
    """
    if demo_is_loaded():
        return False
    with _quiet_logs():
        say("Categories, deposit methods and staff groups")
        call_command("bootstrap", "--no-superuser", "--bank", BANK, "--wallet", WALLET, stdout=_Nothing())
        now = timezone.now()
        past = Past(begins=now - FIRST_DAY, now=now)
        for days, story in all_stories():
            past.tell(story, ago=datetime.timedelta(days=days))
        past.live(_weekly(now, say))
        store_figures_refresh(now)
        audit_record(
            actor=None,
            action=LOADED,
            subject="store:demo",
            subject_text=f"{_count(Listing)} listings, {_count(Order)} orders",
        )
    return True


def _weekly(now: datetime.datetime, say: Callable[[str], None]) -> Callable[[datetime.datetime], None]:
    """Says something when another week of the past is over."""
    told: set[int] = set()

    def progress(at: datetime.datetime) -> None:
        weeks = (now - at).days // 7
        if weeks not in told:
            told.add(weeks)
            when = "This week" if weeks == 0 else f"{weeks} week{'s' if weeks > 1 else ''} ago"
            say(f"{when}: {_count(User)} people, {_count(Listing)} listings, {_count(Order)} orders")

    return progress


def _count(model: type[Model]) -> int:
    """Along an index and with an end: the store may be a large one that somebody loads the demo into."""
    return model._default_manager.order_by("pk")[:10_000].count()


class _Nothing:
    def write(self, text: str) -> None:
        """The installer's own lines are for the operator of a new store."""


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Hundreds of orders move; the console shows errors only."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
