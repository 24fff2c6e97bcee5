"""What somebody wants to say, before it is written."""

import dataclasses
import re
import unicodedata
import uuid
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat.errors import BadMessage

BODY_MAX = 4000
# Made by the client: a UUID, or anything as hard to repeat by accident.
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,40}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """What somebody wants to say: `body` has 1 to 4000 characters after trimming. `files` are up to 5 uploads of the sender
    (`chat.services.attachments`); with them `body` may be empty. A `client_id` is written once, whatever the body."""

    conversation_id: uuid.UUID
    sender: User
    client_id: str
    body: str
    files: Sequence[uuid.UUID] = ()

    @property
    def key(self) -> str:
        return f"{self.sender.pk.hex}:{self.client_id}"

    def cleaned(self) -> "Draft":
        """As it is written. Raises BadMessage."""
        if not CLIENT_ID.fullmatch(self.client_id):
            raise BadMessage(_("The message has no valid id. Load the page again."))
        return dataclasses.replace(self, body=clean_body(self.body, may_be_empty=bool(self.files)))


def clean_body(body: str, *, may_be_empty: bool = False) -> str:
    """Trimmed, without control characters. Raises BadMessage when nothing is left, or too much."""
    # Cc: control characters; Cs: halves of a character, which no database stores.
    body = "".join(c for c in body if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs")).strip()
    # Cf: marks of direction and joining. They belong into Arabic text, but alone they are nothing to read.
    if all(c.isspace() or unicodedata.category(c) == "Cf" for c in body):
        if may_be_empty:
            return ""
        raise BadMessage(_("Write something first."), field="body")
    if len(body) > BODY_MAX:
        raise BadMessage(
            _("A message has at most %(max)d characters; this one has %(length)d.")
            % {"max": BODY_MAX, "length": len(body)},
            field="body",
        )
    return body
