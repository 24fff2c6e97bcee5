"""Stored files for the tests of every app, through the service that makes them."""

from typing import Any

from accounts.models import User
from uploads.demo_receipts import Receipt, receipt_bytes
from uploads.models import StoredFile
from uploads.services import file_store
from uploads.tests.samples import drawing, encoded, upload


def receipt_upload(name: str = "receipt.png", **fields: str) -> Any:
    """An upload of a bank's receipt; fields as in `Receipt`."""
    filled = {"bank": "Meridian Bank", "amount": "$250.00", "reference": "TRX-20261124-88213", "payer": "Amal Haddad"}
    receipt = Receipt(**(filled | {"date": "24 Nov 2026, 14:08"} | fields))
    return upload(receipt_bytes(receipt, "PNG", compress_level=1), name, "image/png")


def stored_file(owner: User, purpose: str = StoredFile.Purpose.LISTING_IMAGE, data: bytes | None = None) -> StoredFile:
    """A clean file, not attached: a drawing unless `data` is given."""
    return file_store(owner=owner, purpose=purpose, upload=upload(data or encoded(drawing((300, 200)))))
