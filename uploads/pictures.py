"""Pictures from strangers: told by their content, bounded before they are decoded, and always drawn anew.

What is served is never what was sent: the pixels are decoded and encoded again as WebP, so that metadata, appended
scripts and whatever else a file may carry stay behind.
"""

import io
import logging
from dataclasses import dataclass, replace
from typing import Self

from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps

from uploads.errors import BadFile

logger = logging.getLogger(__name__)

# The longer side of each variant in pixels; a smaller picture is not enlarged.
VARIANTS = {"large": 1600, "card": 480, "thumb": 160}
QUALITY = 82
# Of a watermark: its height as a share of the picture's shorter side, and how much of the width it may take.
MARK_HEIGHT, MARK_WIDTH = 1 / 16, 0.6
# MPO is what many phones write: a JPEG with a second picture behind the first, which is dropped.
FORMATS = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_ORIENTATION = 0x0112

# Bytes at an offset that name a file somebody may choose by mistake.
_OTHERS = [
    (0, b"GIF8", "GIF"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"%PDF-", "PDF"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (4, b"ftyphe", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyp", "MP4"),
]


@dataclass(frozen=True)
class Variant:
    data: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright, sRGB, on white, at most 1600 pixels long, without metadata."""

    image: Image.Image
    mime: str
    # Of the picture as it was sent, upright.
    width: int
    height: int

    def marked(self, text: str) -> Self:
        """The same with the text in its lower right corner: half transparent, white with a dark edge, to be read on any
        ground. The font has Latin letters."""
        width, height = self.image.size
        size = min(width, height) * MARK_HEIGHT
        size *= min(1, width * MARK_WIDTH / ImageFont.load_default(size).getlength(text))
        mark = Image.new("RGBA", self.image.size)
        ImageDraw.Draw(mark).text(
            (width - size, height - size), text, (255, 255, 255, 150), ImageFont.load_default(size), "rs",
            stroke_width=size / 16, stroke_fill=(0, 0, 0, 150),
        )  # fmt: skip
        image = self.image.copy()
        image.paste(mark, mask=mark)
        return replace(self, image=image)

    def variants(self) -> dict[str, Variant]:
        """{"large": …, "card": …, "thumb": …}, each encoded as WebP."""
        found = {}
        image = self.image
        for name, longest in VARIANTS.items():
            if max(image.size) > longest:
                image = image.copy()
                image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            image.save(out, "WEBP", quality=QUALITY)
            found[name] = Variant(out.getvalue(), *image.size)
        return found


def picture_read(data: bytes, *, or_pdf: bool = False) -> Picture:
    """Decode a JPEG, PNG or WebP. Raises BadFile with a sentence; whatever the bytes are, nothing else.

    `or_pdf` only changes what the sentence tells people to choose.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
    except Image.DecompressionBombError:
        raise BadFile(_too_many_pixels()) from None
    except Exception:  # a header made to harm raises almost anything
        raise BadFile(_what_it_is(data, or_pdf)) from None
    if image.width * image.height > settings.UPLOAD_MAX_PIXELS:
        raise BadFile(_too_many_pixels())
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise BadFile(_("Animated pictures are not accepted. Choose a still one."))
    mime, size = FORMATS[image.format or ""], image.size
    try:
        turned = image.getexif().get(_ORIENTATION, 1) >= 5
        clean = _drawn_anew(image)
    except Exception as error:  # as above, and a file cut short is an OSError
        logger.info("a picture could not be decoded", extra={"error": f"{type(error).__name__}: {error}"})
        raise BadFile(_("This picture is damaged and cannot be read. Choose another copy of it.")) from None
    width, height = reversed(size) if turned else size
    return Picture(clean, mime, width, height)


def _drawn_anew(image: Image.Image) -> Image.Image:
    longest = VARIANTS["large"]
    if image.mode.startswith("I"):
        # 16 bits a pixel: Pillow would cut off above 255 instead of scaling.
        image = image.point(lambda value: value * (1 / 257)).convert("L")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGBA")
    # Before anything reads the pixels: a JPEG is then decoded at a fraction of its size.
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    image = ImageOps.exif_transpose(image)
    image = _to_srgb(image)
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return paper


def _to_srgb(image: Image.Image) -> Image.Image:
    """Colours as they were meant, from the profile in the file; without a usable one they stay as they are."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            return (
                ImageCms.profileToProfile(
                    image,
                    ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                    ImageCms.createProfile("sRGB"),
                    outputMode="RGB",
                )
                or image
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            logger.info("a colour profile could not be read")
    return image if image.mode == "RGBA" else image.convert("RGB")


def _too_many_pixels() -> str:
    return _("This picture has more than %(limit)d megapixels. Make it smaller and try again.") % {
        "limit": settings.UPLOAD_MAX_PIXELS // 1_000_000
    }


def _what_it_is(data: bytes, or_pdf: bool) -> str:
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<") and b"<svg" in data[:2048].lower():
        kind = "SVG"
    elif start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<?xml")):
        kind = "HTML"
    else:
        kind = next((name for offset, magic, name in _OTHERS if data[offset:].startswith(magic)), "")
    advice = _("Choose a JPEG, PNG or WebP picture, or a PDF.") if or_pdf else _("Choose a JPEG, PNG or WebP picture.")
    fault = _("%(kind)s files are not accepted here.") % {"kind": kind} if kind else _("This is not a picture.")
    return f"{fault} {advice}"
