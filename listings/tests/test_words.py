import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.text import clean_line, clean_text
from listings.words import QUERY_WORDS, WORD_LIMIT, query_words, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Élite CAFÉ", "elite cafe"),
        ("STRASSE", "straße"),
        ("أحمد إلى آخر ٱسم", "احمد الى اخر اسم"),
        ("لعبة", "لعبه"),
        ("مستوى", "مستوي"),
        ("مُسْتَوًى", "مستوى"),
        ("حـــســاب", "حساب"),
        ("الحساب", "حساب"),
        ("٦٢", "62"),
        ("۶۲", "62"),
        ("İstanbul", "istanbul"),
        ("ＦＵＬＬ", "full"),
    ],
)
def test_what_people_write_differently_is_the_same_word(one: str, other: str) -> None:
    assert words(one) == words(other) != []


def test_different_words_stay_different() -> None:
    assert words("level 62") != words("level 63")
    assert words("حساب") != words("حسام")
    assert words("الي") == ["الي"]  # too short to be an article and a word


def test_words_are_listed_once_and_in_order() -> None:
    assert words("Big, BIG and small_big") == ["big", "and", "small"]


@given(st.text())
def test_no_text_breaks_the_words_and_none_grows_beyond_the_column(text: str) -> None:
    found = words(text)
    assert all(0 < len(word) <= WORD_LIMIT and not word.startswith("=") for word in found)
    assert len(found) == len(set(found))
    assert len(query_words(text)) <= QUERY_WORDS


@given(st.text())
def test_words_of_words_are_themselves_unless_an_article_is_left(text: str) -> None:
    """Normalising the index and normalising the question give the same result."""
    for word in words(text):
        if not word.startswith("ال"):
            assert words(word) == [word]


@given(st.text())
def test_cleaning_is_done_after_once(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)
    assert clean_line(clean_line(text)) == clean_line(text)
    assert "\n" not in clean_line(text)


def test_invisible_marks_that_turn_the_text_are_removed() -> None:
    assert clean_line("safe\u202egnp.exe\u0000 \u2066x") == "safegnp.exe x"
