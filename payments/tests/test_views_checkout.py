import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.services import user_restrict
from listings.models import Listing
from listings.tests.factories import ListingFactory
from payments.models import LedgerTransaction, Order
from payments.selectors import wallet_available
from payments.services.orders import order_buy
from payments.tests.conftest import CREDENTIAL, fund


def page(listing: Listing) -> str:
    return reverse("payments:checkout", args=[listing.code])


def seen(client: Client, listing: Listing, **changes: Any) -> dict[str, Any]:
    """What the browser would send: the hidden fields of the page as it is now, and the ticked box."""
    html = client.get(page(listing)).content.decode()
    names = ("expected_price", "expected_version", "checkout_key", "terms_version")
    fields = {name: re.search(rf'name="{name}" value="([^"]*)"', html)[1] for name in names}
    return fields | {"terms": "on"} | changes


def test_a_visitor_signs_in_before_checkout_and_comes_back(client: Client, listing: Listing) -> None:
    response = client.get(page(listing))
    assert response.status_code == 302
    assert response.url == f"{reverse('account_login')}?next={page(listing)}"


def test_the_page_says_the_price_the_plan_and_that_the_buyer_pays_no_fee(
    client: Client, buyer: User, listing: Listing
) -> None:
    fund(buyer, 10_000)
    client.force_login(buyer)
    html = client.get(page(listing)).content.decode()
    assert "Pay $25.00 into escrow" in html
    assert "$75.00 stays in your wallet." in html
    assert "northpine delivers within 24 hours" in html
    assert "You have 48 hours to check it" in html
    assert "The warranty runs for 7 days" in html


def test_paying_holds_the_price_and_leads_to_the_order(client: Client, buyer: User, listing: Listing) -> None:
    fund(buyer, 10_000)
    client.force_login(buyer)
    response = client.post(page(listing), seen(client, listing))
    order = Order.objects.get(buyer=buyer)
    assert response.url == order.get_absolute_url()
    assert (order.state, order.price_minor) == ("funded", 2_500)
    assert wallet_available(buyer) == 7_500


def test_the_same_page_sent_twice_is_one_order(client: Client, buyer: User, seller: User) -> None:
    listing = ListingFactory(seller=seller, stock=5)
    fund(buyer, 10_000)
    client.force_login(buyer)
    fields = seen(client, listing)
    first, second = (client.post(page(listing), fields) for _ in range(2))
    assert first.url == second.url
    assert Order.objects.count() == 1
    assert wallet_available(buyer) == 7_500


def test_a_changed_price_is_shown_beside_the_old_one_and_asked_again(
    client: Client, buyer: User, listing: Listing
) -> None:
    fund(buyer, 10_000)
    client.force_login(buyer)
    fields = seen(client, listing)
    Listing.objects.filter(pk=listing.pk).update(price_minor=3_100, version=2)
    response = client.post(page(listing), fields)
    html = response.content.decode()
    assert response.status_code == 409
    assert "It costs $31.00 now. Nothing was charged." in html
    assert "It was $25.00 when you opened this page." in html
    assert "Pay $31.00 into escrow" in html
    assert not Order.objects.exists()
    assert wallet_available(buyer) == 10_000
    # The second click accepts what is shown now.
    html_fields = {
        name: re.search(rf'name="{name}" value="([^"]*)"', html)[1]
        for name in ("expected_price", "expected_version", "checkout_key", "terms_version")
    }
    client.post(page(listing), html_fields | {"terms": "on"})
    assert Order.objects.get().price_minor == 3_100


def test_without_enough_money_the_page_says_how_much_is_missing_and_where_to_add_it(
    client: Client, buyer: User, listing: Listing
) -> None:
    fund(buyer, 1_000)
    client.force_login(buyer)
    response = client.post(page(listing), seen(client, listing))
    html = response.content.decode()
    assert response.status_code == 409
    assert "Your wallet is $15.00 short." in html
    back = page(listing).replace("/", "%2F")
    assert f"{reverse('payments:deposit_new')}?next={back}&amp;amount=15.00" in html
    assert not Order.objects.exists()
    assert wallet_available(buyer) == 1_000


def test_a_shortfall_below_the_smallest_deposit_asks_for_that(client: Client, buyer: User, listing: Listing) -> None:
    fund(buyer, 2_400)
    client.force_login(buyer)
    assert "amount=5.00" in client.get(page(listing)).content.decode()


def test_terms_that_are_not_accepted_are_asked_for_beside_the_box(
    client: Client, buyer: User, listing: Listing
) -> None:
    fund(buyer)
    client.force_login(buyer)
    response = client.post(page(listing), seen(client, listing, terms=""))
    assert response.status_code == 422
    assert "Accept the terms to buy." in response.content.decode()
    assert not Order.objects.exists()


def test_terms_of_another_version_are_not_what_was_read(
    client: Client, buyer: User, listing: Listing, settings: Any
) -> None:
    fund(buyer)
    client.force_login(buyer)
    fields = seen(client, listing)
    settings.TERMS_VERSION = "2031-01"
    assert client.post(page(listing), fields).status_code == 422
    assert not Order.objects.exists()


