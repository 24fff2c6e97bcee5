import contextlib

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from accountsstore.money import BadAmount, exponent, format_minor, parse_minor, to_decimal


@pytest.mark.parametrize(
    ("typed", "minor"),
    [("12.50", 1250), ("12", 1200), (" 0.5 ", 50), ("1,250.00", 125_000), ("٢٥٫٥٠", 2550), ("0", 0)],
)
def test_amounts_are_read_as_people_type_them(typed, minor):
    assert parse_minor(typed, "USD") == minor


@pytest.mark.parametrize(
    "typed", ["", "-5", "+5", "1e5", "12.345", "1,5", "12 50", "NaN", "9" * 14, "$5", "0x10", "1.2.3"]
)
def test_what_is_no_amount_is_refused_with_a_sentence(typed):
    with pytest.raises(BadAmount) as refused:
        parse_minor(typed, "USD")
    assert str(refused.value).endswith(".")


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_a_clear_refusal(text):
    with contextlib.suppress(BadAmount):
        assert parse_minor(text, "USD") >= 0


@given(st.integers(0, 10**12), st.sampled_from(["USD", "JPY", "KWD"]))
def test_what_is_written_reads_back_the_same(minor, currency):
    assert parse_minor(str(to_decimal(minor, currency)), currency) == minor


def test_currencies_have_the_digits_of_the_standard():
    assert [exponent(code) for code in ("USD", "JPY", "KWD", "EGP")] == [2, 0, 3, 2]


def test_amounts_are_written_the_same_in_every_language_and_keep_their_order_in_arabic():
    with translation.override("en"):
        assert format_minor(123_450, "USD") == "$1,234.50"
    with translation.override("ar"):
        assert format_minor(123_450, "USD") == "\u2068$1,234.50\u2069"
