import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import UserFactory
from uploads.models import FileAccess, StoredFile
from uploads.services import access_record, file_store
from uploads.tests.factories import receipt_upload, stored_file

LIST = "admin:uploads_storedfile_changelist"
PAGE = "admin:uploads_storedfile_change"


@pytest.fixture
def proof(buyer: User) -> StoredFile:
    return file_store(owner=buyer, purpose=StoredFile.Purpose.PAYMENT_PROOF, upload=receipt_upload("transfer.png"))


def staff_with(*codenames: str) -> Client:
    user = UserFactory(username="reviewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_who_may_look_at_proofs_sees_the_list_and_the_picture(proof: StoredFile) -> None:
    client = staff_with("view_proof")
    assert "transfer.png" in client.get(reverse(LIST)).content.decode()
    page = client.get(reverse(PAGE, args=[proof.pk])).content.decode()
    assert f"/files/{proof.pk.hex}/large?key=" in page
    assert f"/files/{proof.pk.hex}/original" in page


def test_a_conversations_file_shows_its_facts_and_not_its_picture(buyer: User) -> None:
    file = stored_file(buyer, StoredFile.Purpose.CHAT)
    page = staff_with("view_proof").get(reverse(PAGE, args=[file.pk])).content.decode()
    assert file.sha256 in page
    assert f"/files/{file.pk.hex}/" not in page


def test_other_staff_see_no_files(proof: StoredFile) -> None:
    assert staff_with("view_category").get(reverse(LIST)).status_code == 403


def test_nobody_changes_a_file_or_the_record_of_who_looked(proof: StoredFile, staff: User) -> None:
    access_record(file=proof, user=staff, variant="large", ip="127.0.0.1")
    access = FileAccess.objects.get()
    client = Client()
    client.force_login(staff)
    assert client.get(reverse(PAGE, args=[proof.pk])).status_code == 200
    assert "ines" in client.get(reverse("admin:uploads_fileaccess_changelist")).content.decode()
    for model, row in (("storedfile", proof), ("fileaccess", access)):
        assert client.get(reverse(f"admin:uploads_{model}_add")).status_code == 403
        assert client.post(reverse(f"admin:uploads_{model}_delete", args=[row.pk])).status_code == 403
        assert client.post(reverse(f"admin:uploads_{model}_change", args=[row.pk]), {"mime": "x"}).status_code == 403
    proof.refresh_from_db()
    assert proof.mime == "image/png"
