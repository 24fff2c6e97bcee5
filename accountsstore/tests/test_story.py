"""The whole store, played by two customers and two members of staff in Chromium, in English and in Arabic: from the
registration to the settled withdrawal, on a store that runs as `make run` starts it.
"""

import datetime
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from accountsstore.demo import SIGN_INS
from accountsstore.tests.person import Person, picture
from accountsstore.tests.running_store import RunningStore

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STAFF = [(email, password) for role, email, password in SIGN_INS if role == "staff"]
PASSWORD, NEW_PASSWORD = "a-long-walk-by-the-sea-42", "seven-gulls-over-the-pier-9"
LOGIN, SECRET = "ember_knight_62", "Frost!Lantern<88>"


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_whole_story(store: RunningStore, person: Callable[..., Person], language: str) -> None:
    # The customers speak `language`, staff speak English: so everybody also works with people of another language.
    buyer, seller, ines, jonas = people = [person(language), person(language), person("en"), person("en")]
    buyer_name, seller_name = f"mira-{language}", f"oakline-{language}"

    # 1. Both register; the buyer forgets the password, gets in again, and changes the profile.
    register(buyer, buyer_name)
    register(seller, seller_name)
    reset_password(buyer, buyer_name)
    change_profile(buyer)
    for staff, sign_in in zip((ines, jonas), STAFF, strict=True):
        staff.sign_in(*sign_in)

    # 2. The seller applies, staff approve; one listing is delivered by hand, the other at once from what is loaded.
    become_seller(seller, seller_name, ines)
    by_hand = publish(seller, f"Zephyr knight of {seller_name}", "40.00", ["Zephyr\nknight\n62", "Three\nmounts"])
    at_once = publish(seller, f"Zephyr squire of {seller_name}", "15.00", ["Zephyr\nsquire\n9"], loaded=True)

    # 3. The buyer deposits; the wallet changes under the buyer's eyes when staff approve.
    deposit(buyer, ines, f"TRX-{language}-4471")

    # 4. The buyer pays for one into escrow, and the seller knows at once.
    seller.page.goto("/")
    order = buy(buyer, by_hand, "40.00")
    expect(seller.count("orders")).to_have_text(re.compile("1"))
    expect(seller.page.get_by_role("status").filter(has_text=by_hand)).to_be_visible()
    seller.page.goto("/sell/")
    expect(seller.main.get_by_text(by_hand).first).to_be_visible()
    seller.shoot("08-seller-desk", phone=True)
    seller.page.goto(order)

    # 5. They talk about it.
    talk(buyer, seller, order)

    # 4. goes on: the seller delivers, the buyer looks, accepts; after the warranty the clock pays.
    deliver_and_accept(buyer, seller)
    buy(buyer, at_once, "15.00")
    reveal(buyer, "squire_9", is_asked=False)
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=7, hours=1)
    assert re.search(r"orders: [1-9]", store.manage("run_clock", "--at", later.isoformat()))
    seller.page.goto("/wallet/")
    expect(seller.page.locator("[data-wallet]").first).to_have_text(seller.money("36.80"))  # 40.00 less the fee of 8 %

    # 6. The seller withdraws: one member of staff approves, another sends. The statement adds up.
    withdraw(seller, ines, jonas, f"BANK-{language}-0077")
    rows = statement(seller)
    assert [row[3] for row in rows if row[3]] == ["36.80", "-30.00"]
    assert (rows[0][4], rows[-1][4]) == ("0.00", "6.80")

    # 7. The books are right, and nothing went wrong on the way that nobody saw.
    assert "Invariants 1 to 7 hold" in store.manage("verify_ledger")
    assert [fault for person in people for fault in person.faults] == []
    assert "Traceback" not in store.log.read_text()


def register(person: Person, username: str) -> None:
    page, address = person.page, f"{username}@mailbox.example"
    page.goto("/")
    use_keyboard(person)
    page.goto("/account/signup/")
    person.shoot("09-register", phone=True)
    person.fill("Email", address)
    person.fill("Username", username)
    person.fill("Password", PASSWORD)
    person.press("Create account")
    person.enter_code(address)
    expect(page).not_to_have_url(re.compile("/account/"))


