"""The scripts of every page, tried in a browser on the gallery of components."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, expect
from pytest_django.live_server_helper import LiveServer

from accountsstore.tests.chromium import chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def context(live_server: LiveServer) -> Iterator[BrowserContext]:
    with chromium() as browser:
        yield browser.new_context(base_url=live_server.url, color_scheme="light", locale="en-GB")


@pytest.fixture
def gallery(context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto("/dev/components/")
    return page


def fill(page: Page) -> None:
    page.get_by_label("Email address").fill("sam@mailbox.example")
    page.get_by_label("Password", exact=True).fill("long-enough-words")
    page.get_by_label("Amount").fill("25")
    page.get_by_label("At once, from stock").check()
    page.get_by_label("I accept the terms of the store.").check()


def test_a_form_is_sent_once_and_its_button_says_what_happens(gallery: Page, tmp_path: Path) -> None:
    (tmp_path / "proof.jpg").write_bytes(b"x" * 2048)
    fill(gallery)
    gallery.set_input_files("input[type=file]", tmp_path / "proof.jpg")
    sent: list[Request] = []
    held: list[Route] = []
    gallery.on("request", lambda request: sent.append(request) if request.method == "POST" else None)

    # The answer waits, so that the second submit falls into the first.
    def hold(route: Route) -> None:
        held.append(route) if route.request.method == "POST" else route.continue_()

    gallery.route("**/dev/components/", hold)
    button = gallery.get_by_role("button", name="Send for review")
    button.evaluate("button => { button.form.requestSubmit(button); button.form.requestSubmit(button); }")
    expect(gallery.get_by_role("button", name="Sending…")).to_be_disabled()
    held[0].continue_()
    expect(gallery.get_by_text("The example was sent. Nothing was kept.")).to_be_visible()
    assert len(sent) == 1


def test_a_file_over_the_limit_is_refused_before_it_is_sent(gallery: Page, tmp_path: Path) -> None:
    (tmp_path / "big.jpg").write_bytes(b"x" * (11 * 1024 * 1024))
    (tmp_path / "fits.jpg").write_bytes(b"x" * 2048)
    gallery.set_input_files("input[type=file]", tmp_path / "big.jpg")
    expect(gallery.get_by_text("big.jpg: This file is over")).to_be_visible()
    assert gallery.evaluate("document.querySelector('input[type=file]').files.length") == 0

    gallery.set_input_files("input[type=file]", tmp_path / "fits.jpg")
    expect(gallery.get_by_text("2 kB")).to_be_visible()
    expect(gallery.get_by_text("This file is over")).to_have_count(0)
    gallery.get_by_role("button", name="Remove this file").click()
    assert gallery.evaluate("document.querySelector('input[type=file]').files.length") == 0


def test_an_upload_that_comes_back_with_errors_shows_them_on_the_same_page(gallery: Page, tmp_path: Path) -> None:
    (tmp_path / "proof.jpg").write_bytes(b"x" * 2048)
    fill(gallery)
    gallery.get_by_label("Amount").fill("4")
    gallery.set_input_files("input[type=file]", tmp_path / "proof.jpg")
    # The browser's own check of the smallest amount would stop it before the store can answer.
    gallery.evaluate("document.querySelector('form[enctype]').noValidate = true")
    gallery.get_by_role("button", name="Send for review").click()
    summary = gallery.get_by_role("alert").filter(has_text="One field needs a change. Nothing was sent.")
    expect(summary).to_be_focused()
    expect(gallery.get_by_text("The smallest deposit is $5.00.")).to_be_visible()


def test_an_upload_that_fails_on_the_way_can_be_tried_again(
    gallery: Page, context: BrowserContext, tmp_path: Path
) -> None:
    (tmp_path / "proof.jpg").write_bytes(b"x" * 2048)
    fill(gallery)
    gallery.set_input_files("input[type=file]", tmp_path / "proof.jpg")
    context.set_offline(True)
    expect(gallery.locator("[data-offline]").get_by_text("You are offline.")).to_be_visible()
    gallery.get_by_role("button", name="Send for review").click()
    expect(gallery.get_by_text("The store did not answer.")).to_be_visible()
    expect(gallery.get_by_role("button", name="Send for review")).to_be_enabled()


def test_the_chosen_theme_is_kept_from_page_to_page(gallery: Page) -> None:
    expect(gallery.locator("html")).to_have_attribute("data-theme", "accounts")
    gallery.get_by_label("Light or dark").click()
    gallery.get_by_role("button", name="Dark").click()
    gallery.goto("/help/")
    expect(gallery.locator("html")).to_have_attribute("data-theme", "accounts-dark")


def test_a_deadline_counts_down_and_warns(gallery: Page) -> None:
    gallery.clock.install()
    gallery.reload()
    last = gallery.locator("[data-deadline][data-level=last] time").first
    before = last.inner_text()
    gallery.clock.run_for(5_000)
    assert last.inner_text() != before
    gallery.clock.fast_forward("45:00")
    expect(last).to_have_text("time is over")


def test_a_dialog_asks_and_can_be_left_by_the_keyboard(gallery: Page) -> None:
    gallery.get_by_role("button", name="Accept, with a question").press("Space")
    dialog = gallery.get_by_role("dialog", name="Accept the account")
    expect(dialog).to_be_visible()
    gallery.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_language_switch_turns_the_page_round_and_stays(gallery: Page) -> None:
    gallery.goto("/help/")
    gallery.locator("footer button[name=language]").click()
    expect(gallery.locator("html")).to_have_attribute("dir", "rtl")
    gallery.goto("/terms/")
    expect(gallery.locator("html")).to_have_attribute("lang", "ar")
