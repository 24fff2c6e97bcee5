"""Files that browsers send straight to the bucket. moto takes whatever comes, so what is refused is refused by us."""

import base64
import datetime
import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from uploads import clock, incoming, tasks
from uploads.errors import BadFile
from uploads.incoming import incoming_begin, incoming_open, incoming_prune
from uploads.models import IncomingFile, StoredFile
from uploads.tests import samples
from uploads.tests.s3_for_tests import browser_sends, keys
from uploads.tests.test_serving import client_of

pytestmark = pytest.mark.stack

Purpose = StoredFile.Purpose
LIMIT = 10 * 1024 * 1024
PICTURE = samples.encoded(samples.drawing())


def begin(client: Client, **about: Any) -> Any:
    """What the script asks before it sends a file."""
    asked = {"purpose": "avatar", "name": "me.jpg", "type": "image/jpeg", "size": len(PICTURE)} | about
    return client.post("/files/incoming/", asked, headers={"Accept": "application/json"})


def avatar(client: Client, *ids: str) -> Any:
    """The form of the profile picture, which names files instead of carrying one."""
    named = {"incoming": [f"picture:{one}" for one in ids]}
    return client.post("/files/avatar/", named, headers={"X-Upload": "progress"}, follow=True)


@pytest.fixture
def client(buyer: User, bucket: Any) -> Client:
    return client_of(buyer)


# ---------------------------------------------------------------- the whole way


def test_a_picture_sent_to_the_bucket_becomes_the_profile_picture(client: Client, buyer: User, bucket: Any) -> None:
    begun = begin(client, name="../My Photo.JPG").json()
    assert browser_sends(begun, PICTURE) == 201
    assert keys(bucket) == [f"incoming/avatar/{begun['id']}-my-photo"]
    answer = avatar(client, begun["id"])
    assert "location" in answer.json()
    file = StoredFile.objects.get()
    assert (file.state, file.original_name, file.size_bytes) == ("clean", "My Photo.JPG", len(PICTURE))
    buyer.refresh_from_db()
    assert buyer.avatar_file_id == file.pk
    assert set(file.keys) < set(keys(bucket))


def test_nothing_under_incoming_is_ever_served(client: Client, bucket: Any) -> None:
    begun = begin(client, purpose="payment_proof").json()
    browser_sends(begun, PICTURE)
    for variant in ("large", "original"):
        assert client.get(f"/files/{begun['id']}/{variant}").status_code == 404


# ---------------------------------------------------------------- our own check


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (PICTURE + b"\0" * (LIMIT + 1 - len(PICTURE)), "This file is over 10.0"),
        (PICTURE + b"\0" * (3 * LIMIT), "This file is over 10.0"),
        (b"<html><script>alert(1)</script></html>", "HTML files are not accepted"),
        (samples.bomb(), "more than 40 megapixels"),
        (PICTURE[:900], "damaged"),
    ],
)
def test_what_came_is_checked_whatever_was_announced(
    client: Client, buyer: User, bucket: Any, data: bytes, sentence: str
) -> None:
    begun = begin(client).json()
    assert browser_sends(begun, data) == 201, "moto takes it"
    answer = avatar(client, begun["id"])
    page = client.get(answer.json()["location"]) if "location" in answer.json() else answer
    assert sentence in page.content.decode().replace("\xa0", " ")
    assert not StoredFile.objects.exists()
    assert keys(bucket) == [IncomingFile.objects.get().storage_key]


def test_the_largest_file_passes(client: Client, bucket: Any) -> None:
    begun = begin(client, size=LIMIT).json()
    browser_sends(begun, PICTURE + b"\0" * (LIMIT - len(PICTURE)))
    avatar(client, begun["id"])
    assert StoredFile.objects.get().size_bytes == LIMIT


def test_bytes_sent_again_after_the_check_change_nothing(client: Client, buyer: User, bucket: Any) -> None:
    begun = begin(client).json()
    browser_sends(begun, PICTURE)
    avatar(client, begun["id"])
    file = StoredFile.objects.get()
    before = {key: bucket.Object(key).get()["ETag"] for key in file.keys}
    assert browser_sends(begun, b"<script>alert(1)</script>") == 201
    assert {key: bucket.Object(key).get()["ETag"] for key in file.keys} == before


# ---------------------------------------------------------------- whose, and how long


def test_another_persons_file_is_not_taken(client: Client, stranger: User, bucket: Any) -> None:
    begun = begin(client).json()
    browser_sends(begun, PICTURE)
    avatar(client_of(stranger), begun["id"])
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize("named", ["", "0", "x" * 32, "0192f0c4a1b27c3d8e4f5a6b7c8d9e0f", "../../public"])
def test_what_was_never_begun_is_left_out(client: Client, bucket: Any, named: str) -> None:
    answer = avatar(client, named)
    assert "Choose a picture first." in client.get(answer.json()["location"]).content.decode()


def test_a_file_that_never_came_is_asked_for_again(client: Client, bucket: Any) -> None:
    answer = avatar(client, begin(client).json()["id"])
    assert "Choose a picture first." in client.get(answer.json()["location"]).content.decode()


