"""How allauth fits the store: its mails go through the outbox, its writes through our services."""

from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services import password_set
from accountsstore.db import uuid7
from accountsstore.mail import mail_queue

# allauth's name of a mail → ours. A name that is missing here is a KeyError in the tests, not a mail in its words.
TEMPLATES = {
    "email_confirmation": "account_verify",
    "email_confirmation_signup": "account_verify",
    "password_reset_code": "account_reset",
    "account_already_exists": "account_exists",
    "unknown_account": "account_unknown",
    "password_changed": "account_password_changed",
    "password_reset": "account_password_changed",
    "password_set": "account_password_changed",
    "email_changed": "account_email_changed",
    "email_confirm": "account_email_changed",
    "email_deleted": "account_email_changed",
}


class AccountAdapter(DefaultAccountAdapter):
    error_messages: ClassVar = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _("The email address or the password is wrong."),
        "too_many_login_attempts": _("Too many wrong tries. Wait five minutes, or ask for a new code."),
        "incorrect_code": _("This is not the code we sent. Check the digits."),
        "incorrect_password": _("This is not your password."),
        "enter_current_password": _("This is not your password."),
        "username_taken": _("Somebody has this username already."),
        "username_blacklisted": _("This username is kept for the store."),
        "rate_limited": _("We sent a code a moment ago. Wait ten seconds and ask again."),
        "same_as_current": _("This is the address you have already."),
    }

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queue allauth's mail. Its codes open an account, so the body is wiped once sent."""
        language = User.objects.filter(email=email.lower()).values_list("language", flat=True).first()
        mail_queue(
            to=email,
            template=TEMPLATES[template_prefix.rpartition("/")[2]],
            context={"code": context.get("code", ""), "support_email": settings.STORE_SUPPORT_EMAIL},
            dedupe_key=f"account:{uuid7().hex}",
            language=language or translation.get_language() or settings.LANGUAGE_CODE,
            sensitive=True,
        )

    def send_account_already_exists_mail(self, email: str) -> None:
        # A new account costs a password hash; so does the answer for an old one, or its speed would tell them apart.
        make_password(email)
        super().send_account_already_exists_mail(email)

    def clean_username(self, username: str, shallow: bool = False) -> str:
        return super().clean_username(username.strip().lower(), shallow)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user.language = translation.get_language() or settings.LANGUAGE_CODE
        return super().save_user(request, user, form, commit)

    def set_password(self, user: User, password: str) -> None:
        password_set(user=user, password=password)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Changing the mail address asks for the password: who holds the address can reset the password."""
        return True

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Show the store in the person's language from now on."""
        response = super().post_login(request, user, **kwargs)
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            user.language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
        return response

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """The password was right, so the person may read why the door is closed."""
        return closed_door(request, user)


def closed_door(request: HttpRequest, user: User) -> HttpResponse:
    """The page of a suspended or closed account: why, and whom to write to."""
    context = {
        "reason": user.status_reason,
        "is_closed": user.status == User.Status.CLOSED,
        "support_email": settings.STORE_SUPPORT_EMAIL,
    }
    return render(request, "account/account_inactive.html", context, status=403)
