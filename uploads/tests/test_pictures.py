import io
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms

from uploads.errors import BadFile
from uploads.pdf import MAX_PAGES, is_pdf, pdf_read
from uploads.pictures import VARIANTS, picture_read
from uploads.tests import samples


def near(pixel: tuple[int, ...], wanted: tuple[int, ...], by: int = 12) -> bool:
    return all(abs(one - other) <= by for one, other in zip(pixel, wanted, strict=True))


def large(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture_read(data).variants()["large"].data))


@pytest.mark.parametrize(
    ("file_format", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
def test_a_picture_becomes_webp_of_three_sizes(file_format: str, mime: str) -> None:
    picture = picture_read(samples.encoded(samples.drawing((2400, 1200)), file_format))
    assert (picture.mime, picture.width, picture.height) == (mime, 2400, 1200)
    for name, variant in picture.variants().items():
        image = Image.open(io.BytesIO(variant.data))
        assert image.format == "WEBP"
        assert image.size == (variant.width, variant.height) == (VARIANTS[name], VARIANTS[name] // 2)
        assert near(image.convert("RGB").getpixel((variant.width // 8, variant.height // 2)), samples.RED)


def test_a_small_picture_is_not_enlarged() -> None:
    variants = picture_read(samples.encoded(samples.drawing((200, 100)), "PNG")).variants()
    assert [(v.width, v.height) for v in variants.values()] == [(200, 100), (200, 100), (160, 80)]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_the_place_and_the_camera_are_gone(file_format: str) -> None:
    data = samples.with_exif(file_format=file_format)
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(samples.GPS)
    for variant in picture_read(data).variants().values():
        image = Image.open(io.BytesIO(variant.data))
        assert not dict(image.getexif())
        assert "icc_profile" not in image.info
        assert b"Telltale" not in variant.data


def test_a_photo_taken_sideways_stands_upright() -> None:
    picture = picture_read(samples.with_exif(orientation=6))
    assert (picture.width, picture.height) == (400, 600)
    image = picture.image
    # What was left is now above.
    assert near(image.getpixel((30, 30)), samples.RED)
    assert near(image.getpixel((30, 570)), samples.BLUE)


def test_transparent_parts_become_white_paper() -> None:
    logo = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    logo.paste((200, 30, 30, 255), (0, 0, 50, 100))
    image = large(samples.encoded(logo, "PNG"))
    assert image.mode == "RGB"
    assert near(image.getpixel((10, 50)), samples.RED, by=20)
    assert near(image.getpixel((90, 50)), (255, 255, 255), by=4)


def test_a_palette_with_transparency_is_drawn() -> None:
    logo = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    logo.paste((200, 30, 30, 255), (0, 0, 50, 100))
    image = large(samples.encoded(logo.quantize(8), "PNG"))
    assert near(image.getpixel((90, 50)), (255, 255, 255), by=4)


@pytest.mark.parametrize("ground", ["white", "black", (120, 120, 120)])
@pytest.mark.parametrize("size", [(2400, 1600), (300, 900)])
def test_a_watermark_is_seen_in_the_lower_right_corner_alone(ground: str, size: tuple[int, int]) -> None:
    plain = picture_read(samples.encoded(Image.new("RGB", size, ground), "PNG"))
    marked = plain.marked("Accounts Store")
    width, height = plain.image.size
    left, top, right, bottom = ImageChops.difference(plain.image, marked.image).getbbox() or (0, 0, 0, 0)
    assert left > width * 0.35
    assert top > height * 0.85
    assert (right, bottom) < (width, height)
    # Both shades, so that one of them stands out whatever the photo shows, and what is below is seen through them.
    for shade, extreme in zip(
        marked.image.convert("L").crop((left, top, right, bottom)).getextrema(), (0, 255), strict=True
    ):
        assert abs(shade - extreme) < 110


def test_sixteen_bits_of_grey_keep_their_brightness() -> None:
    image = large(samples.encoded(Image.new("I;16", (64, 64), 32768), "PNG"))
    assert near(image.convert("RGB").getpixel((32, 32)), (127, 127, 127), by=3)


def test_a_print_shops_cmyk_is_shown_in_screen_colours() -> None:
    image = large(samples.encoded(samples.drawing().convert("CMYK"), "JPEG", quality=95))
    assert image.mode == "RGB"
    assert near(image.getpixel((60, 200)), samples.RED, by=25)


def test_a_colour_profile_is_applied_and_dropped() -> None:
    # A profile whose red means blue: a picture that keeps its numbers comes out wrong.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    image = large(samples.encoded(Image.new("RGB", (80, 80), (255, 0, 0)), "PNG", icc_profile=swapped))
    assert "icc_profile" not in image.info
    assert near(image.getpixel((40, 40)), (0, 0, 255), by=30)


def test_a_broken_colour_profile_is_ignored() -> None:
    image = large(samples.encoded(samples.drawing(), "PNG", icc_profile=b"not a profile at all" * 20))
    assert near(image.getpixel((60, 200)), samples.RED)


def test_a_phones_photo_with_a_second_picture_inside_shows_the_first() -> None:
    data = samples.encoded(samples.drawing(), "MPO", save_all=True, append_images=[Image.new("RGB", (600, 400))])
    picture = picture_read(data)
    assert picture.mime == "image/jpeg"
    assert near(picture.image.getpixel((60, 200)), samples.RED)


def test_a_script_inside_a_jpeg_is_gone_after_drawing_anew() -> None:
    data = samples.polyglot()
    assert data.count(samples.SCRIPT) == 2
    for variant in picture_read(data).variants().values():
        assert b"<?php" not in variant.data


# ---------------------------------------------------------------- refused


def test_a_bomb_is_refused_by_its_header() -> None:
    data = samples.bomb()
    assert len(data) < 20_000
    with pytest.raises(BadFile, match="more than 40 megapixels"):
        picture_read(data)


@pytest.mark.parametrize("size", [(6400, 6300), (60_000, 60_000), (2_000_000_000, 2)])
def test_pixels_are_bounded_before_anything_is_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(BadFile):
        picture_read(samples.bomb_by_header(*size))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused(file_format: str, part: float) -> None:
    data = samples.encoded(Image.effect_noise((300, 200), 60).convert("RGB"), file_format)
    with pytest.raises(BadFile):
        picture_read(data[: int(len(data) * part)])


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_an_animation_is_refused(file_format: str) -> None:
    frames = [samples.drawing((80, 80)), Image.new("RGB", (80, 80))]
    with pytest.raises(BadFile, match="Animated"):
        picture_read(samples.encoded(frames[0], file_format, save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (samples.encoded(samples.drawing(), "GIF"), "GIF files are not accepted"),
        (
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
            "SVG files are not accepted",
        ),
        (b"\n <svg><script>alert(1)</script></svg>", "SVG files are not accepted"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "HTML files are not accepted"),
        (b"PK\x03\x04" + b"\0" * 40, "ZIP files are not accepted"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC files are not accepted"),
        (samples.encoded(samples.drawing(), "TIFF"), "TIFF files are not accepted"),
        (samples.encoded(samples.drawing(), "BMP"), "BMP files are not accepted"),
        (b"%PDF-1.7 and so on", "PDF files are not accepted"),
        (b"plain words", "This is not a picture"),
    ],
)
def test_other_kinds_of_files_are_refused_by_name(data: bytes, sentence: str) -> None:
    with pytest.raises(BadFile, match=sentence):
        picture_read(data)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600))
def test_random_bytes_raise_badfile_and_nothing_else(data: bytes) -> None:
    with pytest.raises(BadFile):
        picture_read(data)


_GOOD = {
    file_format: samples.encoded(samples.drawing((48, 32)), file_format) for file_format in ("JPEG", "PNG", "WEBP")
} | {"EXIF": samples.with_exif(orientation=8)[:4000]}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(_GOOD)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    st.integers(0, 40),
)
def test_a_damaged_picture_is_drawn_or_refused_and_nothing_else(
    kind: str, flips: list[tuple[float, int]], cut: int
) -> None:
    data = bytearray(_GOOD[kind])
    for place, value in flips:
        data[int(place * len(data))] = value
    try:
        picture = picture_read(bytes(data[: len(data) - cut]))
    except BadFile:
        return
    assert len(picture.variants()) == 3


# ---------------------------------------------------------------- PDF


def test_the_first_page_of_a_pdf_becomes_a_picture() -> None:
    picture = pdf_read(samples.encoded(samples.drawing((595, 842)), "PDF"))
    assert picture.mime == "application/pdf"
    assert picture.height == 1600
    assert near(picture.image.getpixel((60, 60)), samples.RED)


def test_a_pdf_restricted_without_a_password_is_read() -> None:
    assert pdf_read(samples.locked_pdf(b"")).width == 1600


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (samples.locked_pdf(b"secret"), "locked with a password"),
        (b"%PDF-1.7\n" + b"nothing follows", "damaged"),
        (samples.pdf()[:200], "damaged"),
        (samples.pdf(pages=MAX_PAGES + 1), f"more than {MAX_PAGES} pages"),
        (samples.pdf(pages=1000), f"more than {MAX_PAGES} pages"),
        (samples.pdf(size=(30_000, 30_000)), "too large"),
    ],
)
def test_pdfs_that_cannot_be_shown_are_refused_with_the_reason(data: bytes, sentence: str) -> None:
    with pytest.raises(BadFile, match=sentence):
        pdf_read(data)


def test_a_page_as_long_as_a_thread_is_drawn_within_bounds() -> None:
    picture = pdf_read(samples.pdf(size=(14_400, 3)))
    assert max(picture.image.size) == 1600


def test_a_pdf_of_random_bytes_is_refused() -> None:
    for _ in range(5):
        with pytest.raises(BadFile):
            pdf_read(b"%PDF-1.4\n" + os.urandom(4000))


def test_the_mark_of_a_pdf_counts_only_at_the_start() -> None:
    assert not is_pdf(b"<html>" + samples.pdf())
    assert not is_pdf(b"PK\x03\x04" + samples.pdf())


def test_the_program_that_draws_pdfs_sees_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    import subprocess

    run = subprocess.run

    def watched(*args: object, **options: object) -> object:
        seen.update(options)
        return run(*args, **options)

    monkeypatch.setattr("uploads.pdf.subprocess.run", watched)
    pdf_read(samples.pdf())
    assert seen["env"] == {}
