import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from payments.models import Deposit, DepositMethod
from payments.services.deposits import deposit_ask, deposit_claim, deposit_reject
from payments.tests.factories import DepositFactory, DepositMethodFactory, receipt

NEW = reverse("payments:deposit_new")


@pytest.fixture
def method(db: None) -> DepositMethod:
    return DepositMethodFactory(reference_label_en="Bank reference")


def page(deposit: Deposit) -> str:
    return reverse("payments:deposit", args=[deposit.code])


def shown_code(client: Client) -> str:
    found = re.search(r'name="code" value="(DP-[0-9A-Z]{9})"', client.get(NEW).content.decode())
    assert found
    return found[1]


def claim(client: Client, **changes: Any) -> Any:
    fields = {
        "method": "bank",
        "code": shown_code(client),
        "amount": "50.00",
        "transfer_reference": "TRX-77",
        "proof": receipt(),
        "next": "",
    }
    return client.post(NEW, fields | changes)


def test_the_page_says_how_to_pay_and_which_reference_to_quote(
    client: Client, buyer: User, method: DepositMethod
) -> None:
    client.force_login(buyer)
    html = client.get(NEW).content.decode()
    assert "Pay to account 1234." in html
    assert "Bank reference" in html
    assert "$5.00 to $100,000.00" in html
    assert f'data-copy="{shown_code(client)}"' in html


def test_the_reference_stays_the_same_until_it_is_used(client: Client, buyer: User, method: DepositMethod) -> None:
    client.force_login(buyer)
    code = shown_code(client)
    assert shown_code(client) == code
    response = claim(client)
    assert response.url == reverse("payments:deposit", args=[code])
    assert shown_code(client) != code


def test_with_several_methods_one_is_chosen_first_and_only_offered_ones_are_there(
    client: Client, buyer: User, method: DepositMethod
) -> None:
    DepositMethodFactory(code="wallet", name_en="E-wallet", instructions_en="Send to 0100.")
    DepositMethodFactory(code="old", name_en="Old bank", is_active=False)
    client.force_login(buyer)
    html = client.get(NEW).content.decode()
    assert "E-wallet" in html
    assert "Old bank" not in html
    assert 'name="code"' not in html
    assert "Send to 0100." in client.get(NEW, {"method": "wallet"}).content.decode()
    assert 'name="code"' not in client.get(NEW, {"method": "old"}).content.decode()


def test_without_any_method_the_page_says_so(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    assert "No way to pay is open" in client.get(NEW).content.decode()


def test_a_claim_waits_for_review_and_its_page_says_what_is_next(
    client: Client, buyer: User, method: DepositMethod
) -> None:
    client.force_login(buyer)
    response = client.get(claim(client).url)
    deposit = Deposit.objects.get()
    assert (deposit.user, deposit.amount_minor, deposit.state) == (buyer, 5_000, "submitted")
    html = response.content.decode()
    assert "Deposit of $50.00" in html
    assert "Our staff compare the proof with the bank" in html
    assert "store:wallet.changed" in html


def test_sending_the_form_twice_is_one_claim(client: Client, buyer: User, method: DepositMethod) -> None:
    client.force_login(buyer)
    code = shown_code(client)
    first = claim(client, code=code)
    second = claim(client, code=code, proof=receipt())
    assert first.url == second.url
    assert Deposit.objects.count() == 1


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("4.00", "The smallest deposit is $5.00."),
        ("100000.01", "The largest deposit is $100,000.00."),
        ("-50", "Write the amount in digits, for example 25.00."),
        ("ten", "Write the amount in digits, for example 25.00."),
        ("50.001", "USD has at most 2 digits after the point."),
        ("9" * 20, "Write the amount in digits, for example 25.00."),
        ("", "Write the amount."),
    ],
)
def test_an_amount_that_cannot_be_is_answered_beside_the_field_and_stores_nothing(
    client: Client, buyer: User, method: DepositMethod, amount: str, sentence: str
) -> None:
    client.force_login(buyer)
    response = claim(client, amount=amount)
    assert response.status_code == 422
    assert response.context["form"].errors["amount"] == [sentence]
    assert sentence in response.content.decode()
    assert not Deposit.objects.exists()


def test_a_used_reference_is_refused_beside_the_field(
    client: Client, buyer: User, stranger: User, method: DepositMethod
) -> None:
    DepositFactory(user=stranger, method=method, transfer_reference="trx 77")
    client.force_login(buyer)
    response = claim(client)
    assert response.context["form"].errors["transfer_reference"] == [
        "This reference was used for another deposit. Check the number on your receipt."
    ]
    assert Deposit.objects.count() == 1


@pytest.mark.parametrize(
    "upload",
    [
        None,
        SimpleUploadedFile("receipt.png", b"<html>not a picture</html>", "image/png"),
        SimpleUploadedFile("empty.png", b"", "image/png"),
    ],
)
def test_a_proof_that_is_none_is_answered_beside_the_field(
    client: Client, buyer: User, method: DepositMethod, upload: Any
) -> None:
    client.force_login(buyer)
    response = claim(client, proof=upload or "")
    assert response.status_code == 422
    assert response.context["form"].errors["proof"]
    assert 'value="TRX-77"' in response.content.decode()
    assert not Deposit.objects.exists()


