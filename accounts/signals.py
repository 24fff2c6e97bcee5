"""What allauth tells of and we remember."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_changed
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import User


@receiver(email_changed)
def money_out_waits(user: User, from_email_address: EmailAddress | None, **kwargs: Any) -> None:
    """A new mail address is as good as a new password: payouts cool off. The first one, at registration, is not new."""
    if from_email_address is not None:
        User.objects.filter(pk=user.pk).update(secured_at=timezone.now())
