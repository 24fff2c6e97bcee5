import datetime
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone, translation
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.errors import Unavailable
from uploads import clock, services, tasks
from uploads.errors import BadFile, FileTaken, TooManyFiles
from uploads.models import FingerprintBand, StoredFile
from uploads.selectors import lookalikes
from uploads.services import (
    avatar_replace,
    file_attach,
    file_discard,
    file_store,
    uploads_prune,
)
from uploads.tests import samples
from uploads.tests.factories import receipt_upload, stored_file
from uploads.tests.s3_for_tests import keys

pytestmark = pytest.mark.stack

Purpose, State = StoredFile.Purpose, StoredFile.State


def names() -> list[str]:
    """Every key in the storage."""
    if settings.S3_BUCKET:
        return keys(default_storage.bucket)
    media = Path(settings.MEDIA_ROOT)
    return sorted(str(path.relative_to(media)) for path in media.rglob("*") if path.is_file())


# ---------------------------------------------------------------- storing


def test_a_photo_is_stored_in_three_sizes_without_its_original(buyer: User) -> None:
    data = samples.encoded(samples.drawing())
    file = file_store(owner=buyer, purpose=Purpose.LISTING_IMAGE, upload=samples.upload(data, "My Photo.JPG"))
    file.refresh_from_db()
    assert (file.state, file.owner, file.attached_to) == (State.CLEAN, buyer, "")
    assert (file.mime, file.size_bytes, file.width, file.height) == ("image/jpeg", len(data), 600, 400)
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert (file.original_name, file.storage_key) == ("My Photo.JPG", "")
    assert names() == [f"public/listing_image/{file.pk.hex}-{name}.webp" for name in ("card", "large", "thumb")]


def test_of_a_proof_the_untouched_original_is_kept_too(buyer: User) -> None:
    data = samples.with_exif()
    file = file_store(owner=buyer, purpose=Purpose.PAYMENT_PROOF, upload=samples.upload(data, "../../Reçu №1.php"))
    assert file.original_name == "Reçu №1.php"
    assert file.storage_key == f"payment_proof/{file.pk.hex}-original-recu-no1.jpg"
    assert default_storage.open(file.storage_key).read() == data
    assert file.storage_key in names()


def test_a_pdf_is_taken_as_a_proof_with_a_picture_of_its_first_page(buyer: User) -> None:
    data = samples.encoded(samples.drawing(), "PDF")
    file = file_store(owner=buyer, purpose=Purpose.PAYMENT_PROOF, upload=samples.upload(data, "advice.png"))
    assert file.mime == "application/pdf"
    assert file.storage_key.endswith("-original-advice.pdf")
    assert set(file.variants) == {"large", "card", "thumb"}


@pytest.mark.parametrize("purpose", [Purpose.LISTING_IMAGE, Purpose.AVATAR])
def test_a_pdf_is_refused_where_pictures_are_shown(buyer: User, purpose: str) -> None:
    with pytest.raises(BadFile, match=r"PDF files are not accepted here\. Choose a JPEG, PNG or WebP picture\.$"):
        file_store(owner=buyer, purpose=purpose, upload=samples.upload(samples.pdf()))


