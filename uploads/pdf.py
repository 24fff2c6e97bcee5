"""PDFs: a picture of the first page, drawn by a process of its own."""

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from uploads import pdf_page
from uploads.errors import BadFile
from uploads.pictures import VARIANTS, Picture, picture_read

logger = logging.getLogger(__name__)

MAX_PAGES = 20
# Above the child's own limit of processor time, for a machine that is busy.
TIMEOUT_SECONDS = 30

_REFUSALS = {
    pdf_page.LOCKED: _("This PDF is locked with a password. Save a copy without one, or send a screenshot."),
    pdf_page.DAMAGED: _("This PDF is damaged and cannot be read. Save it again, or send a screenshot."),
    pdf_page.TOO_LONG: _("This PDF has more than %(pages)d pages. Send the page that shows the payment."),
    pdf_page.TOO_LARGE: _("The page of this PDF is too large to show. Save it as A4, or send a screenshot."),
}
_TOO_COMPLEX = _("This PDF is too complex to show. Send a screenshot instead.")


def is_pdf(data: bytes) -> bool:
    """The mark must stand at the very start: readers that search for it can be shown two files in one."""
    return data.startswith(b"%PDF-")


def pdf_read(data: bytes) -> Picture:
    """The first page as a picture. Raises BadFile with a sentence."""
    command = [sys.executable, "-I", str(Path(pdf_page.__file__)), str(MAX_PAGES), str(VARIANTS["large"])]
    try:
        # No environment: the store's keys are none of its business.
        done = subprocess.run(command, input=data, capture_output=True, timeout=TIMEOUT_SECONDS, env={}, check=False)
    except subprocess.TimeoutExpired:
        raise BadFile(_TOO_COMPLEX) from None
    if done.returncode:
        logger.info(
            "a PDF was refused", extra={"exit": done.returncode, "error": done.stderr[-300:].decode(errors="replace")}
        )
        raise BadFile(_REFUSALS.get(done.returncode, _TOO_COMPLEX) % {"pages": MAX_PAGES})
    return replace(picture_read(done.stdout), mime="application/pdf")
