"""Who may come in."""

import uuid

from allauth.account.auth_backends import AuthenticationBackend

from accounts.models import User
from accountsstore.rows import row_find


class StoreAuthenticationBackend(AuthenticationBackend):
    """allauth's sign-in by mail address. `User.is_active` keeps suspended and closed people out."""

    def get_user(self, user_id: uuid.UUID) -> User | None:
        """Asked by each request and each socket of somebody who is signed in."""
        user = row_find(User, pk=user_id)
        return user if user and self.user_can_authenticate(user) else None
