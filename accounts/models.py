"""Who: people, sellers, and the record of what staff did."""

import hashlib
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, username: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=email.strip().lower(), username=username.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, username: str, password: str | None = None, **fields: object) -> "User":
        return self.create_user(email, username, password, is_staff=True, is_superuser=True, **fields)


class User(Row, AbstractBaseUser, PermissionsMixin):
    """Signs in. Mail address and username are stored in lower case, so that unique means unique to people."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        # May sign in, read and finish what runs; may not buy, sell or withdraw.
        RESTRICTED = "restricted", _("Restricted")
        SUSPENDED = "suspended", _("Suspended")
        CLOSED = "closed", _("Closed")

    email = models.EmailField(_("email address"), unique=True)
    username = models.CharField(
        _("username"),
        max_length=30,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]{2,29}$", _("3 to 30 letters a to z, digits, - or _."))],
    )
    display_name = models.CharField(_("display name"), max_length=60, blank=True)
    about = models.CharField(_("about"), max_length=500, blank=True)
    language = models.CharField(_("language"), max_length=8, default="en")
    # The StoredFile of the picture; uploads stands above accounts, so no foreign key.
    avatar_file_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=300, blank=True)
    is_staff = models.BooleanField(_("staff"), default=False)
    terms_version = models.CharField(max_length=20, blank=True)
    # When a person changed the password or the payout method: money out waits (PAYOUT_COOL_OFF_HOURS).
    secured_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["username"]
    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions: ClassVar = [("suspend_user", "Can restrict, suspend and restore people")]
        indexes: ClassVar = [
            models.Index(fields=["status", "-created_at"], name="user_status"),
            models.Index(fields=["is_staff"], name="user_staff"),
            models.Index(fields=["display_name"], name="user_display_name"),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def is_active(self) -> bool:  # type: ignore[override]  # a column in the stubs
        """What Django and allauth ask before letting somebody in."""
        return self.status in (self.Status.ACTIVE, self.Status.RESTRICTED)

    @property
    def name(self) -> str:
        return self.display_name or self.username

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in self.name.replace("_", " ").replace("-", " ").split()[:2]).upper()

    def get_session_auth_hash(self) -> str:
        """What a session remembers of the password, so that it ends with it. Without SECRET_KEY in it, unlike Django's:
        the key can then be changed, and Channels, which knows of no former keys, signs nobody out."""
        return hashlib.sha256(b"session:" + self.password.encode()).hexdigest()

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.username


class SellerProfile(Row):
    """Whether a person may sell."""

    class State(models.TextChoices):
        APPLIED = "applied", _("Applied")
        APPROVED = "approved", _("Approved")
        SUSPENDED = "suspended", _("Suspended")

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="seller_profile")
    state = models.CharField(max_length=12, choices=State.choices, default=State.APPLIED)
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        indexes: ClassVar = [models.Index(fields=["state"], name="seller_state")]

    def __str__(self) -> str:
        return f"{self.user_id}"


class SellerApplication(Row):
    """One try to become a seller. A rejected person applies again; the history stays."""

    class State(models.TextChoices):
        SUBMITTED = "submitted", _("Submitted")
        NEEDS_INFO = "needs_info", _("More information asked")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")

    OPEN: ClassVar = [State.SUBMITTED, State.NEEDS_INFO]

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="seller_applications")
    state = models.CharField(max_length=12, choices=State.choices, default=State.SUBMITTED)
    legal_name = models.CharField(_("legal name"), max_length=120)
    country = models.CharField(_("country"), max_length=60)
    sells = models.TextField(_("what you sell and where it comes from"), max_length=2000)
    attempt = models.PositiveIntegerField(default=1)
    reason = models.CharField(max_length=500, blank=True)
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("seller application")
        verbose_name_plural = _("seller applications")
        permissions: ClassVar = [("review_seller", "Can decide seller applications")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(state__in=["submitted", "needs_info"]), name="one_open_application"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "created_at"], name="application_queue"),
            models.Index(fields=["legal_name"], name="application_legal_name"),
        ]

    def __str__(self) -> str:
        return f"{self.legal_name} ({self.attempt})"


class AuditEvent(Row):
    """What a member of staff (or the system) did to whom, and why. Only ever inserted."""

    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    action = models.CharField(max_length=64)
    # "deposit:<id>", "user:<id>", …
    subject = models.CharField(max_length=80)
    subject_text = models.CharField(max_length=200, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    ip = models.CharField(max_length=45, blank=True)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="audit_newest"),
            models.Index(fields=["subject", "-created_at"], name="audit_subject"),
            models.Index(fields=["actor", "-created_at"], name="audit_actor"),
            models.Index(fields=["action", "-id"], name="audit_action"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
