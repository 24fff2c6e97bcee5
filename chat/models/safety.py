"""Whom somebody does not want to hear from, and what they ask staff to look at."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from chat.models.conversations import Conversation, Message

USER = settings.AUTH_USER_MODEL


class Block(Row):
    """`blocker` hears nothing from `blocked` outside orders, and does not write to them either."""

    blocker = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="+")
    blocked = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["blocker", "blocked"], name="block_once")]
        indexes: ClassVar = [
            models.Index(fields=["blocker", "-id"], name="block_list"),
            models.Index(fields=["blocker", "blocked"], name="block_pair"),
        ]

    def __str__(self) -> str:
        return f"{self.blocker_id} {self.blocked_id}"


class MessageReport(Row):
    """Somebody asks staff to look at a message, or at a conversation as a whole."""

    class Reason(models.TextChoices):
        OFF_SITE = "off_site", _("Asks to pay or talk outside the store")
        FRAUD = "fraud", _("Tries to cheat, or asks for a code or password")
        ABUSE = "abuse", _("Insults or threatens")
        SPAM = "spam", _("Advertising")
        OTHER = "other", _("Something else")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        DISMISSED = "dismissed", _("Dismissed")
        WARNED = "warned", _("Warned")
        LOCKED = "locked", _("Conversation closed")

    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="+")
    # Empty for the conversation as a whole.
    message = models.ForeignKey(Message, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # "message:<id>" or "conversation:<id>": a condition on an empty message is not possible everywhere.
    about = models.CharField(max_length=48)
    # The words as they were when they were reported, whatever becomes of the message.
    body = models.TextField(_("reported words"), max_length=4000, blank=True)
    reporter = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", verbose_name=_("reported by"))
    reported = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", verbose_name=_("written by"))
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    text = models.TextField(_("what staff should know"), max_length=1000, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    claimed_by = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    lease_until = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(_("decision"), max_length=300, blank=True)
    decided_by = models.ForeignKey(USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    class Meta:
        verbose_name = _("report of a message")
        verbose_name_plural = _("reports of messages")
        permissions: ClassVar = [("moderate_message", "Can decide reports of messages")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["reporter", "about"], condition=models.Q(state="open"), name="one_open_message_report"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["state", "id"], name="message_report_queue")]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}, {self.created_at:%Y-%m-%d}"
