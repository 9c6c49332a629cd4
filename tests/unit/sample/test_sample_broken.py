"""Broken files against a small reading of the data contract: each bad row breaks its rule and no other.

The reading is written from the contract's own grammar, apart from the product's, so that both can be wrong only alone.
"""

import re
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from devcloud.sample.broken import LINES, RULES, write_broken
from devcloud.sample.extent import Extent
from devcloud.sample.history import History
from devcloud.sample.writers import csv_bytes, text_frame

FRAME = pl.concat(list(History(Extent(400, seed=6))))
COLUMNS = text_frame(FRAME).columns
FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",]*))(?:,|$)')
AMOUNT = re.compile(r"((?:\$[-+]?|[-+]\$?)?)((?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)")
IN_PARENTHESES = re.compile(r"\((\$?)((?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)\)")
TIME = r"(?:([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?)?(?:Z|\+00:00)?"
DATES = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)[ T]?" + TIME),
    re.compile(r"(?P<m>\d+)/(?P<d>\d+)/(?P<y>\d{4}) ?" + TIME),
)
INTEGER = re.compile(r"-?\d{1,19}(\.0+)?")
CHANNELS = {"swipe", "chip", "online", "swipe transaction", "chip transaction", "online transaction"}


def cut(line: str) -> list[str] | str:
    """Return a line's fields, or the rule that it breaks."""
    fields, position = [], 0
    while position <= len(line):
        match = FIELD.match(line, position)
        if match is None:
            return "malformed_quotes"
        fields.append((match[1] or match[2] or "").replace('""', '"').strip(" \t"))
        position = match.end() + (match.end() == len(line) and not match[0].endswith(","))
    if len(fields) == len(COLUMNS):
        return fields
    return "too_few_fields" if len(fields) < len(COLUMNS) else "too_many_fields"


def amount(text: str) -> Decimal | str:
    match = AMOUNT.fullmatch(text) or IN_PARENTHESES.fullmatch(text)
    if not text:
        return "amount_missing"
    if match is None or not re.search(r"\d", match[2]):
        return "amount_unreadable"
    value = Decimal(match[2].replace(",", "")) * (-1 if "-" in match[1] or text.startswith("(") else 1)
    if value != round(value, 2):
        return "amount_too_precise"
    return "amount_too_large" if abs(value) >= 10**16 else value


def instant(text: str) -> datetime | str:
    if not text:
        return "date_missing"
    match = next((match for form in DATES if (match := form.fullmatch(text))), None)
    try:
        numbers = (
            [int(match[name]) for name in "ymd"] + [int(part or 0) for part in match.groups()[3:]] if match else []
        )
        value = datetime(*numbers)
    except (TypeError, ValueError):
        return "date_unreadable"
    if value < datetime(1900, 1, 1):
        return "date_unreadable"
    return "date_in_future" if value > datetime(2030, 1, 1) else value


def is_integer(text: str) -> bool:
    return bool(INTEGER.fullmatch(text)) and -(2**63) <= int(text.split(".")[0]) < 2**63


def rules_of(line: str) -> list[str]:
    fields = cut(line)
    if isinstance(fields, str):
        return [fields]
    row = dict(zip(COLUMNS, fields, strict=True))
    broken = [] if is_integer(row["id"]) else ["dms_id_unreadable" if row["id"] else "dms_id_missing"]
    broken += [value for value in (amount(row["amount"]), instant(row["date"])) if isinstance(value, str)]
    broken += ["use_chip_unknown"] * (row["use_chip"].lower() not in CHANNELS)
    zip_digits = re.fullmatch(r"(\d{1,5})(\.0)?", row["zip"])
    broken += ["zip_impossible"] * bool(row["zip"] and not (zip_digits and int(zip_digits[1])))
    broken += [f"{name}_unreadable" for name in ("client_id", "card_id", "merchant_id") if not is_integer(row[name])]
    return broken + ["mcc_unreadable"] * (not re.fullmatch(r"\d{1,4}(\.0)?", row["mcc"]))


def written(path: Path, bad: dict[str, int], *, seed: int = 1, **options: bool) -> list[str]:
    write_broken(FRAME, path, bad=bad, seed=seed, **options)
    return path.read_text(encoding="utf-8-sig").splitlines()[1:]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("wild", [False, True])
