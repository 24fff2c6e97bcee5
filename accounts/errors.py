"""What accounts may refuse."""

from django.utils.translation import gettext_lazy as _

from accountsstore.errors import NotAllowed, StoreError


class WrongPassword(StoreError):
    code = "wrong_password"
    message = _("This is not your password.")

    def __init__(self, message: object = None) -> None:
        super().__init__(message, field="password")


class TooManyTries(WrongPassword):
    """The tries of this person at this question are used up for now; everything else goes on working."""

    code = "too_many_tries"
    http_status = 429
    message = _("Too many wrong passwords. Try again in ten minutes; you stay signed in.")


class NotActive(NotAllowed):
    """Restricted, suspended or closed."""

    code = "not_active"


class OwnCase(NotAllowed):
    code = "own_case"
    message = _("Nobody decides their own case. Ask a colleague.")
