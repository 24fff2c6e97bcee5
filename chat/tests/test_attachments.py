"""Files in messages: who may send, see and open them."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accountsstore.models import OutboxEvent
from chat.errors import BadMessage
from chat.models import Conversation, Message, MessageVersion
from chat.services.attachments import attachment_store
from chat.services.changes import message_delete, message_edit
from chat.services.conversations import conversation_for_order, conversation_open_to_staff
from chat.services.messages import message_send
from chat.services.tickets import ticket_open
from chat.tests.factories import OrderFactory
from uploads.errors import FileTaken
from uploads.models import FileAccess, StoredFile
from uploads.services import UNATTACHED_AGE, uploads_prune
from uploads.tests.factories import stored_file
from uploads.tests.samples import drawing, encoded, pdf, upload

pytestmark = [pytest.mark.django_db, pytest.mark.stack]


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))


def picture(owner: User) -> StoredFile:
    return attachment_store(owner=owner, upload=upload(encoded(drawing()), "proof of level.jpg"))


def document(owner: User) -> StoredFile:
    return attachment_store(owner=owner, upload=upload(pdf(), "invoice.pdf", "application/pdf"))


def say(
    talk: Conversation, sender: User, *files: StoredFile, body: str = "", client_id: str = "client-0001"
) -> Message:
    return message_send(
        conversation_id=talk.pk, sender=sender, client_id=client_id, body=body, files=[file.pk for file in files]
    )


def opens(user: User | None, file: StoredFile, variant: str = "card") -> int:
    """The status that the person gets in the end."""
    client = Client()
    if user:
        client.force_login(user)
    return client.get(f"/files/{file.pk.hex}/{variant}", follow=True).status_code


def test_files_go_with_a_message_that_may_have_no_words(talk: Conversation, buyer: User) -> None:
    files = [picture(buyer), document(buyer)]
    message = say(talk, buyer, *files)
    assert [(card["id"], card["name"], card["mime"]) for card in message.files] == [
        (files[0].pk.hex, "proof of level.jpg", "image/jpeg"),
        (files[1].pk.hex, "invoice.pdf", "application/pdf"),
    ]
    assert OutboxEvent.objects.get(topic="message.new").payload["files"] == message.files
    assert set(talk.participants.values_list("last_text", flat=True)) == {"proof of level.jpg, invoice.pdf"}


def test_only_those_in_the_conversation_open_a_file_whatever_address_they_have(
    talk: Conversation, buyer: User, seller: User, stranger: User, staff: User
) -> None:
    image, paper = picture(buyer), document(buyer)
    assert opens(seller, image) == 404  # not sent yet
    say(talk, buyer, image, paper)
    assert [opens(person, image) for person in (buyer, seller, stranger, None, staff)] == [200, 200, 404, 404, 404]
    assert [opens(person, paper, "original") for person in (seller, stranger)] == [200, 404]
    talk.participants.filter(user=seller).delete()
    assert opens(seller, image) == 404


def test_an_address_signed_for_a_member_is_useless_to_others(
    talk: Conversation, buyer: User, seller: User, stranger: User
) -> None:
    image = picture(buyer)
    say(talk, buyer, image)
    client = Client()
    client.force_login(seller)
    signed = client.get(f"/files/{image.pk.hex}/card").url
    assert client.get(signed).status_code == 200
    client.force_login(stranger)
    assert client.get(signed).status_code == 404


def test_staff_open_files_with_a_reason_that_is_recorded_and_so_is_the_look(
    talk: Conversation, buyer: User, staff: User
) -> None:
    image = picture(buyer)
    say(talk, buyer, image)
    conversation_open_to_staff(conversation=talk, staff=staff, reason="Dispute")
    assert opens(staff, image) == 200
    assert FileAccess.objects.get().user == staff


def test_a_file_is_used_once_and_by_its_owner(talk: Conversation, buyer: User, seller: User) -> None:
    image = picture(buyer)
    with pytest.raises(FileTaken):
        say(talk, seller, image)
    say(talk, buyer, image)
    with pytest.raises(FileTaken):
        say(talk, buyer, image, client_id="client-0002")
    with pytest.raises(FileTaken):
        message_send(conversation_id=talk.pk, sender=buyer, client_id="client-0003", body="", files=[uuid.uuid4()])
    with pytest.raises(FileTaken):
        say(talk, buyer, stored_file(buyer, StoredFile.Purpose.PAYMENT_PROOF), client_id="client-0004")
    assert Message.objects.count() == 1


def test_sending_again_what_was_sent_with_files_gives_the_first_message_back(talk: Conversation, buyer: User) -> None:
    image = picture(buyer)
    assert say(talk, buyer, image) == say(talk, buyer, image)


def test_a_message_carries_five_files_at_most(talk: Conversation, buyer: User) -> None:
    files = [picture(buyer) for _ in range(6)]
    with pytest.raises(BadMessage, match="5 files"):
        say(talk, buyer, *files)
    assert len(say(talk, buyer, *files[:5]).files) == 5


def test_words_may_be_edited_away_where_files_remain_and_deleting_takes_the_files_too(
    talk: Conversation, buyer: User, seller: User, staff: User
) -> None:
    image = picture(buyer)
    say(talk, buyer, image, body="Look")
    message_edit(conversation=talk, sender=buyer, client_id="client-0001", body="")
    assert opens(seller, image) == 200
    message_delete(conversation=talk, sender=buyer, client_id="client-0001")
    assert opens(seller, image) == 404
    assert Message.objects.get().files == []
    assert MessageVersion.objects.get(change=2).files[0]["id"] == image.pk.hex
    conversation_open_to_staff(conversation=talk, staff=staff, reason="Dispute")
    assert opens(staff, image) == 200


def test_what_was_uploaded_and_never_sent_is_deleted_a_day_later(talk: Conversation, buyer: User, media: Any) -> None:
    sent, forgotten = picture(buyer), picture(buyer)
    say(talk, buyer, sent)
    assert uploads_prune(now=forgotten.created_at + UNATTACHED_AGE * 2) == 1
    forgotten.refresh_from_db()
    sent.refresh_from_db()
    assert (forgotten.state, sent.state) == (StoredFile.State.DELETED, StoredFile.State.CLEAN)


# ---------------------------------------------------------------- the pages


def test_uploading_answers_with_the_file_or_says_what_is_wrong(
    talk: Conversation, buyer: User, stranger: User, client: Client
) -> None:
    url = reverse("chat:attachment_upload", args=[talk.pk.hex])
    client.force_login(buyer)
    said = client.post(url, {"file": upload(encoded(drawing()))}).json()
    assert (said["name"], StoredFile.objects.get().pk.hex) == ("photo.jpg", said["id"])
    refused = client.post(url, {"file": upload(b"MZ not a picture", "setup.exe", "image/jpeg")})
    assert refused.status_code == 400
    assert "Choose a JPEG, PNG or WebP picture, or a PDF." in refused.json()["detail"]
    assert client.post(url).status_code == 400
    client.force_login(stranger)
    assert client.post(url, {"file": upload(encoded(drawing()))}).status_code == 404


def test_without_a_script_the_form_carries_files_and_a_warning_does_not_lose_them(
    talk: Conversation, buyer: User, client: Client
) -> None:
    client.force_login(buyer)
    url = reverse("chat:conversation_send", args=[talk.pk.hex])
    form = {"client_id": "client-0001", "body": "Write to sam@mailbox.example"}
    warned = client.post(url, {**form, "files": [upload(encoded(drawing()))]})
    text = warned.content.decode()
    file = StoredFile.objects.get()
    assert "not protected by escrow" in text
    assert f'name="file" value="{file.pk.hex}"' in text
    assert not Message.objects.exists()
    client.post(url, {**form, "file": file.pk.hex, "confirmed": "1"})
    assert Message.objects.get().files[0]["id"] == file.pk.hex


def test_the_thread_shows_pictures_with_words_for_them_and_other_files_by_name_and_size(
    talk: Conversation, buyer: User, seller: User, client: Client, django_assert_max_num_queries: Any
) -> None:
    say(talk, buyer, picture(buyer), document(buyer))
    client.force_login(seller)
    text = client.get(talk.get_absolute_url()).content.decode()
    assert 'alt="Picture: proof of level.jpg"' in text
    assert "invoice.pdf" in text
    assert "bytes" in text or "KB" in text


def test_who_answers_tickets_opens_what_a_customer_sends_and_the_desk_shows_it(
    buyer: User, seller: User, staff: User
) -> None:
    ticket = ticket_open(user=buyer, topic="money", body="Where is my deposit?", client_id="ask-000001")
    image = picture(buyer)
    message = say(ticket.conversation, buyer, image)
    assert [opens(person, image) for person in (staff, seller)] == [200, 404]
    desk = Client()
    desk.force_login(staff)
    assert "proof of level.jpg" in desk.get(f"/admin/chat/ticket/{ticket.pk}/change/").content.decode()
    message_delete(conversation=ticket.conversation, sender=buyer, client_id="client-0001")
    assert opens(staff, image) == 404
    page = desk.get(f"/admin/chat/ticket/{ticket.pk}/change/").content.decode()
    assert "Message deleted" in page
    assert message.files[0]["id"] not in page
