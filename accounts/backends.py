"""Who may come in."""

from allauth.account.auth_backends import AuthenticationBackend


class StoreAuthenticationBackend(AuthenticationBackend):
    """allauth's sign-in by mail address. `User.is_active` keeps suspended and closed people out."""
