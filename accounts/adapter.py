"""How allauth fits the store: its mails go through the outbox."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.utils import translation

from accountsstore.db import uuid7
from accountsstore.mail import mail_queue


class AccountAdapter(DefaultAccountAdapter):
    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queue allauth's mail. Its codes open an account, so the body is wiped once sent."""
        mail_queue(
            to=email,
            template=template_prefix,
            context=context,
            dedupe_key=f"account:{uuid7().hex}",
            language=translation.get_language() or "en",
            sensitive=True,
        )
