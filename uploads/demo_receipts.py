"""Receipts of invented banks, for the demo store and for tests: what a buyer sends as proof of a transfer."""

import io
from dataclasses import dataclass
from math import pi, sin

from PIL import Image, ImageDraw, ImageFont

from uploads.demo_pictures import Colour, Point, curve_points, guilloche

INK, QUIET, RULE = (22, 36, 42), (92, 104, 110), (222, 228, 230)

# name → (ink of the bank, layout)
BANKS: dict[str, tuple[Colour, str]] = {
    "Meridian Bank": ((14, 74, 96), "phone"),
    "Halden Savings": ((88, 52, 120), "letter"),
    "Corvo Pay": ((19, 101, 66), "night"),
}


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What stands on a receipt, as printed: `amount` is "$250.00", `date` "24 Nov 2026, 14:08"."""

    bank: str
    amount: str
    reference: str
    date: str
    payer: str
    payee: str = "Accounts Store Ltd"
    note: str = ""


def receipt_picture(receipt: Receipt) -> Image.Image:
    """Draw the receipt in its bank's layout. The same receipt gives the same pixels."""
    colour, layout = BANKS[receipt.bank]
    return {"phone": _phone, "night": _night, "letter": _letter}[layout](receipt, colour)


def receipt_bytes(receipt: Receipt, file_format: str = "PNG", **options: object) -> bytes:
    """The receipt as PNG, JPEG, WEBP or PDF."""
    out = io.BytesIO()
    receipt_picture(receipt).save(out, file_format, **options)
    return out.getvalue()


def _text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    fill: Colour = INK,
    anchor: str = "ls",
    bold: bool = False,
) -> None:
    # Pillow carries one face; a thin outline of the same ink makes it heavier.
    draw.text(at, text, fill, ImageFont.load_default(size), anchor, stroke_width=size / 38 if bold else 0)


def _rows(receipt: Receipt) -> list[tuple[str, str]]:
    rows = [
        ("To", receipt.payee),
        ("From", receipt.payer),
        ("Date", receipt.date),
        ("Reference", receipt.reference),
        ("Fee", "$0.00"),
    ]
    return [*rows, ("Note", receipt.note)] if receipt.note else rows


def _tick(picture: Image.Image, centre: tuple[int, int], radius: int, colour: Colour) -> None:
    """A filled circle with a tick, drawn four times as large so that its edges are smooth."""
    big = Image.new("L", (radius * 8, radius * 8))
    draw = ImageDraw.Draw(big)
    draw.ellipse((0, 0, radius * 8 - 1, radius * 8 - 1), fill=255)
    r = radius * 4
    draw.line([(r * 0.55, r * 1.02), (r * 0.88, r * 1.34), (r * 1.46, r * 0.72)], fill=0, width=r // 6, joint="curve")
    mask = big.resize((radius * 2, radius * 2), Image.Resampling.LANCZOS)
    picture.paste(colour, (centre[0] - radius, centre[1] - radius), mask)


def _lighter(colour: Colour, by: int) -> Colour:
    red, green, blue = (min(255, part + by) for part in colour)
    return red, green, blue


def _phone(receipt: Receipt, colour: Colour) -> Image.Image:
    """A confirmation on a phone's screen, 1080 × 1920."""
    picture = Image.new("RGB", (1080, 1920), (245, 248, 249))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 1080, 620), fill=colour)
    lines = Image.new("L", (1080, 620))
    guilloche(ImageDraw.Draw(lines), centre=(860, 250), radius=150, rings=12, petals=9, width=2)
    picture.paste(_lighter(colour, 46), (0, 0), lines)
    white = (255, 255, 255)
    _text(draw, (56, 62), receipt.date[-5:], 32, white, bold=True)
    for bar in range(4):
        draw.rectangle((914 + bar * 15, 60 - 7 * bar, 923 + bar * 15, 62), fill=white)
    draw.rounded_rectangle((986, 38, 1030, 62), 6, outline=white, width=3)
    draw.rectangle((991, 43, 1014, 57), fill=white)
    _text(draw, (56, 190), receipt.bank, 46, white, bold=True)
    _text(draw, (56, 330), "Transfer sent", 38, (214, 228, 233))
    _text(draw, (56, 450), receipt.amount, 112, white, bold=True)
    _text(draw, (56, 520), f"to {receipt.payee}", 36, (214, 228, 233))
    draw.rounded_rectangle((40, 680, 1040, 1500), 28, fill=white, outline=RULE, width=2)
    _tick(picture, (124, 772), 40, (20, 100, 54))
    _text(draw, (188, 786), "Completed", 40, bold=True)
    for row, (label, value) in enumerate(_rows(receipt)):
        y = 912 + row * 104
        draw.line((84, y - 68, 996, y - 68), fill=RULE, width=2)
        _text(draw, (84, y), label, 34, QUIET)
        _text(draw, (996, y), value, 36, anchor="rs", bold=label == "Reference")
    draw.rounded_rectangle((40, 1580, 1040, 1700), 24, outline=colour, width=4)
    _text(draw, (540, 1653), "Share receipt", 38, colour, anchor="ms", bold=True)
    _text(draw, (540, 1800), "Keep this receipt until the payment has arrived.", 30, QUIET, anchor="ms")
    return picture


