"""Files in a bucket, behind a CDN or without one. The S3 server is moto: it holds nobody to a policy, so that what is
refused here is refused by us."""

import io
import os
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as django_settings
from django.template import Context, Template
from django.test import Client
from django.utils import timezone
from PIL import Image

from accounts.models import User
from accounts.tests.factories import UserFactory
from accountsstore.errors import Unavailable
from accountsstore.tests.programs import run_python
from uploads import policies, storage
from uploads.links import file_url
from uploads.models import FileAccess, StoredFile
from uploads.services import avatar_replace, file_discard, file_store, uploads_prune
from uploads.tests import samples
from uploads.tests.factories import stored_file
from uploads.tests.s3_for_tests import CDN, cdn_opens, keys
from uploads.tests.test_serving import READERS, ROLES, client_of, people, reviewer  # noqa: F401  (fixtures)

pytestmark = pytest.mark.stack

Purpose, State = StoredFile.Purpose, StoredFile.State


@pytest.fixture
def proof(buyer: User, bucket: Any) -> StoredFile:
    upload = samples.upload(samples.with_exif(), "my receipt.php")
    return file_store(owner=buyer, purpose=Purpose.PAYMENT_PROOF, upload=upload)


# ---------------------------------------------------------------- what lies where


def test_what_everybody_may_see_lies_apart_from_what_only_some_may(buyer: User, bucket: Any) -> None:
    photo, chat = stored_file(buyer), stored_file(buyer, Purpose.CHAT)
    for name in ("card", "large", "thumb"):
        assert f"public/listing_image/{photo.pk.hex}-{name}.webp" in keys(bucket)
        assert f"chat/{chat.pk.hex}-{name}.webp" in keys(bucket)
    assert len(keys(bucket)) == 6


def test_an_object_says_how_it_is_to_be_shown_and_kept(buyer: User, proof: StoredFile, bucket: Any) -> None:
    photo = stored_file(buyer)
    shown = bucket.Object(f"public/listing_image/{photo.pk.hex}-card.webp").get()
    assert (shown["ContentType"], shown["CacheControl"]) == ("image/webp", "public, max-age=86400")
    kept = bucket.Object(proof.storage_key).get()
    assert proof.storage_key == f"payment_proof/{proof.pk.hex}-original-my-receipt.jpg"
    assert (kept["ContentType"], kept["CacheControl"]) == ("image/jpeg", "private, no-store")
    assert kept["ContentDisposition"] == 'attachment; filename="my-receipt.jpg"'
    assert kept["Body"].read() == samples.with_exif()


def test_a_discarded_file_leaves_the_bucket(buyer: User, bucket: Any) -> None:
    kept, gone = stored_file(buyer), stored_file(buyer)
    file_discard(file=gone)
    assert uploads_prune() == 1
    assert keys(bucket) == sorted(kept.keys)
    gone.refresh_from_db()
    assert gone.state == State.DELETED


