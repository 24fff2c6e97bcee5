"""Files that people send each other: uploaded first, then bound to one message, seen by those in its conversation."""

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from typing import Any

from django.core.files.base import File
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, User
from chat.errors import BadMessage
from chat.models import Conversation, Message
from chat.selectors import membership
from chat.services.turns import ANSWER
from uploads.errors import FileTaken
from uploads.links import signed_url, variant_url
from uploads.models import StoredFile
from uploads.services import file_attach, file_store

FILES_MAX = 5
# One reason opens one conversation to one member of staff for this long.
GRANT = datetime.timedelta(minutes=15)


def attachment_store(*, owner: User, upload: "File[bytes]") -> StoredFile:
    """Check and keep a file that `owner` may send within a day (`uploads.services.file_store`).

    Raises BadFile, Unavailable. Call it outside a transaction.
    """
    return file_store(owner=owner, purpose=StoredFile.Purpose.CHAT, upload=upload, field="files")


def attachments_find(sender: User, ids: Sequence[uuid.UUID]) -> list[StoredFile]:
    """The sender's own uploads `ids`, in that order. Raises BadMessage (too many), FileTaken."""
    ids = list(dict.fromkeys(ids))
    if len(ids) > FILES_MAX:
        raise BadMessage(_("A message carries at most %(max)d files.") % {"max": FILES_MAX}, field="files")
    if not ids:
        return []
    found = StoredFile.objects.filter(
        owner=sender, purpose=StoredFile.Purpose.CHAT, state=StoredFile.State.CLEAN, attached_to=""
    ).in_bulk(ids)
    if len(found) < len(ids):
        raise FileTaken(field="files")
    return [found[key] for key in ids]


def attachments_bind(message: Message, files: list[StoredFile]) -> None:
    """In the transaction that writes the message. Raises FileTaken: a file goes with one message only."""
    for file in files:
        file_attach(file=file, to=f"message:{message.pk.hex}", owner=message.sender)


def file_card(file: StoredFile) -> dict[str, Any]:
    """What a thread shows of a file, as `Message.files` and the event carry it. Nothing in it opens the file."""
    shown = file.variants["card"]
    return {
        "id": file.pk.hex,
        "name": file.original_name,
        "mime": file.mime,
        "size": file.size_bytes,
        # Of the picture as the thread shows it, so that nothing moves when it arrives.
        "width": shown["width"],
        "height": shown["height"],
    }


@dataclasses.dataclass(frozen=True)
class Attached:
    """A file of a message as a page shows it to one person. Pictures have a `picture`, signed for them alone."""

    name: str
    size: int
    url: str
    picture: str
    width: int
    height: int

    @property
    def kind(self) -> str:
        return "" if self.picture else "PDF"


def attached(cards: list[dict[str, Any]], user: User) -> list[Attached]:
    """The files of a message (`Message.files`) as its page shows them to `user`. Asks no database."""
    return [
        Attached(
            name=card["name"],
            size=card["size"],
            url=variant_url(uuid.UUID(card["id"]), "large" if is_picture(card) else "original"),
            picture=signed_url(uuid.UUID(card["id"]), "card", user) if is_picture(card) else "",
            width=card["width"],
            height=card["height"],
        )
        for card in cards
    ]


def is_picture(card: dict[str, Any]) -> bool:
    return str(card["mime"]).startswith("image/")


def may_open(user: User, file: StoredFile) -> bool:
    """Whether somebody else than its owner may look at an attachment: who is in the conversation, and who answers
    tickets if it is one, unless the message was deleted; and staff who gave a reason to read that conversation a
    moment ago."""
    kind, _colon, key = file.attached_to.partition(":")
    rows = Message.objects.select_related("conversation")
    message = rows.filter(pk=uuid.UUID(key)).first() if kind == "message" else None
    if message is None:
        return False
    if message.deleted_at is None:
        if membership(user, message.conversation_id):
            return True
        if message.conversation.kind == Conversation.Kind.TICKET and user.has_perm(ANSWER):
            return True
    return user.has_perm("chat.read_conversation") and has_reason(user, message.conversation_id)


def has_reason(staff: User, conversation_id: uuid.UUID) -> bool:
    """Whether the member of staff said within the last 15 minutes why they read the conversation."""
    return AuditEvent.objects.filter(
        actor=staff,
        action="conversation.read",
        subject=f"conversation:{conversation_id.hex}",
        created_at__gt=timezone.now() - GRANT,
    ).exists()
