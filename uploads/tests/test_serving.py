import io
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import signing
from django.core.files.storage import default_storage
from django.template import Context, Template
from django.test import AsyncClient, Client, RequestFactory
from PIL import Image

from accounts.models import User
from accounts.tests.factories import UserFactory
from uploads import policies
from uploads.links import LIFE_SECONDS, file_url, signed_url, variant_url
from uploads.models import FileAccess, StoredFile
from uploads.services import file_discard, file_store
from uploads.tests import samples
from uploads.tests.factories import stored_file

pytestmark = pytest.mark.stack

Purpose = StoredFile.Purpose


def client_of(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


@pytest.fixture
def proof(buyer: User) -> StoredFile:
    upload = samples.upload(samples.with_exif(), "my receipt.php")
    return file_store(owner=buyer, purpose=Purpose.PAYMENT_PROOF, upload=upload)


@pytest.fixture
def reviewer(db: None) -> User:
    """Staff with the one permission that proofs need."""
    user = UserFactory(username="reviewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_proof"))
    return user


@pytest.fixture
def admit() -> Any:
    """Register a policy for one test."""
    before = {purpose: list(known) for purpose, known in policies._policies.items()}
    yield policies.register_policy
    policies._policies.clear()
    policies._policies.update(before)


# ---------------------------------------------------------------- public pictures


def test_a_public_picture_is_kept_for_ever_by_everybody(buyer: User) -> None:
    file = stored_file(buyer)
    answer = Client().get(file_url(file, "thumb"))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert Image.open(io.BytesIO(answer.content)).size == (160, 107)


def test_a_public_picture_is_the_same_answer_for_every_visitor(buyer: User) -> None:
    answer = client_of(buyer).get(file_url(stored_file(buyer)))
    assert answer.status_code == 200
    assert "Vary" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_who_has_the_picture_is_not_sent_it_again(buyer: User) -> None:
    url = file_url(stored_file(buyer))
    first = Client().get(url)
    again = Client().get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert Client().get(url, headers={"If-None-Match": '"another"'}).status_code == 200


def test_a_head_request_is_answered_without_the_bytes(buyer: User) -> None:
    answer = Client().head(file_url(stored_file(buyer)))
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("state", [state for state in StoredFile.State if state != StoredFile.State.CLEAN])
@pytest.mark.parametrize("purpose", Purpose)
def test_nothing_is_served_that_is_not_clean(buyer: User, purpose: str, state: str) -> None:
    file = stored_file(buyer, purpose)
    StoredFile.objects.filter(pk=file.pk).update(state=state)
    assert client_of(buyer).get(file_url(file, "large", user=buyer)).status_code == 404


def test_a_discarded_photo_is_gone_at_once(buyer: User) -> None:
    file = stored_file(buyer)
    file_discard(file=file)
    assert Client().get(file_url(file)).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["0192f0c4a1b27c3d8e4f5a6b7c8d9e0f/thumb", "not-a-key/thumb", "0192f0c4-a1b2-7c3d-8e4f-5a6b7c8d9e0f/thumb"],
)
def test_what_was_never_there_is_not_found(db: None, path: str) -> None:
    assert Client().get(f"/files/{path}").status_code == 404


def test_a_public_file_has_no_original_to_ask_for(buyer: User) -> None:
    file = stored_file(buyer)
    assert client_of(buyer).get(variant_url(file.pk, "original")).status_code == 404


def test_a_picture_whose_bytes_are_lost_is_not_found(buyer: User) -> None:
    file = stored_file(buyer)
    default_storage.delete(file.variants["large"]["key"])
    assert Client().get(file_url(file)).status_code == 404


# ---------------------------------------------------------------- who may look


