"""What is going on right now: something for everybody to do."""

from accountsstore.demo.deeds.disputes import contest, propose
from accountsstore.demo.deeds.orders import accept, buy, deliver, reveal
from accountsstore.demo.deeds.talk import catch_up, say, say_directly
from accountsstore.demo.people import BUYERS, SELLERS
from accountsstore.demo.stories.usual import Story, hours, minutes


def salma_has_a_knight_to_check() -> Story:
    order = buy("salma-knight", "salma", "knight")
    yield minutes(6)
    say(order, "seller", "Hi. The login is on your order page. Change the password of the mail first, then the game's.")
    yield hours(2.5)
    say(order, "buyer", "Thanks, I will do it tomorrow. Are the recovery codes all unused?")
    yield minutes(4)
    say(order, "seller", "Yes, all four.")


def salma_waits_for_cinegrove() -> Story:
    order = buy("salma-cinegrove", "salma", "cinegrove")
    yield minutes(25)
    say(order, "seller", "I open the account this evening. Shall it be in your name?")
    yield minutes(11)
    say(order, "buyer", "Yes please, Salma Mansour.")


def salma_has_draftwell_under_warranty() -> Story:
    say_directly("salma", "quietharbor", "Does the Draftwell licence move to a new computer later?")
    yield minutes(7)
    say_directly("quietharbor", "salma", "Yes, you release it on the old one first. It takes a minute.")
    yield hours(1)
    order = buy("salma-draftwell", "salma", "draftwell")
    yield hours(3)
    reveal(order)
    yield hours(2)
    accept(order)


def salma_contests_hollow_court() -> Story:
    order = buy("salma-hollow", "salma", "hollow")
    yield hours(3)
    deliver(order)
    yield hours(2)
    reveal(order)
    yield hours(30)
    contest(order, "not_as_described", "Only the first season pass is finished. The second stops at step 61 of 100.")
    yield hours(6)
    say(order, "seller", "You are right, I mixed two accounts up. I can give you $12.00 back, or finish it by Sunday.")
    yield minutes(3)
    propose(order, "seller", 1200)


def salma_asks_for_the_privateer() -> Story:
    order = buy("salma-saltmarch", "salma", "saltmarch")
    yield minutes(5)
    say(order, "buyer", "I have sailed the Grey Gannet in the beta. I would take good care of her.")


def northpine_delivers_soon() -> Story:
    order = buy("amir-healer", "amir", "healer")
    yield hours(12)
    say(order, "buyer", "No hurry, I am at work until six.")


def northpine_delivers_at_once() -> Story:
    """Under an hour is left."""
    order = buy("lena-ranger", "lena", "ranger")
    yield hours(20)
    say(order, "buyer", "Will it be today? The season ends tomorrow.")


def staff_are_late_with_a_dispute() -> Story:
    order = buy("oskar-pilot", "oskar", "pilot")
    yield hours(5)
    deliver(order)
    yield hours(4)
    reveal(order)
    yield hours(30)
    contest(order, "does_not_work", "The game says that this pilot is banned from ranked races until next year.")
    yield hours(3)
    say(order, "seller", "It was not when I handed it over. I have a picture of the profile from that day.")
    yield hours(2)
    say(order, "buyer", "Then please show it to the staff.")


def rami_looks_at_ironwake() -> Story:
    order = buy("rami-ironwake", "rami", "ironwake")
    yield hours(7)
    deliver(order)
    yield hours(1)
    reveal(order)


def mei_asks_about_the_mage() -> Story:
    say_directly("mei", "northpine", "Is the wand of rain bound to the character, or could I trade it later?")
    yield from ()


def everybody_catches_up() -> Story:
    """So that what is unread is of today."""
    for person in (*BUYERS, *SELLERS):
        catch_up(person.username)
    yield from ()


def just_bought(name: str, buyer: str, key: str) -> Story:
    buy(name, buyer, key)
    yield from ()


def stories() -> list[tuple[float, Story]]:
    """(days before today, story)."""
    return [
        (1.1, everybody_catches_up()),
        (26 / 24, salma_has_a_knight_to_check()),
        (3 / 24, salma_waits_for_cinegrove()),
        (5.2, salma_has_draftwell_under_warranty()),
        (3.1, salma_contests_hollow_court()),
        (5 / 24, salma_asks_for_the_privateer()),
        (20 / 24, northpine_delivers_soon()),
        (23.1 / 24, northpine_delivers_at_once()),
        (5.1, staff_are_late_with_a_dispute()),
        (17 / 24, rami_looks_at_ironwake()),
        (40 / 1440, mei_asks_about_the_mage()),
        (1 / 24, just_bought("hana-cinegrove", "hana", "cinegrove-ar")),
        (6 / 24, just_bought("yousef-murmur", "yousef", "playhall-20")),
        (2 / 24, just_bought("tomas-knight", "tomas", "knight")),
        (2.2 / 24, just_bought("lena-tilt", "lena", "tilt")),
        (9 / 24, just_bought("mei-tonearc", "mei", "tonearc-ar")),
    ]
