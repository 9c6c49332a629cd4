"""Broken rows are counted by rule, and the first of the most frequent rules are shown with the way out."""

import io
import json
from datetime import UTC, datetime
from functools import partial

import polars as pl
import pytest
from contract.limits import EXAMPLE_BLOCKS, REASON_CHARACTERS
from contract.remedies import OTHERWISE, remedy
from contract.rules import rules_of
from contract.subjects import SUBJECTS, TRANSACTIONS
from hypothesis import strategies as st
from judging.broken_rows import OF_OTHER_TABLE, BrokenRow, first_of_each, shown
from kpi_rows import inspected_file
from reading.csv_blocks import CsvRows
from reading.rejection import Reason
from two_sizes import in_two_sizes

HEADER = "dms_id,amount,date,use_chip,zip"
GOOD = "1,1.00,2024-03-05,chip,2139"
DAY_FIRST = "2,2.00,31.12.2023,chip,2139"


def reasons(body: bytes, *, key: str = "transactions/a.csv") -> list[Reason]:
    return inspected_file(
        body, key=key, last_modified_at=datetime(2024, 6, 1, tzinfo=UTC), maximum_bad_share="0.5"
    ).reasons


def text(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def test_reasons_count_the_rows_by_rule_and_show_the_first_of_three_rules__too_many_broken() -> None:
    rows = [GOOD, *[DAY_FIRST] * 4, *["3,x,31.12.2023,chip,2139"] * 3, "4,1.00,2024-03-05,nfc,ABC", "5,6"]
    found = reasons(text(*rows))
    assert {reason.code for reason in found} == {"too_many_bad_rows"}
    assert [reason.text for reason in found] == [
        (
            "9 of 10 rows (90.0 %) break the data contract, the maximum is 50.0 %. By rule: date_unreadable 7, "
            "amount_unreadable 3, too_few_fields 1, use_chip_unknown 1, zip_impossible 1."
        ),
        "date_unreadable: 7 rows, first in line 3: '2,2.00,31.12.2023,chip,2139'. " + remedy_of("date_unreadable"),
        "amount_unreadable: 3 rows, first in line 7: '3,x,31.12.2023,chip,2139'. " + remedy_of("amount_unreadable"),
        "too_few_fields: 1 row, first in line 11: '5,6'. " + remedy_of("too_few_fields"),
        found[-1].text,
    ]
    assert "`assay check FILE`" in found[-1].text


def remedy_of(name: str) -> str:
    return remedy(next(rule for rule in rules_of(TRANSACTIONS) if rule.name == name), TRANSACTIONS)


def test_example_is_found__behind_blocks_of_good_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    block_bytes = 1_000
    monkeypatch.setattr("reading.files.CsvRows", partial(CsvRows, block_bytes=block_bytes))
    good = "\n".join([GOOD] * (5 * block_bytes // len(GOOD)))
    bad = [DAY_FIRST] * (good.count("\n") + 2)
    found = reasons(text(good, *bad))
    assert f"first in line {good.count(chr(10)) + 3}: '{DAY_FIRST}'" in found[1].text


def test_rule_is_told_without_an_example__first_row_beyond_the_blocks_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("admission.EXAMPLE_BLOCKS", 0)
    assert EXAMPLE_BLOCKS > 0
    found = reasons(text(DAY_FIRST))
    assert found[1].text == f"date_unreadable: 1 row. {remedy_of('date_unreadable')}"


def test_example_has_the_place_of_its_row__parquet_has_no_lines() -> None:
    file = io.BytesIO()
    pl.DataFrame({"dms_id": [1, 2], "amount": ["1.00", "x"], "date": ["soon", "soon"]}).write_parquet(file)
    found = reasons(file.getvalue(), key="transactions/a.parquet")
    assert """amount_unreadable: 1 row, first in row 2: '{"dms_id":"2","amount":"x","date":"soon"}'.""" in found[2].text


def test_example_shows_what_cannot_be_seen__controls_and_signs() -> None:
    [_, first, _] = reasons(text("1,\u2013100.00\x1b[31m,2024-03-05,chip,2139"))
    assert "'1,<U+2013>100.00<U+001B>[31m,2024-03-05,chip,2139'" in first.text


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        ("1,x,4539578763621486", "1,x,************1486"),
        ("1,x,4539 5787 6362 1486,9", "1,x,**** **** **** 1486,9"),
        ("1,x,4539-5787-6362-1486.0", "1,x,****-****-****-1486.0"),
        ("1,x,123456789012", "1,x,123456789012"),
        ("1,x,12345678901234567890", "1,x,12345678901234567890"),
        ("1,12.340000000000001,2024-03-05 10:15:33.895123", "1,12.340000000000001,2024-03-05 10:15:33.895123"),
    ],
)
def test_card_numbers_are_masked__13_to_19_digits(raw: str, masked: str) -> None:
    assert shown(raw, ["date_unreadable"], TRANSACTIONS) == masked


def test_row_of_another_table_is_not_shown__it_may_be_a_card() -> None:
    assert shown("I,bank,cards,1,825,Visa,123", ["other_table"], TRANSACTIONS) == OF_OTHER_TABLE


def test_row_of_cards_is_not_shown__its_text_may_hold_secrets_anywhere() -> None:
    header = "id,client_id,card_brand,card_type,card_number,expires,cvv,has_chip,num_cards_issued,credit_limit,"
    header += "acct_open_date,year_pin_last_changed,card_on_dark_web"
    row = "x,1,Visa,Debit,4539578763621486,12/2025,123,YES,1,$100,01/2010,2012,No"
    told = " ".join(reason.text for reason in reasons(text(row, header=header), key="cards/a.csv"))
    assert "id_unreadable: 1 row, first in line 2: '(a row of cards is not shown)'" in told
    assert "1486" not in told
    assert "123" not in told


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=list(SUBJECTS))
def test_each_rule_has_a_remedy_that_leaves_room_for_its_row__contract(subject: object) -> None:
    rules = rules_of(subject)  # type: ignore[arg-type]
    assert len(rules) <= 64, "the rules that a row breaks are the bits of a 64-bit number"
    for rule in rules:
        told = remedy(rule, subject)  # type: ignore[arg-type]
        assert told != OTHERWISE or rule.fault == "unknown"
        assert len(told) <= REASON_CHARACTERS // 2


@in_two_sizes(
    5, 50, rows=st.lists(st.text(min_size=1, max_size=400).filter(lambda row: row.strip(" \t\r\n")), min_size=1)
)
def test_reasons_are_bounded__any_text(rows: list[str]) -> None:
    found = reasons(text(*rows))
    assert len(found) <= 10
    assert all(len(reason.text) <= REASON_CHARACTERS and reason.text.isprintable() for reason in found)
    json.dumps([reason.text for reason in found])


def test_first_rows_are_looked_for_no_further__all_found() -> None:
    rows = iter([BrokenRow(1, 2, "a", ("x",)), BrokenRow(2, 3, "b", ("x", "y")), BrokenRow(3, 4, "c", ("y",))])
    found = first_of_each(rows, ["x", "y"])
    assert {rule: row.row for rule, row in found.items()} == {"x": 1, "y": 2}
    assert next(rows).row == 3
