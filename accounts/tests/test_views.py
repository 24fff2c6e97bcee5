import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User


@pytest.mark.django_db
def test_the_profile_is_saved_and_the_language_with_it(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    answer = client.post(
        reverse("accounts:profile"), {"display_name": "Amal H.", "about": "Since 2019.", "language": "ar"}
    )
    assert answer.status_code == 302
    assert client.cookies["django_language"].value == "ar"
    buyer.refresh_from_db()
    assert (buyer.display_name, buyer.about, buyer.language) == ("Amal H.", "Since 2019.", "ar")


@pytest.mark.django_db
def test_a_profile_that_is_too_long_is_refused_beside_its_field_and_changes_nothing(
    client: Client, buyer: User
) -> None:
    client.force_login(buyer)
    answer = client.post(reverse("accounts:profile"), {"display_name": "x" * 61, "about": "", "language": "xx"})
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {"display_name", "language"}
    assert answer.context["user"].display_name == "Amal"
    buyer.refresh_from_db()
    assert buyer.display_name == "Amal"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["accounts:profile", "accounts:security", "accounts:apply"])
def test_pages_about_oneself_ask_for_the_sign_in(client: Client, name: str) -> None:
    answer = client.get(reverse(name))
    assert answer.status_code == 302
    assert answer.url == f"{reverse('account_login')}?next={reverse(name)}"


@pytest.mark.django_db
def test_the_language_switch_is_remembered_for_the_person(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    client.post(reverse("set_language"), {"language": "ar", "next": "/help/"})
    buyer.refresh_from_db()
    assert buyer.language == "ar"
    client.post(reverse("set_language"), {"language": "zz", "next": "/help/"})
    buyer.refresh_from_db()
    assert buyer.language == "ar"


@pytest.mark.django_db
def test_a_visitor_switches_the_language_by_cookie(client: Client) -> None:
    answer = client.post(reverse("set_language"), {"language": "ar", "next": reverse("account_login")})
    assert answer.url == reverse("account_login")
    assert 'dir="rtl"' in client.get(reverse("account_login")).content.decode()
