"""Files: what was stored, for what, and who looked."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row


class StoredFile(Row):
    """A file somebody gave us. Pictures are always decoded and written anew; nothing is served before `clean`.

    pending (row first, so that bytes are never without one) → clean → discarded (served no more) → deleted (no bytes).
    """

    class Purpose(models.TextChoices):
        LISTING_IMAGE = "listing_image", _("Listing photo")
        AVATAR = "avatar", _("Profile picture")
        PAYMENT_PROOF = "payment_proof", _("Payment proof")
        CHAT = "chat", _("Chat attachment")
        DISPUTE = "dispute", _("Dispute evidence")

    class State(models.TextChoices):
        PENDING = "pending", _("Being checked")
        CLEAN = "clean", _("Ready")
        DISCARDED = "discarded", _("Waits to be deleted")
        DELETED = "deleted", _("Deleted")

    PUBLIC: ClassVar = [Purpose.LISTING_IMAGE, Purpose.AVATAR]
    # Kept for who decides about money: the original too, PDF as well, never discarded once attached.
    EVIDENCE: ClassVar = [Purpose.PAYMENT_PROOF, Purpose.DISPUTE]
    # Where a PDF is taken as well; it is kept as it came.
    PDF_TOO: ClassVar = [*EVIDENCE, Purpose.CHAT]

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="files", verbose_name=_("sent by")
    )
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PENDING)
    original_name = models.CharField(_("name"), max_length=120, blank=True)
    mime = models.CharField(_("type"), max_length=40)
    size_bytes = models.PositiveIntegerField()
    sha256 = models.CharField("SHA-256", max_length=64)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    # Storage key of the original (evidence and PDFs), and of each variant: {"thumb": {"key": …, "width": …, "height": …}, …}
    storage_key = models.CharField(max_length=200, blank=True)
    variants = models.JSONField(default=dict, blank=True)
    # "deposit:<id>", "listing:<id>": set once; an attached file is never replaced.
    attached_to = models.CharField(_("belongs to"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        permissions: ClassVar = [("view_proof", "Can look at payment proofs")]
        indexes: ClassVar = [
            models.Index(fields=["owner", "purpose", "-created_at"], name="file_owner"),
            models.Index(fields=["sha256", "purpose"], name="file_sha256"),
            models.Index(fields=["attached_to", "state", "created_at"], name="file_attached"),
            models.Index(fields=["state", "created_at"], name="file_state"),
        ]

    def __str__(self) -> str:
        return self.original_name or f"{self.purpose} {self.id}"

    @staticmethod
    def key(purpose: str, file_id: uuid.UUID, name: str) -> str:
        """Where the storage has bytes of a file. What everybody may see lies apart: the CDN serves it without a look."""
        return f"{'public/' if purpose in StoredFile.PUBLIC else ''}{purpose}/{file_id.hex}-{name}"

    @property
    def is_public(self) -> bool:
        return self.purpose in self.PUBLIC

    @property
    def is_evidence(self) -> bool:
        return self.purpose in self.EVIDENCE

    @property
    def keys(self) -> list[str]:
        """Every key under which storage holds bytes of this file."""
        return [variant["key"] for variant in self.variants.values()] + ([self.storage_key] if self.storage_key else [])


class IncomingFile(Row):
    """A file on its way from a browser straight to the bucket. Nothing under its key is ever served: the form that
    names it has the bytes checked and stored as a StoredFile. An hour later bytes and row are deleted, used or not."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    storage_key = models.CharField(max_length=200)
    original_name = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["created_at"], name="incomingfile_created")]

    def __str__(self) -> str:
        return self.storage_key


class FingerprintBand(Row):
    """A slice of a picture's perceptual hash: pictures that share a slice may look the same.

    128 bits in 8 slices: two pictures that differ in at most 7 bits share at least one (pigeonhole).
    """

    file = models.ForeignKey(StoredFile, on_delete=models.CASCADE, related_name="bands")
    purpose = models.CharField(max_length=16)
    # "<position>:<4 hex digits>"
    band = models.CharField(max_length=8)
    # The whole hash, so that the distance needs no second look-up.
    fingerprint = models.CharField(max_length=32)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["band", "purpose", "-created_at"], name="fingerprint_band")]

    def __str__(self) -> str:
        return self.band


class PictureDetail(Row):
    """The picture in small greys, packed: decides whether two that share a band look the same."""

    file = models.OneToOneField(StoredFile, on_delete=models.CASCADE, related_name="detail")
    packed = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.file_id}"


class FileAccess(Row):
    """A member of staff looked at somebody's private file. Only ever inserted."""

    file = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="accesses", verbose_name=_("file"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("who")
    )
    variant = models.CharField(_("variant"), max_length=10)
    ip = models.CharField(_("address"), max_length=45, blank=True)

    class Meta:
        verbose_name = _("file access")
        verbose_name_plural = _("file accesses")
        indexes: ClassVar = [models.Index(fields=["file", "-created_at"], name="fileaccess_file")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.file_id}"