@pytest.mark.parametrize(
    ("data", "name", "content_type", "sentence"),
    [
        (b"", "photo.jpg", "image/jpeg", "This file is empty"),
        (b"<html><script>alert(1)</script></html>", "photo.png", "image/png", "HTML files are not accepted"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo.jpg", "image/jpeg", "SVG files are not accepted"),
        (samples.encoded(samples.drawing(), "GIF"), "photo.jpg", "image/jpeg", "GIF files are not accepted"),
        (samples.bomb(), "photo.png", "image/png", "more than 40 megapixels"),
        (samples.encoded(samples.drawing())[:900], "photo.jpg", "image/jpeg", "damaged"),
        (samples.locked_pdf(), "proof.pdf", "application/pdf", "locked with a password"),
        (b"<html>" + samples.pdf(), "proof.pdf", "application/pdf", "HTML files .* or a PDF"),
    ],
)
def test_a_bad_file_is_refused_beside_its_field_and_leaves_nothing(
    buyer: User, data: bytes, name: str, content_type: str, sentence: str
) -> None:
    with pytest.raises(BadFile, match=sentence) as caught:
        file_store(
            owner=buyer, purpose=Purpose.PAYMENT_PROOF, upload=samples.upload(data, name, content_type), field="proof"
        )
    assert caught.value.field == "proof"
    assert not StoredFile.objects.exists()
    assert names() == []


def test_one_byte_over_the_limit_is_too_large(buyer: User, settings: Any) -> None:
    limit = settings.UPLOAD_MAX_BYTES
    assert limit == 10 * 1024 * 1024
    data = samples.encoded(samples.drawing())
    fits = file_store(owner=buyer, purpose=Purpose.AVATAR, upload=samples.upload(data + b"\0" * (limit - len(data))))
    assert fits.size_bytes == limit
    with pytest.raises(BadFile, match=r"This file is over 10\.0"):
        file_store(owner=buyer, purpose=Purpose.AVATAR, upload=samples.upload(data + b"\0" * (limit + 1 - len(data))))


def test_the_content_decides_and_neither_name_nor_header(buyer: User) -> None:
    data = samples.encoded(samples.drawing(), "PNG")
    file = file_store(owner=buyer, purpose=Purpose.CHAT, upload=samples.upload(data, "run.exe", "text/html"))
    assert file.mime == "image/png"


def test_a_name_that_turns_the_reading_direction_is_straightened(buyer: User) -> None:
    file = file_store(
        owner=buyer,
        purpose=Purpose.CHAT,
        upload=samples.upload(samples.encoded(samples.drawing()), "photo\u202egnp.exe\x00\n.jpg"),
    )
    assert file.original_name == "photognp.exe.jpg"


def test_the_refusal_speaks_the_readers_language(buyer: User) -> None:
    with translation.override("ar"), pytest.raises(BadFile) as caught:
        file_store(owner=buyer, purpose=Purpose.PAYMENT_PROOF, upload=samples.upload(samples.pdf(pages=30)))
    assert "20" in str(caught.value)


def test_somebody_who_sends_hundreds_of_files_is_asked_to_wait(
    buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "RATE", "2/h")
    stored_file(buyer)
    stored_file(buyer)
    with pytest.raises(TooManyFiles):
        stored_file(buyer)
    assert stored_file(seller).state == State.CLEAN


def test_files_are_not_stored_inside_a_transaction(buyer: User) -> None:
    @atomic
    def inside() -> None:
        stored_file(buyer)

    with pytest.raises(RuntimeError, match="inside a transaction"):
        inside()


def test_when_the_storage_fails_no_clean_row_is_left_and_the_job_cleans_up(
    buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = default_storage.save, []

    def fails_at_the_second(key: str, content: Any) -> str:
        calls.append(key)
        if len(calls) == 2:
            raise ConnectionError("bucket unreachable")
        return str(save(key, content))

    with monkeypatch.context() as broken:
        broken.setattr(default_storage, "save", fails_at_the_second)
        with pytest.raises(Unavailable):
            stored_file(buyer)
    file = StoredFile.objects.get()
    assert file.state == State.PENDING
    assert len(names()) == 1
    assert uploads_prune(now=timezone.now() + datetime.timedelta(hours=25)) == 1
    file.refresh_from_db()
    assert file.state == State.DELETED
    assert names() == []


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=300).map(lambda tail: b"%PDF-1.4\n" + tail),
        st.binary(max_size=300).map(lambda tail: samples.encoded(samples.drawing((9, 9)), "PNG")[:40] + tail),
    ),
    st.text(max_size=40),
)
def test_whatever_is_sent_the_only_refusal_is_badfile(
    buyer: User, monkeypatch: pytest.MonkeyPatch, data: bytes, name: str
) -> None:
    monkeypatch.setattr(services, "RATE", "100000/h")
    upload = samples.upload(data)
    upload._name = name
    with pytest.raises(BadFile):
        file_store(owner=buyer, purpose=Purpose.PAYMENT_PROOF, upload=upload)


# ---------------------------------------------------------------- attaching


