"""Card numbers and security codes in transactions files: what is taken for one, and what is not."""

from collections.abc import Sequence

import pytest
from dms.build import CARD_NUMBERS
from hypothesis import given
from hypothesis import strategies as st
from reading.card_secrets import is_card_number, is_security_code, secret_columns
from reading.layout import Shape, layout_of

ORDINARY = ["4111111111111112"]
NAMES = ("id", "amount", "date")


def codes(name: str, values: Sequence[str | None], null_text: str = "") -> list[str]:
    """Return why a file with these values in one more column is rejected."""
    shape = Shape(layout_of((*NAMES, name)), null_texts=(null_text,) if null_text else ())
    sample = [("1", "1.00", "2023-05-06", value) for value in values]
    return [reason.code for reason in secret_columns(shape, sample)]


@pytest.mark.parametrize("number", [*CARD_NUMBERS, "4222222222222", "6304000000000000000", "0000000000000"])
def test_number_is_a_card_number__check_digit_agrees(number: str) -> None:
    assert is_card_number(number)


@pytest.mark.parametrize(
    "number", [*ORDINARY, "411111111111", "41111111111111111111", "", "4111-1111-1111-1111", "٤١١١١١١١١١١١١١١١"]
)
def test_number_is_no_card_number__check_digit_length_or_signs(number: str) -> None:
    assert not is_card_number(number)


@given(digits=st.text("0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_agrees__any_digits(digits: str) -> None:
    assert sum(is_card_number(f"{digits}{check}") for check in range(10)) == 1


@given(digits=st.text("0123456789", min_size=13, max_size=19), place=st.integers(0, 18), change=st.integers(1, 9))
def test_one_wrong_digit_is_seen__any_card_number(digits: str, place: int, change: int) -> None:
    number = next(f"{digits[:-1]}{check}" for check in range(10) if is_card_number(f"{digits[:-1]}{check}"))
    at = place % len(number)
    wrong = f"{number[:at]}{(int(number[at]) + change) % 10}{number[at + 1 :]}"
    assert not is_card_number(wrong)


@pytest.mark.parametrize(("code", "is_one"), [("075", True), ("1234", True), ("75.0", False), ("123.0", True)])
def test_security_code_is_three_or_four_digits__each_form(code: str, is_one: bool) -> None:
    assert is_security_code(code) is is_one


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([*CARD_NUMBERS], ["card_numbers"]),
        ([*CARD_NUMBERS * 2, *ORDINARY], ["card_numbers"]),
        ([*CARD_NUMBERS, *ORDINARY], []),
        ([*CARD_NUMBERS, "", " ", None], ["card_numbers"]),
        (["4111 1111 1111 1111", "5555-5555-5555-4444", *CARD_NUMBERS[2:]], ["card_numbers"]),
        (["1111"] * 5, []),
        ([None, ""], []),
    ],
)
def test_column_looks_like_card_numbers__nine_of_ten_values(values: list[str | None], found: list[str]) -> None:
    assert codes("pan", values) == found


@pytest.mark.parametrize("name", ["merchant_id", "errors", "use_chip"])
def test_known_columns_are_looked_at_too__card_numbers_in_them(name: str) -> None:
    assert codes(name, CARD_NUMBERS) == ["card_numbers"]


def test_what_the_file_writes_for_null_is_no_value__half_of_the_rows() -> None:
    values = [*CARD_NUMBERS, *["NULL"] * 5]
    assert codes("pan", values) == []
    assert codes("pan", values, null_text="NULL") == ["card_numbers"]


@pytest.mark.parametrize("name", ["cvv", "CVC", "cvv2", "cvc2", "cid", "Security_Code", "card_security_code"])
def test_column_of_security_codes_is_told_by_name_and_values__each_name(name: str) -> None:
    assert codes(name, ["075", "1234", None]) == ["card_security_codes"]
    assert codes(name, ["yes", "no"]) == []
    assert codes(name, [None]) == []
    assert codes(f"{name}_checked", ["075", "1234"]) == []


def test_way_out_is_another_name__three_digits_of_customers() -> None:
    shape = Shape(layout_of((*NAMES, "cid")))
    [reason] = secret_columns(shape, [("1", "1.00", "2023-05-06", "101")])
    assert "'cid'" in reason.text
    assert reason.text.endswith("leave it out, or, if it holds something else, rename it.")
    assert codes("customer_id", ["101", "102"]) == []
