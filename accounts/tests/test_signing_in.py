"""Registration, codes, sign-in and reset, through the pages."""

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accountsstore.models import OutboxEvent, OutboxMail

NEW = {"email": "Amal@Example.com", "username": "Amal_1", "password1": "wide-river-quiet-lamp"}


def code_in(message: object) -> str:
    found = re.search(r"^\d{6}$", message.body, re.MULTILINE)  # type: ignore[attr-defined]
    assert found, "no code of six digits in a paragraph of its own"
    return found[0]


def without_secrets(html: bytes, *words: str) -> str:
    """The page with everything that differs by request or by what was typed taken out."""
    text = re.sub(r'(csrfmiddlewaretoken" value=|X-CSRFToken": )"[^"]+"', "", html.decode())
    for word in words:
        text = text.replace(word, "…")
    return text


@pytest.mark.django_db
@pytest.mark.stack
def test_somebody_registers_confirms_the_code_and_is_signed_in(client: Client, run_jobs: object) -> None:
    answer = client.post(reverse("account_signup"), NEW)
    assert answer.status_code == 302 and answer.url == reverse("account_email_verification_sent")
    user = User.objects.get()
    assert (user.email, user.username) == ("amal@example.com", "amal_1")
    assert "_auth_user_id" not in client.session
    run_jobs()
    assert mail.outbox[0].to == ["amal@example.com"]
    code = code_in(mail.outbox[0])
    answer = client.post(reverse("account_email_verification_sent"), {"code": code})
    assert answer.status_code == 302 and answer.url == "/"
    assert client.session["_auth_user_id"] == str(user.pk)
    user.refresh_from_db()
    assert user.secured_at is None, "nothing was changed yet: payouts need not wait"


@pytest.mark.django_db
def test_the_code_is_neither_in_the_subject_nor_kept_after_sending(client: Client, run_jobs: object) -> None:
    client.post(reverse("account_signup"), NEW)
    run_jobs()
    code = code_in(mail.outbox[0])
    row = OutboxMail.objects.get()
    assert code not in row.subject
    assert (row.body_text, row.body_html) == ("", "")


@pytest.mark.django_db
def test_registering_in_arabic_is_remembered_and_the_mail_is_in_arabic(client: Client) -> None:
    client.post(reverse("account_signup"), NEW, headers={"accept-language": "ar"})
    assert User.objects.get().language == "ar"
    assert 'dir="rtl"' in OutboxMail.objects.get().body_html


@pytest.mark.django_db
@pytest.mark.parametrize("username", ["a b", "-amal", "ab", "ämal", "admin", "x" * 31])
def test_a_bad_username_is_refused_beside_its_field(client: Client, username: str) -> None:
    answer = client.post(reverse("account_signup"), NEW | {"username": username})
    assert answer.status_code == 200
    assert answer.context["form"].errors.keys() == {"username"}
    assert b'id="id_username_error"' in answer.content
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["short", "1234567890123", "password123", "amal@example.com"])
def test_a_weak_password_is_refused_beside_its_field(client: Client, password: str) -> None:
    answer = client.post(reverse("account_signup"), NEW | {"password1": password})
    assert answer.context["form"].errors.keys() == {"password1"}
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.stack
def test_a_username_is_taken_whatever_its_capitals(client: Client) -> None:
    UserFactory(username="amal_1", email="other@example.com")
    answer = client.post(reverse("account_signup"), NEW)
    assert answer.context["form"].errors.keys() == {"username"}


@pytest.mark.django_db
@pytest.mark.stack
def test_registration_answers_the_same_for_a_known_and_an_unknown_address(run_jobs: object) -> None:
    UserFactory(username="known", email="known@example.com")
    pages = []
    for address, name in (("known@example.com", "name_a"), ("fresh@example.com", "name_b")):
        visitor = Client()
        answer = visitor.post(reverse("account_signup"), NEW | {"email": address, "username": name}, follow=True)
        pages.append((answer.redirect_chain, without_secrets(answer.content, address)))
        wrong = visitor.post(reverse("account_email_verification_sent"), {"code": "000000"}, follow=True)
        pages[-1] += (wrong.redirect_chain, without_secrets(wrong.content, address))
        again = visitor.post(reverse("account_email_verification_sent"), {"action": "resend"}, follow=True)
        pages[-1] += (again.redirect_chain,)
    assert pages[0] == pages[1]
    run_jobs()
    assert [m.subject for m in mail.outbox if m.to == ["known@example.com"]] == [
        "You have an account at Accounts Store already"
    ]
    assert not User.objects.filter(username="name_a").exists()


@pytest.mark.django_db
@pytest.mark.stack
def test_three_wrong_codes_end_the_try(client: Client) -> None:
    client.post(reverse("account_signup"), NEW)
    for _ in range(3):
        answer = client.post(reverse("account_email_verification_sent"), {"code": "000000"})
    assert answer.status_code == 302
    assert client.get(reverse("account_email_verification_sent")).url == reverse("account_login")
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
@pytest.mark.stack
def test_somebody_signs_in_by_mail_address_in_any_capitals(client: Client) -> None:
    user = UserFactory(username="amal", language="ar")
    answer = client.post(reverse("account_login"), {"login": "AMAL@example.com", "password": PASSWORD})
    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.cookies["django_language"].value == "ar"