def test_a_file_is_attached_once(buyer: User) -> None:
    file = stored_file(buyer, Purpose.PAYMENT_PROOF)
    file_attach(file=file, to="deposit:1", owner=buyer)
    for again in ("deposit:1", "deposit:2"):
        with pytest.raises(FileTaken):
            file_attach(file=file, to=again)
    file.refresh_from_db()
    assert file.attached_to == "deposit:1"


def test_another_persons_file_cannot_be_attached(buyer: User, stranger: User) -> None:
    file = stored_file(buyer, Purpose.PAYMENT_PROOF)
    with pytest.raises(FileTaken):
        file_attach(file=file, to="deposit:1", owner=stranger)
    file.refresh_from_db()
    assert file.attached_to == ""


@pytest.mark.parametrize("state", [State.PENDING, State.DISCARDED, State.DELETED])
def test_a_file_that_is_not_clean_cannot_be_attached(buyer: User, state: str) -> None:
    file = stored_file(buyer)
    StoredFile.objects.filter(pk=file.pk).update(state=state)
    with pytest.raises(FileTaken):
        file_attach(file=file, to="listing:1")


def test_attached_evidence_is_never_discarded(buyer: User) -> None:
    file = stored_file(buyer, Purpose.PAYMENT_PROOF)
    file_attach(file=file, to="deposit:1")
    with pytest.raises(FileTaken):
        file_discard(file=file)
    file.refresh_from_db()
    assert file.state == State.CLEAN


# ---------------------------------------------------------------- deleting


def test_the_job_deletes_what_nobody_attached_within_a_day(buyer: User) -> None:
    kept, left = stored_file(buyer), stored_file(buyer, Purpose.PAYMENT_PROOF)
    file_attach(file=kept, to="listing:1")
    now = timezone.now()
    assert uploads_prune(now=now + datetime.timedelta(hours=23)) == 0
    assert uploads_prune(now=now + datetime.timedelta(hours=25)) == 1
    assert uploads_prune(now=now + datetime.timedelta(hours=25)) == 0
    assert names() == sorted(kept.keys)
    left.refresh_from_db()
    assert left.state == State.DELETED
    assert not FingerprintBand.objects.exists()


def test_a_discarded_photo_is_deleted_by_the_next_job(buyer: User) -> None:
    file = stored_file(buyer)
    file_attach(file=file, to="listing:1")
    file_discard(file=file)
    assert uploads_prune() == 1
    assert names() == []


