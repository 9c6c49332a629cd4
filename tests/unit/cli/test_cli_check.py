"""`assay check` says of local files what the KPI function would, without a cloud."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from documented_answers import conform
from typer.testing import CliRunner, Result

from assay import cli
from assay.target import Target

HEADER = "dms_id,amount,date,use_chip,zip,client_id,card_id,merchant_id,merchant_city,merchant_state,mcc,errors"
GOOD = "1,1.00,2024-03-05,chip,2139,1,1,1,Boston,MA,5411,"
BROKEN = "2,x,2024-03-05,chip,ABC,1,1,1,Boston,MA,5411,"


@pytest.fixture(autouse=True)
def _no_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Target, "__init__", lambda *_: pytest.fail("a cloud was asked for"))


def assay(*words: str) -> Result:
    return CliRunner().invoke(cli.app, list(words))


def write(name: str, *rows: str, header: str = HEADER) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows, ""]))


def checked(*words: str, code: int = 0) -> list[dict[str, Any]]:
    result = assay("check", *words, "--json")
    assert result.exit_code == code, result.output
    found: list[dict[str, Any]] = conform("check", result.stdout)
    return found


def test_check_shows_figures_and_broken_rows__file_would_be_accepted() -> None:
    write("a.csv", GOOD, GOOD.replace("1,1.00", "3,2.50"), BROKEN)

    result = assay("check", "a.csv")

    assert result.exit_code == 0, result.output
    assert "Passport transactions/a.csv  would be accepted" in result.stdout
    assert "3.50 (unproven: no control totals)" in result.stdout
    assert "1: 1 amount_unreadable, 1 zip_impossible" in result.stdout
    assert "Broken rows: 1 of 1" in result.stdout
    row = next(line for line in result.stdout.splitlines() if BROKEN in line)
    assert row.split(maxsplit=4) == ["3", "4", "amount_unreadable,", "zip_impossible", BROKEN]


def test_check_exits_1_with_the_reasons__one_of_two_would_be_rejected() -> None:
    write("good.csv", GOOD)
    write("bad.csv", BROKEN, BROKEN)

    good, bad = checked("good.csv", "bad.csv", "--rows", "1", code=1)

    assert (good["accepted"], good["status"], good["broken_rows"]) == (True, "would be accepted", [])
    assert (bad["accepted"], bad["status"]) == (False, "would be rejected")
    assert {reason["code"] for reason in bad["reasons"]} == {"too_many_bad_rows"}
    assert "first in line 2: '2,x," in bad["reasons"][1]["text"]
    rules = ["amount_unreadable", "zip_impossible"]
    assert bad["broken_rows"] == [{"row": 1, "line": 2, "raw": BROKEN, "rules": rules}]


def test_check_reads_the_side_car_beside_the_file__as_an_upload_would() -> None:
    write("a.csv", GOOD)
    Path("a.csv.control.json").write_text('{"row_count": 2, "total_amount": "1.00"}')

    [found] = checked("a.csv", code=1)

    assert [reason["code"] for reason in found["reasons"]] == ["row_count_mismatch"]
    assert found["control"]["source"] == "side-car"


@pytest.mark.parametrize(("control", "code"), [("1:1.00", 0), ("1:1.01", 1)])
def test_check_compares_control_totals__given_on_the_command_line(control: str, code: int) -> None:
    write("a.csv", GOOD)

    [found] = checked("a.csv", "--control", control, code=code)

    assert found["control"]["proven"] is (code == 0)


@pytest.mark.parametrize("pin", ["batch/june/_dialect.json", "batch/_dialect.json"])
def test_check_reads_the_pin_of_the_folder_or_above__folder_is_named(pin: str) -> None:
    write(
        "batch/june/a.csv",
        "1,2024-03-05,1,1,1.00,chip,1,Boston,MA,2139,5411,",
        header="2,2024-03-05,1,1,2.00,chip,1,B,M,,,",
    )
    Path(pin).write_text('{"header": false}')

    [found] = checked("batch")

    assert (found["key"], found["format"]["has_header"], found["kpis"]["row_count"]) == (
        "transactions/june/a.csv",
        False,
        2,
    )


def test_check_reads_no_pin_above_what_is_uploaded__file_is_named() -> None:
    write("batch/june/a.csv", GOOD)
    Path("batch/_dialect.json").write_text("not JSON")

    assert checked("batch/june/a.csv")[0]["accepted"] is True


def test_check_reads_what_the_bytes_are__gzip_and_another_subject() -> None:
    Path("codes.csv.gz").write_bytes(gzip.compress(b"mcc,description\n5411,Groceries\n"))

    [found] = checked("codes.csv.gz", "--prefix", "mcc_codes/")

    assert (found["subject"], found["format"]["kind"], found["kpis"]["row_count"]) == ("mcc_codes", "csv.gz", 1)


def test_check_reads_json_lines__rows_and_change_envelopes() -> None:
    row = '{"id": 1, "amount": 12.30, "date": "2024-03-05"}'
    Path("a.jsonl").write_text(f"{row}\n{row[:-1]}\n")
    Path("kafka.json").write_text(f'{{"op": "r", "after": {row}, "source": {{"ts_ms": 0}}}}\nnull\n')

    rows, changes = checked("a.jsonl", "kafka.json")

    assert [(each["line"], each["rules"]) for each in rows["broken_rows"]] == [(2, ["malformed_json"])]
    assert (rows["format"]["kind"], rows["kpis"]["total_amount"]) == ("jsonl", "12.30")
    assert (changes["format"]["dialect"], changes["kpis"]["row_count"]) == ("debezium", 1)


def test_check_passes_over_what_is_no_data__companions_and_markers() -> None:
    write("full/LOAD00000001.csv", GOOD)
    for name in ("_SUCCESS", "_load.json", "LOAD00000001.csv.control.json"):
        Path("full", name).write_text('{"row_count": 1}')

    assert [found["key"] for found in checked("full")] == ["transactions/LOAD00000001.csv"]


def test_check_refuses_what_an_upload_would_not_send__no_table() -> None:
    Path("README.md").write_text("# read me")

    [found] = checked("README.md", code=1)

    assert [reason["code"] for reason in found["reasons"]] == ["not_sent"]
    assert "this is no file of transactions" in found["reasons"][0]["text"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("missing.csv",), "no such file: missing.csv"),
        (("a.csv", "b.csv", "--control", "1:1"), "--control is for one file"),
        (("_dialect.json",), "there is no file to check"),
        (("a.csv", "--prefix", "elsewhere/"), "which starts nothing"),
    ],
)
def test_check_exits_2__usage(words: tuple[str, ...], told: str) -> None:
    write("a.csv", GOOD)
    write("b.csv", GOOD)
    Path("_dialect.json").write_text("{}")

    result = assay("check", *words)

    assert (result.exit_code, told in result.stderr) == (2, True), result.output


def test_check_shows_what_would_act_on_a_terminal__rows_and_names() -> None:
    write("a\x1b[31m.csv", GOOD, BROKEN.replace("x", "[red]\x1b[31m"))

    result = assay("check", "a\x1b[31m.csv")

    assert "transactions/a<U+001B>[31m.csv" in result.stdout
    assert "[red]<U+001B>[31m" in result.stdout
    assert "\x1b" not in result.stdout
