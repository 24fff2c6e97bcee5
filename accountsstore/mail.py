"""Queueing mail. Nothing is sent inside a request; nothing queued is lost."""

from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from accountsstore.db import atomic, on_commit
from accountsstore.models import OutboxMail
from accountsstore.outbox import mail_enqueue


@atomic
def mail_queue(
    *, to: str, template: str, context: dict[str, Any], dedupe_key: str, language: str, sensitive: bool = False
) -> None:
    """Write a mail into the outbox of the running transaction. Safe to repeat: one mail per `dedupe_key`.

    `template` names `mail/<template>.txt`, whose first line is the subject; a body in HTML is made from the same
    lines. `language` is the receiver's. `sensitive` wipes the body after sending (codes).
    """
    if OutboxMail.objects.filter(dedupe_key=dedupe_key).exists():
        return
    with translation.override(language):
        context = {**context, "store_name": settings.STORE_NAME, "store_url": settings.STORE_URL}
        subject, _, body = render_to_string(f"mail/{template}.txt", context).strip().partition("\n")
        html = render_to_string(
            "mail/frame.html", {**context, "paragraphs": body.strip().split("\n\n"), "subject": subject}
        )
    mail = OutboxMail.objects.create(
        to=to,
        subject=subject.strip()[:200],
        body_text=body.strip() + "\n",
        body_html=html,
        template=template,
        sensitive=sensitive,
        dedupe_key=dedupe_key,
    )

    on_commit(lambda: mail_enqueue(mail))