def _night(receipt: Receipt, colour: Colour) -> Image.Image:
    """A wallet app with a dark screen, 1080 × 2220."""
    page, card, light, dim = (15, 21, 24), (26, 34, 38), (232, 238, 239), (150, 162, 166)
    picture = Image.new("RGB", (1080, 2220), page)
    draw = ImageDraw.Draw(picture)
    _text(draw, (540, 150), receipt.bank, 44, light, anchor="ms", bold=True)
    _tick(picture, (540, 400), 92, _lighter(colour, 70))
    _text(draw, (540, 600), "Payment successful", 42, dim, anchor="ms")
    _text(draw, (540, 740), receipt.amount, 118, light, anchor="ms", bold=True)
    draw.rounded_rectangle((48, 860, 1032, 1700), 32, fill=card)
    for row, (label, value) in enumerate(_rows(receipt)):
        y = 960 + row * 124
        _text(draw, (100, y), label, 32, dim)
        _text(draw, (100, y + 50), value, 40, light, bold=label == "Reference")
    draw.rounded_rectangle((48, 1800, 1032, 1930), 65, fill=_lighter(colour, 40))
    _text(draw, (540, 1880), "Done", 42, light, anchor="ms", bold=True)
    return picture


def _letter(receipt: Receipt, colour: Colour) -> Image.Image:
    """A printed advice, A4 at 150 dots per inch: 1240 × 1754."""
    picture = Image.new("RGB", (1240, 1754), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    band = Image.new("L", (1240, 260))
    pen = ImageDraw.Draw(band)
    for k in range(16):
        pen.line(_wave(k), fill=200 - 8 * k, width=1)
    picture.paste(colour, (0, 0), band)
    _text(draw, (110, 340), receipt.bank, 54, colour, bold=True)
    _text(draw, (1130, 340), "Advice of transfer", 34, QUIET, anchor="rs")
    draw.line((110, 380, 1130, 380), fill=colour, width=3)
    _text(draw, (110, 480), f"Dear {receipt.payer},", 32)
    _text(draw, (110, 540), "we have carried out the following transfer from your account.", 32)
    draw.rectangle((110, 610, 1130, 760), fill=(246, 243, 249))
    _text(draw, (140, 668), "Amount", 28, QUIET)
    _text(draw, (140, 732), receipt.amount, 56, bold=True)
    for row, (label, value) in enumerate(_rows(receipt)):
        y = 850 + row * 84
        _text(draw, (110, y), label, 30, QUIET)
        _text(draw, (430, y), value, 32, bold=label == "Reference")
        draw.line((110, y + 30, 1130, y + 30), fill=RULE, width=2)
    _text(draw, (110, 1480), "This advice was made by machine and is valid without a signature.", 26, QUIET)
    stamp = Image.new("L", (1240, 1754))
    guilloche(ImageDraw.Draw(stamp), centre=(1030, 1560), radius=60, rings=7, petals=12, width=1)
    picture.paste(colour, (0, 0), stamp)
    return picture


def _wave(k: int) -> list[Point]:
    """The k-th line of the band across the head of the letter."""
    return curve_points(
        lambda t: (1240 * t, 120 + 70 * sin(t * 2 * pi * 2.4 + k * 0.19) * sin(t * pi * 0.9 + k * 0.06)), 240
    )