@pytest.mark.django_db
def test_a_wrong_password_and_an_unknown_address_read_the_same() -> None:
    UserFactory(username="amal")
    pages = []
    for address in ("amal@example.com", "nobody@example.com"):
        answer = Client().post(reverse("account_login"), {"login": address, "password": "wrong-wrong-wrong"})
        assert answer.status_code == 200
        pages.append(without_secrets(answer.content, address))
    assert pages[0] == pages[1]
    assert "The email address or the password is wrong." in pages[0]


@pytest.mark.django_db
@pytest.mark.stack
def test_guessing_at_one_address_is_slowed_and_open_sessions_go_on(client: Client) -> None:
    user = UserFactory(username="amal")
    client.force_login(user)
    guesser = Client()
    for _ in range(6):
        answer = guesser.post(reverse("account_login"), {"login": user.email, "password": "wrong-wrong-wrong"})
    assert "Too many wrong tries" in answer.content.decode()
    assert client.get(reverse("accounts:security")).status_code == 200
    # Nor does it use up the tries at the questions for the password inside.
    changed = client.post(
        reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": "wide-river-quiet-lamp"}
    )
    assert changed.status_code == 302


@pytest.mark.django_db
@pytest.mark.stack
def test_somebody_resets_a_forgotten_password_with_a_mailed_code(client: Client, run_jobs: object) -> None:
    user = UserFactory(username="amal")
    elsewhere = Client()
    elsewhere.force_login(user)
    assert client.post(reverse("account_reset_password"), {"email": "Amal@example.com"}).status_code == 302
    run_jobs()
    code = code_in(mail.outbox[0])
    answer = client.post(reverse("account_confirm_password_reset_code"), {"code": code})
    assert answer.url == reverse("account_complete_password_reset")
    answer = client.post(answer.url, {"password1": "wide-river-quiet-lamp"})
    assert answer.status_code == 302
    user.refresh_from_db()
    assert user.check_password("wide-river-quiet-lamp")
    assert user.secured_at is not None
    assert elsewhere.get(reverse("accounts:security")).status_code == 302, "the other session must be over"
    assert OutboxEvent.objects.filter(topic="session.revoked").exists()
    run_jobs()
    assert mail.outbox[-1].subject == "Your password at Accounts Store was changed"


@pytest.mark.django_db
def test_a_reset_answers_the_same_for_a_known_and_an_unknown_address(run_jobs: object) -> None:
    UserFactory(username="amal")
    pages = []
    for address in ("amal@example.com", "nobody@example.com"):
        visitor = Client()
        answer = visitor.post(reverse("account_reset_password"), {"email": address}, follow=True)
        wrong = visitor.post(reverse("account_confirm_password_reset_code"), {"code": "000000"})
        pages.append(
            (
                answer.redirect_chain,
                without_secrets(answer.content, address),
                wrong.status_code,
                without_secrets(wrong.content, address),
            )
        )
    assert pages[0] == pages[1]
    run_jobs()
    assert sorted(m.to[0] for m in mail.outbox) == ["amal@example.com", "nobody@example.com"]


@pytest.mark.django_db
@pytest.mark.stack
def test_changing_the_password_keeps_this_session_and_ends_the_others(client: Client) -> None:
    user = UserFactory(username="amal")
    client.force_login(user)
    elsewhere = Client()
    elsewhere.force_login(user)
    answer = client.post(
        reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": "wide-river-quiet-lamp"}
    )
    assert answer.status_code == 302
    assert client.get(reverse("accounts:security")).status_code == 200
    assert elsewhere.get(reverse("accounts:security")).status_code == 302
    user.refresh_from_db()
    assert user.secured_at is not None


@pytest.mark.django_db
@pytest.mark.stack
def test_a_new_mail_address_asks_for_the_password_and_counts_after_its_code(client: Client, run_jobs: object) -> None:
    user = UserFactory(username="amal")
    client.force_login(user)
    answer = client.post(reverse("account_email"), {"action_add": "", "email": "new@example.com"})
    assert answer.url.startswith(reverse("account_reauthenticate"))
    answer = client.post(answer.url, {"password": PASSWORD}, follow=True)
    run_jobs()
    assert mail.outbox[-1].to == ["new@example.com"]
    user.refresh_from_db()
    assert user.email == "amal@example.com"
    client.post(reverse("account_email_verification_sent"), {"code": code_in(mail.outbox[-1])})
    user.refresh_from_db()
    assert user.email == "new@example.com"
    assert user.secured_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize(
    "name", ["account_login", "account_signup", "account_reset_password", "account_password_reset_completed"]
)
def test_every_page_before_the_sign_in_is_in_our_design(client: Client, name: str, language: str) -> None:
    answer = client.get(reverse(name), headers={"accept-language": language})
    assert answer.status_code == 200
    assert 'id="entrance"' in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["account_change_password", "account_reauthenticate", "account_email", "account_logout"]
)
def test_every_page_of_a_signed_in_person_is_in_our_design(client: Client, name: str) -> None:
    client.force_login(UserFactory())
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    assert 'id="entrance"' in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.stack
def test_a_flood_of_registrations_from_one_address_is_slowed_with_a_page_of_ours(client: Client) -> None:
    answers = [client.post(reverse("account_signup"), {"email": "x"}) for _ in range(21)]
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    assert "Too many tries at once" in answers[-1].content.decode()
