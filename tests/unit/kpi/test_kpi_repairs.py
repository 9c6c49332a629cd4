"""Repairs and waivers: judged as if they stood in the file that they repair, and taken whole or not at all."""

import json
from typing import Any

import pytest
from kpi_cloud import Cloud, handle

ORIGINAL = "transactions/bank/a.csv"
HEADER = "dms_id,amount,date,use_chip"
ROWS = f"{HEADER}\n1,1.00,2023-05-06,chip\n2,x,2023-05-06,chip\n3,3.00,never,chip\n"
WAIVED: dict[str, Any] = {"rule": "amount_unreadable", "who": "me", "reason": "a test"}


@pytest.fixture(autouse=True)
def any_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAXIMUM_BAD_SHARE", "1")


def given(cloud: Cloud, body: str = ROWS, key: str = ORIGINAL, **metadata: str) -> str:
    """Have an original accepted; return its id."""
    handle(cloud.put(key, body.encode(), **metadata))
    return str(cloud.item(key)["file_id"])


def repaired(cloud: Cloud, original: str, *rows: str, header: str = f"row,{HEADER}", name: str = "r") -> dict[str, Any]:
    key = f"transactions/repairs/{original}/{name}.csv"
    handle(cloud.put(key, "\n".join([header, *rows, ""]).encode()))
    return cloud.item(key)


def waived(cloud: Cloud, original: str, **said: object) -> dict[str, Any]:
    key = f"transactions/repairs/{original}/w.waiver.json"
    handle(cloud.put(key, json.dumps({**WAIVED, **said}).encode()))
    return cloud.item(key)


def codes(item: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in item["reasons"]]


def test_repair_is_accepted__it_names_its_original(cloud: Cloud) -> None:
    original = given(cloud)
    item = repaired(cloud, original, "2,2,2.00,2023-05-06,chip", "3,3,3.00,2023-05-07,chip")
    assert (item["status"], item["subject"], item["repairs"]) == ("accepted", "transactions", original)
    assert item["kpis"]["row_count"] == 2
    assert item["kpis"]["total_amount"] == "5.00"
    assert item["format"]["places"]["repaired_row"] == 0
    assert item["warnings"] == []
    assert len(cloud.executions()) == 2


def test_repair_is_judged_by_the_instant_of_its_original__a_date_after_it(cloud: Cloud) -> None:
    original = given(cloud, as_of="2023-05-08T00:00:00Z")
    modified = str(cloud.item(ORIGINAL)["last_modified_at"])
    later = f"{int(modified[:4]) + 1}-05-06"
    item = repaired(cloud, original, f"2,2,2.00,{later},chip")
    assert codes(item)[0] == "broken_repair"
    assert item["kpis"]["broken_rules"] == {"date_in_future": 1}


def test_repair_is_written_as_its_original__comma_and_day_first(cloud: Cloud) -> None:
    cloud.put("transactions/bank/_dialect.json", b'{"decimal": ",", "date_order": "day-first", "null": "-"}')
    original = given(cloud, 'dms_id,amount,date,zip\n1,"1,00",31/12/2022,-\n2,x,31/12/2022,-\n')
    item = repaired(cloud, original, '2,2,"1.234,50",31/12/2022,-', header="row,dms_id,amount,date,zip")
    assert (item["status"], item["kpis"]["total_amount"]) == ("accepted", "1234.50")
    assert {item["format"][name] for name in ("decimal", "date_order", "null_text")} == {",", "day-first", "-"}


def test_repair_stands_in_its_originals_load__original_is_a_full_load(cloud: Cloud) -> None:
    original = given(
        cloud, "dms_id,amount,date\n1,1.00,2023-05-06\n2,x,2023-05-06\n", key="transactions/LOAD00000001.csv"
    )
    item = repaired(cloud, original, "2,2,2.00,2023-05-06", header="row,dms_id,amount,date")
    assert item["format"]["is_full_load"]


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        (("2,2,2.00,2023-05-06,chip", "3,3,x,2023-05-06,chip"), {"amount_unreadable": 1}),
        ((",2,2.00,2023-05-06,chip",), {"repaired_row_missing": 1}),
        (("two,2,2.00,2023-05-06,chip",), {"repaired_row_unreadable": 1}),
        (("2,2,2.00,2023-05-06",), {"too_few_fields": 1}),
    ],
)
def test_repair_is_rejected_whole__a_row_is_broken(cloud: Cloud, rows: tuple[str, ...], broken: dict[str, int]) -> None:
    item = repaired(cloud, given(cloud), *rows)
    assert item["status"] == "rejected"
    assert codes(item)[0] == "broken_repair"
    assert item["kpis"]["broken_rules"] == broken


def test_repair_is_rejected__of_what_cannot_be_repaired(cloud: Cloud) -> None:
    row = "2,2,2.00,2023-05-06,chip"
    assert codes(repaired(cloud, "0" * 64, row)) == ["unknown_original"]
    cards = given(cloud, "card_id,client_id\n1,x\n", key="cards/a.csv")
    assert codes(repaired(cloud, cards, row, name="of cards")) == ["unknown_original"]
    original = given(cloud)
    repair = repaired(cloud, original, row)
    assert codes(repaired(cloud, str(repair["file_id"]), row, name="of a repair")) == ["unknown_original"]


@pytest.mark.parametrize("header", ["row,dms_id,amount,date", f"row,{HEADER},zip", f"row,op,{HEADER}"])
def test_repair_is_rejected__it_has_other_columns_than_its_original(cloud: Cloud, header: str) -> None:
    values = dict(
        zip(("row", "op", *HEADER.split(","), "zip"), ("2", "I", "2", "2.00", "2023-05-06", "chip", ""), strict=True)
    )
    item = repaired(cloud, given(cloud), ",".join(values[name] for name in header.split(",")), header=header)
    assert codes(item) == ["missing_column"]


def test_repair_teaches_no_range__its_few_rows_are_no_sign(cloud: Cloud) -> None:
    original = given(cloud)
    before = cloud.table.get_item(Key={"file_id": "range#transactions"})["Item"]
    repaired(cloud, original, "2,2,2.00,2023-05-06,chip")
    assert cloud.table.get_item(Key={"file_id": "range#transactions"})["Item"] == before


def test_waiver_is_accepted__it_names_file_and_rule(cloud: Cloud) -> None:
    original = given(cloud)
    item = waived(cloud, original)
    assert (item["status"], item["subject"], item["repairs"]) == ("accepted", "waiver", original)
    assert item["waives"] == WAIVED
    assert item["kpis"]["row_count"] == 0


@pytest.mark.parametrize(
    "said", [{"rule": "no_such_rule"}, {"reason": 5}, {"more": "x"}, {"reason": "4111111111111111"}]
)
def test_waiver_is_rejected__it_says_something_else(cloud: Cloud, said: dict[str, object]) -> None:
    assert codes(waived(cloud, given(cloud), **said)) == ["unreadable_waiver"]


def test_waiver_is_rejected__its_file_is_not_known(cloud: Cloud) -> None:
    assert codes(waived(cloud, "f" * 64)) == ["unknown_original"]
