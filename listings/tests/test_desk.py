"""The seller's desk: writing, photos, stock, and that everything of somebody else is not found."""

import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from accounts.models import User
from accounts.services import user_restrict
from accounts.tests.factories import SellerFactory
from listings.models import Credential, Listing, ListingImage, StockItem
from listings.tests.factories import CategoryFactory, ListingFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(seller: User, client: Client) -> Client:
    client.force_login(seller)
    return client


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


def form(category_slug: str, **changes: Any) -> dict[str, Any]:
    return {
        "category": category_slug,
        "title": "Knight of level 62, three mounts",
        "price": "38.00",
        "description": "Raised over two seasons. The mail address comes with it.",
        "delivery": "manual",
        "count": "3",
        "attr_game": "Emberfall",
        "attr_level": "62",
        "attr_region": "Europe",
        "attr_email_included": "yes",
        **changes,
    }


def photo(name: str = "photo.png", color: str = "red") -> SimpleUploadedFile:
    file = io.BytesIO()
    Image.new("RGB", (640, 400), color).save(file, "PNG")
    return SimpleUploadedFile(name, file.getvalue(), "image/png")


# ---------------------------------------------------------------- who may


def test_visitors_sign_in_and_people_who_do_not_sell_apply(client: Client, buyer: User) -> None:
    assert "/account/login/" in client.get("/sell/listings/").headers["Location"]
    client.force_login(buyer)
    for address in ("/sell/listings/", "/sell/listings/new/"):
        assert client.get(address).headers["Location"] == "/sell/apply/"


def test_a_listing_of_somebody_else_is_not_found(desk: Client) -> None:
    listing = ListingFactory(from_stock=[{"login": "a", "password": "b"}])
    item = StockItem.objects.get()
    base = f"/sell/listings/{listing.code}/"
    for address in ("", "photos/", "stock/"):
        assert desk.get(base + address).status_code == 404
    for address in ("", "photos/", "stock/", "stock/preview/", f"stock/{item.pk}/withdraw/", "do/pause/", "do/remove/"):
        assert desk.post(base + address, {"way": "count", "count": 5}).status_code == 404
    listing.refresh_from_db()
    assert (listing.state, listing.stock_count) == ("active", 1)


def test_an_item_of_another_listing_is_not_found_through_ones_own(desk: Client, seller: User) -> None:
    own = ListingFactory(seller=seller)
    ListingFactory()
    foreign = StockItem.objects.exclude(listing=own).get()
    assert desk.post(f"/sell/listings/{own.code}/stock/{foreign.pk}/withdraw/").status_code == 404
    foreign.refresh_from_db()
    assert foreign.state == "available"


def test_somebody_restricted_may_still_take_a_listing_off_sale(desk: Client, seller: User, staff: User) -> None:
    listing = ListingFactory(seller=seller)
    user_restrict(user=seller, staff=staff, reason="Two complaints")
    desk.post(f"/sell/listings/{listing.code}/do/remove/")
    listing.refresh_from_db()
    assert listing.state == "removed"


# ---------------------------------------------------------------- writing


@pytest.mark.stack
def test_a_seller_writes_a_listing_and_publishes_it(desk: Client, seller: User) -> None:
    category = CategoryFactory()
    response = desk.post("/sell/listings/new/", form(category.slug))
    listing = Listing.objects.get()
    assert response.headers["Location"] == f"/sell/listings/{listing.code}/photos/"
    assert (listing.state, listing.price_minor, listing.stock_count) == ("draft", 3800, 3)
    assert listing.attributes == {"game": "Emberfall", "level": 62, "region": "Europe", "email_included": True}
    desk.post(f"/sell/listings/{listing.code}/do/publish/")
    assert listing.title in text(Client().get("/browse/"))


def test_every_wrong_field_is_named_at_once_and_nothing_is_saved(desk: Client) -> None:
    category = CategoryFactory()
    wrong = form(category.slug, title="short", price="cheap", description="", attr_level="many", attr_region="Moon")
    response = desk.post("/sell/listings/new/", wrong)
    assert response.status_code == 200
    assert set(response.context["form"].errors) == {"title", "price", "description", "attr_level", "attr_region"}
    assert not Listing.objects.exists()


