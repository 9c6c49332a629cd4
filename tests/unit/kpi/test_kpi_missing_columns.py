"""A file that lacks required columns is told what its header holds, what is near, and what it looks like."""

import pytest
from contract.limits import REASON_CHARACTERS
from contract.subjects import TRANSACTIONS
from hypothesis import given
from hypothesis import strategies as st
from reading.layout import layout_of
from reading.missing_columns import missing_column_reasons
from reading.rejection import RejectedError


def told(*names: str, commit_name: str | None = None) -> list[str]:
    with pytest.raises(RejectedError) as raised:
        layout_of(names, commit_name=commit_name)
    assert {reason.code for reason in raised.value.reasons} == {"missing_column"}
    return [reason.text for reason in raised.value.reasons]


def test_missing_columns_are_named_with_their_aliases_and_the_header__two_of_them() -> None:
    assert told("key", "sum", "date") == [
        "The required column 'dms_id' (or 'id') is missing.",
        "The required column 'amount' is missing.",
        "The header has 3 columns: 'key', 'sum', 'date'.",
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("amount_usd", "'amount_usd'"),
        ("Transaction Amount", "'Transaction Amount'"),
        ("amuont", "'amuont'"),
        ("\ufeffamount", "'<U+FEFF>amount'"),
        ("amount\u00a0", "'amount<U+00A0>'"),
        ("amount\r", "'amount<U+000D>'"),
    ],
)
def test_near_miss_is_named_with_what_cannot_be_seen__each_kind(name: str, shown: str) -> None:
    first, header = told("dms_id", name, "date")
    assert first == f"The required column 'amount' is missing. Near it: {shown}; rename the column."
    assert shown in header


@pytest.mark.parametrize("name", ["paid", "note", "", "zip"])
def test_no_near_miss_is_invented__other_names(name: str) -> None:
    assert told("dms_id", name, "date")[0] == "The required column 'amount' is missing."


@pytest.mark.parametrize(("separator", "shown"), [(";", "';'"), ("\t", "'<U+0009>'"), ("|", "'|'")])
def test_separator_is_named__fields_not_cut_at_commas(separator: str, shown: str) -> None:
    header = told(separator.join(["key", "sum", "day"]))[-1]
    assert header.startswith("The header has 1 column: 'key")
    assert header.endswith(f" Its fields look separated by {shown} instead of commas: pin it as delimiter.")


def test_encoding_is_named__utf8_taken_for_latin_1() -> None:
    misread = "größe".encode().decode("latin-1")
    assert told("dms_id", misread, "date")[-1].endswith(
        "look like UTF-8 that was taken for another encoding: export it again."
    )


def test_pinned_commit_timestamp_is_named_as_the_pin_names_it__missing() -> None:
    assert told("dms_id", "amount", "date", commit_name="ts")[0] == "The required column 'ts' is missing."


@given(names=st.lists(st.text(max_size=60), min_size=1, max_size=60, unique_by=lambda name: name.strip(" \t").lower()))
def test_reasons_are_bounded_and_printable__any_header(names: list[str]) -> None:
    reasons = missing_column_reasons(["amount"], names, names, TRANSACTIONS)
    assert all(len(reason.text) <= REASON_CHARACTERS and reason.text.isprintable() for reason in reasons)
    assert reasons[-1].text.startswith(f"The header has {len(names):,} column")
