"""What people ask the staff."""

from accountsstore.demo.deeds.support import answer, ask, note, solve, write_again
from accountsstore.demo.stories.usual import Story, hours, minutes


def a_sign_in_is_explained() -> Story:
    ticket = ask("salma", "account", "I changed my phone. How do I get the sign-in codes on the new one?")
    yield hours(2)
    answer(
        ticket,
        "ines",
        "Sign in with a recovery code, then set it up again under Security. The old phone stops at once.",
    )
    yield hours(1)
    write_again(ticket, "That worked, thank you.")
    yield minutes(20)
    solve(ticket, "ines")


def a_deposit_is_looked_for() -> Story:
    ticket = ask("salma", "money", "I sent my deposit by instant transfer two hours ago. Do you see it already?")
    yield minutes(50)
    note(
        ticket,
        "ines",
        "The bank shows it under another name. Compared with the receipt: it is the same sum and minute.",
    )
    answer(ticket, "ines", "We see a transfer of that sum. Is the account in the name of your company?")


def a_seller_asks_about_fees() -> Story:
    ask("mapleforge", "selling", "Does the fee change when I offer a longer warranty than the category has?")
    yield from ()


def a_question_is_late() -> Story:
    ask("yousef", "money", "طلبت سحبًا قبل أيام ولم يصل بعد. هل ينقصكم شيء مني؟")
    yield from ()


def stories() -> list[tuple[float, Story]]:
    """(days before today, story)."""
    return [
        (3.4, a_sign_in_is_explained()),
        (5 / 24, a_deposit_is_looked_for()),
        (2 / 24, a_seller_asks_about_fees()),
        # Over the day within which staff promise an answer.
        (28 / 24, a_question_is_late()),
    ]