def test_broken_rows_break_their_rule_alone__whatever_the_form(tmp_path: Path, seed: int, wild: bool) -> None:
    lines = written(tmp_path / "bad.csv", dict.fromkeys(RULES, 7), seed=seed, wild=wild)
    assert len(lines) == 400
    found = Counter(tuple(rules_of(line)) for line in lines)
    assert found == {(): 400 - 7 * len(RULES)} | {(rule,): 7 for rule in RULES}


def test_rules_are_the_contract_s__all_of_lines_and_of_the_sample_s_columns() -> None:
    contract = (Path(__file__).parents[3] / "docs/data-contract.md").read_text(encoding="utf-8")
    section = contract.split("### 3.1 Rules")[1].split("### 3.2")[0]
    in_contract = [name for row in re.findall(r"^\| (`.*?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)]
    of_columns = [rule for rule in in_contract if rule.startswith(("dms_id_", *(f"{column}_" for column in COLUMNS)))]
    assert len(of_columns) > len(COLUMNS)
    assert set(LINES) <= set(in_contract)
    assert sorted([*LINES, *of_columns]) == sorted(RULES)


def test_wild_forms_keep_the_values__in_every_column(tmp_path: Path) -> None:
    lines = written(tmp_path / "wild.csv", {}, wild=True)
    rows = [dict(zip(COLUMNS, cut(line), strict=True)) for line in lines]
    assert [int(amount(row["amount"]).scaleb(2)) for row in rows] == FRAME["amount_cents"].to_list()
    assert [instant(row["date"]) for row in rows] == FRAME["date"].to_list()
    assert [int(row["zip"].removesuffix(".0") or 0) for row in rows] == FRAME["zip"].fill_null(0).to_list()
    assert [row["use_chip"][:4].lower() for row in rows] == FRAME["use_chip"].str.head(4).str.to_lowercase().to_list()


def test_wild_forms_all_occur__those_seen_in_the_wild(tmp_path: Path) -> None:
    frame = FRAME.with_columns(
        pl.when(pl.col("id") % 9 == 0).then(141264).otherwise("amount_cents").alias("amount_cents")
    )
    write_broken(frame, tmp_path / "wild.csv", bad={}, seed=1, wild=True)
    lines = (tmp_path / "wild.csv").read_text().splitlines()
    seen = (r",\(\$\d+\.\d\d\),", r',"\$\d,\d{3}\.\d\d ",', r",\$\d+\.\d\d ,", r",\d+\.\d\d,", r"00,", r",chip,")
    seen += (r",\d+/\d+/2\d{3} \d+:\d\d,", r",2\d{3}-\d\d-\d\d \d\d:\d\d,", r"T\d\d:\d\d:00Z,", r",0\d{4},", r",\d{4},")
    assert [form for form in seen if not any(re.search(form, line) for line in lines)] == []


def test_totals_count_readable_amounts__also_of_rows_broken_otherwise(tmp_path: Path) -> None:
    bad = dict.fromkeys(RULES, 5)
    totals = write_broken(FRAME, tmp_path / "bad.csv", bad=bad, seed=3, wild=True)
    lines = (tmp_path / "bad.csv").read_text().splitlines()[1:]
    readable = [amount(fields[4]) for line in lines if isinstance(fields := cut(line), list)]
    assert totals.rows == len(lines)
    total = sum(value for value in readable if isinstance(value, Decimal))
    assert Decimal(totals.total_amount) == total


def test_broken_file_has_its_marks__byte_order_and_windows_ends(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    write_broken(FRAME, path, bad={}, seed=1, bom=True, crlf=True)
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfid,date")
    assert content.count(b"\r\n") == content.count(b"\n") == 401


def test_broken_file_is_the_plain_csv__when_nothing_is_broken(tmp_path: Path) -> None:
    write_broken(FRAME, tmp_path / "good.csv", bad={}, seed=1)
    assert (tmp_path / "good.csv").read_bytes() == csv_bytes(FRAME, header=True)


def test_broken_refuses__more_bad_rows_than_rows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="401 broken rows do not fit into 400"):
        write_broken(FRAME, tmp_path / "bad.csv", bad={"amount_missing": 401}, seed=1)
    assert list(tmp_path.iterdir()) == []
