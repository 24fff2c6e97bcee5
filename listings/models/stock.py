"""The pieces of a listing, and the secrets that go with them."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row
from listings.models.listings import Listing


class StockItem(Row):
    """One thing that can be sold once. Delivered by hand, it carries no credential until the seller hands one over."""

    class State(models.TextChoices):
        AVAILABLE = "available", _("Available")
        RESERVED = "reserved", _("Paid for")
        DELIVERED = "delivered", _("Delivered")
        # Refunded after it was disclosed: never on sale again by itself.
        REVOKED = "revoked", _("Disclosed, off sale")
        WITHDRAWN = "withdrawn", _("Taken back by the seller")

    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="stock")
    state = models.CharField(max_length=10, choices=State.choices, default=State.AVAILABLE)
    # Keyed hash of a loaded credential: the same one cannot be loaded twice by one seller. Empty by hand.
    fingerprint = models.CharField(max_length=64, null=True, blank=True, unique=True)

    class Meta:
        verbose_name = _("stock item")
        verbose_name_plural = _("stock items")
        indexes: ClassVar = [
            models.Index(fields=["listing", "state", "id"], name="stockitem_listing"),
            models.Index(fields=["fingerprint"], name="stockitem_fingerprint"),
        ]

    def __str__(self) -> str:
        return f"{self.listing_id} {self.state}"

    @property
    def short_code(self) -> str:
        """The random end of the id: tells the items of a listing apart."""
        return self.id.hex[-6:].upper()


class Credential(Row):
    """The secret handed over, as ciphertext only. See `listings.credentials`.

    A seller's correction adds a version; the old one stays for a dispute.
    """

    stock_item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="credentials")
    version = models.PositiveIntegerField(default=1)
    # Names of the fields inside, so that a page shows them without decrypting: [["login", "Login name"], …]
    fields = models.JSONField(default=list)
    ciphertext = models.BinaryField()
    wrapped_key = models.BinaryField()
    key_id = models.CharField(max_length=32)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["stock_item", "version"], name="credential_version_once")
        ]
        indexes: ClassVar = [models.Index(fields=["key_id"], name="credential_key")]

    def __str__(self) -> str:
        return f"{self.stock_item_id} v{self.version}"
