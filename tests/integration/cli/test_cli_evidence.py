"""`assay verify` and `assay evidence` on real objects, items and tables: each kind of them is changed once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deployed_stack import NAMES, DeployedStack, account, deploy, identifier_of
from documented_answers import conform
from evidence_lake import EvidenceLake

BRONZE, LAKE, LEDGER = NAMES["BronzeBucket"], NAMES["LakeBucket"], NAMES["LedgerTable"]
FIRST_REPORT, SECOND_REPORT = (f"reports/silver/run_{number:08d}_{number}.json" for number in (1, 2))
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "silver.transactions": [(2, Decimal("2.50")), (3, Decimal("4.00"))],
    "silver.transaction_effects": [
        (1, Decimal("1.25")),
        (2, Decimal("2.50")),
        (3, Decimal("4.00")),
        (4, Decimal("-1.25")),
    ],
    "gold.fact_transactions": [(2, Decimal("2.50")), (3, Decimal("4.00"))],
}


def put_in_bronze(stack: DeployedStack) -> Callable[[str, bytes], dict[str, Any]]:
    def put(key: str, body: bytes) -> dict[str, Any]:
        answer = stack.client("s3").put_object(Bucket=BRONZE, Key=key, Body=body, ChecksumAlgorithm="SHA256")
        checksum = {"algorithm": "SHA256", "value": answer["ChecksumSHA256"]}
        return {"version_id": answer["VersionId"], "etag": answer["ETag"].strip('"'), "checksum": checksum}

    return put


def current(stack: DeployedStack) -> dict[str, dict[str, int]]:
    """Return the snapshot of each table."""
    found: dict[str, dict[str, int]] = {"silver": {}, "gold": {}}
    for table in ROWS:
        layer, name = table.split(".")
        snapshot = stack.catalog.load_table(identifier_of(table)).current_snapshot()
        assert snapshot is not None
        found[layer][name] = snapshot.snapshot_id
    return found


def write(stack: DeployedStack, lake: EvidenceLake) -> None:
    """Put what a lake says into the stack."""
    s3 = stack.client("s3")
    objects = {**lake.reports, **{f"passports/{name}.json": body for name, body in lake.passports.items()}}
    objects["current.json"] = json.dumps(lake.cut).encode()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: s3.put_object(Bucket=LAKE, Key=each[0], Body=each[1]), objects.items()))
        list(pool.map(stack.put, [*lake.items.values(), *lake.layers.values()]))


@pytest.fixture(scope="module")
def lake(shared_stack: DeployedStack) -> EvidenceLake:
    """Three files, one of which is undone, in four runs; and the tables that they make."""
    for table, rows in ROWS.items():
        shared_stack.write(table, *rows)
    lake = EvidenceLake(BRONZE, put_in_bronze(shared_stack), current(shared_stack))
    first, *_ = [lake.publish(f"{name}.csv", amount) for name, amount in (("a", "1.25"), ("b", "2.50"), ("c", "4.00"))]
    lake.undo(first)
    write(shared_stack, lake)
    return lake


def file_of(lake: EvidenceLake) -> dict[str, Any]:
    return next(item for item in lake.items.values() if item["key"] == "transactions/b.csv")


@contextmanager
def changed_object(stack: DeployedStack, key: str, change: Callable[[bytes], bytes | None]) -> Iterator[None]:
    s3 = stack.client("s3")
    before = s3.get_object(Bucket=LAKE, Key=key)["Body"].read()
    after = change(before)
    if after is None:
        s3.delete_object(Bucket=LAKE, Key=key)
    else:
        s3.put_object(Bucket=LAKE, Key=key, Body=after)
    yield
    s3.put_object(Bucket=LAKE, Key=key, Body=before)


@contextmanager
def flipped_report(stack: DeployedStack, _: EvidenceLake) -> Iterator[str]:
    with changed_object(stack, SECOND_REPORT, lambda body: body.replace(b"2.50", b"2.51", 1)):
        yield f"{SECOND_REPORT}: it was altered or replaced"


@contextmanager
def dropped_report(stack: DeployedStack, _: EvidenceLake) -> Iterator[str]:
    with changed_object(stack, FIRST_REPORT, lambda _: None):
        yield "report of run 1: it is missing"


@contextmanager
def swapped_reports(stack: DeployedStack, lake: EvidenceLake) -> Iterator[str]:
    with (
        changed_object(stack, FIRST_REPORT, lambda _: lake.reports[SECOND_REPORT]),
        changed_object(stack, SECOND_REPORT, lambda _: lake.reports[FIRST_REPORT]),
    ):
        yield f"{FIRST_REPORT}: it holds the report of run 2: reports were swapped"


@contextmanager
def flipped_passport(stack: DeployedStack, lake: EvidenceLake) -> Iterator[str]:
    name = file_of(lake)["file_id"]
    with changed_object(stack, f"passports/{name}.json", lambda body: body.replace(b"2.50", b"2.51", 1)):
        yield f"passport {name} of transactions/b.csv: passport and ledger differ in kpis"


@contextmanager
def flipped_cut(stack: DeployedStack, _: EvidenceLake) -> Iterator[str]:
    with changed_object(stack, "current.json", lambda body: body.replace(b'"run_seq": 4', b'"run_seq": 3', 1)):
        yield "current.json: it does not name the runs and snapshots that are published"


@contextmanager
def edited_item(stack: DeployedStack, lake: EvidenceLake) -> Iterator[str]:
    item = file_of(lake)
    stack.put({**item, "kpis": {**item["kpis"], "row_count": 2}})
    yield f"ledger item {item['file_id']} of transactions/b.csv: it is not the item that was accepted"
    stack.put(item)


@contextmanager
def dropped_item(stack: DeployedStack, lake: EvidenceLake) -> Iterator[str]:
    item = file_of(lake)
    stack.client("dynamodb").delete_item(TableName=LEDGER, Key={"file_id": {"S": item["file_id"]}})
    yield f"ledger item {item['file_id']} of transactions/b.csv: silver run 2 took the file, and it is missing"
    stack.put(item)


@contextmanager
def edited_head(stack: DeployedStack, lake: EvidenceLake) -> Iterator[str]:
    stack.put({**lake.layers["gold"], "head": {"run_seq": 3, "sha256": "0" * 64}})
    yield "ledger item layer#gold: what is published is not the head of the chain"
    stack.put(lake.layers["gold"])


@contextmanager
def replaced_version(stack: DeployedStack, lake: EvidenceLake) -> Iterator[str]:
    """Another version takes the place of the one that the run took, under its very id."""
    item, s3 = file_of(lake), stack.client("s3")
    body = s3.get_object(Bucket=BRONZE, Key=item["key"], VersionId=item["version_id"])["Body"].read()
    s3.delete_object(Bucket=BRONZE, Key=item["key"], VersionId=item["version_id"])
    s3.put_object(Bucket=BRONZE, Key=item["key"], Body=body)
    yield f"Bronze transactions/b.csv version {item['version_id']}: it is gone"


@contextmanager
def more_money(stack: DeployedStack, _: EvidenceLake) -> Iterator[str]:
    stack.write("gold.fact_transactions", (4, Decimal("0.01")))
    yield "gold.fact_transactions: its total_amount is 6.51, the chain says 6.50"
    rewrite(stack, "gold.fact_transactions")


@contextmanager
def moved_money(stack: DeployedStack, _: EvidenceLake) -> Iterator[str]:
    stack.write("silver.transaction_effects", (2, Decimal("0.10")), (3, Decimal("-0.10")))
    yield "silver.transaction_effects: those of run 2 sum to 2.60, not 2.50"
    rewrite(stack, "silver.transaction_effects")


def rewrite(stack: DeployedStack, table: str) -> None:
    stack.drop(table)
    stack.write(table, *ROWS[table])


def verify(stack: DeployedStack, *words: str) -> tuple[int, dict[str, Any]]:
    result = stack.assay("verify", "--json", *words)
    return result.exit_code, conform("verify", result.stdout)


def test_verify_finds_nothing__nothing_was_changed(shared_stack: DeployedStack, lake: EvidenceLake) -> None:
    result = shared_stack.assay("verify")
    assert result.exit_code == 0, result.output
    heads = {layer: lake.layers[layer]["head"]["sha256"] for layer in ("silver", "gold")}
    assert result.stdout.splitlines() == [
        f"silver: 4 of the runs 1 to 4, head {heads['silver']}",
        f"gold: 4 of the runs 1 to 4, head {heads['gold']}",
        "8 run reports, 4 ledger items, 4 passports, 3 object versions",
        "Nothing was changed.",
    ]
    code, told = verify(shared_stack)
    assert (code, told["unchanged"], told["faults"]) == (0, True, [])
    assert told["chains"]["gold"] == {"runs": 4, "first": 1, "last": 4, "head": heads["gold"]}


@pytest.mark.parametrize(
    "change",
    [
        flipped_report,
        dropped_report,
        swapped_reports,
        flipped_passport,
        flipped_cut,
        edited_item,
        dropped_item,
        edited_head,
        more_money,
        moved_money,
        replaced_version,  # the last one: S3 gives no version its id again
    ],
    ids=lambda change: change.__name__,
)
def test_verify_and_the_script_of_a_pack_name_what_was_changed(
    change: Callable[..., Any], shared_stack: DeployedStack, lake: EvidenceLake, tmp_path: Path
) -> None:
    with change(shared_stack, lake) as expected:
        code, told = verify(shared_stack)
        folder = tmp_path / "june"
        packing = shared_stack.assay("evidence", "2026-06", "-o", str(folder), "--json")
    assert (code, told["unchanged"]) == (1, False)
    assert expected in [f"{fault['what']}: {fault['why']}" for fault in told["faults"]]
    assert (packing.exit_code, conform("evidence", packing.stdout)["faults"]) == (1, told["faults"])
    script = subprocess.run([sys.executable, "-I", folder / "verify.py"], capture_output=True, text=True, check=False)
    assert (script.returncode, script.stderr) == (1, "")
    assert f"FAULT {expected}" in script.stdout


@pytest.mark.slow
def test_verify_walks_a_thousand_runs_in_ten_seconds(server_process: str, tmp_path: Path) -> None:
    with account(server_process, tmp_path) as stack:
        deploy(stack)
        stack.write("silver.transactions", *((number, Decimal("1.00")) for number in range(1_000)))
        stack.write("silver.transaction_effects", *((number, Decimal("1.00")) for number in range(1, 1_001)))
        stack.write("gold.fact_transactions", *((number, Decimal("1.00")) for number in range(1_000)))
        lake = EvidenceLake(BRONZE, put_in_bronze(stack), current(stack))
        for number in range(1_000):
            lake.publish(f"{number}.csv")
        write(stack, lake)
        began, worked = time.monotonic(), time.process_time()
        code, told = verify(stack)
        took, worked = time.monotonic() - began, time.process_time() - worked
    print(f"1,000 runs of each layer: {took:.1f} s, of which it worked for {worked:.1f} s")
    assert (code, told["counts"]["run reports"]) == (0, 2_000)
    assert worked < 10, "what else the machine does counts for nothing"
