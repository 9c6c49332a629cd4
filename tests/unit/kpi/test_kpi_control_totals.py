"""Control totals: each figure that is given must agree, and each fault is seen by the figure that must see it."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import polars as pl
import pytest
from admission import Inspection, inspect_file
from contract.control_totals import CONTROL_FIGURES, SUM_MODULUS
from hypothesis import assume
from hypothesis import strategies as st
from judging.kpis import money_text
from judging.reconcile import Policy
from kpi_rows import inspected_file
from reading.card_numbers import masked
from reading.csv_blocks import CsvRows
from two_sizes import in_two_sizes

DAY = "2023-05-06"
Rows = Sequence[tuple[int, int]]
"""Key and cents."""


def body_of(rows: Rows, *more: str) -> bytes:
    lines = ["dms_id,amount,date", *(f"{key},{money_text(cents)},{DAY}" for key, cents in rows), *more]
    return "".join(f"{line}\n" for line in lines).encode()


def totals_of(rows: Rows) -> dict[str, str]:
    """Add up a file as its sender does, in whole numbers; the metadata's names."""
    cents = [amount for _, amount in rows]
    return {
        "row-count": str(len(rows)),
        "total-amount": money_text(sum(cents)),
        "positive-total": money_text(sum(amount for amount in cents if amount > 0)),
        "negative-total": money_text(sum(amount for amount in cents if amount < 0)),
        "key-sum": str(sum(key for key, _ in rows) % 10**16),
        "hash-total": str(sum(key * amount for key, amount in rows) % 10**16),
    }


def codes_of(found: Inspection) -> set[str]:
    return {reason.code.removesuffix("_mismatch").replace("_", "-") for reason in found.reasons}


ROWS: Rows = [(101, 1_250), (205, -300), (309, 4_400), (417, -2_000), (523, 70)]


def swapped_keys(rows: Rows) -> Rows:
    (first, x), (second, y), *others = rows
    return [(second, x), (first, y), *others]


def moved_amount(rows: Rows) -> Rows:
    """Give one positive amount what another one loses."""
    (first, x), second, (third, y), *others = rows
    return [(first, x + 70), second, (third, y - 70), *others]


def doubled_and_lost(rows: Rows) -> Rows:
    return [rows[0], rows[0], *rows[2:]]


def flipped_sign(rows: Rows) -> Rows:
    (key, cents), *others = rows
    return [(key, -cents), *others]


MUTATIONS: Sequence[tuple[Callable[[Rows], Rows], set[str]]] = [
    (swapped_keys, {"hash-total"}),
    (moved_amount, {"hash-total"}),
    (doubled_and_lost, {"total-amount", "positive-total", "negative-total", "key-sum", "hash-total"}),
    (flipped_sign, {"total-amount", "positive-total", "negative-total", "hash-total"}),
]


def test_file_is_proven__all_figures_agree() -> None:
    found = inspected_file(body_of(ROWS), metadata=totals_of(ROWS))
    assert found.reasons == []
    assert found.as_item()["control"] == {
        "source": "metadata",
        "row_count": 5,
        "total_amount": "34.20",
        "positive_total": "57.20",
        "negative_total": "-23.00",
        "key_sum": 1555,
        "hash_total": 101 * 1250 - 205 * 300 + 309 * 4400 - 417 * 2000 + 523 * 70,
        "proven": True,
    }


@pytest.mark.parametrize(("mutate", "seen_by"), MUTATIONS, ids=lambda given: getattr(given, "__name__", ""))
def test_mutation_is_rejected_by_each_figure_that_must_see_it__and_by_no_other(
    mutate: Callable[[Rows], Rows], seen_by: set[str]
) -> None:
    body, totals = body_of(mutate(ROWS)), totals_of(ROWS)
    assert codes_of(inspected_file(body, metadata=totals)) == seen_by
    for name, value in totals.items():
        assert codes_of(inspected_file(body, metadata={name: value})) == {name} & seen_by


def test_two_flipped_signs_are_seen_by_the_hash_total_alone__equal_amounts() -> None:
    sent, arrived = [*ROWS, (600, -500), (700, 500)], [*ROWS, (600, 500), (700, -500)]
    assert codes_of(inspected_file(body_of(arrived), metadata=totals_of(sent))) == {"hash-total"}


def test_plus_x_and_minus_x_are_seen_by_the_sums_of_both_signs__net_and_keys_stay() -> None:
    sent, arrived = [*ROWS, (600, 500), (700, -500)], [*ROWS, (600, 900), (700, -900)]
    assert codes_of(inspected_file(body_of(arrived), metadata=totals_of(sent))) == {
        "positive-total", "negative-total", "hash-total",
    }  # fmt: skip


def test_key_changed_is_seen_by_key_sum_and_hash_total__amounts_stay() -> None:
    arrived = [(102, ROWS[0][1]), *ROWS[1:]]
    assert codes_of(inspected_file(body_of(arrived), metadata=totals_of(ROWS))) == {"key-sum", "hash-total"}


