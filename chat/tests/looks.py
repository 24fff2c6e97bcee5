"""How pages are looked at: in both languages and both directions, light and dark, on a desktop and on a phone."""

import dataclasses

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PHONE = 360


@dataclasses.dataclass(frozen=True)
class Look:
    """As `page_of` takes it; `width` in CSS pixels."""

    language: str
    dark: bool
    width: int

    def __str__(self) -> str:
        return f"{self.language}, {'dark' if self.dark else 'light'}, {self.width}"


# axe takes seconds for a page: each language, theme and width once.
LOOKS = [Look("en", False, 1280), Look("ar", True, PHONE)]


def is_accessible(page: Page) -> None:
    """axe finds nothing on the page that is open, and it fits."""
    results = Axe().run(page)
    assert results.violations_count == 0, f"{page.url}: {results.generate_report()}"
    fits(page)


def fits(page: Page) -> None:
    """The page that is open is no wider than the screen, nor than a phone's: English words are the longer ones."""
    screen = page.viewport_size
    assert screen is not None
    for width in sorted({screen["width"], PHONE}, reverse=True):
        page.set_viewport_size(screen | {"width": width})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url} is wider than {width}"
    page.set_viewport_size(screen)
