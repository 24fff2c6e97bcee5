"""The staff's pages of the catalogue."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import AuditEvent, User
from accounts.tests.factories import UserFactory
from listings.models import Category, CategoryField, Listing, Review
from listings.services.moderation import listing_report
from listings.tests.factories import CategoryFactory, ListingFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(staff: User, client: Client) -> Client:
    client.force_login(staff)
    return client


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


def category_form(*fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    data = {
        "name_en": "Music",
        "name_ar": "موسيقى",
        "slug": "music",
        "position": "3",
        "art": "subs",
        "is_allowed": "on",
        "fields-TOTAL_FORMS": str(len(fields)),
        "fields-INITIAL_FORMS": "0",
        **changes,
    }
    for number, field in enumerate(fields):
        plain = {"use": "attribute", "kind": "text", "label_en": "Label", "position": "0", "choices": ""}
        data |= {f"fields-{number}-{name}": value for name, value in {**plain, **field}.items()}
    return data


@pytest.mark.stack
def test_a_category_with_its_fields_is_made_without_code(office: Client, seller: User) -> None:
    response = office.post(
        "/admin/listings/category/add/",
        category_form(
            {
                "key": "plan",
                "kind": "choice",
                "choices": "Single\nFamily | عائلية",
                "is_facet": "on",
                "is_required": "on",
            },
            {"key": "login", "use": "credential"},
        ),
    )
    assert response.status_code == 302, response.context["errors"]
    category = Category.objects.get(slug="music")
    assert [(f.use, f.key, f.choice_list) for f in category.fields.order_by("use")] == [
        ("attribute", "plan", ["Single", "Family"]),
        ("credential", "login", []),
    ]
    assert set(AuditEvent.objects.values_list("action", flat=True)) == {"category.add", "category.fields"}
    client = Client()
    client.force_login(seller)
    assert 'name="attr_plan"' in text(client.get("/sell/listings/new/?category=music"))


@pytest.mark.parametrize(
    "field",
    [
        {"key": "plan", "kind": "choice", "choices": ""},
        {"key": "plan", "kind": "choice", "choices": "only one"},
        {"key": "plan", "kind": "choice", "choices": "x" * 61 + "\ny"},
        {"key": "plan", "kind": "text", "choices": "a\nb"},
        {"key": "Plan One"},
        {"key": "plan", "is_facet": "on"},
        {"key": "login", "use": "credential", "kind": "number"},
    ],
)
def test_a_field_that_makes_no_sense_is_refused(office: Client, field: dict[str, str]) -> None:
    assert office.post("/admin/listings/category/add/", category_form(field)).status_code == 200
    assert not CategoryField.objects.exists()


@pytest.mark.stack
def test_the_same_key_twice_and_a_third_level_are_refused(office: Client) -> None:
    twice = category_form({"key": "plan"}, {"key": "plan"})
    assert office.post("/admin/listings/category/add/", twice).status_code == 200
    child = CategoryFactory(parent=CategoryFactory())
    assert office.post("/admin/listings/category/add/", category_form(parent=str(child.pk))).status_code == 200
    assert not Category.objects.filter(slug="music").exists()


def test_a_listing_is_read_only_and_taken_down_with_a_reason(office: Client) -> None:
    listing = ListingFactory()
    base = f"/admin/listings/listing/{listing.pk}/change/"
    page = text(office.get(base))
    assert listing.title in page
    assert 'name="title"' not in page
    office.post(base, {"title": "Changed by hand", "price_minor": "1"})
    act = f"/admin/listings/listing/{listing.pk}/take-down/"
    assert "reason" in office.post(act, {"reason": ""}).context["form"].errors
    office.post(act, {"reason": "Asks to pay outside"})
    listing.refresh_from_db()
    assert (listing.state, listing.title.startswith("Knight")) == ("rejected", True)
    office.post(f"/admin/listings/listing/{listing.pk}/restore/", {"reason": "It was fine"})
    listing.refresh_from_db()
    assert listing.state == "active"
    assert list(AuditEvent.objects.order_by("id").values_list("action", flat=True)) == [
        "listing.take_down",
        "listing.restore",
    ]


@pytest.mark.stack
def test_lists_of_the_catalogue_open(office: Client, buyer: User) -> None:
    listing = ListingFactory()
    listing_report(listing=listing, reporter=buyer, reason="stolen", text="Mine")
    for address in (
        "/admin/listings/listing/?q=knight&state__exact=active",
        "/admin/listings/category/",
        f"/admin/listings/category/{listing.category_id}/change/",
        "/admin/listings/listingreport/?state__exact=open",
        "/admin/listings/review/",
    ):
        assert office.get(address).status_code == 200, address


@pytest.mark.stack
def test_a_report_is_upheld_from_its_page(office: Client, buyer: User) -> None:
    report = listing_report(listing=ListingFactory(), reporter=buyer, reason="stolen", text="Mine")
    assert "Mine" in text(office.get(f"/admin/listings/listingreport/{report.pk}/change/"))
    office.post(f"/admin/listings/listingreport/{report.pk}/uphold/", {"reason": "Proved"})
    report.refresh_from_db()
    assert (report.state, Listing.objects.get().state) == ("upheld", "rejected")


@pytest.mark.stack
def test_a_review_is_hidden_and_shown_again(office: Client, buyer: User) -> None:
    listing = ListingFactory()
    review = Review.objects.create(
        order_id=listing.pk, listing=listing, seller=listing.seller, buyer=buyer, rating=1, text="Rude words"
    )
    office.post(f"/admin/listings/review/{review.pk}/hide/", {"reason": "Rude"})
    assert "Rude words" not in text(office.get(listing.get_absolute_url()))
    office.post(f"/admin/listings/review/{review.pk}/show/", {"reason": "Not that rude"})
    assert "Rude words" in text(office.get(listing.get_absolute_url()))


def test_staff_without_the_permission_neither_see_nor_act(client: Client) -> None:
    clerk = UserFactory(is_staff=True)
    client.force_login(clerk)
    listing = ListingFactory()
    assert client.get("/admin/listings/listing/").status_code == 403
    assert client.post(f"/admin/listings/listing/{listing.pk}/take-down/", {"reason": "x"}).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="moderate_listing"))
    assert client.get("/admin/listings/listing/").status_code == 200
    client.post(f"/admin/listings/listing/{listing.pk}/take-down/", {"reason": "Asks to pay outside"})
    listing.refresh_from_db()
    assert listing.state == "rejected"
