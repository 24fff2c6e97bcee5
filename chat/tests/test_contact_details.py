"""How well the warning about contact details tells them from what only looks like them."""

from pathlib import Path

import pytest

from chat.contact_details import contact_details

Line = tuple[str, str]


def _lines() -> list[Line]:
    text = (Path(__file__).parent / "contact_details.tsv").read_text()
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return [(label, said) for label, said in rows]


LINES = _lines()
# The rules were written looking at the other two thirds.
HELD_OUT = LINES[2::3]
SEEN = [line for number, line in enumerate(LINES) if number % 3 != 2]


def _measured(lines: list[Line]) -> tuple[float, float, list[Line]]:
    """Precision, recall, and what was judged wrongly."""
    warned = [line for line in lines if contact_details(line[1])]
    sharing = [line for line in lines if line[0] == "shares"]
    right = [line for line in warned if line[0] == "shares"]
    wrong = [line for line in warned if line[0] != "shares"] + [line for line in sharing if line not in warned]
    return len(right) / len(warned), len(right) / len(sharing), wrong


def test_the_set_is_large_and_both_languages_and_labels_have_their_share() -> None:
    assert len(LINES) >= 150
    for lines in (SEEN, HELD_OUT):
        arabic = [line for line in lines if any("\u0600" <= c <= "\u06ff" for c in line[1])]
        assert len(arabic) > len(lines) / 5
        assert len(lines) / 3 < sum(label == "shares" for label, _ in lines) < len(lines) * 2 / 3


@pytest.mark.parametrize("lines", [SEEN, HELD_OUT], ids=["seen", "held out"])
def test_the_warning_finds_95_of_100_and_is_right_95_times_of_100(lines: list[Line]) -> None:
    """Measured: precision 1.00 and recall 1.00 on the lines that were seen, 1.00 and 0.98 on those held out."""
    precision, recall, wrong = _measured(lines)
    assert precision >= 0.95, wrong
    assert recall >= 0.95, wrong


def test_the_kinds_are_told_apart() -> None:
    assert contact_details("sam@mailbox.example") == {"email"}
    assert contact_details("رقمي ٠٥٠٥٥٥٠١٢٣") == {"phone"}
    assert contact_details("add me on telegram @northpine") == {"handle"}
    assert contact_details("") == frozenset()