@pytest.mark.parametrize("price", ["0.10", "999999999", "12.345", "-3", "1e3"])
def test_an_absurd_price_is_refused_beside_its_field(desk: Client, price: str) -> None:
    response = desk.post("/sell/listings/new/", form(CategoryFactory().slug, price=price))
    assert set(response.context["form"].errors) == {"price"}
    assert not Listing.objects.exists()


def test_choosing_a_category_brings_its_questions(desk: Client) -> None:
    category = CategoryFactory()
    page = text(desk.get("/sell/listings/new/fields/", {"category": category.slug, "attr_game": "Emberfall"}))
    assert 'name="attr_region"' in page
    assert 'value="Emberfall"' in page
    assert "Login name" in page
    assert "attr_" not in text(desk.get("/sell/listings/new/fields/", {"category": "no-such"}))


def test_a_closed_category_cannot_be_chosen(desk: Client) -> None:
    category = CategoryFactory(is_allowed=False)
    response = desk.post("/sell/listings/new/", form(category.slug))
    assert "category" in response.context["form"].errors
    assert not Listing.objects.exists()


@pytest.mark.stack
def test_editing_keeps_what_was_written_when_another_window_was_faster(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller)
    page = text(desk.get(f"/sell/listings/{listing.code}/"))
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    assert version[1] == "1"
    first = form(listing.category.slug, price="40.00", version="1")
    second = form(listing.category.slug, price="10.00", version="1", title="Knight from the second window")
    assert desk.post(f"/sell/listings/{listing.code}/", first).status_code == 302
    response = desk.post(f"/sell/listings/{listing.code}/", second)
    assert "changed in another window" in text(response)
    assert "Knight from the second window" in text(response)
    assert 'name="version" value="2"' in text(response)
    listing.refresh_from_db()
    assert (listing.price_minor, listing.version) == (4000, 2)
    assert desk.post(f"/sell/listings/{listing.code}/", {**second, "version": "2"}).status_code == 302
    listing.refresh_from_db()
    assert (listing.price_minor, listing.version) == (1000, 3)


@pytest.mark.parametrize("version", ["", "abc", "-1", "99"])
def test_a_made_up_version_changes_nothing(desk: Client, seller: User, version: str) -> None:
    listing = ListingFactory(seller=seller)
    desk.post(f"/sell/listings/{listing.code}/", form(listing.category.slug, price="1.00", version=version))
    listing.refresh_from_db()
    assert (listing.price_minor, listing.version) == (2500, 1)


@pytest.mark.stack
def test_the_list_says_what_each_listing_needs(desk: Client, seller: User) -> None:
    ListingFactory(seller=seller, title="Knight that sold out", state="sold_out", stock=0)
    ListingFactory(seller=seller, title="Knight taken down", state="rejected", state_reason="Asks to pay outside")
    ListingFactory(seller=seller, title="Knight long gone", state="removed")
    ListingFactory(title="Somebody else's knight")
    page = text(desk.get("/sell/listings/"))
    assert "Add stock" in page
    assert "Asks to pay outside" in page
    assert "Knight long gone" not in page
    assert "Somebody else" not in page
    assert "Knight taken down" not in text(desk.get("/sell/listings/?state=sold_out"))


def test_what_is_not_an_action_is_not_found(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller)
    assert desk.post(f"/sell/listings/{listing.code}/do/explode/").status_code == 404
    assert desk.get(f"/sell/listings/{listing.code}/do/pause/").status_code == 405


def test_publishing_without_stock_says_what_is_missing(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller, state="draft", stock=0)
    page = text(desk.post(f"/sell/listings/{listing.code}/do/publish/", follow=True))
    assert "nothing to sell yet" in page
    listing.refresh_from_db()
    assert listing.state == "draft"


