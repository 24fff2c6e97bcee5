import io

import pytest
from PIL import Image, ImageChops, ImageStat

from uploads.demo_pictures import INKS, SIZE, demo_picture
from uploads.demo_receipts import BANKS, Receipt, receipt_bytes
from uploads.pdf import pdf_read
from uploads.pictures import picture_read


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize("family", INKS)
def test_a_seed_draws_one_picture_and_another_seed_another(family: str) -> None:
    first = demo_picture(family, 1)
    assert first == demo_picture(family, 1)
    assert opened(first).size == SIZE
    seen = [opened(demo_picture(family, seed)).resize((160, 100)) for seed in range(1, 7)]
    for place, one in enumerate(seen):
        # Lines there are, and not the same as in the others.
        assert max(ImageStat.Stat(one).stddev) > 6
        for other in seen[place + 1 :]:
            assert max(ImageStat.Stat(ImageChops.difference(one, other)).mean) > 4


@pytest.mark.parametrize("family", INKS)
def test_a_listing_accepts_the_picture(family: str) -> None:
    assert picture_read(demo_picture(family, 3)).width == SIZE[0]


@pytest.mark.parametrize("bank", BANKS)
def test_a_receipt_can_be_sent_as_picture_and_as_pdf(bank: str) -> None:
    receipt = Receipt(bank=bank, amount="$40.00", reference="TRX-1", date="24 Nov 2026, 14:08", payer="Amal Haddad")
    picture = picture_read(receipt_bytes(receipt, "JPEG", quality=85)).image
    page = pdf_read(receipt_bytes(receipt, "PDF")).image
    page = page.resize(picture.size)  # a pixel of rounding
    assert max(ImageStat.Stat(ImageChops.difference(picture, page)).mean) < 6
