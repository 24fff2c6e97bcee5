"""Telling somebody: a row in their list, a frame to their open pages, and a mail unless they declined it."""

from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.utils import translation

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.events import NotificationNew
from accountsstore.mail import mail_queue
from accountsstore.outbox import publish
from chat.models import Notification, NotificationPreference
from chat.notification_texts import KINDS, MUTABLE, notification_text, notification_title
from chat.selectors import unread_notifications


def notification_create(*, user: User, kind: str, params: dict[str, Any], url: str, dedupe_key: str) -> None:
    """Tell `user` what `kind` (chat.notification_texts) says of `params`. `url` is the page about it, from "/".

    Safe to repeat and to run at once with itself: one row, frame and mail per `dedupe_key`. Call it outside a
    transaction.
    """
    try:
        _notification_create(user=user, kind=kind, params=params, url=url, dedupe_key=dedupe_key)
    except IntegrityError:
        # Handled twice at once, and the other one was first.
        if not Notification.objects.filter(dedupe_key=dedupe_key).exists():
            raise


@atomic
def _notification_create(*, user: User, kind: str, params: dict[str, Any], url: str, dedupe_key: str) -> None:
    if Notification.objects.filter(dedupe_key=dedupe_key).exists():
        return
    row = Notification.objects.create(user=user, kind=kind, params=params, url=url, dedupe_key=dedupe_key)
    with translation.override(user.language):
        text, title = notification_text(kind, params), notification_title(kind, params)
    publish(
        NotificationNew(notification=row.pk.hex, text=text, url=url, unread=unread_notifications(user)), to=[user.pk]
    )
    if KINDS[kind].mail and KINDS[kind].topic not in muted_topics(user):
        mail_queue(
            to=user.email,
            template=KINDS[kind].mail,
            context={"name": user.name, "title": title, "text": text, "url": settings.STORE_URL + url},
            dedupe_key=f"notification:{dedupe_key}",
            language=user.language,
        )


def muted_topics(user: User) -> frozenset[str]:
    """The topics whose mails the person declined, without those that always go."""
    chosen = NotificationPreference.objects.filter(user=user).values_list("muted_topics", flat=True).first()
    return MUTABLE & set(chosen or [])


def preferences_set(*, user: User, muted: set[str]) -> None:
    """Decline the mails of the topics `muted`. Topics that always go are ignored. Safe to repeat."""
    topics = sorted(MUTABLE & muted)
    if NotificationPreference.objects.filter(user=user).update(muted_topics=topics):
        return
    try:
        NotificationPreference.objects.create(user=user, muted_topics=topics)
    except IntegrityError:
        NotificationPreference.objects.filter(user=user).update(muted_topics=topics)


@atomic
def notification_read(*, user: User, notification: Notification) -> None:
    """Safe to repeat."""
    Notification.objects.filter(pk=notification.pk, user=user, is_read=False).update(is_read=True)


@atomic
def notifications_read_about(*, user: User, url: str) -> None:
    """The person has opened the page at `url`: what told of it is read. Safe to repeat."""
    Notification.objects.filter(user=user, is_read=False, url=url).update(is_read=True)


@atomic
def notifications_read(*, user: User) -> None:
    """Everything so far counts as read. Safe to repeat."""
    Notification.objects.filter(user=user, is_read=False).update(is_read=True)
