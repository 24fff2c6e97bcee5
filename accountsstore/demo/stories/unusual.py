"""Orders that left the usual course, one for each way out of the order table."""

from accountsstore.demo.deeds.disputes import contest, decide, propose, take_offer
from accountsstore.demo.deeds.orders import (
    accept,
    agree,
    ask_early_release,
    buy,
    cancel,
    confirm_early_release,
    correct,
    decline,
    deliver,
    reveal,
    review,
    withdraw_request,
)
from accountsstore.demo.deeds.talk import say
from accountsstore.demo.stories.usual import Story, days, hours, minutes


def nobody_delivers() -> Story:
    """The clock refunds it."""
    order = buy("papertrail", "tomas", "papertrail")
    yield hours(15)
    say(order, "buyer", "Hello, is the newspaper on its way? The time is nearly over.")


def seller_cancels() -> Story:
    order = buy("kiln", "rami", "kiln")
    yield hours(2)
    say(order, "seller", "Sorry, the school has closed this plan since yesterday. I call the order off.")
    yield minutes(4)
    cancel(order, "The school does not sell this plan any more.")


def request_is_declined() -> Story:
    order = buy("tilt-declined", "rami", "tilt")
    yield hours(5)
    decline(order, "The clan asks for somebody who plays every day, and you wrote weekends.")


def request_is_withdrawn() -> Story:
    order = buy("saltmarch-withdrawn", "mei", "saltmarch")
    yield hours(3)
    withdraw_request(order)


def request_expires() -> Story:
    """Nobody answers; the clock ends it."""
    buy("tilt-expired", "priya", "tilt")
    yield from ()


def request_is_agreed() -> Story:
    order = buy("tilt-agreed", "hana", "tilt")
    yield hours(1)
    say(order, "buyer", "مرحبًا، ألعب كل مساء تقريبًا. هل يناسب العشيرة؟")
    yield hours(2)
    say(order, "seller", "Every evening is what they hope for. Welcome.")
    yield minutes(2)
    agree(order)
    yield hours(6)
    deliver(order)
    yield hours(3)
    reveal(order)
    yield hours(20)
    accept(order)
    yield days(2)
    review(order, 5, "العشيرة رحبت بي فعلًا.")


def staff_refund_a_dispute() -> Story:
    order = buy("gold-taken-back", "amir", "nightglass-gold")
    yield hours(1)
    reveal(order)
    yield hours(2)
    accept(order)
    yield days(2)
    contest(order, "taken_back", "Since this morning the password is not mine any more. Nobody else has it from me.")
    yield hours(7)
    say(order, "buyer", "Can you tell me who changed it?")
    yield days(1.5)
    decide(order, "ines", 2750, "The reset went to an address that the seller still held. The price goes back in full.")


def parties_split_a_dispute() -> Story:
    order = buy("orchard-split", "tomas", "orchard")
    yield hours(3)
    deliver(order)
    yield hours(2)
    reveal(order)
    yield hours(5)
    contest(order, "not_as_described", "The night market is locked until level 90. The listing says that it is there.")
    yield hours(4)
    propose(order, "seller", 400)
    yield hours(1)
    say(order, "buyer", "It is two weeks of play away. Six dollars back and I keep it.")
    yield minutes(3)
    propose(order, "buyer", 600)
    yield hours(9)
    take_offer(order, "seller")


def staff_pay_the_seller() -> Story:
    order = buy("tonearc-disputed", "dunya", "tonearc")
    yield hours(4)
    deliver(order)
    yield hours(1)
    reveal(order)
    yield hours(8)
    contest(order, "other", "I do not like the app after all.")
    yield days(1)
    decide(order, "jonas", 0, "The plan is as described, and all of it works. A change of mind is no ground.")


def clock_accepts() -> Story:
    """The buyer never looks: two reminders, then the clock accepts, and later pays."""
    buy("brightcart-unopened", "lena", "brightcart")
    yield from ()


def staff_pay_early() -> Story:
    order = buy("chess", "oskar", "chess")
    yield hours(2)
    deliver(order)
    yield hours(1)
    reveal(order)
    yield hours(2)
    accept(order)
    yield days(1)
    approval = ask_early_release(order, "ines", "Both parties ask for it: the club charges the seller on Friday.")
    yield hours(3)
    confirm_early_release(approval, "jonas")


def early_payment_waits() -> Story:
    """One member of staff has asked; nobody has confirmed yet."""
    order = buy("glyphline", "amir", "glyphline")
    yield hours(2)
    reveal(order)
    yield hours(3)
    accept(order)
    yield days(2)
    ask_early_release(order, "ines", "The buyer wrote that all three devices are active and has no objection.")


def credential_is_corrected() -> Story:
    order = buy("racer", "priya", "racer")
    yield hours(2)
    deliver(order)
    yield hours(1)
    reveal(order)
    yield minutes(6)
    say(order, "buyer", "The password is refused. Is the last sign a 1 or an l?")
    yield minutes(40)
    correct(order)
    yield minutes(2)
    say(order, "seller", "My mistake, it was an old one. The right one is on your order page now.")
    yield hours(1)
    accept(order)
    yield days(1)
    review(order, 4, "Wrong password first, right one within the hour. 41 cars.")


def stories() -> list[tuple[float, Story]]:
    """(days before today, story)."""
    return [
        (14.1, nobody_delivers()),
        (10.2, seller_cancels()),
        (12.4, request_is_declined()),
        (15.5, request_is_withdrawn()),
        (9.6, request_expires()),
        (25.3, request_is_agreed()),
        (26.4, staff_refund_a_dispute()),
        (17.2, parties_split_a_dispute()),
        (24.1, staff_pay_the_seller()),
        (6.4, clock_accepts()),
        (11.3, staff_pay_early()),
        (2.4, early_payment_waits()),
        (13.4, credential_is_corrected()),
    ]