def test_who_attaches_a_file_while_the_job_deletes_it_is_told_so(buyer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stored_file(buyer)
    delete = services.storage.bytes_delete

    def attach_meanwhile(keys: list[str]) -> None:
        with pytest.raises(FileTaken):
            file_attach(file=file, to="listing:1")
        delete(keys)

    monkeypatch.setattr(services.storage, "bytes_delete", attach_meanwhile)
    assert uploads_prune(now=timezone.now() + datetime.timedelta(hours=25)) == 1


def test_bytes_that_could_not_be_deleted_are_tried_again(buyer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stored_file(buyer)
    file_discard(file=file)
    with monkeypatch.context() as broken:
        deletes = "delete_many" if settings.S3_BUCKET else "delete"
        broken.setattr(default_storage, deletes, lambda keys: (_ for _ in ()).throw(ConnectionError("away")))
        with pytest.raises(Unavailable):
            uploads_prune()
    file.refresh_from_db()
    assert file.state == State.DISCARDED
    assert uploads_prune() == 1
    assert names() == []


def test_the_clock_queues_the_job_only_when_there_is_something_to_delete(
    buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(clock, "enqueue", sent.append)
    now = timezone.now()
    assert clock.prune(now) is False
    file_discard(file=stored_file(buyer))
    assert clock.prune(now) is True
    assert sent == [tasks.uploads_prune.name]
    tasks.uploads_prune()
    assert names() == []
    assert clock.prune(now) is False


# ---------------------------------------------------------------- profile pictures


def test_a_new_profile_picture_takes_the_place_of_the_former(buyer: User) -> None:
    first = samples.upload(samples.encoded(samples.drawing()))
    avatar_replace(user=buyer, upload=first)
    former = StoredFile.objects.get()
    avatar_replace(user=buyer, upload=samples.upload(samples.encoded(samples.drawing((200, 200)))))
    buyer.refresh_from_db()
    former.refresh_from_db()
    assert former.state == State.DISCARDED
    current = StoredFile.objects.get(state=State.CLEAN)
    assert (buyer.avatar_file_id, current.attached_to) == (current.pk, f"user:{buyer.pk.hex}")
    avatar_replace(user=buyer, upload=None)
    buyer.refresh_from_db()
    assert buyer.avatar_file_id is None
    assert uploads_prune() == 2
    assert names() == []


# ---------------------------------------------------------------- lookalikes


@pytest.fixture
def proof(buyer: User) -> Callable[..., StoredFile]:
    def store(owner: User = buyer, upload: Any = None, **fields: str) -> StoredFile:
        return file_store(owner=owner, purpose=Purpose.PAYMENT_PROOF, upload=upload or receipt_upload(**fields))

    return store


def test_the_same_receipt_is_found_resized_re_encoded_and_as_pdf(
    proof: Callable[..., StoredFile], stranger: User
) -> None:
    from uploads.demo_receipts import Receipt, receipt_picture

    first = proof()
    picture = receipt_picture(
        Receipt(
            bank="Meridian Bank",
            amount="$250.00",
            reference="TRX-20261124-88213",
            payer="Amal Haddad",
            date="24 Nov 2026, 14:08",
        )
    )
    smaller = picture.resize((500, 889))
    for data in (
        samples.encoded(smaller, "JPEG", quality=60),
        samples.encoded(smaller, "WEBP", quality=70),
        samples.encoded(picture, "PDF"),
    ):
        assert lookalikes(proof(owner=stranger, upload=samples.upload(data)))[-1] == first
    assert len(lookalikes(first)) == 3


def test_the_same_bytes_are_found_for_every_purpose(buyer: User, stranger: User) -> None:
    one, other = stored_file(buyer, Purpose.DISPUTE), stored_file(stranger, Purpose.DISPUTE)
    stored_file(stranger, Purpose.CHAT)
    assert lookalikes(one) == [other]


def test_another_receipt_of_the_same_bank_is_no_lookalike(proof: Callable[..., StoredFile]) -> None:
    proof()
    other = proof(reference="TRX-20261124-51640")
    assert lookalikes(other) == []
    assert lookalikes(proof(bank="Corvo Pay")) == []


def test_a_deleted_receipt_that_was_used_still_counts_and_one_that_was_not_does_not(
    proof: Callable[..., StoredFile],
) -> None:
    used, unused = proof(), proof(bank="Corvo Pay")
    file_attach(file=used, to="deposit:1")
    StoredFile.objects.filter(pk=used.pk).update(state=State.DELETED)
    uploads_prune(now=timezone.now() + datetime.timedelta(hours=25))
    unused.refresh_from_db()
    assert unused.state == State.DELETED
    assert lookalikes(proof()) == [used]
    assert lookalikes(proof(bank="Corvo Pay")) == []


@pytest.mark.parametrize(("purpose", "marked"), [(Purpose.LISTING_IMAGE, True), (Purpose.AVATAR, False)])
def test_a_photo_of_a_listing_has_the_stores_name_in_its_corner_where_that_is_wanted(
    buyer: User, settings: Any, purpose: str, marked: bool
) -> None:
    photo = samples.encoded(Image.new("RGB", (1200, 900), "white"))
    found = []
    for wanted in (False, True):
        settings.LISTING_WATERMARK = wanted
        row = file_store(owner=buyer, purpose=purpose, upload=samples.upload(photo))
        found.append([default_storage.open(row.variants[name]["key"]).read() for name in row.variants])
    for without, with_name in zip(*found, strict=True):
        assert (without != with_name) is marked
        corner = Image.open(io.BytesIO(with_name)).convert("L")
        corner = corner.crop((corner.width // 2, corner.height * 4 // 5, corner.width, corner.height))
        assert (min(corner.tobytes()) < 200) is marked
