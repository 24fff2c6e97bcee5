"""Telling whether two pictures look the same, when their bytes differ.

Two steps. A hash of 128 bits finds what is laid out alike through an index. All receipts of one bank are laid out
alike, so a second, finer look decides: the picture in 128 × 128 greys, and how far its eight most different cells
are apart.

Measured with generated receipts of three banks, on the scale of 0 to 255 (`tests/test_fingerprints.py` measures
again). The same receipt reduced to a third, as JPEG of quality 30, as WebP, sent twice through a messenger (1280 and
1024 pixels, quality 70 and 60), 10 % darker, 8 % brighter, grey: at most 14. Another receipt of the same bank, payer,
amount and day: at least 65; only the last five digits of the reference differ: at least 27. The hash alone cannot
tell: the same receipt differs in up to 14 bits, another of the same bank mostly in none.

Not recognised: a copy with another edge. Cutting off half a percent moves every line of text. Recognised as the same,
rightly: a receipt in which somebody has changed one digit.
"""

import zlib

from PIL import Image, ImageChops, ImageOps

# Bits of the hash that may differ. Up to 7 are certain to be found through a band, more are found mostly.
HASH_DISTANCE = 16
# Between the 14 and the 27 above.
DETAIL_DISTANCE = 20
DETAIL_SIDE = 128
_CELLS = 8
# A step of brightness smaller than this is noise: paper is white, and compression makes it almost white.
_STEP = 2
BANDS = 8


def fingerprint(image: Image.Image) -> tuple[str, bytes]:
    """(32 hex digits, the packed greys) of an RGB picture."""
    # Stretched to black and white, so that a brighter copy is no other picture.
    grey = image.convert("L").resize((DETAIL_SIDE, DETAIL_SIDE), Image.Resampling.HAMMING)
    grey = ImageOps.autocontrast(grey)
    return f"{_hash(grey):032x}", zlib.compress(grey.tobytes(), 6)


def _hash(grey: Image.Image) -> int:
    """64 bits for "brighter than its left neighbour" in 8 × 8 cells, 64 for "than the one above"."""
    rows = grey.resize((9, 8), Image.Resampling.BOX).tobytes()
    columns = grey.resize((8, 9), Image.Resampling.BOX).tobytes()
    bits = 0
    for y in range(8):
        for x in range(8):
            bits = bits << 1 | (rows[y * 9 + x + 1] - rows[y * 9 + x] > _STEP)
    for cell in range(64):
        bits = bits << 1 | (columns[cell + 8] - columns[cell] > _STEP)
    return bits


def bands(fingerprint: str) -> list[str]:
    """The hash in eight slices, each with its position: what the index looks up."""
    return [f"{position}:{fingerprint[position * 4 : position * 4 + 4]}" for position in range(BANDS)]


def hash_distance(one: str, other: str) -> int:
    """How many of the 128 bits differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def detail_distance(one: bytes, other: bytes) -> float:
    """How far the eight most different cells are apart, on average: 0 to 255."""
    counts = ImageChops.difference(_unpacked(one), _unpacked(other)).histogram()
    total, left = 0, _CELLS
    for difference in range(255, 0, -1):
        cells = min(counts[difference], left)
        total, left = total + cells * difference, left - cells
        if not left:
            break
    return total / _CELLS


def _unpacked(detail: bytes) -> Image.Image:
    return Image.frombytes("L", (DETAIL_SIDE, DETAIL_SIDE), zlib.decompress(detail))
