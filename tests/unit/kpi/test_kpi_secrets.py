"""Card numbers and security codes in files: what is taken for one, what is not, and what is shown of it."""

from collections.abc import Sequence

import pytest
from dms.build import CARD_NUMBERS
from hypothesis import given
from hypothesis import strategies as st
from kpi_rows import inspected_file
from reading.card_numbers import is_card_number, masked, masked_key
from reading.card_secrets import is_security_code, secret_columns
from reading.layout import Shape, layout_of
from reading.visible import visible

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("VISA 4111 1111 1111 1111 12/27", "VISA **** **** **** 1111 12/27"),
        ("x4111111111111111x", "x************1111x"),
        ("4111 - 1111\u00a011111111,", "**** - ****\u00a0****1111,"),
        ("2024-03-05 4111111111111111", "2024-03-05 ************1111"),
        ("4111111111111111 5500005555555559", "************1111 ************5559"),
        ("4111111111111112", "4111111111111112"),
        ("20240305101530123", "20240305101530123"),
        ("34.052234999999999", "34.052234999999999"),
        ("4" * 21, "4" * 21),
        ("7 " * 150, "* " * 146 + "7 " * 4),
    ],
)
def test_number_shows_its_last_four_digits__in_any_text(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(number=st.sampled_from(CARD_NUMBERS), before=st.text("12 -x.", max_size=9), behind=st.text("12 -x.", max_size=9))
def test_no_card_number_is_left__whatever_groups_are_around_it(number: str, before: str, behind: str) -> None:
    assert number not in masked(f"{before} {number} {behind}")


@pytest.mark.parametrize(
    "key",
    [
        "transactions/20240101-123456789.csv",
        "transactions/2024-03-05-101530.csv",
        "transactions/part-0-tid-4111111111111111-c000.csv",
        "transactions/41111111-1111-4111-8111-111111111111.csv",
    ],
)
def test_key_is_no_card_number__name_that_a_program_gave(key: str) -> None:
    assert masked_key(key) == key


def test_file_id_stays_whole_in_hints__a_card_number_among_its_digits() -> None:
    file_id = f"{CARD_NUMBERS[0]}{'ab' * 24}"
    assert masked(file_id) != file_id
    assert visible(f"see why: assay passport {file_id}") == f"see why: assay passport {file_id}"
    assert CARD_NUMBERS[0] not in visible(f"{file_id}f"), "it is no SHA-256"


def test_file_is_rejected__key_with_a_card_number() -> None:
    found = inspected_file(b"dms_id,amount,date\n1,1.00,2023-05-06\n", key="transactions/4111 1111 1111 1111/a.csv")
    assert [reason.code for reason in found.reasons] == ["card_numbers"]
    assert found.kpis is None


def ids(name: str, *values: object, key: str = "transactions/a.csv") -> list[str]:
    """Return why a file with these ids behind 1,001 short ones is rejected."""
    rows = "".join(f"{row},1.00,2023-05-06,{value}\n" for row, value in enumerate([*range(1_001), *values]))
    return [reason.code for reason in inspected_file(f"id,amount,date,{name}\n{rows}".encode(), key=key).reasons]


def test_column_of_ids_rejects_the_file__card_numbers_behind_the_first_block() -> None:
    assert ids("card_id", *CARD_NUMBERS) == ["card_numbers"]
    assert ids("merchant_id", *CARD_NUMBERS[:4]) == []


def test_ids_stay__one_of_ten_long_ones_passes_by_chance() -> None:
    assert ids("client_id", *range(10**15, 10**15 + 1_000)) == []


CARD_ROWS = b"id,card_brand,%s\n1,Visa,\n2,Visa,%s\n"


@pytest.mark.parametrize("name", [b"cvv", b"CVC", b"card_security_code"])
def test_file_of_cards_is_refused__security_codes_in_it(name: bytes) -> None:
    found = inspected_file(CARD_ROWS % (name, b"075"), key="cards/a.csv", empties_security_codes=False)
    assert [(reason.code, "in 1 row" in reason.text) for reason in found.reasons] == [("card_security_codes", True)]


@pytest.mark.parametrize(("code", "empties"), [(b"075", True), (b" ", False)])
def test_file_of_cards_is_taken__codes_are_emptied_or_not_there(code: bytes, empties: bool) -> None:
    found = inspected_file(CARD_ROWS % (b"cvv", code), key="cards/a.csv", empties_security_codes=empties)
    assert found.reasons == []


def test_number_in_an_id_or_a_limit_breaks_its_rule__file_of_cards() -> None:
    rows = [f"{CARD_NUMBERS[0]},1,$5", f"1,{CARD_NUMBERS[1]},$5", f"2,1,{CARD_NUMBERS[2]}", "3,1,$5"]
    found = inspected_file("\n".join(["id,client_id,credit_limit", *rows]).encode(), key="cards/a.csv")
    assert found.kpis is not None
    assert dict(found.kpis.broken_rules) == {
        "card_id_unreadable": 1, "client_id_unreadable": 1, "credit_limit_unreadable": 1,
    }  # fmt: skip


def test_first_line_of_cards_is_not_shown__a_card_where_the_header_should_be() -> None:
    found = inspected_file(b"1,7,Visa,4111111111111111,075\n", key="cards/a.csv")
    told = " ".join(reason.text for reason in found.reasons)
    assert "'Visa'" in told
    assert "075" not in told
    assert "1111" not in told
