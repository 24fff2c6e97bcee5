"""Money in and out: a deposit and a withdrawal for every state that staff see."""

from accountsstore.demo.deeds.money import (
    approve_payout,
    ask_payer,
    ask_payout,
    ask_reversal,
    bounce_payout,
    claim,
    confirm_reversal,
    credit,
    pay_in,
    refuse,
    refuse_payout,
    send_payout,
    settle_payout,
    take_back_payout,
)
from accountsstore.demo.stories.usual import Story, days, hours, minutes


def credited(username: str, amount_minor: int, number: int = 2) -> Story:
    deposit = pay_in(username, amount_minor, number)
    yield minutes(70)
    credit(deposit, "ines")


def another_amount_is_credited() -> Story:
    deposit = pay_in("mei", 12_000, 2)
    yield minutes(90)
    credit(deposit, "jonas", 11_000, "The receipt says $110.00: the bank kept its charge.")


def a_receipt_comes_again() -> Story:
    """Credited once; the second time it is found out, and the third time it waits with a mark."""
    first = pay_in("dunya", 10_000, 2)
    yield hours(2)
    credit(first, "jonas")
    yield days(19)
    second = pay_in("dunya", 10_000, 3, proof_of=first)
    yield hours(1)
    refuse(second, "ines", "This receipt was credited three weeks ago.")
    yield days(5)
    pay_in("dunya", 10_000, 4, proof_of=first)


def a_deposit_is_reversed() -> Story:
    deposit = pay_in("carla", 10_000, 2)
    yield hours(1)
    credit(deposit, "ines")
    yield days(16)
    approval = ask_reversal(deposit, "jonas", "The bank called the transfer back.")
    yield hours(3)
    confirm_reversal(approval, "marta")


def a_deposit_is_refused() -> Story:
    deposit = pay_in("hana", 5_000, 2)
    yield hours(2)
    refuse(deposit, "jonas", "No payment with this reference has arrived. Ask your bank, then send it again.")


def a_payer_is_asked() -> Story:
    deposit = pay_in("rami", 7_500, 2)
    yield hours(3)
    ask_payer(deposit, "ines", "The receipt is cut off below the amount. Please send all of it.")


def a_deposit_is_under_review() -> Story:
    deposit = pay_in("oskar", 6_000, 2)
    yield minutes(26)
    claim(deposit, "ines")


def a_deposit_waits(username: str, amount_minor: int, number: int) -> Story:
    pay_in(username, amount_minor, number)
    yield from ()


def paid_out(username: str, amount_minor: int, number: int = 1) -> Story:
    withdrawal = ask_payout(username, amount_minor, number)
    yield hours(4)
    approve_payout(withdrawal)
    yield hours(3)
    send_payout(withdrawal)
    yield days(1)
    settle_payout(withdrawal)


def a_payout_bounces() -> Story:
    withdrawal = ask_payout("quietharbor", 30_000)
    yield hours(5)
    approve_payout(withdrawal)
    yield hours(2)
    send_payout(withdrawal)
    yield days(1)
    bounce_payout(withdrawal, "The bank returned it: the account number was not found.")


def a_payout_is_refused() -> Story:
    withdrawal = ask_payout("zaytoun", 10_000)
    yield hours(6)
    refuse_payout(withdrawal, "The account is held in another name than yours. Add one of your own.")


def a_payout_is_taken_back() -> Story:
    withdrawal = ask_payout("saltpier", 5_000)
    yield hours(1)
    take_back_payout(withdrawal)


def a_payout_waits_to_be_sent() -> Story:
    withdrawal = ask_payout("juno-keys", 10_000, 2)
    yield hours(5)
    approve_payout(withdrawal)


def a_payout_waits(username: str, amount_minor: int, number: int = 1) -> Story:
    ask_payout(username, amount_minor, number)
    yield from ()


def stories() -> list[tuple[float, Story]]:
    """(days before today, story)."""
    return [
        (30.2, credited("salma", 25_000)),
        (40.1, credited("amir", 35_000)),
        (34.2, another_amount_is_credited()),
        (24.5, a_receipt_comes_again()),
        (18.3, a_deposit_is_reversed()),
        (21.2, a_deposit_is_refused()),
        (1.2, a_payer_is_asked()),
        (30 / 1440, a_deposit_is_under_review()),
        (2 / 24, a_deposit_waits("salma", 12_000, 3)),
        # Over the twelve hours that a review may take.
        (15 / 24, a_deposit_waits("yousef", 10_000, 2)),
        (27.1, paid_out("northpine", 20_000)),
        (9.2, paid_out("northpine", 15_000, 2)),
        (20.3, paid_out("juno-keys", 25_000)),
        (0.8, paid_out("oldtown", 12_000)),
        (12.2, a_payout_bounces()),
        (9.3, paid_out("quietharbor", 30_000, 2)),
        (9.1, a_payout_is_refused()),
        (15.2, a_payout_is_taken_back()),
        (0.9, a_payout_waits_to_be_sent()),
        (4 / 24, a_payout_waits("northpine", 8_000, 3)),
        # Over the day that an approval may take.
        (30 / 24, a_payout_waits("mapleforge", 9_000)),
    ]
