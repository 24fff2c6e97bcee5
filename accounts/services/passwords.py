"""Passwords: setting one, and asking for it again before a step that matters.

Hashing takes tens of milliseconds by design, so it happens before the transaction and never inside.
"""

import datetime
import logging

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import get_usage

from accounts.errors import TooManyTries, WrongPassword
from accounts.models import User
from accountsstore.db import atomic
from accountsstore.events import SessionRevoked
from accountsstore.outbox import publish

logger = logging.getLogger(__name__)

WRONG_TRIES = "10/10m"


def password_require(*, user: User, password: str) -> None:
    """Let a signed-in person pass who knows the password. Raises WrongPassword, or TooManyTries (both name the field).

    Wrong tries are counted per person and only close this question: the session goes on, and so does every deadline.
    """
    if _tries_used_up(user, count_one=False):
        raise TooManyTries
    if not password:
        raise WrongPassword(_("Enter your password."))
    if not user.check_password(password):
        _tries_used_up(user, count_one=True)
        logger.info("wrong password", extra={"user_id": user.pk.hex})
        raise WrongPassword


def _tries_used_up(user: User, *, count_one: bool) -> bool:
    usage = get_usage(
        None,
        group="password_require",
        key=lambda group, request: user.pk.hex,
        rate=WRONG_TRIES,
        increment=count_one,
    )
    return usage is not None and usage["count"] >= usage["limit"]


def password_set(*, user: User, password: str) -> None:
    """Change the password: every other session ends, open sockets close, and money out waits for a while."""
    user.set_password(password)
    _password_write(user=user, reason="password_changed", secured_at=timezone.now())


def sessions_end(*, user: User, password: str) -> None:
    """Sign the person out everywhere. Raises WrongPassword.

    Sessions carry a hash of the password's hash: the same password with a new salt ends them all. The caller keeps
    its own with `update_session_auth_hash`.
    """
    password_require(user=user, password=password)
    user.set_password(password)
    _password_write(user=user, reason="signed_out", secured_at=user.secured_at)


@atomic
def _password_write(*, user: User, reason: str, secured_at: datetime.datetime | None) -> None:
    user.secured_at = secured_at
    user.save(update_fields=["password", "secured_at"])
    publish(SessionRevoked(reason=reason), to=[user.pk])
