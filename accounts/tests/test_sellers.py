import pytest
from django.test import Client
from django.urls import reverse

from accounts.errors import NotActive, OwnCase
from accounts.models import AuditEvent, SellerApplication, SellerProfile, User
from accounts.selectors import is_approved_seller
from accounts.services import (
    seller_application_approve,
    seller_application_ask,
    seller_application_reject,
    seller_apply,
    seller_restore,
    seller_suspend,
    user_restrict,
)
from accounts.tests.factories import UserFactory
from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.models import OutboxEvent

pytestmark = pytest.mark.stack

ANSWERS = {"legal_name": "Amal Haddad", "country": "Jordan", "sells": "Licences bought in bundles."}


def events() -> list[str]:
    return [row.payload["state"] for row in OutboxEvent.objects.filter(topic="seller.changed").order_by("created_at")]


@pytest.mark.django_db
def test_an_approved_applicant_may_sell(buyer: User, staff: User) -> None:
    application = seller_apply(user=buyer, **ANSWERS)
    assert not is_approved_seller(buyer)
    seller_application_approve(application=application, staff=staff)
    assert is_approved_seller(buyer)
    application.refresh_from_db()
    assert (application.state, application.reviewer) == ("approved", staff)
    assert AuditEvent.objects.get().action == "seller_application.approved"
    assert events() == ["applied", "approved"]


@pytest.mark.django_db
def test_a_rejected_person_applies_again_and_the_history_stays(buyer: User, staff: User) -> None:
    first = seller_apply(user=buyer, **ANSWERS)
    seller_application_reject(application=first, staff=staff, reason="The name does not match.")
    second = seller_apply(user=buyer, **ANSWERS | {"legal_name": "Amal Hadad"})
    assert (first.pk, second.attempt) != (second.pk, 1)
    tries = SellerApplication.objects.order_by("attempt")
    assert [(t.attempt, t.state, t.reason) for t in tries] == [
        (1, "rejected", "The name does not match."),
        (2, "submitted", ""),
    ]


@pytest.mark.django_db
def test_the_answer_to_a_question_goes_back_into_the_same_application(buyer: User, staff: User) -> None:
    application = seller_apply(user=buyer, **ANSWERS)
    seller_application_ask(application=application, staff=staff, reason="Which bundles?")
    answered = seller_apply(user=buyer, **ANSWERS | {"sells": "The spring bundle of 2025."})
    assert answered.pk == application.pk
    assert (answered.state, answered.sells) == ("submitted", "The spring bundle of 2025.")
    assert events() == ["applied", "needs_info", "applied"]


@pytest.mark.django_db
def test_a_second_application_beside_an_open_one_is_refused(buyer: User) -> None:
    seller_apply(user=buyer, **ANSWERS)
    with pytest.raises(Conflict):
        seller_apply(user=buyer, **ANSWERS)
    assert SellerApplication.objects.count() == 1


@pytest.mark.django_db
def test_only_one_of_two_decisions_counts(buyer: User, staff: User, second_staff: User) -> None:
    application = seller_apply(user=buyer, **ANSWERS)
    stale = SellerApplication.objects.get(pk=application.pk)
    seller_application_reject(application=application, staff=staff, reason="No.")
    with pytest.raises(Conflict):
        seller_application_approve(application=stale, staff=second_staff)
    assert not is_approved_seller(buyer)
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db
def test_nobody_approves_their_own_application_or_without_the_permission(staff: User, buyer: User) -> None:
    own = seller_apply(user=staff, **ANSWERS)
    with pytest.raises(OwnCase):
        seller_application_approve(application=own, staff=staff)
    other = seller_apply(user=buyer, **ANSWERS)
    with pytest.raises(NotAllowed):
        seller_application_approve(application=other, staff=UserFactory(is_staff=True))
    assert not is_approved_seller(staff)


@pytest.mark.django_db
def test_a_rejection_takes_a_reason(buyer: User, staff: User) -> None:
    application = seller_apply(user=buyer, **ANSWERS)
    with pytest.raises(StoreError) as refusal:
        seller_application_reject(application=application, staff=staff, reason=" ")
    assert refusal.value.field == "reason"
    application.refresh_from_db()
    assert application.state == "submitted"


@pytest.mark.django_db
def test_closed_selling_is_closed_until_it_is_opened_again(seller: User, staff: User) -> None:
    seller_suspend(user=seller, staff=staff, reason="Late three times.")
    assert not is_approved_seller(seller)
    with pytest.raises(NotAllowed):
        seller_apply(user=seller, **ANSWERS)
    seller_restore(user=seller, staff=staff, reason="Talked.")
    assert is_approved_seller(seller)
    assert [a.action for a in AuditEvent.objects.order_by("created_at")] == ["seller.suspended", "seller.approved"]


@pytest.mark.django_db
def test_a_restricted_person_neither_sells_nor_applies(seller: User, buyer: User, staff: User) -> None:
    user_restrict(user=seller, staff=staff, reason="Checking.")
    assert not is_approved_seller(seller)
    user_restrict(user=buyer, staff=staff, reason="Checking.")
    with pytest.raises(NotActive):
        seller_apply(user=buyer, **ANSWERS)


@pytest.mark.django_db
def test_the_page_takes_the_application_and_then_says_where_it_stands(client: Client, buyer: User, staff: User) -> None:
    client.force_login(buyer)
    page = reverse("accounts:apply")
    empty = client.post(page, {"legal_name": "Amal"})
    assert empty.status_code == 422
    assert empty.context["form"].errors.keys() == {"country", "sells"}
    assert client.post(page, ANSWERS).url == page
    waiting = client.get(page)
    assert "Your application is with us." in waiting.content.decode()
    assert b'name="legal_name"' not in waiting.content
    # A second submit from another tab.
    assert client.post(page, ANSWERS).status_code == 422
    assert SellerApplication.objects.count() == 1
    seller_application_reject(application=SellerApplication.objects.get(), staff=staff, reason="Too short.")
    again = client.get(page).content.decode()
    assert "Too short." in again and 'name="legal_name"' in again


@pytest.mark.django_db
def test_a_seller_sees_the_way_to_the_first_listing(client: Client, seller: User) -> None:
    client.force_login(seller)
    assert "You are a seller" in client.get(reverse("accounts:apply")).content.decode()
    assert SellerProfile.objects.get(user=seller).state == "approved"
