import pytest
from django.test import Client
from django.urls import reverse

from accounts.errors import TooManyTries, WrongPassword
from accounts.models import User
from accounts.services import password_require, password_set
from accounts.tests.factories import PASSWORD
from accountsstore.models import OutboxEvent

pytestmark = pytest.mark.stack


@pytest.mark.django_db
def test_the_right_password_passes_however_often(buyer: User) -> None:
    for _ in range(30):
        password_require(user=buyer, password=PASSWORD)


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_names_the_field(buyer: User, password: str) -> None:
    with pytest.raises(WrongPassword) as refusal:
        password_require(user=buyer, password=password)
    assert refusal.value.field == "password"


@pytest.mark.django_db
def test_wrong_tries_close_the_question_for_this_person_and_nothing_else(
    client: Client, buyer: User, seller: User
) -> None:
    client.force_login(buyer)
    for _ in range(10):
        with pytest.raises(WrongPassword):
            password_require(user=buyer, password="wrong")
    with pytest.raises(TooManyTries):
        password_require(user=buyer, password=PASSWORD)
    password_require(user=seller, password=PASSWORD)
    assert client.get(reverse("accounts:profile")).status_code == 200


@pytest.mark.django_db
def test_a_new_password_starts_the_cool_off_and_closes_sockets(buyer: User) -> None:
    password_set(user=buyer, password="wide-river-quiet-lamp")
    buyer.refresh_from_db()
    assert buyer.check_password("wide-river-quiet-lamp")
    assert buyer.secured_at is not None
    assert OutboxEvent.objects.get().payload["reason"] == "password_changed"


@pytest.mark.django_db
def test_signing_out_elsewhere_keeps_this_session_and_the_password(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    elsewhere = Client()
    elsewhere.force_login(buyer)
    answer = client.post(reverse("accounts:sign_out_others"), {"password": PASSWORD})
    assert answer.url == reverse("accounts:security")
    assert client.get(reverse("accounts:security")).status_code == 200
    assert elsewhere.get(reverse("accounts:security")).status_code == 302
    buyer.refresh_from_db()
    assert buyer.check_password(PASSWORD)
    assert buyer.secured_at is None, "the password is the same: payouts need not wait"
    assert OutboxEvent.objects.get(topic="session.revoked").payload["reason"] == "signed_out"


@pytest.mark.django_db
def test_signing_out_elsewhere_asks_for_the_password(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    elsewhere = Client()
    elsewhere.force_login(buyer)
    answer = client.post(reverse("accounts:sign_out_others"), {"password": "wrong"})
    assert answer.status_code == 422
    assert "This is not your password." in answer.content.decode()
    assert elsewhere.get(reverse("accounts:security")).status_code == 200


@pytest.mark.django_db
def test_a_new_password_takes_the_present_one(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    answer = client.post(
        reverse("account_change_password"), {"oldpassword": "wrong", "password1": "wide-river-quiet-lamp"}
    )
    assert answer.context["form"].errors == {"oldpassword": ["This is not your password."]}
    buyer.refresh_from_db()
    assert buyer.check_password(PASSWORD)
