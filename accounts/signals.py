"""What allauth tells of and we remember."""

from typing import Any

from allauth.account.signals import email_changed
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import User


@receiver(email_changed)
def money_out_waits(user: User, **kwargs: Any) -> None:
    """A new mail address is as good as a new password: payouts cool off."""
    User.objects.filter(pk=user.pk).update(secured_at=timezone.now())
