"""Support: a customer's question to the staff, and whose turn it is."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from chat.models.conversations import Conversation
from payments.models import Order

USER = settings.AUTH_USER_MODEL


class Ticket(Row):
    """One question to the staff. What is said about it stands in its conversation."""

    class State(models.TextChoices):
        # Nobody has answered yet.
        OPEN = "open", _("New")
        WAITING_STAFF = "waiting_staff", _("Waiting for staff")
        WAITING_USER = "waiting_user", _("Answered")
        RESOLVED = "resolved", _("Solved")
        # Solved for so long (TICKET_REOPEN_DAYS) that nothing new can be written.
        CLOSED = "closed", _("Closed")

    class Topic(models.TextChoices):
        ORDER = "order", _("An order")
        MONEY = "money", _("Deposits, withdrawals, refunds")
        ACCOUNT = "account", _("My account and signing in")
        SELLING = "selling", _("Selling")
        OTHER = "other", _("Something else")

    class Priority(models.IntegerChoices):
        LOW = 1, _("Low")
        NORMAL = 2, _("Normal")
        HIGH = 3, _("High")
        URGENT = 4, _("Urgent")

    # It is the staff's turn.
    WAITING: ClassVar = [State.OPEN, State.WAITING_STAFF]
    RUNNING: ClassVar = [*WAITING, State.WAITING_USER]

    # Random, as the numbers of orders are (accountsstore.codes): one counter row would put all who ask at once, as after
    # an outage, into one line, and tell everybody how many questions the store gets.
    number = models.CharField(_("number"), max_length=12, unique=True)
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+", verbose_name=_("from"))
    conversation = models.OneToOneField(Conversation, on_delete=models.PROTECT, related_name="+")
    topic = models.CharField(_("topic"), max_length=8, choices=Topic.choices)
    # The beginning of the question, for lists of staff.
    gist = models.CharField(_("question"), max_length=140)
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("order")
    )
    state = models.CharField(_("state"), max_length=14, choices=State.choices, default=State.OPEN)
    priority = models.PositiveSmallIntegerField(_("priority"), choices=Priority.choices, default=Priority.NORMAL)
    assignee = models.ForeignKey(
        USER, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("held by")
    )
    # When the next answer of the staff is due; empty while it is not their turn.
    reply_due_at = models.DateTimeField(_("answer by"), null=True, blank=True)
    # Set by the clock, so that the queue with the overdue ones on top is read along one index.
    is_overdue = models.BooleanField(_("overdue"), default=False)
    first_replied_at = models.DateTimeField(_("first answer"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("solved"), null=True, blank=True)
    # "<user id>:<id made by the form>": sending the form twice is asking once.
    opened_key = models.CharField(max_length=80, unique=True)

    class Meta:
        verbose_name = _("support ticket")
        verbose_name_plural = _("support tickets")
        permissions: ClassVar = [("answer_ticket", "Can read and answer support tickets")]
        indexes: ClassVar = [
            models.Index(fields=["state", "-is_overdue", "-priority", "id"], name="ticket_queue"),
            models.Index(fields=["-is_overdue", "-priority", "id"], name="ticket_all"),
            models.Index(fields=["assignee", "state"], name="ticket_assignee"),
            models.Index(fields=["user", "-id"], name="ticket_user"),
            models.Index(fields=["is_overdue", "reply_due_at"], name="ticket_due"),
            models.Index(fields=["state", "resolved_at"], name="ticket_resolved"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_waiting(self) -> bool:
        return self.state in self.WAITING

    @property
    def is_running(self) -> bool:
        return self.state in self.RUNNING

    def get_absolute_url(self) -> str:
        return reverse("chat:conversation", args=[self.conversation_id.hex])


class TicketNote(Row):
    """What staff write for each other. It is no message: nothing that a customer can ask for reads this table."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["ticket", "id"], name="ticketnote_list")]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.created_at:%Y-%m-%d}"