@pytest.mark.stack
def test_a_form_sent_twice_counts_once(desk: Client, seller: User) -> None:
    page = text(desk.get("/sell/listings/new/"))
    key = re.search(r'name="once" value="(\w+)"', page)
    assert key
    twice = form(CategoryFactory().slug, once=key[1])
    first, second = desk.post("/sell/listings/new/", twice), desk.post("/sell/listings/new/", twice, follow=True)
    assert first.status_code == 302
    assert "saved already" in text(second)
    listing = Listing.objects.get()
    for _ in range(2):
        desk.post(f"/sell/listings/{listing.code}/stock/", {"way": "count", "count": "4", "once": "abc"})
    listing.refresh_from_db()
    assert listing.stock_count == 7


def test_a_part_of_a_page_leads_to_the_sign_in_when_the_session_ended(client: Client) -> None:
    listing = ListingFactory()
    headers = {"hx-request": "true", "hx-current-url": f"http://testserver{listing.get_absolute_url()}"}
    answer = client.post(f"/favourites/{listing.code}/", headers=headers)
    assert answer.headers["HX-Redirect"] == f"/account/login/?next={listing.get_absolute_url()}"


# ---------------------------------------------------------------- photos


@pytest.mark.stack
def test_photos_are_added_ordered_and_removed(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller)
    base = f"/sell/listings/{listing.code}/photos/"
    assert (
        desk.post(base, {"photos": [photo("a.png"), photo("b.png", "blue"), photo("c.png", "green")]}).status_code
        == 302
    )
    a, b, c = listing.images.select_related("file")
    assert [image.file.original_name for image in (a, b, c)] == ["a.png", "b.png", "c.png"]
    listing.refresh_from_db()
    assert listing.cover_id == a.file_id
    desk.post(f"{base}{c.pk}/cover/")
    desk.post(f"{base}{a.pk}/later/")
    assert list(listing.images.values_list("pk", flat=True)) == [c.pk, b.pk, a.pk]
    desk.post(f"{base}{c.pk}/remove/")
    listing.refresh_from_db()
    assert listing.cover_id == b.file_id
    assert desk.post(f"{base}{a.pk}/earlier/").status_code == 302
    assert list(listing.images.values_list("pk", flat=True)) == [a.pk, b.pk]
    assert desk.get(base).status_code == 200


def test_a_file_that_is_no_picture_is_refused_by_name_and_the_others_stay(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller)
    bad = SimpleUploadedFile("virus.png", b"MZ not a picture", "image/png")
    response = desk.post(f"/sell/listings/{listing.code}/photos/", {"photos": [bad, photo("good.png")]})
    assert "virus.png" in str(response.context["form"].errors["photos"])
    assert [image.file.original_name for image in listing.images.select_related("file")] == ["good.png"]


def test_the_eleventh_photo_is_refused(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller)
    base = f"/sell/listings/{listing.code}/photos/"
    desk.post(base, {"photos": [photo(f"{n}.png") for n in range(10)]})
    response = desk.post(base, {"photos": [photo("more.png")]})
    assert "at most 10 photos" in text(response)
    assert listing.images.count() == 10


def test_a_photo_of_somebody_else_is_not_moved(desk: Client, seller: User) -> None:
    other = SellerFactory()
    foreign = ListingFactory(seller=other)
    theirs = Client()
    theirs.force_login(other)
    theirs.post(f"/sell/listings/{foreign.code}/photos/", {"photos": [photo()]})
    image = ListingImage.objects.get()
    own = ListingFactory(seller=seller)
    assert desk.post(f"/sell/listings/{own.code}/photos/{image.pk}/remove/").status_code == 404
    assert ListingImage.objects.exists()


# ---------------------------------------------------------------- stock


def test_pieces_by_hand_are_counted(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller)
    base = f"/sell/listings/{listing.code}/stock/"
    assert desk.post(base, {"way": "count", "count": "4"}).status_code == 302
    for count in ("0", "-2", "100000", "many"):
        assert "count" in desk.post(base, {"way": "count", "count": count}).context["count_form"].errors
    listing.refresh_from_db()
    assert listing.stock_count == 5


