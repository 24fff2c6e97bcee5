import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accountsstore.codes import clean_code, new_code


def test_a_number_reads_back_as_people_type_it():
    code = new_code("AS")
    assert clean_code(f" {code.lower()} ") == code


@given(st.integers(3, 11), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_wrong_character_is_noticed(position, letter):
    code = new_code("AS")
    wrong = code[:position] + letter + code[position + 1 :]
    # 0 and Z are 31 apart, the one pair that the check cannot tell.
    if wrong != code and {letter, code[position]} != {"0", "Z"}:
        with pytest.raises(ValueError, match="not a valid number"):
            clean_code(wrong)


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_is_refused(text):
    with contextlib.suppress(ValueError):
        assert clean_code(text)


def test_numbers_do_not_repeat():
    assert len({new_code("AS") for _ in range(5_000)}) == 5_000
