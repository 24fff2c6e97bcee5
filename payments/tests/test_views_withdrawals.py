import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import PASSWORD
from payments.models import PayoutMethod, Withdrawal
from payments.selectors import wallet_available
from payments.services.withdrawals import withdrawal_approve
from payments.tests.conftest import fund
from payments.tests.factories import PayoutMethodFactory

NEW, METHODS = reverse("payments:withdrawal_new"), reverse("payments:payout_methods")
IBAN = "DE89370400440532013000"


@pytest.fixture
def method(seller: User) -> PayoutMethod:
    fund(seller, 10_000)
    return PayoutMethodFactory(user=seller)


def ask(client: Client, method: PayoutMethod, **changes: str) -> Any:
    html = client.get(NEW).content.decode()
    found = re.search(r'name="request_key" value="([0-9a-f]{32})"', html)
    fields = {
        "request_key": found[1] if found else "0" * 32,
        "amount": "40.00",
        "payout_method": method.pk.hex,
        "password": PASSWORD,
    }
    return client.post(NEW, fields | changes)


def test_without_a_payout_method_the_page_leads_to_adding_one(client: Client, seller: User) -> None:
    client.force_login(seller)
    html = client.get(NEW).content.decode()
    assert "Say where the money goes" in html
    assert METHODS in html


def test_a_withdrawal_leaves_the_wallet_at_once_and_shows_its_steps(
    client: Client, seller: User, method: PayoutMethod
) -> None:
    client.force_login(seller)
    response = ask(client, method)
    withdrawal = Withdrawal.objects.get()
    assert response.url == reverse("payments:withdrawal", args=[withdrawal.code])
    assert wallet_available(seller) == 6_000
    html = client.get(response.url).content.decode()
    assert "Withdrawal of $40.00" in html
    assert "One member of staff approves it, another sends it." in html
    assert IBAN not in html
    assert "3000" in html


def test_the_form_sent_twice_is_one_withdrawal(client: Client, seller: User, method: PayoutMethod) -> None:
    client.force_login(seller)
    first, second = (ask(client, method, request_key="a" * 32) for _ in range(2))
    assert first.url == second.url
    assert wallet_available(seller) == 6_000


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"amount": "9.99"}, "amount", "The smallest withdrawal is $10.00."),
        ({"amount": "100.01"}, "amount", "You can withdraw at most $100.00."),
        ({"amount": "-40"}, "amount", "Write the amount in digits, for example 25.00."),
        ({"amount": "40.005"}, "amount", "USD has at most 2 digits after the point."),
        ({"amount": ""}, "amount", "Write the amount."),
        ({"password": "guess"}, "password", None),
        ({"password": ""}, "password", "Enter your password."),
        ({"payout_method": ""}, "payout_method", "Choose where the money goes."),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_no_money_moves(
    client: Client, seller: User, method: PayoutMethod, changes: dict[str, str], field: str, sentence: str | None
) -> None:
    client.force_login(seller)
    response = ask(client, method, **changes)
    assert response.status_code == 422
    errors = response.context["form"].errors[field]
    assert errors == [sentence] if sentence else errors
    assert not Withdrawal.objects.exists()
    assert wallet_available(seller) == 10_000
    assert PASSWORD not in response.content.decode()


def test_somebody_elses_payout_method_cannot_be_chosen(
    client: Client, seller: User, stranger: User, method: PayoutMethod
) -> None:
    theirs = PayoutMethodFactory(user=stranger)
    client.force_login(seller)
    assert ask(client, method, payout_method=theirs.pk.hex).status_code == 422
    assert not Withdrawal.objects.exists()


def test_its_owner_cancels_before_anybody_approved(client: Client, seller: User, method: PayoutMethod) -> None:
    client.force_login(seller)
    url = ask(client, method).url
    response = client.post(url, follow=True)
    assert "You cancelled it." in response.content.decode()
    assert wallet_available(seller) == 10_000


def test_a_cancel_that_came_too_late_is_said_and_changes_nothing(
    client: Client, seller: User, staff: User, method: PayoutMethod
) -> None:
    client.force_login(seller)
    url = ask(client, method).url
    withdrawal_approve(withdrawal=Withdrawal.objects.get(), staff=staff)
    response = client.post(url, follow=True)
    assert "This withdrawal has moved on in the meantime." in response.content.decode()
    assert wallet_available(seller) == 6_000
    assert "Cancel the withdrawal" not in client.get(url).content.decode()


def test_another_persons_withdrawal_is_not_found(
    client: Client, seller: User, stranger: User, method: PayoutMethod
) -> None:
    client.force_login(seller)
    url = ask(client, method).url
    client.force_login(stranger)
    assert client.get(url).status_code == 404
    assert client.post(url).status_code == 404
    assert Withdrawal.objects.get().state == "requested"


# ---------------------------------------------------------------- where to


def add(client: Client, **changes: str) -> Any:
    fields = {"kind": "bank", "holder": "North Pine", "details": IBAN, "password": PASSWORD}
    return client.post(METHODS, fields | changes)


def test_a_payout_method_is_added_with_the_password_and_shows_only_its_end(client: Client, seller: User) -> None:
    client.force_login(seller)
    assert add(client).status_code == 302
    method = PayoutMethod.objects.get()
    assert method.user == seller
    html = client.get(METHODS).content.decode()
    assert "•••• 3000" in html
    assert IBAN not in html


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "guess"}, "password"),
        ({"details": "12"}, "details"),
        ({"details": ""}, "details"),
        ({"holder": " "}, "holder"),
        ({"kind": "cash in a hat"}, "kind"),
    ],
)
def test_a_payout_method_that_cannot_be_is_answered_beside_the_field(
    client: Client, seller: User, changes: dict[str, str], field: str
) -> None:
    client.force_login(seller)
    response = add(client, **changes)
    assert response.status_code == 422
    assert response.context["form"].errors[field]
    assert not PayoutMethod.objects.exists()


def test_a_new_method_waits_for_its_cool_off(client: Client, seller: User, settings: Any) -> None:
    settings.PAYOUT_COOL_OFF_HOURS = 24
    fund(seller)
    client.force_login(seller)
    add(client)
    method = PayoutMethod.objects.get()
    assert "can be used from" in client.get(NEW).content.decode()
    assert "payout_method" in ask(client, method).context["form"].errors
    assert not Withdrawal.objects.exists()


def test_a_method_is_removed_by_its_owner_only(
    client: Client, seller: User, stranger: User, method: PayoutMethod
) -> None:
    url = reverse("payments:payout_method_remove", args=[method.pk])
    client.force_login(stranger)
    assert client.post(url).status_code == 404
    client.force_login(seller)
    assert client.get(url).status_code == 405
    client.post(url)
    method.refresh_from_db()
    assert method.is_removed
    assert "•••• 3000" not in client.get(METHODS).content.decode()