def test_objects_that_could_not_be_deleted_are_tried_again(
    buyer: User, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = stored_file(buyer)
    file_discard(file=file)
    refused = {"Errors": [{"Key": file.keys[0], "Code": "InternalError"}]}
    with monkeypatch.context() as broken:
        broken.setattr(storage.default_storage.client, "delete_objects", lambda **asked: refused)
        with pytest.raises(Unavailable):
            uploads_prune()
    file.refresh_from_db()
    assert file.state == State.DISCARDED
    assert uploads_prune() == 1
    assert keys(bucket) == []


# ---------------------------------------------------------------- without a CDN the store serves


def test_without_a_cdn_the_store_serves_what_lies_in_the_bucket(proof: StoredFile, buyer: User) -> None:
    photo = stored_file(buyer)
    for url in (file_url(photo, "card"), file_url(proof, "card", user=buyer)):
        answer = client_of(buyer).get(url)
        assert Image.open(io.BytesIO(answer.content)).format == "WEBP"
    original = client_of(buyer).get(file_url(proof, "original", user=buyer))
    assert original.content == samples.with_exif()


def test_a_file_whose_object_is_lost_is_not_found(proof: StoredFile, buyer: User, bucket: Any) -> None:
    bucket.objects.all().delete()
    assert client_of(buyer).get(file_url(proof, "card", user=buyer)).status_code == 404


# ---------------------------------------------------------------- public pictures at the CDN


def test_a_profile_picture_is_addressed_at_the_cdn(buyer: User, cdn: rsa.RSAPublicKey, bucket: Any) -> None:
    avatar_replace(user=buyer, upload=samples.upload(samples.encoded(samples.drawing())))
    buyer.refresh_from_db()
    shown = Template("{% load files %}{% avatar user %}").render(Context({"user": buyer}))
    key = f"public/avatar/{buyer.avatar_file_id.hex}-thumb.webp"
    assert f'src="https://{CDN}/{key}"' in shown
    assert key in keys(bucket)


# ---------------------------------------------------------------- private files at the CDN


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("purpose", [purpose for purpose in Purpose if purpose not in StoredFile.PUBLIC])
def test_each_role_is_given_what_its_purpose_allows(
    people: dict[str, User | None],  # noqa: F811
    purpose: str,
    role: str,
    cdn: rsa.RSAPublicKey,
    bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = [policies._staff_at_proofs]
    monkeypatch.setattr(policies, "_policies", {Purpose.PAYMENT_PROOF: own, Purpose.CHAT: [], Purpose.DISPUTE: []})
    file, user = stored_file(people["owner"], purpose), people[role]  # type: ignore[arg-type]
    client = client_of(user)
    answers = [client.get(file_url(file, "large", user=user))]
    door = client.get(file_url(file, "large"))
    answers.append(client.get(door.headers["Location"]) if door.status_code == 302 else door)
    for answer in answers:
        if role in READERS[Purpose(purpose)]:
            assert answer.headers["Cache-Control"] == "private, no-store"
            served = bucket.Object(cdn_opens(answer.headers["Location"], cdn)).get()
            assert Image.open(served["Body"]).format == "WEBP"
        else:
            assert answer.status_code == 404
            assert CDN not in answer.headers.get("Location", "")


def test_the_cdns_address_lives_for_a_minute_and_for_one_object(
    proof: StoredFile, buyer: User, cdn: rsa.RSAPublicKey
) -> None:
    url = client_of(buyer).get(file_url(proof, "thumb", user=buyer)).headers["Location"]
    now = timezone.now().timestamp()
    assert cdn_opens(url, cdn, at=now + 50)
    with pytest.raises(AssertionError, match="expired"):
        cdn_opens(url, cdn, at=now + 61)
    expires = url.partition("Expires=")[2].partition("&")[0]
    for altered in (url.replace("-thumb", "-large"), url.replace(expires, str(int(expires) + 600))):
        with pytest.raises(InvalidSignature):
            cdn_opens(altered, cdn)


def test_a_look_of_staff_is_recorded_when_the_cdns_address_is_given_out(
    proof: StoredFile,
    reviewer: User,  # noqa: F811
    cdn: rsa.RSAPublicKey,
) -> None:
    assert client_of(reviewer).get(file_url(proof, "large", user=reviewer)).status_code == 302
    access = FileAccess.objects.get()
    assert (access.user, access.file, access.variant) == (reviewer, proof, "large")


def test_the_original_is_given_to_its_owner_and_to_staff_alone(
    proof: StoredFile,
    buyer: User,
    reviewer: User,  # noqa: F811
    cdn: rsa.RSAPublicKey,
) -> None:
    for user in (buyer, reviewer):
        answer = client_of(user).get(file_url(proof, "original", user=user))
        assert cdn_opens(answer.headers["Location"], cdn) == proof.storage_key
    other = UserFactory()
    assert client_of(other).get(file_url(proof, "original", user=other)).status_code == 404


def test_a_discarded_file_is_given_to_nobody(proof: StoredFile, buyer: User, cdn: rsa.RSAPublicKey) -> None:
    file_discard(file=proof)
    assert client_of(buyer).get(file_url(proof, "large", user=buyer)).status_code == 404


# ---------------------------------------------------------------- faults


def test_a_bucket_that_does_not_answer_is_503_with_a_time_to_come_back(
    proof: StoredFile, buyer: User, settings
) -> None:
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:1"
    settings.STORAGES = dict(settings.STORAGES)
    answer = client_of(buyer).get(file_url(proof, "card", user=buyer))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "The store is away for a moment" in answer.content.decode()
    health = Client().get("/api/health")
    assert (health.status_code, health.json()["parts"]["files"]) == (503, "EndpointConnectionError")
    settings.S3_ENDPOINT_URL = ""


def test_the_buckets_address_is_the_one_that_the_content_policy_allows() -> None:
    code = (
        "import django; django.setup(); from django.conf import settings; from uploads import storage;"
        "print(settings.CONTENT_SECURITY_POLICY['DIRECTIVES']); print(storage.upload_form('a/b', 'image/png')['url'])"
    )
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "accountsstore.settings",
        "SECRET_KEY": "test-only",
        "CREDENTIAL_KEYS": ",".join(django_settings.CREDENTIAL_KEYS),
        "S3_BUCKET": "northpine-files",
        "S3_REGION": "eu-central-1",
        "S3_ENDPOINT_URL": "",
        "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b",
        "CDN_DOMAIN": CDN,
    }
    done = run_python("-c", code, env=env)
    policy, url = done.stdout.splitlines()
    origin = "https://northpine-files.s3.eu-central-1.amazonaws.com"
    assert url == f"{origin}/"
    assert f"'connect-src': [\"'self'\", '{origin}']" in policy
    assert f"'blob:', 'https://{CDN}']" in policy


def test_a_half_configured_cdn_stops_the_start_with_a_sentence() -> None:
    env = os.environ | {
        "SECRET_KEY": "test-only",
        "CREDENTIAL_KEYS": ",".join(django_settings.CREDENTIAL_KEYS),
        "CLOUDFRONT_KEY_ID": "K2",
    }
    done = run_python("manage.py", "preflight", env=env)
    assert done.returncode == 1
    assert "CLOUDFRONT_KEY_ID and CLOUDFRONT_PRIVATE_KEY go together" in done.stderr
