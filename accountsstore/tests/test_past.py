"""How the demo's past is lived through, on a small part of it."""

import datetime
import io
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.services import seller_suspend
from accountsstore import outbox
from accountsstore.demo import SIGN_INS, load
from accountsstore.demo.goods import GOODS
from accountsstore.demo.past import Past, standing_at
from accountsstore.demo.people import BUYERS, SELLERS
from accountsstore.demo.stories import opening, unusual
from accountsstore.demo.stories.usual import Story
from chat.models import Message
from payments.models import Deposit, LedgerTransaction, Order, OrderEvent
from payments.services.verification import ledger_verify

pytestmark = [pytest.mark.slow, pytest.mark.stack]


def one_dispute() -> list[tuple[float, Story]]:
    """A shop with one thing on sale, its buyer, and a dispute that ends with a split."""
    oldtown = next(seller for seller in SELLERS if seller.username == "oldtown")
    tomas = next(buyer for buyer in BUYERS if buyer.username == "tomas")
    return [
        (90, opening.staff_begins()),
        (oldtown.joined, opening.seller_opens(oldtown)),
        (GOODS["orchard"].day, opening.good_is_offered(GOODS["orchard"])),
        (tomas.joined, opening.buyer_joins(tomas)),
        (17.2, unusual.parties_split_a_dispute()),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("after", ["deliver", "dispute", "offer"])
def test_an_interrupted_load_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    monkeypatch.setattr(load, "all_stories", one_dispute)

    class Interrupted(Exception):
        pass

    def interrupt(at: datetime.datetime) -> None:
        if OrderEvent.objects.filter(happening=after).exists():
            raise Interrupted

    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(load, "_weekly", lambda now, say: interrupt)
        load.demo_load(lambda line: None)
    assert Order.objects.get().state != Order.State.SPLIT
    assert load.demo_load(lambda line: None)
    order = Order.objects.get()
    assert (order.state, order.refunded_minor) == ("split", 600)
    happenings = list(OrderEvent.objects.order_by("created_at").values_list("happening", flat=True))
    assert happenings == ["fund", "deliver", "dispute", "offer", "offer", "resolve_split"]
    assert Deposit.objects.count() == 1
    assert Message.objects.filter(kind="text").count() == 1
    assert sorted(LedgerTransaction.objects.values_list("kind", flat=True)) == [
        "deposit",
        "order_fund",
        "order_resolve",
    ]
    assert ledger_verify().faults == []


@pytest.mark.django_db
def test_the_clock_of_the_orders_strikes_between_the_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody but the clock accepts this one: the buyer never looks.
    lena = next(buyer for buyer in BUYERS if buyer.username == "lena")
    saltpier = next(seller for seller in SELLERS if seller.username == "saltpier")
    stories = [
        (90, opening.staff_begins()),
        (saltpier.joined, opening.seller_opens(saltpier)),
        (GOODS["brightcart"].day, opening.good_is_offered(GOODS["brightcart"])),
        (lena.joined, opening.buyer_joins(lena)),
        (6.4, unusual.clock_accepts()),
    ]
    monkeypatch.setattr(load, "all_stories", lambda: stories)
    out = io.StringIO()
    call_command("seed_demo", stdout=out)
    assert all(f"{role:<10} {email:<28} {password}" in out.getvalue() for role, email, password in SIGN_INS)
    order = Order.objects.get()
    assert order.state == "released"
    assert order.accepted_at - order.delivered_at == datetime.timedelta(hours=24)
    assert order.finished_at - order.accepted_at == datetime.timedelta(days=3)
    assert order.events.get(happening="release").created_at == order.finished_at


@pytest.mark.django_db
def test_production_is_refused_without_force(settings: Settings) -> None:
    settings.TESTING = settings.DEBUG = False
    with pytest.raises(CommandError, match=r"production store .* add --force"):
        call_command("seed_demo")
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_subscriber_that_fails_ends_the_load(
    monkeypatch: pytest.MonkeyPatch, seller: User, second_staff: User
) -> None:
    def fail(*args: object) -> None:
        raise ValueError

    def story() -> Iterator[datetime.timedelta]:
        seller_suspend(user=seller, staff=second_staff, reason="Proof is missing.")
        yield from ()

    monkeypatch.setitem(outbox._subscribers, "seller.changed", [fail])
    now = timezone.now()
    past = Past(begins=now, now=now)
    past.tell(story(), ago=datetime.timedelta())
    with pytest.raises(RuntimeError, match=r"seller\.changed failed"):
        past.live(lambda at: None)


def test_time_stands_still_only_inside() -> None:
    moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    before = timezone.now
    with pytest.raises(ZeroDivisionError), standing_at(moment):
        assert timezone.now() == moment
        _ = 1 / 0
    assert timezone.now is before