def test_each_disagreement_is_named_with_both_figures__all_differ() -> None:
    given_totals = {
        "row-count": "6", "total-amount": "34.21", "positive-total": "57.21", "negative-total": "-23.01",
        "key-sum": "1556", "hash-total": "-1",
    }  # fmt: skip
    found = inspected_file(body_of(ROWS), metadata=given_totals)
    assert [reason.text for reason in found.reasons] == [
        "The file has 5 rows, its metadata says 6.",
        "The amounts of the file add up to 34.20, its metadata says 34.21; the difference is -0.01.",
        "The amounts above zero of the file add up to 57.20, its metadata says 57.21; the difference is -0.01.",
        "The amounts below zero of the file add up to -23.00, its metadata says -23.01; the difference is 0.01.",
        "The ids of the file add up to 1,555, its metadata says 1,556 (key_sum, modulo 10^16).",
        (
            "The products of id and cents of the file add up to 626,960, its metadata says 9,999,999,999,999,999 "
            "(hash_total, modulo 10^16)."
        ),
    ]
    assert not found.as_item()["control"]["proven"]


def test_figure_that_could_be_a_card_number_is_read_and_shown__sums_of_ids() -> None:
    said = {"key-sum": "4111111111111111", "hash-total": "4012888888881881"}
    reasons = inspected_file(body_of(ROWS), metadata=said).as_item()["reasons"]
    assert "4,111,111,111,111,111" in reasons[0]["text"]
    assert "4,012,888,888,881,881" in reasons[1]["text"]


keys = st.integers(-(2**63), 2**63 - 1)
cents = st.integers(-(10**18) + 1, 10**18 - 1)
tables = st.lists(
    st.tuples(keys | st.integers(0, 10**7), cents | st.integers(-(10**6), 10**6)), min_size=1, max_size=40
)


@in_two_sizes(20, 100, rows=tables)
def test_figures_are_the_sums_of_whole_numbers__any_keys_and_amounts(rows: Rows) -> None:
    assume(all(masked(money_text(amount)) == money_text(amount) for _, amount in rows))
    found = inspected_file(body_of(rows))
    assert found.kpis is not None
    item = found.kpis.as_item()
    expected = totals_of(rows)
    assert {name: str(item[name.replace("-", "_")]) for name in expected} == expected  # type: ignore[literal-required]
    for name in ("key_sum", "hash_total"):
        assert 0 <= item[name] < SUM_MODULUS  # type: ignore[literal-required]


@pytest.mark.parametrize("key_sum", ["1555", str(1555 + 10**16), str(1555 - 10**16), " 1555 "])
def test_remainder_is_taken_of_the_senders_figure_too__whole_sum(key_sum: str) -> None:
    assert inspected_file(body_of(ROWS), metadata={"key-sum": key_sum}).reasons == []


@pytest.mark.parametrize(
    "said",
    [{"key-sum": "1e3"}, {"hash-total": "1.0"}, {"positive-total": "1.001"}, {"negative-total": "x"}, {"key-sum": ""}],
)
def test_file_is_rejected__figure_that_cannot_be_read(said: Mapping[str, str]) -> None:
    assert codes_of(inspected_file(body_of(ROWS), metadata=said)) == {"unreadable-control"}


def with_side_car(body: bytes, side_car: object) -> Inspection:
    return inspect_file(
        "transactions/a.csv",
        io.BytesIO(body),
        last_modified_at=datetime(2024, 1, 1, tzinfo=UTC),
        metadata={},
        read_side_car=lambda: json.dumps(side_car).encode(),
        learned=lambda: None,
        policy=Policy(Decimal(1), minimum_rows=1),
    )


def test_side_car_gives_every_figure__as_number_or_text() -> None:
    totals = {name: totals_of(ROWS)[figure.metadata_name] for name, figure in CONTROL_FIGURES.items()}
    assert with_side_car(body_of(ROWS), totals).as_item()["control"]["proven"]
    found = with_side_car(body_of(ROWS), {"hash_total": 626_961})
    assert [reason.code for reason in found.reasons] == ["hash_total_mismatch"]
    assert "its side-car says 626,961" in found.reasons[0].text


def test_deletes_count_as_sent__key_and_amount() -> None:
    body = b"op,dms_id,amount,date\nI,1,1.00,2023-05-06\nD,2,-3.00,\nD,3,,\nD,x,5.00,\n"
    found = inspected_file(body)
    assert found.kpis is not None
    assert dict(found.kpis.control_figures()) == {
        "row_count": 4,
        "total_amount": 300,
        "positive_total": 600,
        "negative_total": -300,
        "key_sum": 6,
        "hash_total": (100 - 600) % 10**16,
    }


TRAILER = "T,5,34.20"


