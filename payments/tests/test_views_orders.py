import datetime
import re
import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.tests.factories import PASSWORD
from listings.models import Credential, Review
from listings.tests.factories import ListingFactory
from payments.models import Deadline, Dispute, Order, Reveal
from payments.selectors import wallet_available
from payments.services.clock import clock_tick
from payments.services.disputes import dispute_offer, dispute_open
from payments.services.orders import order_accept, order_deliver, order_release, order_reveal
from payments.tests.conftest import CREDENTIAL, buy, fund
from payments.views.orders import DEEDS, STEP_UP_SECONDS, device_name


def page(order: Order) -> str:
    return reverse("payments:order", args=[order.number])


def deed(order: Order, name: str) -> str:
    return reverse("payments:order_action", args=[order.number, name])


def html_of(client: Client, order: Order) -> str:
    return client.get(page(order)).content.decode()


def reveal(client: Client, order: Order, **fields: str) -> Any:
    return client.post(reverse("payments:order_reveal", args=[order.number]), fields)


@pytest.fixture
def delivered(order: Order, seller: User) -> Order:
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    return order


@pytest.fixture
def released(delivered: Order, buyer: User) -> Order:
    order_accept(order=delivered, buyer=buyer)
    order_release(order=delivered, now=timezone.now())
    return delivered


@pytest.fixture
def requested(buyer: User, seller: User) -> Order:
    fund(buyer)
    return buy(buyer, ListingFactory(seller=seller, asks_first=True))


# ---------------------------------------------------------------- who sees it


def test_another_persons_order_is_not_found_whatever_is_asked_of_it(
    client: Client, stranger: User, delivered: Order
) -> None:
    client.force_login(stranger)
    for name in ("order", "order_live"):
        assert client.get(reverse(f"payments:{name}", args=[delivered.number])).status_code == 404
    for name in DEEDS:
        assert client.post(deed(delivered, name)).status_code == 404
    assert reveal(client, delivered, field="password", password=PASSWORD).status_code == 404
    delivered.refresh_from_db()
    assert delivered.state == "delivered"


def test_staff_have_no_way_in_through_the_customers_page(client: Client, staff: User, delivered: Order) -> None:
    client.force_login(staff)
    assert client.get(page(delivered)).status_code == 404


def test_a_visitor_signs_in_first(client: Client, order: Order) -> None:
    assert client.get(page(order)).url.startswith(reverse("account_login"))


def test_a_deed_that_does_not_exist_is_not_found_and_looking_does_nothing(
    client: Client, buyer: User, delivered: Order
) -> None:
    client.force_login(buyer)
    assert client.post(deed(delivered, "steal")).status_code == 404
    assert client.get(deed(delivered, "accept")).status_code == 405
    delivered.refresh_from_db()
    assert delivered.state == "delivered"


