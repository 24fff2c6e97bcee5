import datetime
import re
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accountsstore.money import share_minor
from listings.tests.factories import ListingFactory
from payments.earnings import BOTTOM, earnings
from payments.models import FeePolicy, Order
from payments.services.orders import order_accept, order_deliver, order_release
from payments.tests.conftest import CREDENTIAL, buy, fund

DESK, SALES, EARNINGS = (reverse(f"payments:{name}") for name in ("desk", "sales", "earnings"))


def finished(order: Order, buyer: User, seller: User) -> None:
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    order_release(order=order, now=timezone.now())


def test_whoever_may_not_sell_yet_is_led_to_applying(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    assert client.get(DESK).url == reverse("accounts:apply")


def test_a_new_seller_sees_what_to_do_first(client: Client, seller: User) -> None:
    client.force_login(seller)
    html = client.get(DESK).content.decode()
    assert "Nothing waits for you." in html
    assert "Make your first listing" in html


def test_the_soonest_deadline_stands_first(client: Client, buyer: User, seller: User) -> None:
    fund(buyer, 100_000)
    late = buy(buyer, ListingFactory(seller=seller))
    soon = buy(buyer, ListingFactory(seller=seller))
    Order.objects.filter(pk=soon.pk).update(due_at=timezone.now() + datetime.timedelta(minutes=30))
    client.force_login(seller)
    response = client.get(DESK)
    assert [row.order.number for row in response.context["rows"]] == [soon.number, late.number]
    assert "2 orders need you." in response.content.decode()


def test_the_desk_is_a_bounded_number_of_queries(
    client: Client, buyer: User, seller: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fund(buyer, 100_000)
    listing = ListingFactory(seller=seller, stock=9)
    for _ in range(6):
        listing.refresh_from_db()
        buy(buyer, listing)
    client.force_login(seller)
    client.get(DESK)
    for url in (DESK, SALES, EARNINGS):
        with django_assert_max_num_queries(22):
            client.get(url)


def test_earnings_are_what_was_released_and_what_is_held_after_fees(client: Client, buyer: User, seller: User) -> None:
    fund(buyer, 100_000)
    first, second, third = (buy(buyer, ListingFactory(seller=seller, price_minor=p)) for p in (1_999, 5_000, 333))
    finished(first, buyer, seller)
    order_deliver(order=second, seller=seller, values=CREDENTIAL)
    order_accept(order=second, buyer=buyer)
    found = earnings(seller)
    assert found.paid == f"${(1_999 - share_minor(1_999, 800)) / 100:.2f}"
    held = sum(price - share_minor(price, 800) for price in (5_000, 333))
    assert (found.pending, found.orders_pending) == (f"${held / 100:.2f}", 2)
    assert [(row.order.number, row.net) for row in found.coming] == [(second.number, "$46.00")]
    client.force_login(seller)
    assert found.paid in client.get(EARNINGS).content.decode()
    third.refresh_from_db()
    assert third.state == "funded"


def test_the_chart_has_a_bar_a_day_and_none_stands_out_of_it(buyer: User, seller: User) -> None:
    fund(buyer, 100_000)
    for days in (0, 3, 3):
        order = buy(buyer, ListingFactory(seller=seller))
        finished(order, buyer, seller)
        Order.objects.filter(pk=order.pk).update(finished_at=timezone.now() - datetime.timedelta(days=days))
    chart = earnings(seller).chart
    assert len(chart.bars) == 2
    heights = sorted(bar.height for bar in chart.bars)
    assert abs(heights[1] - 2 * heights[0]) < 0.2
    assert all(bar.y >= 0 and abs(bar.y + bar.height - BOTTOM) < 0.2 for bar in chart.bars)
    assert "Most on" in chart.summary


def test_the_chart_of_a_seller_without_sales_says_so_in_words(client: Client, seller: User) -> None:
    client.force_login(seller)
    html = client.get(EARNINGS).content.decode()
    assert "Nothing was paid out in the last 30 days." in html
    assert 'class="ch-rel"' not in html


def test_money_of_others_is_on_nobody_elses_desk(client: Client, order: Order, stranger: User) -> None:
    client.force_login(stranger)
    assert order.number not in client.get(SALES + "?tab=all").content.decode()
    assert client.get(EARNINGS).context["earnings"].orders_pending == 0


# ---------------------------------------------------------------- fees and rules


def test_the_fee_page_tells_the_fee_in_force_with_an_example(client: Client, db: None) -> None:
    html = client.get(reverse("payments:fees")).content.decode()
    assert "8%" in html
    assert "$46.00" in html
    FeePolicy.objects.create(starts_at=timezone.now() - datetime.timedelta(days=1), basis_points=1_000)
    FeePolicy.objects.create(starts_at=timezone.now() + datetime.timedelta(days=1), basis_points=5_000)
    html = client.get(reverse("payments:fees")).content.decode()
    assert "10%" in html
    assert "$45.00" in html
    assert "50%" not in html


def test_the_rules_are_printed_from_the_order_table_and_the_settings(client: Client, db: None, settings: Any) -> None:
    settings.ORDER_WARRANTY_DAYS = 9
    html = client.get(reverse("payments:rules")).content.decode()
    assert "9 days" in html
    text = re.sub(r"\s+", " ", html)
    assert "the buyer only when delivery is overdue" in text
    assert "Accepted, under warranty" in text


def test_visitors_read_fees_and_rules(client: Client, db: None) -> None:
    for name in ("fees", "rules"):
        assert client.get(reverse(f"payments:{name}")).status_code == 200
        assert client.head(reverse(f"payments:{name}")).status_code == 200
