"""Signing out closes the session's sockets in every tab at once."""

from typing import Any

from django.http import HttpRequest

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.events import SessionRevoked
from accountsstore.outbox import publish
from chat.socket_work import session_hash


@atomic
def sockets_close(*, request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    """A receiver of Django's `user_logged_out`, which is sent while the session still has its key."""
    key = request.session.session_key if request is not None and hasattr(request, "session") else None
    if user is not None and key:
        publish(SessionRevoked(reason="signed_out", session=session_hash(key)), to=[user.pk])
