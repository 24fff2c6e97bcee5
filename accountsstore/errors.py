"""What a service may refuse, in words for the person who asked."""

from typing import Any

from django.utils.translation import gettext_lazy as _


class StoreError(Exception):
    """A refusal with a stable `code` for programs and a sentence for people. Nothing was changed.

    `field` names the form field at fault, if one is.
    """

    code = "refused"
    http_status = 400
    message: Any = _("This cannot be done.")

    def __init__(self, message: object = None, *, field: str | None = None) -> None:
        self.message = message or self.message
        self.field = field
        super().__init__(str(self.message))


class NotAllowed(StoreError):
    """The person may not do this."""

    code = "not_allowed"
    http_status = 403
    message = _("You may not do this.")


class Conflict(StoreError):
    """The thing has moved on since the person looked at it."""

    code = "conflict"
    http_status = 409
    message = _("This has changed in the meantime. Look at it again.")


class Unavailable(StoreError):
    """A server that this needs does not answer. `part` names it as `/api/health` does."""

    code = "unavailable"
    part = "files"
    http_status = 503
    message = _("This part of the store does not answer right now. Try again in a minute.")