@pytest.mark.stack
def test_one_credential_is_loaded_and_never_shown_again(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[])
    base = f"/sell/listings/{listing.code}/stock/"
    assert desk.post(base, {"way": "one", "login": "rook", "password": "pa<ss|wo rd"}).status_code == 302
    page = desk.get(base)
    assert "pa<ss" not in text(page)
    assert "pa&lt;ss" not in text(page)
    assert "no-store" in page.headers["Cache-Control"]
    from listings.credentials import credential_open

    assert credential_open(Credential.objects.get()) == {"login": "rook", "password": "pa<ss|wo rd"}


def test_a_missing_field_of_a_credential_is_named(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[])
    response = desk.post(f"/sell/listings/{listing.code}/stock/", {"way": "one", "login": "rook", "password": " "})
    assert "password" in response.context["one_form"].errors
    assert not StockItem.objects.exists()


@pytest.mark.stack
def test_many_credentials_are_pasted_by_line(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[])
    base = f"/sell/listings/{listing.code}/stock/"
    pasted = "rook | s3cret\n\nknight\tpa|ss\tread me\nbishop|x|note with | a bar"
    assert "3 credentials understood" in text(desk.post(f"{base}preview/", {"credentials": pasted}))
    assert not StockItem.objects.exists()
    assert desk.post(base, {"way": "bulk", "credentials": pasted}).status_code == 302
    from listings.credentials import credential_open

    assert [credential_open(each) for each in Credential.objects.order_by("id")] == [
        {"login": "rook", "password": "s3cret"},
        {"login": "knight", "password": "pa|ss", "note": "read me"},
        {"login": "bishop", "password": "x", "note": "note with | a bar"},
    ]


def test_a_paste_with_a_bad_line_loads_nothing_and_repeats_no_secret(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[])
    response = desk.post(
        f"/sell/listings/{listing.code}/stock/", {"way": "bulk", "credentials": "rook|a\nonlylogin\nrook|a"}
    )
    errors = " ".join(response.context["bulk_form"].errors["credentials"])
    assert "Line 2" in errors
    assert "Line 3 is the same as line 1" in errors
    assert "onlylogin" not in errors
    assert not StockItem.objects.exists()


@pytest.mark.stack
def test_two_hundred_lines_are_the_most(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[])
    lines = "\n".join(f"user{n}|pass{n}" for n in range(201))
    response = desk.post(f"/sell/listings/{listing.code}/stock/", {"way": "bulk", "credentials": lines})
    assert "201 lines" in " ".join(response.context["bulk_form"].errors["credentials"])
    assert not StockItem.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.stack
def test_a_credential_that_is_loaded_already_is_refused(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller, from_stock=[{"login": "rook", "password": "a"}])
    response = desk.post(f"/sell/listings/{listing.code}/stock/", {"way": "bulk", "credentials": "new|b\nrook|a"})
    assert "loaded before" in " ".join(response.context["bulk_form"].errors["credentials"])
    assert StockItem.objects.count() == 1


@pytest.mark.stack
def test_an_unsold_item_is_taken_back_once(desk: Client, seller: User) -> None:
    listing = ListingFactory(seller=seller, stock=2)
    item = StockItem.objects.first()
    assert item
    address = f"/sell/listings/{listing.code}/stock/{item.pk}/withdraw/"
    desk.post(address)
    page = desk.post(address, follow=True)
    assert "not on sale any more" in text(page)
    listing.refresh_from_db()
    assert listing.stock_count == 1


def test_the_wrong_kind_of_stock_is_refused(desk: Client, seller: User) -> None:
    by_hand = ListingFactory(seller=seller)
    response = desk.post(f"/sell/listings/{by_hand.code}/stock/", {"way": "bulk", "credentials": "a|b"})
    assert "delivered by hand" in str(response.context["bulk_form"].errors)
    assert desk.post(f"/sell/listings/{by_hand.code}/stock/", {"way": "magic"}).status_code == 404
