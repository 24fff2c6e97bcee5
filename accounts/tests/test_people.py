"""Standing in the store: services, the door, and what suspended people meet."""

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.errors import NotActive, OwnCase
from accounts.models import AuditEvent, User
from accounts.services import user_require_active, user_restore, user_restrict, user_suspend
from accounts.tests.factories import PASSWORD, UserFactory
from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.models import OutboxEvent

pytestmark = pytest.mark.stack


def with_permission(codename: str) -> User:
    user = UserFactory(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


@pytest.mark.django_db
def test_a_suspension_is_kept_audited_told_to_the_sockets_and_mailed(
    buyer: User, staff: User, run_jobs: object
) -> None:
    user_suspend(user=buyer, staff=staff, reason="Sold stolen accounts.")
    buyer.refresh_from_db()
    assert (buyer.status, buyer.status_reason) == ("suspended", "Sold stolen accounts.")
    audit = AuditEvent.objects.get()
    assert (audit.actor, audit.action, audit.subject) == (staff, "user.suspended", f"user:{buyer.pk.hex}")
    assert (audit.before, audit.after, audit.reason) == (
        {"status": "active"},
        {"status": "suspended"},
        "Sold stolen accounts.",
    )
    event = OutboxEvent.objects.get(topic="session.revoked")
    assert event.groups == [f"user.{buyer.pk.hex}"] and event.payload["reason"] == "suspended"
    run_jobs()
    assert "Sold stolen accounts." in mail.outbox[0].body


@pytest.mark.django_db
def test_nobody_suspends_themselves(staff: User) -> None:
    with pytest.raises(OwnCase):
        user_suspend(user=staff, staff=staff, reason="Tired.")
    staff.refresh_from_db()
    assert staff.status == "active"
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_a_suspension_takes_the_permission_and_a_superuser_takes_a_superuser(buyer: User, staff: User) -> None:
    with pytest.raises(NotAllowed):
        user_suspend(user=buyer, staff=UserFactory(is_staff=True), reason="No.")
    moderator = with_permission("suspend_user")
    with pytest.raises(NotAllowed):
        user_suspend(user=staff, staff=moderator, reason="No.")
    user_suspend(user=buyer, staff=moderator, reason="Yes.")


@pytest.mark.django_db
def test_a_second_decision_about_the_same_person_is_refused(buyer: User, staff: User, second_staff: User) -> None:
    stale = User.objects.get(pk=buyer.pk)
    user_suspend(user=buyer, staff=staff, reason="First.")
    with pytest.raises(Conflict):
        user_suspend(user=stale, staff=second_staff, reason="Second.")
    buyer.refresh_from_db()
    assert buyer.status_reason == "First."
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("service", [user_suspend, user_restrict])
def test_a_decision_without_a_reason_is_refused_beside_the_field(buyer: User, staff: User, service: object) -> None:
    with pytest.raises(StoreError) as refusal:
        service(user=buyer, staff=staff, reason="  ")  # type: ignore[operator]
    assert refusal.value.field == "reason"


@pytest.mark.django_db
def test_a_restricted_person_is_refused_by_services_with_the_reason_until_restored(buyer: User, staff: User) -> None:
    user_restrict(user=buyer, staff=staff, reason="Chargeback of 3 May.")
    # The object in a view may be older than the decision.
    stale = User(pk=buyer.pk, status="active")
    with pytest.raises(NotActive, match=r"Chargeback of 3 May\."):
        user_require_active(stale)
    user_restore(user=buyer, staff=staff, reason="Settled.")
    user_require_active(buyer)
    buyer.refresh_from_db()
    assert (buyer.status, buyer.status_reason) == ("active", "")


@pytest.mark.django_db
def test_a_suspended_persons_next_request_ends_the_session_and_says_why(
    client: Client, buyer: User, staff: User
) -> None:
    client.post(reverse("account_login"), {"login": buyer.email, "password": PASSWORD})
    assert client.get(reverse("accounts:profile")).status_code == 200
    user_suspend(user=buyer, staff=staff, reason="Sold stolen accounts.")
    # A script of the page that is open gets nothing, and does not take the word from the page.
    answer = client.get(reverse("chat:conversation_rows"), headers={"Sec-Fetch-Mode": "cors"})
    assert answer.status_code == 403 and "_auth_user_id" in client.session
    answer = client.get(reverse("accounts:profile"), headers={"Sec-Fetch-Mode": "navigate"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Sold stolen accounts." in page and "support@store.example" in page
    assert "_auth_user_id" not in client.session
    # From then on a visitor like any other.
    assert client.get(reverse("account_login")).status_code == 200


@pytest.mark.django_db
def test_a_suspended_person_cannot_sign_in_and_reads_why_only_with_the_right_password(
    client: Client, buyer: User, staff: User
) -> None:
    user_suspend(user=buyer, staff=staff, reason="Sold stolen accounts.")
    wrong = client.post(reverse("account_login"), {"login": buyer.email, "password": "wrong-wrong-wrong"})
    assert "stolen" not in wrong.content.decode()
    right = client.post(reverse("account_login"), {"login": buyer.email, "password": PASSWORD})
    assert right.status_code == 403
    assert "Sold stolen accounts." in right.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_a_suspended_person_gets_no_code_to_reset_the_password(
    client: Client, buyer: User, staff: User, run_jobs: object
) -> None:
    user_suspend(user=buyer, staff=staff, reason="Sold stolen accounts.")
    run_jobs()
    mail.outbox.clear()
    client.post(reverse("account_reset_password"), {"email": buyer.email})
    run_jobs()
    assert [m.subject for m in mail.outbox] == ["No open account at Accounts Store has this address"]


@pytest.mark.django_db
def test_a_restricted_person_still_signs_in(client: Client, buyer: User, staff: User) -> None:
    user_restrict(user=buyer, staff=staff, reason="Chargeback.")
    client.post(reverse("account_login"), {"login": buyer.email, "password": PASSWORD})
    assert client.get(reverse("accounts:profile")).status_code == 200


@pytest.mark.django_db
def test_a_session_that_ended_with_the_password_is_simply_signed_out(client: Client, buyer: User) -> None:
    client.force_login(buyer)
    buyer.set_password("wide-river-quiet-lamp")
    buyer.save()
    answer = client.get(reverse("accounts:profile"))
    assert answer.status_code == 302 and answer.url.startswith(reverse("account_login"))
