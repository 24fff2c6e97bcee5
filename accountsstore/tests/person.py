"""Somebody at a browser: presses what a page offers by its words, in English or in Arabic, and sees what goes wrong."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.utils import translation
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect

from accountsstore.money import format_minor, parse_minor
from accountsstore.tests.running_store import RunningStore

SCREENSHOTS = settings.BASE_DIR / "var" / "screenshots"
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# How the store answers a form that it sends back, and what Chromium writes then, and without a connection.
REFUSED = 422
EXPECTED = ("status of 422", "net::ERR_INTERNET_DISCONNECTED")
TAG = re.compile(r"<[^>]+>")
# Two busy cores play two browsers, the store and the rest of the tests.
WAIT_MS = 20_000
expect.set_options(timeout=WAIT_MS)


class Person:
    """`page` is the tab in use. `faults` collects errors of scripts and of the server, and requests to other hosts."""

    shot: ClassVar[set[tuple[str, str]]] = set()

    def __init__(self, browser: Browser, store: RunningStore, language: str = "en") -> None:
        self.store, self.language = store, language
        self.context = browser.new_context(
            base_url=store.url, locale=language, viewport=DESKTOP, reduced_motion="reduce"
        )
        self.context.set_default_timeout(WAIT_MS)
        self.faults: list[str] = []
        self.codes: set[str] = set()
        self.page = self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.on("request", self._watch_request)
        page.on("response", self._watch_response)
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", lambda line: self._watch_console(page, line))
        return page

    def _watch_request(self, request: Request) -> None:
        if not request.url.startswith((self.store.url, "data:", "blob:")):
            self.faults.append(f"request to another host: {request.url}")

    def _watch_response(self, response: Response) -> None:
        if response.status >= 400 and response.status != REFUSED:
            self.faults.append(f"{response.request.method} {response.url} answered {response.status}")

    def _watch_console(self, page: Page, line: ConsoleMessage) -> None:
        if line.type == "error" and not any(known in line.text for known in EXPECTED):
            self.faults.append(f"{page.url}: console: {line.text} {line.location}")

    @property
    def main(self) -> Locator:
        return self.page.locator("#main")

    def words(self, english: str, **values: object) -> str:
        """The store's sentence in this person's language, as it is read: without its tags."""
        with translation.override(self.language):
            sentence = translation.gettext(english)
        return TAG.sub("", sentence % values if values else sentence)

    def money(self, amount: str) -> str:
        """ "40.00" as the store writes it for this person."""
        with translation.override(self.language):
            return format_minor(parse_minor(amount))

    def target(self, english: str, scope: Locator | None = None, **values: object) -> Locator:
        """The visible button or link of that name."""
        name, scope = self.words(english, **values), scope or self.main
        found = scope.get_by_role("button", name=name, exact=True).or_(scope.get_by_role("link", name=name, exact=True))
        return found.filter(visible=True).first

    def press(self, english: str, scope: Locator | None = None, **values: object) -> None:
        self.page.wait_for_load_state()  # until then some buttons have no script yet
        self.target(english, scope, **values).click()

    def field(self, english: str) -> Locator:
        """The field of that label; one that may stay empty says so behind it."""
        label = re.escape(self.words(english))
        return self.main.get_by_label(re.compile(f"^{label}( [(].*[)])?$", re.IGNORECASE)).filter(visible=True).first

    def fill(self, english: str, text: str) -> None:
        self.field(english).fill(text)

    def sees(self, english: str, **values: object) -> None:
        """Wait until the sentence stands in the page."""
        expect(self.main.get_by_text(self.words(english, **values)).filter(visible=True).first).to_be_visible()

    def confirm(self, english: str) -> None:
        """Press the button of that name in the dialog that is open."""
        self.press(english, self.page.get_by_role("dialog").filter(visible=True))

    def upload(self, name: str, *pictures: Mapping[str, Any]) -> None:
        self.main.locator(f"input[type=file][name={name}]").set_input_files(list(pictures))

    def count(self, name: str) -> Locator:
        """The figure beside Orders, Messages or the bell in the header."""
        return self.page.locator(f'header [data-count="{name}"]')

    def code_by_mail(self, address: str) -> str:
        """The code that came to `address` and was not used yet, read in the mailbox of a development store."""
        mailbox = self.new_page()
        newest = mailbox.locator("[data-code]").first
        mailbox.goto(f"/dev/mail/?to={address}")
        for _attempt in range(100):
            if newest.count() and (code := newest.inner_text()) not in self.codes:
                mailbox.close()
                self.codes.add(code)
                return code
            mailbox.reload()
        raise AssertionError(f"no code came to {address}")

    def enter_code(self, address: str) -> None:
        expect(self.page.get_by_role("heading", name=self.words("Enter the code"))).to_be_visible()
        self.main.locator("input[name=code]").fill(self.code_by_mail(address))
        self.press("Continue")

    def sign_in(self, email: str, password: str) -> None:
        self.page.goto("/account/login/")
        self.fill("Email", email)
        self.fill("Password", password)
        self.press("Sign in")
        expect(self.page).not_to_have_url(re.compile("/account/login/"))

    def open_row(self, path: str, text: str) -> None:
        """Open the row of an admin list that says `text`."""
        self.page.goto(path)
        self.page.get_by_role("row").filter(has_text=text).get_by_role("link").first.click()

    def decide(self, english: str, **answers: str) -> None:
        """Take an action of the admin page that is open: its link, its questions, its button. The names of links there
        begin with the name of their icon."""
        name = re.compile(f"(^| ){re.escape(self.words(english))}$")
        self.page.get_by_role("link", name=name).filter(visible=True).first.click()
        button = self.page.locator("main, #content, body").last.get_by_role("button", name=name)
        expect(button).to_be_visible()
        for field, text in answers.items():
            self.page.locator(f"[name={field}]").fill(text)
        button.click()
        expect(button).to_be_hidden()

    def shoot(self, name: str, *, phone: bool = False, dark: bool = False) -> None:
        """Save the page to var/screenshots/ as it stands, whole, and as asked on a phone and in the dark: the first time
        that somebody is there in this language."""
        if (name, self.language) in self.shot:
            return
        self.shot.add((name, self.language))
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        language = "" if self.language == "en" else f"-{self.language}"
        self._shoot(f"{name}{language}-1440-light")
        if dark:
            self.page.emulate_media(color_scheme="dark")
            self._shoot(f"{name}{language}-1440-dark")
            self.page.emulate_media(color_scheme="light")
        if phone:
            self.page.set_viewport_size(PHONE)
            self._shoot(f"{name}{language}-390-light")
            self.page.set_viewport_size(DESKTOP)

    def _shoot(self, name: str) -> None:
        # Hiding the caret would leave a style on every field, which the content policy then reports.
        self.page.screenshot(path=Path(SCREENSHOTS, f"{name}.png"), full_page=True, caret="initial")


def picture(text: str) -> dict[str, object]:
    """A photo-sized PNG with the lines of `text` on it, as a file to choose."""
    image = Image.new("RGB", (1200, 1600), "#f7f7f2")
    draw = ImageDraw.Draw(image)
    for line, words in enumerate(text.splitlines()):
        draw.text((90, 120 + line * 130), words, fill="#1d2b30", font_size=64)
    for n, letter in enumerate(text * 6):
        x, y = n * 97 % 1100, 900 + n * 61 % 600
        draw.ellipse((x, y, x + ord(letter), y + 40), fill="#43616b")
    data = io.BytesIO()
    image.save(data, "PNG")
    return {"name": "receipt.png", "mimeType": "image/png", "buffer": data.getvalue()}