def test_an_hour_later_bytes_and_row_are_gone_used_or_not(client: Client, buyer: User, bucket: Any) -> None:
    used, unused, _ = (begin(client).json() for _ in range(3))
    for begun in (used, unused):
        browser_sends(begun, PICTURE)
    avatar(client, used["id"])
    now = timezone.now()
    assert incoming_prune(now=now + datetime.timedelta(minutes=59)) == 0
    late = now + datetime.timedelta(minutes=61)
    assert clock.prune(late) is True
    assert incoming_prune(now=late) == 3
    assert incoming_prune(now=late) == 0
    assert keys(bucket) == sorted(StoredFile.objects.get().keys)
    assert not IncomingFile.objects.exists()


def test_a_file_is_not_taken_after_its_hour(client: Client, buyer: User, bucket: Any) -> None:
    begun = begin(client).json()
    browser_sends(begun, PICTURE)
    assert incoming_open(owner=buyer, incoming_id=begun["id"])
    IncomingFile.objects.update(created_at=timezone.now() - incoming.LIFE)
    assert incoming_open(owner=buyer, incoming_id=begun["id"]) is None


def test_the_clocks_job_deletes_both_kinds(client: Client, bucket: Any) -> None:
    browser_sends(begin(client).json(), PICTURE)
    IncomingFile.objects.update(created_at=timezone.now() - datetime.timedelta(hours=2))
    tasks.uploads_prune()
    tasks.uploads_prune()
    assert keys(bucket) == []


# ---------------------------------------------------------------- what is offered


def test_the_form_allows_one_key_one_type_and_ten_megabytes_for_ten_minutes(client: Client, bucket: Any) -> None:
    begun = begin(client, purpose="payment_proof", name="Reçu.pdf", type="application/pdf").json()
    key = f"incoming/payment_proof/{begun['id']}-recu"
    assert begun["fields"]["key"] == key
    policy = json.loads(base64.b64decode(begun["fields"]["policy"]))
    for condition in ({"key": key}, {"Content-Type": "application/pdf"}, ["content-length-range", 1, LIMIT]):
        assert condition in policy["conditions"]
    assert {"bucket": bucket.name} in policy["conditions"]
    expires = datetime.datetime.fromisoformat(policy["expiration"])
    assert datetime.timedelta(minutes=9) < expires - timezone.now() <= datetime.timedelta(minutes=10)
    assert begun["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"


@pytest.mark.parametrize(
    ("about", "status", "sentence"),
    [
        ({"size": LIMIT + 1}, 400, "This file is over 10.0"),
        ({"size": "0"}, 400, "empty"),
        ({"size": "-1"}, 400, "empty"),
        ({"size": "many"}, 400, "empty"),
        ({"type": "image/gif"}, 400, "Choose a JPEG, PNG or WebP picture."),
        ({"type": "application/pdf"}, 400, "Choose a JPEG, PNG or WebP picture."),
        ({"type": ""}, 400, "Choose a JPEG, PNG or WebP picture."),
        ({"type": "text/html", "purpose": "payment_proof"}, 400, "or a PDF"),
    ],
)
def test_what_would_be_refused_is_refused_before_it_is_sent(
    client: Client, bucket: Any, about: dict[str, Any], status: int, sentence: str
) -> None:
    answer = begin(client, **about)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"].replace("\xa0", " ")
    assert not IncomingFile.objects.exists()


def test_only_somebody_signed_in_may_ask_and_only_for_a_purpose_there_is(client: Client, bucket: Any) -> None:
    assert begin(Client()).status_code == 302
    assert begin(client, purpose="kyc").status_code == 404
    assert client.get("/files/incoming/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert begin(strict).status_code == 403


def test_somebody_who_asks_hundreds_of_times_waits(
    client: Client, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "RATE", "2/h")
    assert [begin(client).status_code for _ in range(3)] == [200, 200, 429]


def test_pages_offer_it_where_there_is_a_bucket(client: Client, bucket: Any) -> None:
    page = client.get("/me/").content.decode()
    assert 'data-incoming="/files/incoming/" data-purpose="avatar"' in page


def test_without_a_bucket_nothing_is_offered_and_nothing_taken(buyer: User, settings: Any) -> None:
    settings.S3_BUCKET = ""
    client = client_of(buyer)
    assert "data-incoming" not in client.get("/me/").content.decode()
    assert begin(client).status_code == 404
    avatar(client, "0192f0c4a1b27c3d8e4f5a6b7c8d9e0f")
    assert not StoredFile.objects.exists()


def test_a_name_is_made_safe_for_its_key(buyer: User, bucket: Any) -> None:
    row = incoming_begin(
        owner=buyer, purpose="avatar", name="../..\\نص/\x00a b.exe", content_type="image/png", size_bytes=1
    ).row
    assert row.storage_key == f"incoming/avatar/{row.pk.hex}-a-b"
    assert row.original_name == "a b.exe"


def test_a_refusal_names_its_reason(buyer: User, bucket: Any) -> None:
    with pytest.raises(BadFile):
        incoming_begin(owner=buyer, purpose="avatar", name="a", content_type="video/mp4", size_bytes=1)
