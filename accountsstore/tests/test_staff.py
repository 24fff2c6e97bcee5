"""The desk that every member of staff sees first."""

import datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.services import seller_apply
from accounts.tests.factories import UserFactory
from accountsstore.management.commands.bootstrap import groups_install
from accountsstore.staff import LISTS, QUEUES, SETUP
from payments.models import Deadline


def member_of(group: str) -> User:
    groups_install()
    user = UserFactory(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def titles(client: Client) -> set[str]:
    return {str(queue["title"]) for queue in client.get(reverse("admin:index")).context["queues"]}


@pytest.mark.django_db
@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: str(queue.title))
def test_every_queue_leads_to_a_list_of_what_it_counts(client: Client, staff: User, queue: object) -> None:
    client.force_login(staff)
    answer = client.get(queue.url)  # type: ignore[attr-defined]
    # An unknown filter would redirect to ?e=1.
    assert answer.status_code == 200
    assert str(answer.context["cl"].queryset.query.where), "the list is not narrowed"


def test_every_list_of_the_menu_has_an_admin() -> None:
    for _title, _icon, model in (*LISTS, *SETUP):
        assert admin.site.is_registered(model), model


@pytest.mark.django_db
def test_what_waits_is_counted_on_the_desk_and_in_the_menu(client: Client, staff: User, buyer: User) -> None:
    client.force_login(staff)
    assert client.get(reverse("admin:index")).context["queues"][4]["count"] == ""
    seller_apply(user=buyer, legal_name="Amal Haddad", country="Jordan", sells="Licences.")
    answer = client.get(reverse("admin:index"))
    found = {str(queue["title"]): queue["count"] for queue in answer.context["queues"]}
    assert found["Seller applications"] == "1"
    menu = [item for group in answer.context["sidebar_navigation"] for item in group["items"]]
    assert [item["badge"] for item in menu if str(item["title"]) == "Seller applications"] == ["1"]


@pytest.mark.django_db
def test_only_deadlines_that_are_over_and_run_count_as_overdue(client: Client, staff: User) -> None:
    now = timezone.now()
    for key, minutes, more in (
        ("over", -5, {}),
        ("ahead", 5, {}),
        ("closed", -5, {"is_open": False}),
    ):
        due = now + datetime.timedelta(minutes=minutes)
        Deadline.objects.create(kind="deliver", key=key, due_at=due, **more)
    client.force_login(staff)
    queues = client.get(reverse("admin:index")).context["queues"]
    overdue = next(queue for queue in queues if str(queue["title"]) == "Overdue deadlines")
    assert overdue["count"] == "1"
    listed = client.get(overdue["url"]).context["cl"].result_list
    assert [deadline.key for deadline in listed] == ["over"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("group", "sees", "not_sees"),
    [
        ("Reviewers", {"Deposits", "Seller applications"}, {"Withdrawals to send", "Reports"}),
        ("Treasury", {"Withdrawals to send"}, {"Seller applications", "Reports"}),
        ("Moderators", {"Reports"}, {"Deposits", "Withdrawals to send"}),
        ("Disputes", {"Disputes"}, {"Deposits", "Withdrawals to send", "Reports"}),
    ],
)
def test_each_group_sees_its_own_queues(client: Client, group: str, sees: set[str], not_sees: set[str]) -> None:
    client.force_login(member_of(group))
    found = titles(client)
    assert sees <= found
    assert not not_sees & found


@pytest.mark.django_db
def test_staff_without_a_group_are_told_what_to_do(client: Client) -> None:
    client.force_login(UserFactory(is_staff=True))
    assert "No queue is open to you." in client.get(reverse("admin:index")).content.decode()
