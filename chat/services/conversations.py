"""Who talks with whom."""

import uuid

from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services import audit_record
from accountsstore.db import atomic
from accountsstore.errors import NotAllowed, StoreError
from chat.errors import NoSelfTalk, PersonAway
from chat.models import Conversation, Participant
from payments.models import Order


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

    Raises NoSelfTalk, PersonAway.
    """
    if user.pk == other.pk:
        raise NoSelfTalk
    if not other.is_active:
        raise PersonAway(_("%(name)s cannot receive messages right now.") % {"name": other.name})
    smaller, larger = sorted([user.pk.hex, other.pk.hex])
    return _conversation_ensure(
        kind=Conversation.Kind.DIRECT,
        subject=f"direct:{smaller}:{larger}",
        title="",
        user_ids=[user.pk, other.pk],
    )


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
