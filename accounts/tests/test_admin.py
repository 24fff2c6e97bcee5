"""The staff admin: who gets in, what it shows, and that deeds go through the services."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, SellerApplication, User
from accounts.services import audit_record, seller_apply, user_suspend
from accounts.tests.factories import PASSWORD, UserFactory


def staff_with(*codenames: str) -> User:
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def person_url(name: str, user: User) -> str:
    return reverse(f"admin:accounts_user_{name}", args=[user.pk])


@pytest.fixture
def application(buyer: User) -> SellerApplication:
    return seller_apply(user=buyer, legal_name="Amal Haddad", country="Jordan", sells="Licences.")


@pytest.mark.django_db
def test_staff_sign_in_where_everybody_does(client: Client, staff: User) -> None:
    answer = client.get(reverse("admin:index"), follow=True)
    assert answer.redirect_chain[-1][0] == f"{reverse('account_login')}?next=%2Fadmin%2F"
    answer = client.post(
        reverse("account_login"), {"login": staff.email, "password": PASSWORD, "next": reverse("admin:index")}
    )
    assert answer.url == reverse("admin:index")
    assert client.get(answer.url).status_code == 200


@pytest.mark.django_db
def test_customers_and_suspended_staff_do_not_get_in(buyer: User, staff: User, second_staff: User) -> None:
    customer = Client()
    customer.force_login(buyer)
    assert customer.get(reverse("admin:index"), follow=True).status_code == 403
    colleague = Client()
    colleague.force_login(second_staff)
    assert colleague.get(reverse("admin:index")).status_code == 200
    user_suspend(user=second_staff, staff=staff, reason="Left the house.")
    assert colleague.get(reverse("admin:index")).status_code == 403


@pytest.mark.django_db
def test_the_wider_content_policy_is_the_admins_alone(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert "'unsafe-eval'" in client.get(reverse("admin:index")).headers["Content-Security-Policy"]
    assert "unsafe" not in client.get(reverse("accounts:security")).headers["Content-Security-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["user", "sellerapplication", "auditevent"])
@pytest.mark.stack
def test_lists_open_to_their_group_and_closed_to_other_staff(client: Client, staff: User, name: str) -> None:
    url = reverse(f"admin:accounts_{name}_changelist")
    client.force_login(staff_with("send_withdrawal"))
    assert client.get(url).status_code == 403
    client.force_login(staff)
    assert client.get(url).status_code == 200


@pytest.mark.django_db
def test_nothing_is_added_changed_or_deleted_by_hand(client: Client, staff: User, application: object) -> None:
    audit_record(actor=staff, action="test", subject="user:1")
    client.force_login(staff)
    for name, model in (("sellerapplication", SellerApplication), ("auditevent", AuditEvent)):
        row = model.objects.get()
        before = model.objects.values().get()
        assert client.get(reverse(f"admin:accounts_{name}_add")).status_code == 403
        assert client.post(reverse(f"admin:accounts_{name}_change", args=[row.pk]), {"reason": "x"}).status_code == 403
        assert client.post(reverse(f"admin:accounts_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert model.objects.values().get() == before


@pytest.mark.django_db
@pytest.mark.stack
def test_people_are_found_by_name_and_filtered_by_status(
    client: Client, buyer: User, seller: User, staff: User
) -> None:
    user_suspend(user=seller, staff=staff, reason="Late.")
    client.force_login(staff)
    url = reverse("admin:accounts_user_changelist")
    assert [u.username for u in client.get(url, {"q": "ama"}).context["cl"].result_list] == ["amal"]
    assert [u.username for u in client.get(url, {"status__exact": "suspended"}).context["cl"].result_list] == [
        "northpine"
    ]


@pytest.mark.django_db
@pytest.mark.stack
def test_a_deed_asks_for_a_reason_and_goes_through_the_service(client: Client, buyer: User, staff: User) -> None:
    client.force_login(staff)
    url = person_url("suspend", buyer)
    assert "Every door closes" in client.get(url).content.decode()
    missing = client.post(url, {"reason": ""})
    assert missing.status_code == 200 and missing.context["form"].errors.keys() == {"reason"}
    done = client.post(url, {"reason": "Sold stolen accounts."}, follow=True)
    assert "Suspended." in done.content.decode()
    buyer.refresh_from_db()
    assert buyer.status == "suspended"
    assert AuditEvent.objects.get().reason == "Sold stolen accounts."


@pytest.mark.django_db
def test_a_refusal_of_the_service_is_shown_and_nothing_is_written(client: Client, staff: User) -> None:
    client.force_login(staff)
    answer = client.post(person_url("suspend", staff), {"reason": "Tired."}, follow=True)
    assert "Nobody decides their own case." in answer.content.decode()
    staff.refresh_from_db()
    assert staff.status == "active"
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_a_deed_takes_its_permission_even_if_the_page_may_be_read(client: Client, buyer: User) -> None:
    client.force_login(staff_with("review_seller"))
    assert client.get(person_url("change", buyer)).status_code == 200
    assert client.post(person_url("suspend", buyer), {"reason": "No."}).status_code == 403
    buyer.refresh_from_db()
    assert buyer.status == "active"


@pytest.mark.django_db
def test_only_deeds_that_make_sense_are_offered(client: Client, buyer: User, staff: User) -> None:
    client.force_login(staff)
    offered = client.get(person_url("change", buyer)).content.decode()
    assert person_url("suspend", buyer) in offered and person_url("restore", buyer) not in offered
    user_suspend(user=buyer, staff=staff, reason="x")
    offered = client.get(person_url("change", buyer)).content.decode()
    assert person_url("suspend", buyer) not in offered and person_url("restore", buyer) in offered


@pytest.mark.django_db
@pytest.mark.parametrize(("deed", "state"), [("approve", "approved"), ("ask", "needs_info"), ("reject", "rejected")])
@pytest.mark.stack
def test_staff_decide_an_application(client: Client, application: SellerApplication, deed: str, state: str) -> None:
    client.force_login(staff_with("review_seller"))
    url = reverse(f"admin:accounts_sellerapplication_{deed}", args=[application.pk])
    answer = client.post(url, {"reason": "Looks right."}, follow=True)
    assert answer.status_code == 200
    application.refresh_from_db()
    assert (application.state, application.reason) == (state, "Looks right.")


@pytest.mark.django_db
def test_an_unknown_object_is_not_found(client: Client, staff: User) -> None:
    client.force_login(staff)
    for key in ("0192d3c8-0000-7000-8000-000000000000", "nonsense"):
        assert client.get(reverse("admin:accounts_user_suspend", args=[key])).status_code == 404


@pytest.mark.django_db
@pytest.mark.stack
def test_the_history_of_a_thing_is_its_audit_rows(client: Client, buyer: User, seller: User, staff: User) -> None:
    user_suspend(user=buyer, staff=staff, reason="One.")
    user_suspend(user=seller, staff=staff, reason="Two.")
    client.force_login(staff)
    answer = client.get(person_url("history", buyer), follow=True)
    assert [row.reason for row in answer.context["cl"].result_list] == ["One."]


@pytest.mark.django_db
@pytest.mark.stack
def test_a_superuser_puts_a_colleague_into_a_group_and_that_is_audited(
    client: Client, buyer: User, staff: User
) -> None:
    group = Group.objects.create(name="Reviewers")
    client.force_login(staff)
    answer = client.post(person_url("change", buyer), {"is_staff": "on", "groups": [group.pk]})
    assert answer.status_code == 302
    buyer.refresh_from_db()
    assert buyer.is_staff and list(buyer.groups.all()) == [group]
    audit = AuditEvent.objects.get()
    assert (audit.action, audit.subject) == ("user.change", f"user:{buyer.pk.hex}")
    assert audit.after["is_staff"] == "True"


@pytest.mark.django_db
def test_nobody_below_a_superuser_makes_staff(client: Client, buyer: User) -> None:
    client.force_login(staff_with("suspend_user", "change_user", "view_user"))
    assert client.post(person_url("change", buyer), {"is_staff": "on"}).status_code == 403
    buyer.refresh_from_db()
    assert not buyer.is_staff


@pytest.mark.django_db
@pytest.mark.stack
def test_a_changed_group_is_audited_with_what_it_may_do(client: Client, staff: User) -> None:
    client.force_login(staff)
    may = Permission.objects.get(codename="review_deposit")
    assert (
        client.post(reverse("admin:auth_group_add"), {"name": "Night shift", "permissions": [may.pk]}).status_code
        == 302
    )
    group = Group.objects.get()
    audit = AuditEvent.objects.get()
    assert (audit.action, audit.subject, audit.after["name"]) == ("group.add", f"group:{group.pk}", "Night shift")
    assert "claim and decide deposits" in audit.after["permissions"]
