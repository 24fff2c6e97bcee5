"""The mail about messages that somebody has not read while away."""

import datetime

import redis
from django.conf import settings
from django.db.models import F

from accountsstore.db import atomic
from accountsstore.mail import mail_queue
from chat.models import Conversation, Participant
from chat.presence import online
from chat.selectors import others_in
from chat.services.messages import MISSED_AFTER
from chat.services.notifications import muted_topics

BATCH = 200


def missed_messages_mail(now: datetime.datetime) -> int:
    """Mail those who have unread messages for five minutes and no page open: one mail until they have read them.

    Returns how many were mailed. Safe to repeat and to run twice at once: one UPDATE claims each mail.
    """
    due = list(Participant.objects.filter(mail_due_at__lte=now).order_by("mail_due_at").select_related("user")[:BATCH])
    try:
        here = online([person.user_id for person in due])
    except redis.RedisError:
        return 0  # nobody knows who is online; the next tick asks again
    mailed = 0
    for person in due:
        if person.user_id in here:
            Participant.objects.filter(pk=person.pk, mail_due_at=person.mail_due_at).update(
                mail_due_at=now + MISSED_AFTER
            )
        else:
            mailed += _missed_mail(person=person)
    return mailed


@atomic
def _missed_mail(*, person: Participant) -> int:
    claimed = Participant.objects.filter(pk=person.pk, mail_due_at=person.mail_due_at).update(
        mail_due_at=None, mailed_seq=F("last_seq")
    )
    user = person.user
    if not claimed or not user.is_active or "messages" in muted_topics(user):
        return 0
    mine = Participant.objects.select_related("conversation").get(pk=person.pk)
    others = others_in(mine.conversation_id, user)
    from_store = mine.conversation.kind == Conversation.Kind.TICKET
    if mine.unread == 0 or mine.is_muted or not (others or from_store):
        return 0
    # The words stay in the store: people send each other what does not belong into a mailbox.
    mail_queue(
        to=user.email,
        template="message_missed",
        context={
            "name": user.name,
            "sender": settings.STORE_NAME if from_store else others[0].user.name,
            "title": mine.conversation.title,
            "count": mine.unread,
            "url": settings.STORE_URL + mine.conversation.get_absolute_url(),
        },
        dedupe_key=f"missed:{mine.pk.hex}:{mine.mailed_seq}",
        language=user.language,
    )
    return 1
