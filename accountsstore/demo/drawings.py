"""Pictures of the demo, as people would upload them. Smaller than a camera's, so that a load takes seconds."""

import io

from PIL import Image

from accountsstore.demo.made_up import made_up
from uploads.demo_pictures import demo_picture
from uploads.demo_receipts import Receipt, receipt_bytes

LISTING_SIZE = (960, 600)
RECEIPT_WIDTH = 720


def listing_picture(art: str, key: str, number: int) -> bytes:
    """A JPEG for the listing `key` in the pattern of its category; `number` counts its pictures from 0."""
    return _jpeg(demo_picture(art, int(made_up(key, number, length=6), 16)), LISTING_SIZE)


def receipt_picture(**printed: str) -> bytes:
    """A photo of the receipt on which `printed` stands (see uploads.demo_receipts.Receipt)."""
    data = receipt_bytes(Receipt(**printed), "JPEG")
    width, height = Image.open(io.BytesIO(data)).size
    return _jpeg(data, (RECEIPT_WIDTH, height * RECEIPT_WIDTH // width))


def _jpeg(data: bytes, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).resize(size, Image.Resampling.BILINEAR).save(out, "JPEG", quality=85)
    return out.getvalue()