def test_trailer_proves_the_file__it_agrees() -> None:
    found = inspected_file(body_of(ROWS, TRAILER))
    item = found.as_item()
    assert found.reasons == []
    assert item["control"] == {"source": "trailer", "row_count": 5, "total_amount": "34.20", "proven": True}
    assert item["format"]["trailer_line"] == 7
    assert item["kpis"]["row_count"] == 5


def test_trailer_and_metadata_must_both_agree__one_differs() -> None:
    good = inspected_file(body_of(ROWS, TRAILER), metadata={"hash-total": "626960", "row-count": "5"})
    assert good.reasons == []
    assert good.as_item()["control"]["source"] == "metadata and trailer"
    of_trailer = inspected_file(body_of(ROWS, "T,5,34.21"), metadata=totals_of(ROWS))
    assert [reason.code for reason in of_trailer.reasons] == ["total_amount_mismatch"]
    assert "its trailer says 34.21" in of_trailer.reasons[0].text
    of_metadata = inspected_file(body_of(ROWS, TRAILER), metadata={"row-count": "6"})
    assert [reason.text for reason in of_metadata.reasons] == ["The file has 5 rows, its metadata says 6."]


@pytest.mark.parametrize("end", ["", "\n", ",,,\n", "\r\n\x1a", "\n \n\t\n" * 3_000])
@pytest.mark.parametrize("trailer", ["T,5,34.20", "T,5,34.20,,,,", '"T","5.0"," $34.200 "'])
def test_trailer_is_no_row__however_it_is_written(trailer: str, end: str) -> None:
    found = inspected_file(body_of(ROWS, trailer).removesuffix(b"\n") + end.encode())
    assert found.reasons == []
    assert found.format["trailer_line"] == 7


def in_blocks(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr("reading.files.CsvRows", partial(CsvRows, block_bytes=block_bytes))


def test_trailer_is_no_row__files_of_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(number, number * 7 - 3_000) for number in range(1, 300)]
    body = body_of(rows, f"T,299,{money_text(sum(amount for _, amount in rows))}", "", "")
    for block_bytes in (50, 997, 1 << 20):
        in_blocks(monkeypatch, block_bytes)
        found = inspected_file(body, metadata=totals_of(rows))
        assert found.reasons == []
        assert found.format["trailer_line"] == 301


REQUIRED = b'{"trailer": true}'


def test_truncated_file_is_rejected__pin_requires_a_trailer() -> None:
    whole = body_of(ROWS, TRAILER)
    assert inspected_file(whole, pin=REQUIRED).reasons == []
    cut = whole[: whole.rfind(b"523,")]
    assert inspected_file(cut).reasons == []
    found = inspected_file(cut, pin=REQUIRED)
    assert [reason.code for reason in found.reasons] == ["missing_trailer"]
    assert found.kpis is not None


def test_last_record_is_a_row__pin_says_that_there_are_no_trailers() -> None:
    found = inspected_file(body_of(ROWS, TRAILER), pin=b'{"trailer": false}')
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.bad_rows, found.as_item()["control"]["source"]) == (6, 1, "none")


def test_trailer_has_the_decimal_sign_of_the_pin__comma() -> None:
    body = b"dms_id;amount;date\n1;1.234,50;2023-05-06\nT;1;1.234,50\n"
    found = inspected_file(body, pin=b'{"decimal": ","}')
    assert found.reasons == []
    assert found.as_item()["control"] == {
        "source": "trailer", "row_count": 1, "total_amount": "1234.50", "proven": True
    }  # fmt: skip


def test_trailer_tells_nothing_about_a_headerless_file__its_only_short_record() -> None:
    body = b"I,2023-01-01 10:00:00.000000,7,2023-05-06,1,1,2.00,chip,1,Rome,NY,1,5411,\nT,1,2.00\n"
    found = inspected_file(body, key="transactions/20230101-100000000.csv")
    assert found.reasons == []
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.bad_rows) == (1, 0)


def test_trailers_are_for_transactions_alone__pin_of_users() -> None:
    body = b"client_id,gender\n1,F\n"
    found = inspected_file(body, key="users/a.csv", pin=REQUIRED)
    assert [reason.code for reason in found.reasons] == ["unreadable_dialect"]
    rows = inspected_file(b"gender,client_id,yearly_income\nT,1,3.00\n", key="users/a.csv").kpis
    assert rows is not None
    assert rows.row_count == 1


def test_parquet_needs_no_trailer__its_footer_is_one() -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"dms_id": [1], "amount": ["1.00"], "date": [DAY]}).write_parquet(buffer)
    assert inspected_file(buffer.getvalue(), key="transactions/a.parquet", pin=REQUIRED).reasons == []


def test_blank_lines_behind_a_trailer_are_refused__too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    in_blocks(monkeypatch, 1 << 16)
    found = inspected_file(body_of(ROWS, TRAILER) + b"\n" * 300_000)
    assert [reason.code for reason in found.reasons] == ["too_many_blank_lines"]
