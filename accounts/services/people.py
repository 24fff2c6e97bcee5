"""People: their profile, and their standing in the store."""

import datetime
import uuid
from collections.abc import Collection
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.errors import NotActive, OwnCase
from accounts.models import SellerProfile, User
from accounts.services.audit import audit_record
from accountsstore.db import atomic, uuid7
from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.events import SellerChanged, SessionRevoked
from accountsstore.mail import mail_queue
from accountsstore.outbox import publish

Status = User.Status


def user_require_active(user: User) -> None:
    """Raises NotActive with the reason. Reads the row, so that a decision of a second ago counts."""
    status, reason = User.objects.values_list("status", "status_reason").get(pk=user.pk)
    if status == Status.ACTIVE:
        return
    if status == Status.RESTRICTED:
        sentence = _("Your account is restricted: you can finish what runs, but not buy, sell or withdraw. %(reason)s")
    else:
        sentence = _("Your account is closed to you. %(reason)s")
    raise NotActive(sentence % {"reason": reason})


@atomic
def user_add(*, email: str, username: str, password: str | None, **fields: Any) -> User:
    """Make somebody whose address needs no code: the first superuser, the people of a demo. Without a password nobody
    signs in with it yet.

    Raises ValidationError when the address or the name is taken or not valid.
    """
    user = User(email=email.strip().lower(), username=username.strip().lower(), **fields)
    user.set_password(password)
    user.full_clean()
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@atomic
def profile_update(*, user: User, display_name: str, about: str, language: str) -> None:
    user.display_name = display_name
    user.about = about
    user.language = language
    user.save(update_fields=["display_name", "about", "language"])


@atomic
def language_set(*, user: User, language: str) -> None:
    """Remember the language for mails and for the next sign-in. An unknown one changes nothing."""
    if language in dict(settings.LANGUAGES):
        User.objects.filter(pk=user.pk).update(language=language)


@atomic
def avatar_set(*, user: User, file_id: uuid.UUID | None) -> None:
    """Show the stored picture `file_id`, or initials for None."""
    User.objects.filter(pk=user.pk).update(avatar_file_id=file_id)
    user.avatar_file_id = file_id


@atomic
def users_seen(*, user_ids: Collection[uuid.UUID], at: datetime.datetime) -> None:
    """Remember when they were last here. Safe to repeat."""
    User.objects.filter(pk__in=user_ids).update(last_seen_at=at)


@atomic
def user_suspend(*, user: User, staff: User, reason: str) -> None:
    """Close every door: the next request and the open sockets end within seconds. Money and orders stay as they are.

    Raises OwnCase, NotAllowed, or Conflict when the person is suspended already.
    """
    _status_change(user, staff, reason, source=[Status.ACTIVE, Status.RESTRICTED], target=Status.SUSPENDED)
    publish(SessionRevoked(reason="suspended"), to=[user.pk])


@atomic
def user_restrict(*, user: User, staff: User, reason: str) -> None:
    """The person signs in, reads and finishes what runs, but neither buys, sells nor withdraws. Raises as above."""
    _status_change(user, staff, reason, source=[Status.ACTIVE], target=Status.RESTRICTED)


@atomic
def user_restore(*, user: User, staff: User, reason: str) -> None:
    """Lift a suspension or restriction. Raises as above."""
    _status_change(user, staff, reason, source=[Status.RESTRICTED, Status.SUSPENDED], target=Status.ACTIVE)


def _status_change(user: User, staff: User, reason: str, *, source: list[str], target: str) -> None:
    if not staff.has_perm("accounts.suspend_user"):
        raise NotAllowed
    if user.pk == staff.pk:
        raise OwnCase
    if user.is_superuser and not staff.is_superuser:
        raise NotAllowed(_("Only a superuser decides about a superuser."))
    if not reason.strip():
        raise StoreError(_("Give a reason: the person reads it."), field="reason")
    before = user.status
    kept = reason if target != Status.ACTIVE else ""
    if not User.objects.filter(pk=user.pk, status__in=source).update(status=target, status_reason=kept):
        raise Conflict(_("This has been decided already: look at the person's present status."))
    user.status, user.status_reason = target, kept
    audit_record(
        actor=staff,
        action=f"user.{target}",
        subject=f"user:{user.pk.hex}",
        subject_text=user.username,
        before={"status": before},
        after={"status": target},
        reason=reason,
    )
    if SellerProfile.objects.filter(user=user, state=SellerProfile.State.APPROVED).exists():
        publish(SellerChanged(user=user.pk.hex, state=target))
    mail_queue(
        to=user.email,
        template="account_status",
        context={
            "name": user.name,
            "status": str(target),
            "reason": reason,
            "support_email": settings.STORE_SUPPORT_EMAIL,
        },
        dedupe_key=f"account_status:{uuid7().hex}",
        language=user.language,
    )
