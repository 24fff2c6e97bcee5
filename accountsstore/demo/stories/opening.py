"""How the store filled: staff, sellers with their goods, buyers with their first money."""

from accountsstore.demo.deeds.listings import keep, offer, put_away, report, uphold_report
from accountsstore.demo.deeds.money import credit, pay_in
from accountsstore.demo.deeds.people import answer_application, apply_to_sell, hire, join, restrict
from accountsstore.demo.goods import GOODS, Good
from accountsstore.demo.people import APPLICANTS, BUYERS, SELLERS, Person, Seller
from accountsstore.demo.stories.usual import Story, days, hours, minutes

# What each buyer pays in on the first day, in minor units; the reviewers take turns.
FIRST_DEPOSITS = {
    "salma": 15_000,
    "amir": 35_000,
    "lena": 45_000,
    "tomas": 45_000,
    "priya": 45_000,
    "yousef": 30_000,
    "hana": 30_000,
    "oskar": 45_000,
    "mei": 20_000,
    "carla": 17_000,
    "rami": 35_000,
    "dunya": 15_000,
}


def staff_begins() -> Story:
    hire()
    yield from ()


def seller_opens(seller: Seller) -> Story:
    apply_to_sell(seller)
    yield hours(19)
    answer_application(seller, "approved")


def good_is_offered(good: Good) -> Story:
    offer(good)
    if good.then in ("paused", "removed"):
        yield days(5)
        put_away(good)


def buyer_joins(person: Person) -> Story:
    join(person)
    yield hours(3)
    deposit = pay_in(person.username, FIRST_DEPOSITS[person.username])
    yield minutes(50)
    credit(deposit, "ines" if BUYERS.index(person) % 2 else "jonas")


def bright_kiln_applies() -> Story:
    apply_to_sell(APPLICANTS[0])
    yield from ()


def hexmarket_is_asked() -> Story:
    apply_to_sell(APPLICANTS[1])
    yield days(1)
    answer_application(APPLICANTS[1], "needs_info", "Which games, and where do the accounts come from?")


def quickflip_is_refused() -> Story:
    apply_to_sell(APPLICANTS[2])
    yield hours(6)
    answer_application(APPLICANTS[2], "rejected", "You do not say where the logins come from. We sell no such thing.")
    yield days(4)
    restrict("quickflip", "Three buyers write that you offered them logins outside the store.")


def favourites_are_kept() -> Story:
    keep("salma", "ranger", "framebrook", "cloudshelf", "mage")
    yield minutes(30)
    keep("mei", "mage", "codeloft")
    yield minutes(30)
    keep("hana", "qalam", "souq-ar")


def listings_are_reported() -> Story:
    report("mei", "couriers", "off_site", "In the chat I was asked to pay by transfer for a lower price.")
    yield hours(9)
    uphold_report("couriers", "Payment outside the store was asked for. Write to us when you have read the rules.")
    yield hours(20)
    report("hana", "clearmast", "misleading", "The publisher says that these keys are for one country only.")


def stories() -> list[tuple[float, Story]]:
    """(days before today, story)."""
    return [
        (90, staff_begins()),
        *((seller.joined, seller_opens(seller)) for seller in SELLERS),
        *((good.day, good_is_offered(good)) for good in GOODS.values()),
        *((person.joined, buyer_joins(person)) for person in BUYERS),
        (2, bright_kiln_applies()),
        (6, hexmarket_is_asked()),
        (20, quickflip_is_refused()),
        (2, favourites_are_kept()),
        (2.5, listings_are_reported()),
    ]
