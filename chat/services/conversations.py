"""Who talks with whom."""

import datetime
import uuid

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import get_usage

from accounts.models import User
from accounts.selectors import is_approved_seller
from accounts.services import audit_record
from accountsstore.db import atomic
from accountsstore.errors import NotAllowed, StoreError
from chat.errors import NoSelfTalk, NotAMember, NotReachable, PersonAway, TooManyStarts
from chat.models import Conversation, Participant
from chat.services.blocks import require_not_blocked
from payments.models import Order

FIRST_DAY = datetime.timedelta(days=1)


def conversation_for_order(*, order: Order) -> Conversation:
    """The conversation of the order's buyer and seller, made when it is first needed.

    Safe to repeat and to run at once with itself. Call it outside a transaction.
    """
    return _conversation_ensure(
        kind=Conversation.Kind.ORDER,
        subject=f"order:{order.pk.hex}",
        title=order.title,
        user_ids=[order.buyer_id, order.seller_id],
    )


def conversation_direct(*, user: User, other: User) -> Conversation:
    """The conversation of two people about no order. Safe to repeat, from either side. Call it outside a transaction.

    Anybody begins one with a seller, and with whom they have an order; nobody else's day is disturbed. One that exists
    stays open to both. Raises NoSelfTalk, PersonAway, Blocked, NotReachable, TooManyStarts.
    """
    if user.pk == other.pk:
        raise NoSelfTalk
    if not other.is_active:
        raise PersonAway(_("%(name)s cannot receive messages right now.") % {"name": other.name})
    require_not_blocked(user, [user, other])
    smaller, larger = sorted([user.pk.hex, other.pk.hex])
    subject = f"direct:{smaller}:{larger}"
    if not Conversation.objects.filter(subject=subject).exists():
        if not is_approved_seller(other) and not _have_an_order(user, other):
            raise NotReachable
        _count_start(user)
    return _conversation_ensure(kind=Conversation.Kind.DIRECT, subject=subject, title="", user_ids=[user.pk, other.pk])


def _have_an_order(user: User, other: User) -> bool:
    return Order.objects.filter(Q(buyer=user, seller=other) | Q(buyer=other, seller=user)).exists()


def _count_start(user: User) -> None:
    """Raises TooManyStarts. Who begins many conversations on the day they joined has come to advertise."""
    is_new = timezone.now() - user.created_at < FIRST_DAY
    limit = settings.DIRECT_STARTS_FIRST_DAY if is_new else settings.DIRECT_STARTS_PER_DAY
    usage = get_usage(
        None, group="direct_start", key=lambda group, request: user.pk.hex, rate=f"{limit}/d", increment=True
    )
    if usage is not None and usage["should_limit"]:
        raise TooManyStarts


@atomic
def conversation_mute(*, conversation: Conversation, user: User, muted: bool) -> None:
    """No mails about this conversation to this person, or again; it is counted as unread all the same.

    Safe to repeat. Raises NotAMember.
    """
    if not Participant.objects.filter(conversation=conversation, user=user, left_at=None).update(is_muted=muted):
        raise NotAMember


def _conversation_ensure(*, kind: str, subject: str, title: str, user_ids: list[uuid.UUID]) -> Conversation:
    if found := Conversation.objects.filter(subject=subject).first():
        return found
    try:
        return _conversation_create(kind=kind, subject=subject, title=title, user_ids=user_ids)
    except IntegrityError:  # somebody else was first
        return Conversation.objects.get(subject=subject)


@atomic
def _conversation_create(*, kind: str, subject: str, title: str, user_ids: list[uuid.UUID]) -> Conversation:
    conversation = Conversation.objects.create(kind=kind, subject=subject, title=title)
    for user_id in user_ids:
        Participant.objects.create(conversation=conversation, user_id=user_id)
    return conversation


def _require_staff_reason(staff: User, reason: str) -> None:
    if not staff.has_perm("chat.read_conversation"):
        raise NotAllowed
    if not reason.strip():
        raise StoreError(_("Give a reason: it is kept with your name."), field="reason")


@atomic
def conversation_open_to_staff(*, conversation: Conversation, staff: User, reason: str, ip: str = "") -> None:
    """Record that a member of staff reads a private conversation, before any of it is shown.

    Raises NotAllowed, StoreError (no reason).
    """
    _require_staff_reason(staff, reason)
    audit_record(
        actor=staff,
        action="conversation.read",
        subject=f"conversation:{conversation.pk.hex}",
        subject_text=str(conversation),
        reason=reason.strip(),
        ip=ip,
    )


@atomic
def conversation_lock(*, conversation: Conversation, staff: User, reason: str, locked: bool = True) -> None:
    """Close a conversation to new messages of people, or open it again. The store's own lines still appear.

    Safe to repeat. Raises NotAllowed, StoreError (no reason).
    """
    _require_staff_reason(staff, reason)
    conversation_lock_record(conversation=conversation, staff=staff, reason=reason, locked=locked)


@atomic
def conversation_lock_record(*, conversation: Conversation, staff: User, reason: str, locked: bool = True) -> None:
    """As `conversation_lock`, for services that have asked for a permission of their own."""
    if not Conversation.objects.filter(pk=conversation.pk, is_locked=not locked).update(is_locked=locked):
        return
    audit_record(
        actor=staff,
        action="conversation.lock" if locked else "conversation.unlock",
        subject=f"conversation:{conversation.pk.hex}",
        subject_text=str(conversation),
        before={"is_locked": not locked},
        after={"is_locked": locked},
        reason=reason.strip(),
    )
