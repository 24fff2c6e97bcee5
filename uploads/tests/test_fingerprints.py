"""The figures in the docstring of uploads/fingerprints.py, measured on receipts that share a layout."""

import dataclasses
import io
import random
from collections.abc import Callable, Iterator

import pytest
from PIL import Image, ImageEnhance

from uploads.demo_receipts import BANKS, Receipt, receipt_picture
from uploads.fingerprints import (
    DETAIL_DISTANCE,
    HASH_DISTANCE,
    bands,
    detail_distance,
    fingerprint,
    hash_distance,
)
from uploads.pictures import picture_read
from uploads.tests.samples import encoded

BASE = Receipt(
    bank="",
    amount="$250.00",
    reference="TRX-20261124-88213",
    date="24 Nov 2026, 14:08",
    payer="Amal Haddad",
    note="AS-7K2M9QXR4",
)


def receipt(bank: str, **changes: str) -> Image.Image:
    return receipt_picture(dataclasses.replace(BASE, bank=bank, **changes))


def scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.BICUBIC)


def again(picture: Image.Image, file_format: str, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(picture, file_format, quality=quality))).convert("RGB")


def messenger(picture: Image.Image) -> Image.Image:
    once = again(scaled(picture, 1280 / max(picture.size)), "JPEG", 70)
    return again(scaled(once, 1024 / max(once.size)), "JPEG", 60)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half": lambda picture: scaled(picture, 0.5),
    "a third": lambda picture: scaled(picture, 0.33),
    "enlarged": lambda picture: scaled(picture, 1.4),
    "JPEG 30": lambda picture: again(picture, "JPEG", 30),
    "WebP": lambda picture: again(picture, "WEBP", 60),
    "messenger": messenger,
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.9),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.08),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
}


def seen(picture: Image.Image) -> tuple[str, bytes]:
    """The fingerprint of the picture as an upload."""
    return fingerprint(picture_read(encoded(picture, "PNG", compress_level=1)).image)


def others(bank: str) -> Iterator[tuple[str, Image.Image]]:
    """Receipts of the same bank, payer, amount and day: hardest to tell apart by honest means."""
    chance = random.Random(f"receipts of {bank}")
    for _ in range(2):
        digits = f"{chance.randint(10_000, 99_999)}"
        time = f"{chance.randint(0, 23):02d}:{chance.randint(0, 59):02d}"
        yield "reference", receipt(bank, reference=f"TRX-20261124-{digits}")
        yield "reference and time", receipt(bank, reference=f"TRX-20261124-{digits}", date=f"24 Nov 2026, {time}")
    yield "amount and reference", receipt(bank, amount="$260.00", reference="TRX-20261124-90377")
    yield "payer", receipt(bank, payer="Jonas Weber", reference="TRX-20261124-51640")
    yield "next day", receipt(bank, date="25 Nov 2026, 14:08", reference="TRX-20261125-88219")


@pytest.mark.parametrize("bank", BANKS)
def test_copies_are_found_and_other_receipts_of_the_bank_are_not(bank: str) -> None:
    first_hash, first_detail = seen(receipt(bank))
    for name, copy in COPIES.items():
        other_hash, other_detail = seen(copy(receipt(bank)))
        assert hash_distance(first_hash, other_hash) <= HASH_DISTANCE, name
        assert set(bands(first_hash)) & set(bands(other_hash)), name
        # With room on both sides of the threshold.
        assert detail_distance(first_detail, other_detail) <= DETAIL_DISTANCE - 4, name
    for name, other in others(bank):
        assert detail_distance(first_detail, seen(other)[1]) > DETAIL_DISTANCE + 4, name


def test_the_layouts_of_two_banks_are_told_apart_by_the_hash_alone() -> None:
    hashes = [seen(receipt(bank))[0] for bank in BANKS]
    for place, one in enumerate(hashes):
        for other in hashes[place + 1 :]:
            assert hash_distance(one, other) > 2 * HASH_DISTANCE


def test_hashes_that_differ_in_seven_bits_share_a_band() -> None:
    chance = random.Random(7)
    whole = chance.getrandbits(128)
    for _ in range(200):
        flipped = whole
        for bit in chance.sample(range(128), 7):
            flipped ^= 1 << bit
        assert set(bands(f"{whole:032x}")) & set(bands(f"{flipped:032x}"))


def test_a_picture_of_one_colour_has_a_fingerprint() -> None:
    blank = fingerprint(Image.new("RGB", (800, 600), "white"))
    assert len(blank[0]) == 32
    assert detail_distance(blank[1], fingerprint(Image.new("RGB", (10, 10), "white"))[1]) == 0
