"""Becoming a seller, and staying one."""

from collections.abc import Sequence

from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.errors import OwnCase
from accounts.models import SellerApplication, SellerProfile, User
from accounts.services.audit import audit_record
from accounts.services.people import user_require_active
from accountsstore.db import atomic
from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.events import SellerChanged, staff_group
from accountsstore.outbox import publish

State = SellerApplication.State
REVIEWERS = staff_group("accounts.review_seller")


class AlreadyDecided(Conflict):
    code = "already_decided"
    message = _("A colleague has decided this application already, or it waits for the applicant.")


def seller_apply(*, user: User, legal_name: str, country: str, sells: str) -> SellerApplication:
    """Hand in an application, or the answer to a question of staff. A rejected person may apply again.

    Raises NotActive; Conflict when the person sells already or an application waits for staff.
    """
    try:
        return _seller_apply(user=user, legal_name=legal_name, country=country, sells=sells)
    except IntegrityError:  # the same form twice at once: the constraint let one in
        raise Conflict(_("Your application is with us already.")) from None


@atomic
def _seller_apply(*, user: User, legal_name: str, country: str, sells: str) -> SellerApplication:
    user_require_active(user)
    profile = SellerProfile.objects.filter(user=user).first()
    if profile is None:
        SellerProfile.objects.create(user=user)
    elif profile.state == SellerProfile.State.APPROVED:
        raise Conflict(_("You are a seller already."))
    elif profile.state == SellerProfile.State.SUSPENDED:
        raise NotAllowed(_("Staff have closed selling for you. Write to support if you think this is wrong."))
    answers = {"legal_name": legal_name, "country": country, "sells": sells}
    last = SellerApplication.objects.filter(user=user).order_by("-attempt").first()
    if last is not None and last.state == State.SUBMITTED:
        raise Conflict(_("Your application is with us already."))
    if last is not None and last.state == State.NEEDS_INFO:
        waiting = SellerApplication.objects.filter(pk=last.pk, state=State.NEEDS_INFO)
        if not waiting.update(state=State.SUBMITTED, **answers):
            raise Conflict
        last.refresh_from_db()
        application = last
    else:
        attempt = last.attempt + 1 if last else 1
        application = SellerApplication.objects.create(user=user, attempt=attempt, **answers)
    publish(SellerChanged(user=user.pk.hex, state="applied"), to=[user.pk], groups=[REVIEWERS])
    return application


@atomic
def seller_application_approve(*, application: SellerApplication, staff: User, reason: str = "") -> None:
    """The person may sell from now on. Raises OwnCase, NotAllowed or AlreadyDecided."""
    _decide(application, staff, reason, source=SellerApplication.OPEN, target=State.APPROVED)
    SellerProfile.objects.filter(user=application.user).update(
        state=SellerProfile.State.APPROVED, approved_at=timezone.now()
    )


@atomic
def seller_application_reject(*, application: SellerApplication, staff: User, reason: str) -> None:
    """Raises as above, and StoreError without a reason."""
    _require_reason(reason)
    _decide(application, staff, reason, source=SellerApplication.OPEN, target=State.REJECTED)


@atomic
def seller_application_ask(*, application: SellerApplication, staff: User, reason: str) -> None:
    """Send it back with a question; the applicant answers in the same form. Raises as above."""
    _require_reason(reason)
    _decide(application, staff, reason, source=[State.SUBMITTED], target=State.NEEDS_INFO)


@atomic
def seller_suspend(*, user: User, staff: User, reason: str) -> None:
    """Close selling for a person; everything else stays open. Raises OwnCase, NotAllowed, Conflict or StoreError."""
    _standing(user, staff, reason, SellerProfile.State.APPROVED, SellerProfile.State.SUSPENDED)


@atomic
def seller_restore(*, user: User, staff: User, reason: str) -> None:
    """Open selling again. Raises as above."""
    _standing(user, staff, reason, SellerProfile.State.SUSPENDED, SellerProfile.State.APPROVED)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise StoreError(_("Give a reason: the applicant reads it."), field="reason")


def _require_reviewer(staff: User, user: User) -> None:
    if not staff.has_perm("accounts.review_seller"):
        raise NotAllowed
    if staff.pk == user.pk:
        raise OwnCase


def _decide(application: SellerApplication, staff: User, reason: str, *, source: Sequence[str], target: str) -> None:
    user = application.user
    _require_reviewer(staff, user)
    before = application.state
    won = SellerApplication.objects.filter(pk=application.pk, state__in=source).update(
        state=target, reason=reason, reviewer=staff, decided_at=timezone.now()
    )
    if not won:
        raise AlreadyDecided
    application.refresh_from_db()
    audit_record(
        actor=staff,
        action=f"seller_application.{target}",
        subject=f"sellerapplication:{application.pk.hex}",
        subject_text=f"{user.username}: {application.legal_name}",
        before={"state": before},
        after={"state": target},
        reason=reason,
    )
    publish(SellerChanged(user=user.pk.hex, state=str(target)), to=[user.pk], groups=[REVIEWERS])


def _standing(user: User, staff: User, reason: str, source: str, target: str) -> None:
    _require_reviewer(staff, user)
    _require_reason(reason)
    if not SellerProfile.objects.filter(user=user, state=source).update(state=target):
        raise Conflict
    audit_record(
        actor=staff,
        action=f"seller.{target}",
        subject=f"user:{user.pk.hex}",
        subject_text=user.username,
        before={"state": source},
        after={"state": target},
        reason=reason,
    )
    publish(SellerChanged(user=user.pk.hex, state=str(target)), to=[user.pk])