def test_what_was_typed_and_the_quoted_reference_survive_an_error(
    client: Client, buyer: User, method: DepositMethod
) -> None:
    client.force_login(buyer)
    code = shown_code(client)
    html = claim(client, amount="4.00").content.decode()
    assert f'data-copy="{code}"' in html
    assert 'value="TRX-77"' in html


def test_an_upload_by_script_is_told_where_to_go(client: Client, buyer: User, method: DepositMethod) -> None:
    client.force_login(buyer)
    code = shown_code(client)
    fields = {"method": "bank", "code": code, "amount": "50", "transfer_reference": "TRX-78", "proof": receipt()}
    response = client.post(NEW, fields, headers={"X-Upload": "progress"})
    assert response.json() == {"location": reverse("payments:deposit", args=[code])}


def test_the_way_back_to_the_checkout_is_kept_and_only_leads_into_the_store(
    client: Client, buyer: User, method: DepositMethod, staff: User
) -> None:
    client.force_login(buyer)
    back = "/checkout/L-1/"
    html = client.get(NEW, {"next": back, "amount": "12.50"}).content.decode()
    assert f'name="next" value="{back}"' in html
    assert 'value="12.50"' in html
    assert claim(client, next=back).url.endswith("?next=%2Fcheckout%2FL-1%2F")
    for evil in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"):
        assert "evil" not in client.get(NEW, {"next": evil}).context["back"]
        assert "alert" not in client.get(NEW, {"next": evil}).context["back"]


def test_another_persons_deposit_is_not_found(
    client: Client, stranger: User, buyer: User, method: DepositMethod
) -> None:
    deposit = DepositFactory(user=buyer, method=method)
    client.force_login(stranger)
    assert client.get(page(deposit)).status_code == 404
    assert client.post(page(deposit), {"transfer_reference": "TRX-9999"}).status_code == 404


def test_another_persons_code_is_refused(client: Client, stranger: User, buyer: User, method: DepositMethod) -> None:
    deposit = DepositFactory(user=buyer, method=method)
    client.force_login(stranger)
    response = claim(client, code=deposit.code)
    assert response.status_code == 422
    assert Deposit.objects.count() == 1


def test_a_question_is_answered_on_the_page_and_goes_back_to_the_queue(
    client: Client, buyer: User, staff: User, method: DepositMethod
) -> None:
    deposit = DepositFactory(user=buyer, method=method, transfer_reference="TRX-1000")
    deposit_claim(deposit=deposit, staff=staff)
    deposit_ask(deposit=deposit, staff=staff, reason="The receipt is cut off.")
    client.force_login(buyer)
    html = client.get(page(deposit)).content.decode()
    assert "Your turn: The receipt is cut off." in html
    assert 'value="TRX-1000"' in html
    # While somebody types, the page does not redraw itself.
    assert "store:wallet.changed" not in html
    response = client.post(page(deposit), {"transfer_reference": "TRX-1001", "proof": receipt("whole")}, follow=True)
    assert "Sent again." in response.content.decode()
    deposit.refresh_from_db()
    assert (deposit.state, deposit.transfer_reference) == ("submitted", "TRX-1001")


def test_an_answer_with_a_used_reference_changes_nothing(
    client: Client, buyer: User, staff: User, method: DepositMethod
) -> None:
    DepositFactory(user=staff, method=method, transfer_reference="TRX-2000")
    deposit = DepositFactory(user=buyer, method=method, transfer_reference="TRX-1000")
    deposit_claim(deposit=deposit, staff=staff)
    deposit_ask(deposit=deposit, staff=staff, reason="Which payment is it?")
    client.force_login(buyer)
    response = client.post(page(deposit), {"transfer_reference": "TRX-2000"})
    assert response.status_code == 422
    deposit.refresh_from_db()
    assert (deposit.state, deposit.transfer_reference) == ("needs_info", "TRX-1000")


def test_an_answer_that_nobody_asked_for_is_refused(client: Client, buyer: User, method: DepositMethod) -> None:
    deposit = DepositFactory(user=buyer, method=method, transfer_reference="TRX-1000")
    client.force_login(buyer)
    client.post(page(deposit), {"transfer_reference": "TRX-1001"})
    deposit.refresh_from_db()
    assert deposit.transfer_reference == "TRX-1000"


def test_a_rejected_deposit_says_why_and_offers_a_new_one(
    client: Client, buyer: User, staff: User, method: DepositMethod
) -> None:
    deposit = DepositFactory(user=buyer, method=method)
    deposit_claim(deposit=deposit, staff=staff)
    deposit_reject(deposit=deposit, staff=staff, reason="The bank has no such payment.")
    client.force_login(buyer)
    html = client.get(page(deposit)).content.decode()
    assert "Nothing was credited: The bank has no such payment." in html
    assert "Make a new deposit" in html


def test_the_pages_are_a_handful_of_queries(
    client: Client, buyer: User, method: DepositMethod, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    deposit = DepositFactory(user=buyer, method=method)
    client.force_login(buyer)
    client.get(NEW)
    for url in (NEW, page(deposit)):
        with django_assert_max_num_queries(12):
            client.get(url)