def use_keyboard(person: Person) -> None:
    """The first key leads past the header; a menu opens and closes by keys."""
    page = person.page
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text(person.words("Skip to content"))
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    menu = page.locator("header details[data-menu]").first
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.locator(".menu-pop")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(menu.locator(".menu-pop")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def reset_password(person: Person, username: str) -> None:
    page, address = person.page, f"{username}@mailbox.example"
    person.context.clear_cookies(name="sessionid")
    page.goto("/account/login/")
    person.press("Forgot it")
    person.fill("Email", address)
    person.press("Send the code")
    person.enter_code(address)
    person.fill("New password", NEW_PASSWORD)
    person.press("Save the new password")
    expect(page.get_by_role("heading", name=person.words("Choose a new password"))).to_be_hidden()
    person.context.clear_cookies(name="sessionid")
    person.sign_in(address, NEW_PASSWORD)


def change_profile(person: Person) -> None:
    person.page.goto("/me/")
    person.fill("display name", "Mira")
    person.press("Save the profile")
    expect(person.field("display name")).to_have_value("Mira")
    person.upload("picture", picture("M"))
    person.press("Use this picture")
    expect(person.main.locator("img").first).to_be_visible()
    person.shoot("13-profile")


def become_seller(seller: Person, username: str, reviewer: Person) -> None:
    seller.page.goto("/sell/apply/")
    seller.fill("legal name", "Oak Line Ltd")
    seller.fill("country", "Egypt")
    seller.fill("what you sell and where it comes from", "Game accounts that I raised, with their first mail address.")
    seller.press("Hand in the application")
    seller.sees("Your application is with us.")
    reviewer.open_row(f"/admin/accounts/sellerapplication/?q={username}", username)
    reviewer.decide("Approve")
    expect(seller.count("notifications")).to_have_text(re.compile("1"))


def publish(seller: Person, title: str, price: str, photos: list[str], *, loaded: bool = False) -> str:
    page, main = seller.page, seller.main
    page.goto("/sell/listings/new/")
    seller.field("Category").select_option("role-playing-games")
    for name, value in {"game": "Zephyr", "character": "Knight", "level": "62"}.items():
        main.locator(f"[name=attr_{name}]").fill(value)
    main.locator("[name=attr_region]").select_option(index=1)
    main.locator("[name=attr_email_included]").select_option("yes")
    seller.fill("Title", title)
    seller.fill("Description", "Raised over two seasons. The first mail address comes with it.")
    seller.fill("Price", price)
    main.locator(f"[name=delivery][value={'stock' if loaded else 'manual'}]").check()
    seller.shoot("14-new-listing", phone=True)
    seller.press("Save the draft")
    seller.upload("photos", *(picture(text) for text in photos))
    seller.press("Upload")
    expect(main.locator("li img")).to_have_count(len(photos))
    if loaded:
        page.goto(page.url.replace("/photos/", "/stock/"))
        main.locator("[name=login]").fill("squire_9")
        main.locator("[name=password]").fill("Hay&Stable")
        seller.press("Load it")
        expect(main.locator("#items")).to_be_visible()
        expect(main).not_to_contain_text("Stable")
    seller.press("Publish at <bdi>%(price)s</bdi>", price=seller.money(price))
    seller.sees("On sale")
    return title


def deposit(buyer: Person, reviewer: Person, reference: str) -> None:
    page = buyer.page
    hand_in_deposit(buyer, "100.00", reference)
    expect(page).to_have_url(re.compile("/wallet/deposits/DP-"))
    code = page.url.rstrip("/").rpartition("/")[2]
    page.goto("/wallet/")
    reviewer.open_row(f"/admin/payments/deposit/?q={code}", code)
    reviewer.decide("Claim")
    expect(reviewer.page.locator("img[src*='/files/']").first).to_be_visible()
    expect(reviewer.page.get_by_text(reviewer.money("100.00")).first).to_be_visible()
    reviewer.shoot("12-deposit-review")
    reviewer.decide("Approve")
    expect(page.locator("[data-wallet]").first).to_have_text(buyer.money("100.00"))
    expect(buyer.main.get_by_text(buyer.money("100.00")).nth(1)).to_be_visible()
    buyer.shoot("06-wallet", phone=True, dark=True)
    # The same reference does not count twice, however it is typed.
    hand_in_deposit(buyer, "20.00", reference.replace("-", " ").lower(), screenshot="06-deposit")
    buyer.sees("This reference was used for another deposit. Check the number on your receipt.")


def hand_in_deposit(buyer: Person, amount: str, reference: str, screenshot: str = "") -> None:
    buyer.page.goto("/wallet/deposit/")
    buyer.main.locator("a[href*='method=bank']").click()
    buyer.fill("Amount", amount)
    buyer.main.locator("[name=transfer_reference]").fill(reference)
    buyer.upload("proof", picture(f"Paid\n{amount}\n{reference}"))
    if screenshot:
        buyer.shoot(screenshot, phone=True)
    buyer.press("Send for review")


def buy(buyer: Person, title: str, price: str) -> str:
    """Search it and pay for it. Returns the path of the order's page."""
    page = buyer.page
    page.goto("/")
    page.get_by_role("searchbox").filter(visible=True).first.fill(title)
    page.keyboard.press("Enter")
    buyer.press(title)
    buyer.shoot("03-listing", phone=True)
    buyer.press("Buy through escrow")
    buyer.main.locator("[name=terms]").check()
    buyer.shoot("04-checkout", phone=True)
    buyer.press("Pay %(price)s into escrow", price=buyer.money(price))
    expect(page).to_have_url(re.compile("/orders/AS-"))
    return urllib.parse.urlsplit(page.url).path


def say(person: Person, text: str) -> None:
    box = person.main.locator("textarea[name=body]").filter(visible=True)
    box.fill(text)
    box.press("Enter")


def talk(buyer: Person, seller: Person, order: str) -> None:
    """What one writes the other sees at once; it outlives a reload; what is written offline is sent once."""
    said = ["Hello, are the recovery codes unused?", "Yes, all eight.", "I am here until five.", "I am in a tunnel."]
    buyer.page.goto(order)
    say(buyer, said[0])
    expect(seller.main.get_by_text(said[0])).to_be_visible()
    say(seller, said[1])
    expect(buyer.main.get_by_text(said[1])).to_be_visible()
    # A page that is left at once has not read it.
    expect(seller.main.locator(".msg.me [data-state=read]").last).to_be_visible()
    buyer.page.goto("/")
    say(seller, said[2])
    expect(buyer.count("messages")).to_have_text(re.compile("1"))
    buyer.page.goto(order)
    expect(buyer.main.get_by_text(said[2])).to_be_visible()
    expect(buyer.count("messages")).to_be_hidden()
    buyer.context.set_offline(True)
    buyer.sees("There is no connection.")
    say(buyer, said[3])
    buyer.sees("Waiting to send")
    buyer.context.set_offline(False)
    expect(seller.main.get_by_text(said[3])).to_be_visible()
    for person in (buyer, seller):
        person.page.reload()
        for text in said:
            expect(person.main.get_by_role("log").get_by_text(text)).to_have_count(1)
    buyer.page.goto("/messages/")
    buyer.shoot("07-messages", phone=True)
    buyer.page.goto(order)


def deliver_and_accept(buyer: Person, seller: Person) -> None:
    form = seller.main.locator("form[action$='/deliver/']")
    form.locator("[name=login]").fill(LOGIN)
    form.locator("[name=password]").fill(SECRET)
    seller.press("Deliver to %(buyer)s", buyer="Mira")
    buyer.sees("Your turn: check what you received")
    expect(buyer.main).not_to_contain_text(LOGIN)
    reveal(buyer, LOGIN)
    buyer.shoot("05-order", phone=True, dark=True)
    buyer.press("It works, accept it")
    buyer.confirm("It works, accept it")
    buyer.sees("The warranty runs")
    seller.sees("Accepted, under warranty")


def reveal(buyer: Person, secret: str, *, is_asked: bool = True) -> None:
    """Open the first of the login details. The password is asked for, unless it was given a moment ago."""
    buyer.page.wait_for_load_state()
    buyer.main.locator("[data-reveal=login]").click()
    if is_asked:
        buyer.page.get_by_role("dialog").filter(visible=True).locator("input[type=password]").fill(NEW_PASSWORD)
        buyer.confirm("Reveal")
    expect(buyer.main.get_by_text(secret)).to_be_visible()


def withdraw(seller: Person, approver: Person, sender: Person, reference: str) -> None:
    page = seller.page
    page.goto("/wallet/payout-methods/")
    seller.field("How you are paid").select_option("bank")
    seller.fill("Name of the holder", "Oak Line Ltd")
    seller.fill("IBAN, account or wallet number", "DE89 3704 0044 0532 0130 00")
    seller.fill("Your password", PASSWORD)
    seller.press("Add the payout method")
    expect(seller.main.get_by_text("3000")).to_be_visible()
    page.goto("/wallet/withdraw/")
    seller.fill("Amount", "30.00")
    seller.fill("Your password", PASSWORD)
    seller.press("Ask for the withdrawal")
    expect(page).to_have_url(re.compile("/wallet/withdrawals/WD-"))
    code = page.url.rstrip("/").rpartition("/")[2]
    listed = f"/admin/payments/withdrawal/?q={code}"
    approver.open_row(listed, code)
    approver.decide("Approve")
    # Who approved may not send.
    expect(approver.page.get_by_role("link", name=approver.words("Mark as sent"))).to_have_count(0)
    sender.open_row(listed, code)
    sender.decide("Mark as sent", external_reference=reference)
    sender.decide("Settle")
    seller.sees("The bank has paid it out.")
    expect(seller.main.get_by_text(reference)).to_be_visible()


def statement(person: Person) -> list[list[str]]:
    """The rows of the CSV, without its heading."""
    person.page.goto("/wallet/statement/")
    person.shoot("06-statement", phone=True)
    with person.page.expect_download() as download:
        person.press("CSV")
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    return [line.split(",") for line in lines[1:]]
