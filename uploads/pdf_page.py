"""Draws the first page of a PDF. Run as a program of its own, without the store's settings or secrets:

    python -I pdf_page.py <most pages> <longest side in pixels> < document.pdf > page.png

PDF is a large language and its readers have had their faults: here one may crash, loop or swell and take nothing
with it. The exit code says what was wrong; see `uploads/pdf.py`.
"""

import resource
import sys

LOCKED, DAMAGED, TOO_LONG, TOO_LARGE = 10, 11, 12, 13
MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 10
# The largest page that the format's own readers must support: 200 inches.
LONGEST_POINTS = 14_400


def main(most_pages: int, longest: int) -> int:
    for limit, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_SECONDS)):
        try:
            resource.setrlimit(limit, (most, most))
        except (ValueError, OSError):  # a system that has no such limit
            continue
    import pypdfium2
    from pypdfium2.raw import FPDF_ERR_PASSWORD

    try:
        document = pypdfium2.PdfDocument(sys.stdin.buffer.read())
        if len(document) > most_pages:
            return TOO_LONG
        page = document[0]
        width, height = page.get_size()
        if not 0 < max(width, height) <= LONGEST_POINTS:
            return TOO_LARGE
        picture = page.render(scale=longest / max(width, height)).to_pil().convert("RGB")
    except pypdfium2.PdfiumError as error:
        return LOCKED if error.err_code == FPDF_ERR_PASSWORD else DAMAGED
    picture.save(sys.stdout.buffer, "PNG", compress_level=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