READERS = {
    # purpose: who of owner, visitor, stranger, reviewer (view_proof), clerk (staff without it), superuser
    Purpose.LISTING_IMAGE: {"owner", "visitor", "stranger", "reviewer", "clerk", "superuser"},
    Purpose.AVATAR: {"owner", "visitor", "stranger", "reviewer", "clerk", "superuser"},
    Purpose.PAYMENT_PROOF: {"owner", "reviewer", "superuser"},
    Purpose.CHAT: {"owner"},
    Purpose.DISPUTE: {"owner"},
}
ROLES = ["owner", "visitor", "stranger", "reviewer", "clerk", "superuser"]


@pytest.fixture
def people(buyer: User, stranger: User, reviewer: User, staff: User) -> dict[str, User | None]:
    clerk = UserFactory(username="clerk", is_staff=True)
    return {
        "owner": buyer,
        "visitor": None,
        "stranger": stranger,
        "reviewer": reviewer,
        "clerk": clerk,
        "superuser": staff,
    }


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("purpose", Purpose)
def test_each_role_reads_what_its_purpose_allows(
    people: dict[str, User | None], purpose: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The policies of the apps above have tests of their own.
    own = [policies._staff_at_proofs]
    monkeypatch.setattr(policies, "_policies", {Purpose.PAYMENT_PROOF: own, Purpose.CHAT: [], Purpose.DISPUTE: []})
    file = stored_file(people["owner"], purpose)  # type: ignore[arg-type]
    user = people[role]
    signed = client_of(user).get(file_url(file, "large", user=user))
    door = client_of(user).get(file_url(file, "large"), follow=True)
    expected = 200 if role in READERS[Purpose(purpose)] else 404
    assert (signed.status_code, door.status_code) == (expected, expected)


def test_a_policy_of_another_app_admits_further_readers(
    buyer: User, seller: User, stranger: User, admit: Callable[..., None]
) -> None:
    file = stored_file(buyer, Purpose.CHAT)
    admit(Purpose.CHAT, lambda user, asked: user.pk == seller.pk and asked.pk == file.pk)
    assert client_of(seller).get(file_url(file, user=seller)).status_code == 200
    assert client_of(stranger).get(file_url(file, user=stranger)).status_code == 404


def test_the_policy_is_asked_at_the_request_and_not_when_the_address_was_made(
    buyer: User, seller: User, admit: Callable[..., None]
) -> None:
    file = stored_file(buyer, Purpose.CHAT)
    members = {seller.pk}
    admit(Purpose.CHAT, lambda user, asked: user.pk in members)
    url = file_url(file, user=seller)
    assert client_of(seller).get(url).status_code == 200
    members.clear()
    assert client_of(seller).get(url).status_code == 404


def test_the_original_is_for_the_owner_and_for_staff(
    proof: StoredFile, buyer: User, seller: User, reviewer: User, admit: Callable[..., None]
) -> None:
    admit(Purpose.PAYMENT_PROOF, lambda user, asked: True)
    for user, status in ((buyer, 200), (reviewer, 200), (seller, 404)):
        assert client_of(user).get(file_url(proof, "original", user=user)).status_code == status
    assert client_of(seller).get(file_url(proof, "large", user=seller)).status_code == 200


def test_a_suspended_owner_reads_nothing(proof: StoredFile, buyer: User) -> None:
    client = client_of(buyer)
    url = file_url(proof, user=buyer)
    assert client.get(url).status_code == 200
    User.objects.filter(pk=buyer.pk).update(status=User.Status.SUSPENDED)
    answer = client.get(url)
    assert answer.headers["Content-Type"] != "image/webp"
    assert b"WEBP" not in answer.content[:16]


# ---------------------------------------------------------------- signatures


def test_a_private_picture_is_kept_by_nobody(proof: StoredFile, buyer: User) -> None:
    answer = client_of(buyer).get(file_url(proof, "card", user=buyer))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Disposition"] == 'inline; filename="my receipt.webp"'
    assert "ETag" not in answer.headers


def test_the_door_leads_on_to_a_signed_address(proof: StoredFile, buyer: User) -> None:
    answer = client_of(buyer).get(variant_url(proof.pk, "large"))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(variant_url(proof.pk, "large") + "?key=")
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_an_address_signed_for_somebody_else_is_useless(proof: StoredFile, buyer: User, reviewer: User) -> None:
    url = file_url(proof, "large", user=buyer)
    assert client_of(reviewer).get(url).status_code == 404
    assert Client().get(url).status_code == 404


def test_an_address_signed_for_one_variant_or_file_opens_no_other(proof: StoredFile, buyer: User) -> None:
    other = stored_file(buyer, Purpose.PAYMENT_PROOF)
    key = signed_url(proof.pk, "thumb", buyer).partition("?")[2]
    client = client_of(buyer)
    assert client.get(f"{variant_url(proof.pk, 'thumb')}?{key}").status_code == 200
    assert client.get(f"{variant_url(proof.pk, 'original')}?{key}").status_code == 404
    assert client.get(f"{variant_url(other.pk, 'thumb')}?{key}").status_code == 404


def test_an_altered_or_invented_key_opens_nothing(proof: StoredFile, buyer: User) -> None:
    url = file_url(proof, user=buyer)
    last = "A" if url[-1] != "A" else "B"
    client = client_of(buyer)
    for bad in (url[:-1] + last, url.partition("=")[0] + "=", url.partition("=")[0] + "=x:y:z%00é"):
        assert client.get(bad).status_code == 404


def test_a_key_opens_for_ten_minutes(proof: StoredFile, buyer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    url, now = file_url(proof, user=buyer), time.time()
    client = client_of(buyer)
    monkeypatch.setattr(signing.time, "time", lambda: now + LIFE_SECONDS - 5)
    assert client.get(url).status_code == 200
    monkeypatch.setattr(signing.time, "time", lambda: now + LIFE_SECONDS + 5)
    assert client.get(url).status_code == 404
    assert LIFE_SECONDS <= 600


# ---------------------------------------------------------------- originals


def test_the_original_is_a_download_that_runs_nowhere(proof: StoredFile, buyer: User) -> None:
    answer = client_of(buyer).get(file_url(proof, "original", user=buyer))
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my receipt.jpg"'
    assert answer.headers["Content-Security-Policy"].endswith("sandbox")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert b"Telltale" in answer.content


def test_a_pdf_is_a_download_and_its_page_a_picture(buyer: User) -> None:
    data = samples.encoded(samples.drawing(), "PDF")
    file = file_store(owner=buyer, purpose=Purpose.PAYMENT_PROOF, upload=samples.upload(data, "advice.pdf"))
    client = client_of(buyer)
    original = client.get(file_url(file, "original", user=buyer))
    assert (original.headers["Content-Type"], original.content) == ("application/pdf", data)
    assert original.headers["Content-Disposition"].startswith("attachment")
    page = client.get(file_url(file, "large", user=buyer))
    assert page.headers["Content-Type"] == "image/webp"


# ---------------------------------------------------------------- the record of who looked


def test_each_look_of_staff_at_a_proof_is_recorded(proof: StoredFile, buyer: User, reviewer: User) -> None:
    client_of(buyer).get(file_url(proof, user=buyer))
    assert not FileAccess.objects.exists()
    client = client_of(reviewer)
    client.get(file_url(proof, "thumb"))  # the door shows nothing
    assert not FileAccess.objects.exists()
    client.get(file_url(proof, "thumb", user=reviewer))
    client.get(file_url(proof, "original", user=reviewer))
    rows = FileAccess.objects.order_by("created_at").values_list("file", "user", "variant", "ip")
    assert list(rows) == [
        (proof.pk, reviewer.pk, "thumb", "127.0.0.1"),
        (proof.pk, reviewer.pk, "original", "127.0.0.1"),
    ]


def test_a_reviewers_look_at_the_own_proof_is_no_look_at_somebody(reviewer: User) -> None:
    file = stored_file(reviewer, Purpose.PAYMENT_PROOF)
    assert client_of(reviewer).get(file_url(file, user=reviewer)).status_code == 200
    assert not FileAccess.objects.exists()


def test_a_look_that_was_refused_is_not_recorded(proof: StoredFile, reviewer: User) -> None:
    reviewer.user_permissions.clear()
    client_of(reviewer).get(file_url(proof, user=reviewer))
    assert not FileAccess.objects.exists()


# ---------------------------------------------------------------- under ASGI


@pytest.mark.django_db(transaction=True)
async def test_public_and_private_files_are_served_under_asgi_too() -> None:
    from asgiref.sync import sync_to_async

    owner = await sync_to_async(UserFactory)(username="owner")
    public = await sync_to_async(stored_file)(owner)
    private = await sync_to_async(stored_file)(owner, Purpose.PAYMENT_PROOF)
    client = AsyncClient()
    answer = await client.get(file_url(public))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")
    assert not answer.streaming
    await client.aforce_login(owner)
    answer = await client.get(file_url(private, user=owner))
    assert (answer.status_code, answer.streaming) == (200, False)


# ---------------------------------------------------------------- templates


def rendered(source: str, user: User | None = None, **context: Any) -> str:
    request = RequestFactory().get("/")
    if user:
        request.user = user
    return Template("{% load files %}" + source).render(Context({"request": request, **context})).strip()


def test_templates_link_public_files_and_private_doors(buyer: User, proof: StoredFile) -> None:
    photo = stored_file(buyer)
    assert rendered("{{ file|file_url:'thumb' }}", file=photo) == f"/files/{photo.pk.hex}/thumb"
    assert rendered("{{ file|file_url:'large' }}", file=proof) == f"/files/{proof.pk.hex}/large"
    assert rendered("{{ file|file_url:'large' }}", file=None) == ""


def test_a_page_shows_its_reader_a_private_picture_at_once(buyer: User, proof: StoredFile) -> None:
    url = rendered("{% file_url file 'thumb' %}", buyer, file=proof)
    assert client_of(buyer).get(url).status_code == 200


def test_people_are_shown_by_picture_or_initials(buyer: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert ">A</span>" in rendered("{% avatar person %}", person=buyer)
        buyer.avatar_file_id = uuid.uuid4()
        html = rendered("{% avatar person 'lg' %}", person=buyer)
    assert f'src="/files/{buyer.avatar_file_id.hex}/card"' in html
    assert "avatar-lg" in html


# ---------------------------------------------------------------- the profile picture


def test_a_person_changes_and_removes_the_profile_picture(buyer: User) -> None:
    client = client_of(buyer)
    picture = samples.upload(samples.encoded(samples.drawing()))
    answer = client.post("/files/avatar/", {"picture": picture})
    assert answer.status_code == 302
    buyer.refresh_from_db()
    assert Client().get(variant_url(buyer.avatar_file_id)).status_code == 200  # type: ignore[arg-type]
    client.post("/files/avatar/", {"remove": "1"})
    buyer.refresh_from_db()
    assert buyer.avatar_file_id is None


def test_an_upload_by_script_is_told_where_to_go(buyer: User) -> None:
    picture = samples.upload(samples.encoded(samples.drawing()))
    answer = client_of(buyer).post("/files/avatar/", {"picture": picture}, headers={"X-Upload": "progress"})
    assert answer.json() == {"location": "/me/"}


@pytest.mark.parametrize("post", [{}, {"picture": samples.upload(b"<html></html>")}])
def test_a_bad_profile_picture_changes_nothing_and_says_why(buyer: User, post: dict[str, Any]) -> None:
    client = client_of(buyer)
    answer = client.post("/files/avatar/", post)
    assert answer.status_code == 302
    buyer.refresh_from_db()
    assert buyer.avatar_file_id is None
    texts = [str(message) for message in answer.wsgi_request._messages]
    assert len(texts) == 1
    assert texts[0] == "Choose a picture first." or "HTML files are not accepted" in texts[0]


def test_a_profile_picture_needs_somebody_signed_in(db: None) -> None:
    assert Client().post("/files/avatar/").headers["Location"].startswith("/account/login/")
    assert Client().get("/files/avatar/").status_code in (302, 405)