@pytest.mark.stack
def test_the_page_is_a_bounded_number_of_queries_however_much_happened(
    client: Client,
    buyer: User,
    seller: User,
    delivered: Order,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(12):
        order_reveal(order=delivered, user=buyer, field="login", stepped_up=True)
    for user in (buyer, seller):
        client.force_login(user)
        with django_assert_max_num_queries(18):
            client.get(page(delivered))


# ---------------------------------------------------------------- whose turn


def test_each_side_reads_whose_turn_it_is(client: Client, buyer: User, seller: User, order: Order) -> None:
    client.force_login(buyer)
    assert "northpine delivers next" in html_of(client, order)
    client.force_login(seller)
    html = html_of(client, order)
    assert "Your turn: deliver" in html
    assert "Deliver to Amal" in html
    assert "$23.00" in html  # what the seller gets, less 8 %
    assert client.get(page(order)).context["page"].step.turn == "you"


def test_the_buyer_sees_no_fee_and_the_seller_does(client: Client, buyer: User, seller: User, order: Order) -> None:
    client.force_login(buyer)
    assert "Fee" not in [row.name for row in client.get(page(order)).context["page"].money]
    client.force_login(seller)
    rows = client.get(page(order)).context["page"].money
    assert [(row.name, row.amount) for row in rows] == [
        ("Price", "$25.00"),
        ("Fee, 8%", "−$2.00"),
        ("You get", "$23.00"),
    ]


def test_names_and_notes_from_people_are_text_and_never_markup(
    client: Client, buyer: User, seller: User, order: Order
) -> None:
    User.objects.filter(pk=seller.pk).update(display_name="<img src=x onerror=alert(1)>")
    client.force_login(seller)
    client.post(deed(order, "cancel"), {"note": "<script>alert(2)</script>"})
    client.force_login(buyer)
    html = html_of(client, order)
    assert "<img src=x" not in html
    assert "<script>alert(2)" not in html
    assert "&lt;script&gt;alert(2)" in html


# ---------------------------------------------------------------- requests


@pytest.mark.stack
def test_agreeing_moves_the_price_into_escrow(client: Client, seller: User, buyer: User, requested: Order) -> None:
    client.force_login(seller)
    response = client.post(deed(requested, "agree"), follow=True)
    assert "Sold. It is in escrow." in response.content.decode()
    requested.refresh_from_db()
    assert requested.state == "funded"
    assert wallet_available(buyer) == 7_500


def test_a_buyer_who_cannot_pay_any_more_is_said_so_and_the_request_stays(
    client: Client, buyer: User, seller: User, requested: Order
) -> None:
    buy(buyer, ListingFactory(seller=seller, price_minor=9_000))
    client.force_login(seller)
    response = client.post(deed(requested, "agree"), follow=True)
    assert "does not cover the price right now" in response.content.decode()
    requested.refresh_from_db()
    assert requested.state == "requested"


def test_declining_tells_the_buyer_why(client: Client, buyer: User, seller: User, requested: Order) -> None:
    client.force_login(seller)
    client.post(deed(requested, "decline"), {"note": "Already promised"})
    client.force_login(buyer)
    html = html_of(client, requested)
    assert "northpine declined the request" in html
    assert "Already promised" in html


def test_only_the_buyer_withdraws_a_request(client: Client, buyer: User, seller: User, requested: Order) -> None:
    client.force_login(seller)
    client.post(deed(requested, "withdraw"))
    requested.refresh_from_db()
    assert requested.state == "requested"
    client.force_login(buyer)
    client.post(deed(requested, "withdraw"))
    requested.refresh_from_db()
    assert requested.state == "withdrawn"


# ---------------------------------------------------------------- delivery


@pytest.mark.stack
def test_delivering_seals_the_login_and_never_prints_it(
    client: Client, buyer: User, seller: User, order: Order
) -> None:
    client.force_login(seller)
    response = client.post(deed(order, "deliver"), CREDENTIAL, follow=True)
    assert "Delivered. The buyer was told" in response.content.decode()
    for user in (seller, buyer):
        client.force_login(user)
        html = html_of(client, order)
        assert CREDENTIAL["password"] not in html
        assert "Frost!Lantern" not in html
        assert 'data-reveal="password"' in html


def test_a_missing_field_is_named_beside_it_and_nothing_is_delivered(
    client: Client, seller: User, order: Order
) -> None:
    client.force_login(seller)
    response = client.post(deed(order, "deliver"), {"login": "ember", "password": ""})
    html = response.content.decode()
    assert response.status_code == 422
    assert "Fill in “Password”." in html
    assert 'value="ember"' in html
    order.refresh_from_db()
    assert order.state == "funded"
    assert not Credential.objects.exists()


@pytest.mark.stack
def test_a_second_delivery_changes_nothing_and_a_correction_is_a_new_version(
    client: Client, seller: User, order: Order
) -> None:
    client.force_login(seller)
    client.post(deed(order, "deliver"), CREDENTIAL)
    client.post(deed(order, "deliver"), CREDENTIAL | {"password": "other"})
    assert Credential.objects.count() == 1
    client.post(deed(order, "redeliver"), CREDENTIAL | {"password": "corrected"})
    assert sorted(Credential.objects.values_list("version", flat=True)) == [1, 2]


def test_the_buyer_cannot_deliver(client: Client, buyer: User, order: Order) -> None:
    client.force_login(buyer)
    response = client.post(deed(order, "deliver"), CREDENTIAL, follow=True)
    assert "You may not do this." in response.content.decode()
    order.refresh_from_db()
    assert order.state == "funded"


def test_a_delivery_that_comes_too_late_is_said_above_the_page(client: Client, seller: User, order: Order) -> None:
    clock_tick(timezone.now() + datetime.timedelta(hours=25))
    client.force_login(seller)
    response = client.post(deed(order, "deliver"), CREDENTIAL, follow=True)
    assert "This order has moved on in the meantime." in response.content.decode()
    assert not Credential.objects.exists()


def test_the_buyer_may_cancel_only_when_delivery_is_overdue(client: Client, buyer: User, order: Order) -> None:
    client.force_login(buyer)
    assert "do-cancel" not in html_of(client, order)
    response = client.post(deed(order, "cancel"), follow=True)
    assert "You can cancel when the seller&#x27;s time to deliver is over." in response.content.decode()
    Order.objects.filter(pk=order.pk).update(due_at=timezone.now() - datetime.timedelta(minutes=1))
    assert "Delivery is overdue" in html_of(client, order)
    client.post(deed(order, "cancel"))
    order.refresh_from_db()
    assert order.state == "cancelled"
    assert wallet_available(buyer) == 10_000


# ---------------------------------------------------------------- reveal


@pytest.mark.stack
def test_a_field_opens_with_the_password_once_and_is_not_kept_by_anybody(
    client: Client, buyer: User, delivered: Order
) -> None:
    client.force_login(buyer)
    response = reveal(client, delivered, field="password", password=PASSWORD)
    assert response.json() == {"value": CREDENTIAL["password"]}
    assert "no-store" in response.headers["Cache-Control"]
    row = Reveal.objects.get()
    assert (row.user, row.field, row.label) == (buyer, "password", "Password")


def test_a_wrong_password_opens_nothing_and_leaves_no_reveal(client: Client, buyer: User, delivered: Order) -> None:
    client.force_login(buyer)
    response = reveal(client, delivered, field="password", password="guess")
    assert response.json()["ask"] is True
    assert "value" not in response.json()
    assert not Reveal.objects.exists()


def test_asking_without_a_password_is_a_question_and_no_wrong_try(
    client: Client, buyer: User, delivered: Order
) -> None:
    client.force_login(buyer)
    for _ in range(15):
        response = reveal(client, delivered, field="password", password="")
        assert response.json() == {"detail": "Enter your password.", "ask": True}
    assert reveal(client, delivered, field="password", password=PASSWORD).json() == {"value": CREDENTIAL["password"]}


def test_the_password_lasts_for_the_other_fields_for_some_minutes(
    client: Client, buyer: User, delivered: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(buyer)
    reveal(client, delivered, field="login", password=PASSWORD)
    assert reveal(client, delivered, field="password", password="").json() == {"value": CREDENTIAL["password"]}
    later = time.time() + STEP_UP_SECONDS + 1
    monkeypatch.setattr("payments.views.orders.time.time", lambda: later)
    assert reveal(client, delivered, field="password", password="").json()["ask"] is True


def test_a_wrong_password_is_refused_even_while_an_earlier_one_lasts(
    client: Client, buyer: User, delivered: Order
) -> None:
    client.force_login(buyer)
    reveal(client, delivered, field="login", password=PASSWORD)
    assert "value" not in reveal(client, delivered, field="password", password="guess").json()
    assert Reveal.objects.count() == 1


def test_an_unknown_field_reveals_nothing(client: Client, buyer: User, delivered: Order) -> None:
    client.force_login(buyer)
    response = reveal(client, delivered, field="__class__", password=PASSWORD)
    assert response.status_code == 409
    assert not Reveal.objects.exists()


def test_both_sides_read_who_opened_what(client: Client, buyer: User, seller: User, delivered: Order) -> None:
    client.force_login(buyer)
    reveal(client, delivered, field="login", password=PASSWORD)
    client.force_login(seller)
    rows = client.get(page(delivered)).context["page"].reveals
    assert [(row.label, row.who) for row in rows] == [("Login name", "Amal")]


def test_a_device_is_named_so_that_its_owner_knows_it() -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
    assert device_name(firefox) == "Firefox, Linux"
    assert device_name(phone) == "Safari, iPhone"
    assert device_name("curl/8") == ""


# ---------------------------------------------------------------- accepting, disputing, agreeing


@pytest.mark.stack
def test_accepting_begins_the_warranty_and_twice_is_once(client: Client, buyer: User, delivered: Order) -> None:
    client.force_login(buyer)
    for _ in range(2):
        response = client.post(deed(delivered, "accept"), follow=True)
        assert "The warranty runs" in response.content.decode()
    assert Deadline.objects.filter(order=delivered, kind="warranty").count() == 1


def test_the_seller_cannot_accept_for_the_buyer(client: Client, seller: User, delivered: Order) -> None:
    client.force_login(seller)
    client.post(deed(delivered, "accept"))
    delivered.refresh_from_db()
    assert delivered.state == "delivered"


def test_a_dispute_without_words_comes_back_with_the_dialog_open(client: Client, buyer: User, delivered: Order) -> None:
    client.force_login(buyer)
    response = client.post(deed(delivered, "dispute"), {"reason": "", "text": ""})
    html = response.content.decode()
    assert response.status_code == 422
    assert re.search(r'<dialog id="do-dispute"[^>]*data-dialog-open', html)
    assert "Choose what is wrong." in html
    assert "Say what is wrong: the seller and our staff read it." in html
    assert not Dispute.objects.exists()


def test_a_dispute_shows_both_sides_what_was_said(client: Client, buyer: User, seller: User, delivered: Order) -> None:
    client.force_login(buyer)
    client.post(deed(delivered, "dispute"), {"reason": "does_not_work", "text": "The password is refused."})
    for user in (buyer, seller):
        client.force_login(user)
        html = html_of(client, delivered)
        assert "The password is refused." in html
        assert "The login does not work" in html


@pytest.mark.parametrize("amount", ["-5", "25.01", "abc", "1.234", "", "9" * 30])
def test_an_offer_that_cannot_be_is_answered_beside_the_field(
    client: Client, buyer: User, seller: User, delivered: Order, amount: str
) -> None:
    dispute_open(order=delivered, buyer=buyer, reason="other", text="x")
    client.force_login(seller)
    response = client.post(deed(delivered, "offer"), {"refund": amount})
    assert response.status_code == 422
    assert response.context["offer_form"].errors["refund"]
    assert Dispute.objects.get().offer_minor is None


@pytest.mark.stack
def test_an_offer_is_accepted_as_it_was_seen_and_splits_the_money(
    client: Client, buyer: User, seller: User, delivered: Order
) -> None:
    dispute_open(order=delivered, buyer=buyer, reason="other", text="x")
    client.force_login(seller)
    client.post(deed(delivered, "offer"), {"refund": "10.00"})
    client.force_login(buyer)
    html = html_of(client, delivered)
    assert "Accept: $10.00 back to the buyer" in html
    assert 'name="refund" value="1000"' in html
    # The seller changes the offer while the buyer still looks at the first one.
    dispute_offer(order=delivered, actor=seller, refund_minor=100)
    response = client.post(deed(delivered, "offer_accept"), {"refund": "1000"}, follow=True)
    assert "The offer has changed in the meantime." in response.content.decode()
    delivered.refresh_from_db()
    assert delivered.state == "disputed"
    client.post(deed(delivered, "offer_accept"), {"refund": "100"})
    delivered.refresh_from_db()
    assert (delivered.state, delivered.refunded_minor, delivered.released_minor, delivered.fee_minor) == (
        "split",
        100,
        2_208,
        192,
    )


def test_nobody_accepts_their_own_offer(client: Client, buyer: User, seller: User, delivered: Order) -> None:
    dispute_open(order=delivered, buyer=buyer, reason="other", text="x")
    dispute_offer(order=delivered, actor=buyer, refund_minor=2_500)
    client.force_login(buyer)
    assert "do-offer_accept" not in html_of(client, delivered)
    client.post(deed(delivered, "offer_accept"), {"refund": "2500"})
    delivered.refresh_from_db()
    assert delivered.state == "disputed"


# ---------------------------------------------------------------- reviews


@pytest.mark.stack
def test_the_buyer_of_a_finished_order_reviews_it_once_and_the_seller_answers(
    client: Client, buyer: User, seller: User, released: Order
) -> None:
    client.force_login(buyer)
    assert "How was it?" in html_of(client, released)
    client.post(deed(released, "review"), {"rating": "4", "text": "As described."})
    client.post(deed(released, "review"), {"rating": "1", "text": "Changed my mind."})
    assert Review.objects.get().rating == 4
    client.force_login(seller)
    assert "Answer the review" in html_of(client, released)
    client.post(deed(released, "reply"), {"reply": "Thank you."})
    assert Review.objects.get().reply == "Thank you."
    assert "Answer the review" not in html_of(client, released)


def test_a_review_without_stars_is_asked_for_them_and_keeps_the_text(
    client: Client, buyer: User, released: Order
) -> None:
    client.force_login(buyer)
    response = client.post(deed(released, "review"), {"text": "Good"})
    assert response.status_code == 422
    assert "Give 1 to 5 stars." in response.content.decode()
    assert "Good</textarea>" in response.content.decode()
    assert not Review.objects.exists()


def test_the_seller_cannot_review_and_nobody_answers_what_is_not_there(
    client: Client, seller: User, released: Order
) -> None:
    client.force_login(seller)
    client.post(deed(released, "review"), {"rating": "5"})
    assert not Review.objects.exists()
    assert client.post(deed(released, "reply"), {"reply": "x"}).status_code == 404


# ---------------------------------------------------------------- live parts and lists


def test_the_live_answer_leaves_alone_what_the_seller_is_typing_until_the_state_changes(
    client: Client, seller: User, order: Order
) -> None:
    client.force_login(seller)
    key = client.get(page(order)).context["page"].work_key
    live = reverse("payments:order_live", args=[order.number])
    same = client.get(live, {"seen": key}).content.decode()
    assert 'id="order-step"' in same
    assert 'id="order-work"' not in same
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    changed = client.get(live, {"seen": key}).content.decode()
    assert 'id="order-work"' in changed
    assert 'hx-swap-oob="true"' in changed


@pytest.mark.stack
def test_the_lists_are_cut_by_state_and_page_without_missing_or_repeating(
    client: Client,
    buyer: User,
    seller: User,
    stranger: User,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr("payments.order_lists.PAGE", 3)
    fund(buyer, 100_000)
    listing = ListingFactory(seller=seller, stock=9)
    orders = []
    for _ in range(7):
        listing.refresh_from_db()
        orders.append(buy(buyer, listing).number)
    client.force_login(buyer)
    url, seen = reverse("payments:orders") + "?tab=all", []
    while url:
        with django_assert_max_num_queries(16):
            response = client.get(url)
        seen += [row.order.number for row in response.context["page"].rows]
        url = reverse("payments:orders") + response.context["next_url"] if response.context["next_url"] else ""
    assert seen == orders[::-1]
    client.force_login(seller)
    assert len(client.get(reverse("payments:sales") + "?tab=todo").context["page"].rows) == 3
    client.force_login(stranger)
    for name in ("orders", "sales"):
        assert client.get(reverse(f"payments:{name}") + "?tab=all").context["page"].rows == []


@pytest.mark.stack
def test_a_cursor_of_somebody_else_or_of_nobody_is_the_first_page(client: Client, buyer: User, order: Order) -> None:
    client.force_login(buyer)
    for cursor in ("nonsense", "00000000000000000000000000000000"):
        response = client.get(reverse("payments:orders"), {"tab": "all", "after": cursor})
        assert [row.order.number for row in response.context["page"].rows] == [order.number]


@pytest.mark.stack
def test_orders_open_with_what_needs_doing(client: Client, buyer: User, order: Order, seller: User) -> None:
    client.force_login(buyer)
    assert client.get(reverse("payments:orders")).context["tab"] == "all"
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    assert client.get(reverse("payments:orders")).context["tab"] == "todo"


@pytest.mark.stack
def test_the_header_counts_the_orders_that_wait_for_this_person(
    client: Client, buyer: User, seller: User, order: Order
) -> None:
    client.force_login(seller)
    html = html_of(client, order)
    assert re.search(r'data-count="orders"><span data-figure>1</span>', html)
    client.force_login(buyer)
    assert re.search(r'data-count="orders" hidden>', html_of(client, order))