def test_a_seller_is_told_that_it_is_their_own_listing(client: Client, seller: User, listing: Listing) -> None:
    fund(seller)
    client.force_login(seller)
    shown = client.get(page(listing)).content.decode()
    assert "This is your own listing." in shown
    assert "into escrow</button>" not in shown
    fields = {
        "expected_price": listing.price_minor,
        "expected_version": listing.version,
        "checkout_key": "a" * 32,
        "terms_version": settings.TERMS_VERSION,
        "terms": "on",
    }
    assert "This is your own listing." in client.post(page(listing), fields).content.decode()
    assert not Order.objects.exists()


def test_the_second_buyer_of_the_last_piece_is_told_and_not_charged(
    client: Client, buyer: User, stranger: User, listing: Listing
) -> None:
    for user in (buyer, stranger):
        fund(user)
    client.force_login(buyer)
    fields = seen(client, listing)
    order_buy(
        buyer=stranger,
        listing_id=listing.pk,
        expected_price_minor=listing.price_minor,
        expected_version=listing.version,
        checkout_key="other",
        terms_version=settings.TERMS_VERSION,
    )
    response = client.post(page(listing), fields)
    assert response.status_code == 409
    assert "This is sold. Nothing was charged." in response.content.decode()
    assert wallet_available(buyer) == 10_000


def test_a_paused_listing_has_no_button(client: Client, buyer: User, listing: Listing) -> None:
    Listing.objects.filter(pk=listing.pk).update(state=Listing.State.PAUSED)
    client.force_login(buyer)
    html = client.get(page(listing)).content.decode()
    assert "This listing is not on sale right now." in html
    assert "into escrow</button>" not in html


@pytest.mark.parametrize("state", [Listing.State.DRAFT, Listing.State.REJECTED, Listing.State.REMOVED])
def test_a_listing_that_is_not_public_is_not_found(client: Client, buyer: User, listing: Listing, state: str) -> None:
    Listing.objects.filter(pk=listing.pk).update(state=state)
    client.force_login(buyer)
    assert client.get(page(listing)).status_code == 404


def test_a_restricted_person_reads_why_and_pays_nothing(
    client: Client, buyer: User, staff: User, listing: Listing
) -> None:
    fund(buyer)
    client.force_login(buyer)
    fields = seen(client, listing)
    user_restrict(user=buyer, staff=staff, reason="Chargebacks")
    response = client.post(page(listing), fields)
    assert response.status_code == 403
    assert not Order.objects.exists()


def test_a_listing_that_asks_first_makes_a_request_and_charges_nothing(
    client: Client, buyer: User, seller: User
) -> None:
    listing = ListingFactory(seller=seller, asks_first=True)
    client.force_login(buyer)
    html = client.get(page(listing)).content.decode()
    assert "Ask the seller" in html
    assert "You ask northpine" in html
    response = client.post(page(listing), seen(client, listing))
    order = Order.objects.get()
    assert response.url == order.get_absolute_url()
    assert order.state == "requested"
    assert not LedgerTransaction.objects.filter(kind="order_fund").exists()


def test_stock_is_on_the_order_page_at_once(client: Client, buyer: User, seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[CREDENTIAL])
    fund(buyer)
    client.force_login(buyer)
    response = client.post(page(listing), seen(client, listing), follow=True)
    html = response.content.decode()
    assert Order.objects.get().state == "delivered"
    assert 'data-reveal="password"' in html
    assert CREDENTIAL["password"] not in html


def test_hidden_fields_that_were_tampered_with_start_the_page_anew(
    client: Client, buyer: User, listing: Listing
) -> None:
    fund(buyer)
    client.force_login(buyer)
    response = client.post(page(listing), seen(client, listing, expected_price="cheap", checkout_key="x"))
    assert response.status_code == 422
    assert "Pay $25.00 into escrow" in response.content.decode()
    assert not Order.objects.exists()


def test_a_lower_price_in_the_form_does_not_lower_the_price(client: Client, buyer: User, listing: Listing) -> None:
    fund(buyer)
    client.force_login(buyer)
    assert client.post(page(listing), seen(client, listing, expected_price="1")).status_code == 409
    assert not Order.objects.exists()


def test_the_page_is_a_handful_of_queries(
    client: Client, buyer: User, listing: Listing, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(buyer)
    client.get(page(listing))
    with django_assert_max_num_queries(12):
        client.get(page(listing))


def test_a_category_sets_its_own_times(client: Client, buyer: User, listing: Listing) -> None:
    category = listing.category
    category.deliver_hours, category.inspect_hours, category.warranty_days = 2, 96, 14
    category.save()
    client.force_login(buyer)
    html = client.get(page(listing)).content.decode()
    assert "delivers within 2 hours" in html
    assert "You have 4 days to check it" in html
    assert "The warranty runs for 14 days" in html
