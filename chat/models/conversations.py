"""Conversations, their messages, and what people are notified of."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accountsstore.indexes import MongoIndex
from accountsstore.models import Row


class Conversation(Row):
    """A thread. `last_seq` counts its messages without a gap; taking the next number decides every race."""

    class Kind(models.TextChoices):
        ORDER = "order", _("Order")
        DIRECT = "direct", _("Direct")
        TICKET = "ticket", _("Support")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    # "order:<id>", "direct:<smaller user id>:<larger>", "ticket:<user id>:<day>:<number>": one
    # conversation each.
    subject = models.CharField(max_length=120, unique=True)
    title = models.CharField(max_length=120, blank=True)
    is_locked = models.BooleanField(_("closed to new messages"), default=False)
    last_seq = models.PositiveBigIntegerField(_("messages"), default=0)
    # Counts edits and deletions of its messages without a gap: who knows this number has missed none of them.
    last_change = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        permissions: ClassVar = [("read_conversation", "Can read people's conversations, with a reason")]
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="conversation_newest"),
        ]

    def __str__(self) -> str:
        return self.title or self.subject

    @property
    def order_id(self) -> uuid.UUID | None:
        """The order that this conversation belongs to, if it does."""
        kind, _colon, key = self.subject.partition(":")
        return uuid.UUID(key) if kind == "order" else None

    def get_absolute_url(self) -> str:
        return reverse("chat:conversation", args=[self.id.hex])


class Participant(Row):
    """A person in a conversation, and how far they have come. Receipts only ever grow."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="participants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # Copies of the conversation's last message, so that a person's list is one indexed read.
    last_seq = models.PositiveBigIntegerField(default=0)
    last_text = models.CharField(max_length=140, blank=True)
    # Empty for the store itself.
    last_sender_id = models.UUIDField(null=True, blank=True)
    last_message_at = models.DateTimeField(null=True, blank=True)
    read_seq = models.PositiveBigIntegerField(default=0)
    delivered_seq = models.PositiveBigIntegerField(default=0)
    left_at = models.DateTimeField(null=True, blank=True)
    # When unread messages are mailed about, and the last one that a mail told of: one mail until they are read.
    mail_due_at = models.DateTimeField(null=True, blank=True)
    mailed_seq = models.PositiveBigIntegerField(default=0)
    # The person wants no mail about this conversation. It is counted all the same.
    is_muted = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["conversation", "user"], name="participant_once")]
        indexes: ClassVar = [
            models.Index(fields=["user", "-last_message_at", "-id"], name="participant_list"),
            models.Index(fields=["mail_due_at"], name="participant_mail_due"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.user_id}"

    @property
    def unread(self) -> int:
        return max(self.last_seq - self.read_seq, 0)


class MessageManager(models.Manager["Message"]):
    def get_queryset(self) -> models.QuerySet["Message"]:
        return super().get_queryset().defer("terms")


class Message(Row):
    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        # Written by the store. The body is a key of chat.notes, put into words in the reader's language.
        SYSTEM = "system", _("Event")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    seq = models.PositiveBigIntegerField()
    # Empty for the store itself.
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # "<sender id or "store">:<id made by the client, or the event's>": sending twice is sending once.
    dedupe_key = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.TEXT)
    # Empty when only files were sent, and of a deleted message, whose words stand in its last MessageVersion.
    body = models.TextField(max_length=4000, blank=True)
    # What the thread shows of the attached uploads.StoredFile rows: [{"id", "name", "mime", "size", "width", "height"}]
    files = models.JSONField(default=list, blank=True)
    # The conversation's number of the last edit or deletion; 0 for a message as it was sent.
    change = models.PositiveBigIntegerField(default=0)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # On MongoDB, the words that the message is found by (chat.message_terms); threads do not read them.
    terms = models.JSONField(default=list, blank=True, editable=False)

    objects = MessageManager()

    class Meta:
        base_manager_name = "objects"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_once"),
            models.UniqueConstraint(fields=["conversation", "dedupe_key"], name="message_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["conversation", "-seq"], name="message_newest"),
            MongoIndex(fields=["conversation", "terms", "-seq"], name="message_terms"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.seq}"

    @property
    def client_id(self) -> str:
        return self.dedupe_key.partition(":")[2]

    @property
    def author_id(self) -> uuid.UUID | None:
        """Who wrote it, also where the store is named as the sender; None for the store's own lines."""
        author = self.dedupe_key.partition(":")[0]
        return None if author == "store" else uuid.UUID(author)

    @property
    def is_edited(self) -> bool:
        return bool(self.change) and self.deleted_at is None


class MessageVersion(Row):
    """What a message was before it was edited or deleted, kept for disputes: staff read it with a reason, nobody else
    at all. Only ever inserted."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    # The conversation's number of the change that ended this version.
    change = models.PositiveBigIntegerField()
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="versions")
    body = models.TextField(max_length=4000, blank=True)
    files = models.JSONField(default=list, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["conversation", "change"], name="change_once")]

    def __str__(self) -> str:
        return f"{self.message_id} {self.change}"


class MessageTerm(Row):
    """A normalised word of a message: the index of the search on SQLite (`chat.message_terms`)."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    term = models.CharField(max_length=40)
    seq = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "term", "seq"], name="message_term_once")
        ]
        # What an edit or a deletion takes away.
        indexes: ClassVar = [models.Index(fields=["conversation", "seq"], name="message_term_seq")]

    def __str__(self) -> str:
        return self.term


class Notification(Row):
    """Something a person should know. The text is made when it is shown, in their language, from kind and params."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=40)
    params = models.JSONField(default=dict)
    url = models.CharField(max_length=200, blank=True)
    # One happening notifies once, however often its event is handled.
    dedupe_key = models.CharField(max_length=160, unique=True)
    is_read = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="notification_list"),
            models.Index(fields=["user", "is_read"], name="notification_unread"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.user_id}"


class NotificationPreference(Row):
    """Which mails a person does not want, by topic (chat.notification_texts). Those about security and money always go."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    muted_topics = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.user_id}"
