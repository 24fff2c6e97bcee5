import datetime

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accountsstore.models import OutboxEvent
from listings.tests.factories import ListingFactory
from payments.models import Deadline, Order
from payments.selectors import deadlines_overdue, wallet
from payments.services.clock import clock_tick
from payments.services.orders import order_accept, order_deliver, order_reveal
from payments.states import OrderState
from payments.tests.conftest import CREDENTIAL, buy, fund

pytestmark = pytest.mark.stack

S = OrderState
HOUR = datetime.timedelta(hours=1)


def reminders() -> list[str]:
    return [row.payload["kind"] for row in OutboxEvent.objects.filter(topic="deadline.near").order_by("created_at")]


def test_nothing_moves_before_its_time(order):
    assert clock_tick(order.due_at - 13 * HOUR) == 0
    order.refresh_from_db()
    assert order.state == S.FUNDED


def test_an_overdue_delivery_is_refunded_without_staff(order, buyer):
    order.refresh_from_db()
    due_at = order.due_at
    clock_tick(due_at + HOUR)
    order.refresh_from_db()
    assert order.state == S.REFUNDED
    assert order.finished_at == due_at + HOUR
    assert wallet(buyer).available_minor == 10_000
    assert clock_tick(due_at + HOUR) == 0, "a second tick finds nothing to do"


def test_the_seller_is_reminded_at_half_and_at_nine_tenths_of_the_time(order, seller):
    clock_tick(order.funded_at + 12 * HOUR)
    assert reminders() == ["deliver"]
    clock_tick(order.funded_at + 22 * HOUR)
    assert reminders() == ["deliver", "deliver"]
    assert all(f"user.{seller.pk.hex}" in row.groups for row in OutboxEvent.objects.filter(topic="deadline.near"))


def test_an_unanswered_request_expires(buyer, seller):
    order = buy(buyer, ListingFactory(seller=seller, asks_first=True))
    clock_tick(order.due_at)
    order.refresh_from_db()
    assert order.state == S.EXPIRED


def test_after_the_inspection_the_clock_accepts_what_was_revealed_and_after_the_warranty_it_pays(order, buyer, seller):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_reveal(order=order, user=buyer, field="login", stepped_up=True)
    order.refresh_from_db()
    inspect_by = order.due_at
    clock_tick(inspect_by)
    order.refresh_from_db()
    assert order.state == S.ACCEPTED
    assert order.due_at == inspect_by + datetime.timedelta(days=7)
    clock_tick(order.due_at)
    order.refresh_from_db()
    assert (order.state, wallet(seller).available_minor) == (S.RELEASED, 2_300)


def test_a_buyer_who_never_looked_is_reminded_twice_before_the_clock_accepts(order, seller):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    inspect_by = order.due_at
    for moment in (order.delivered_at + 24 * HOUR, order.delivered_at + 44 * HOUR):
        clock_tick(moment)
    order.refresh_from_db()
    assert (order.reminders_sent, order.state) == (2, S.DELIVERED)
    clock_tick(order.due_at)
    order.refresh_from_db()
    assert order.state == S.ACCEPTED
    assert order.accepted_at >= inspect_by


def test_after_a_stopped_clock_the_buyer_still_gets_time_between_the_reminders_and_the_acceptance(order, seller):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order.refresh_from_db()
    late = order.due_at + 5 * HOUR
    clock_tick(late)
    order.refresh_from_db()
    assert (order.state, order.reminders_sent) == (S.DELIVERED, 2)
    assert order.due_at == late + datetime.timedelta(hours=4.8)
    clock_tick(order.due_at)
    order.refresh_from_db()
    assert order.state == S.ACCEPTED


def test_one_order_that_fails_does_not_keep_the_others_waiting(buyer, seller, monkeypatch):
    fund(buyer)
    first, second = (buy(buyer, ListingFactory(seller=seller)) for _ in range(2))
    from payments.services import clock as money_clock

    real = money_clock.order_lapse

    def fails_on_the_first(*, order, now):
        if order.pk == first.pk:
            raise RuntimeError("planted")
        real(order=order, now=now)

    monkeypatch.setitem(money_clock.MOVES, Deadline.Kind.DELIVER, fails_on_the_first)
    clock_tick(second.due_at + HOUR)
    assert set(Order.objects.values_list("state", flat=True)) == {S.FUNDED, S.REFUNDED}


def test_deadlines_of_staff_stay_open_and_are_shown_as_overdue(order, buyer, seller):
    from payments.services.disputes import dispute_open

    dispute_open(order=order, buyer=buyer, reason="not_delivered", text="Nothing came.")
    due = Deadline.objects.get(kind="decide_dispute").due_at
    clock_tick(due + HOUR)
    assert [row.kind for row in deadlines_overdue(due + HOUR)] == ["decide_dispute"]


def test_run_clock_moves_what_is_due_and_says_so(order, capsys):
    call_command("run_clock", at=(order.due_at + HOUR).isoformat())
    order.refresh_from_db()
    assert order.state == S.REFUNDED
    assert "orders: " in capsys.readouterr().out


def test_a_false_time_is_refused_in_production(settings, db):
    settings.DEBUG = settings.TESTING = False
    with pytest.raises(CommandError, match="outside production"):
        call_command("run_clock", at="2030-01-01T00:00:00Z")


def test_the_warranty_ends_at_once_where_the_category_gives_none(buyer, seller):
    listing = ListingFactory(seller=seller)
    listing.category.warranty_days = 0
    listing.category.save()
    fund(buyer)
    order = buy(buyer, listing)
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    clock_tick(timezone.now())
    order.refresh_from_db()
    assert order.state == S.RELEASED
