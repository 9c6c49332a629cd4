"""Each kind of thing that can be changed is changed once: the checks find it, and so does the script of a pack."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evidence_lake import EvidenceLake, Item

from assay.errors import UserError
from assay.evidence import pack
from assay.evidence.chain import Evidence
from assay.evidence.checks import check

RUNS = 4


@pytest.fixture
def lake() -> EvidenceLake:
    """Three files, one of which is undone, in four runs."""
    lake = EvidenceLake()
    first, *_ = [lake.publish(f"{name}.csv", amount) for name, amount in (("a", "1.25"), ("b", "2.50"), ("c", "4.00"))]
    lake.undo(first)
    return lake


def report_key(layer: str, run: int) -> str:
    return f"reports/{layer}/run_{run:08d}_{run:x}.json"


def item_of(found: Any, key: str = "transactions/b.csv") -> Any:
    return next(item for item in found.items.values() if item["key"] == key and item["kind"] == "file")


def flip(text: bytes, old: bytes, new: bytes) -> bytes:
    assert text.count(old) >= 1
    return text.replace(old, new, 1)


def altered_report(found: Any) -> None:
    key = report_key("silver", 2)
    found.reports[key] = flip(found.reports[key], b'"2.50"', b'"2.51"')


def altered_blank(found: Any) -> None:
    key = report_key("gold", 1)
    found.reports[key] = flip(found.reports[key], b": ", b":  ")


def dropped_report(found: Any) -> None:
    del found.reports[report_key("silver", 2)]


def dropped_head_report(found: Any) -> None:
    del found.reports[report_key("gold", RUNS)]


def swapped_reports(found: Any) -> None:
    one, other = report_key("silver", 1), report_key("silver", 2)
    found.reports[one], found.reports[other] = found.reports[other], found.reports[one]


def chain_cut_off(found: Any) -> None:
    del found.layers["silver"]["head"]


def head_of_an_earlier_run(found: Any) -> None:
    previous = json.loads(found.reports[report_key("silver", RUNS)])["previous"]
    found.layers["silver"]["head"] = previous


def edited_total(found: Any) -> None:
    found.layers["silver"]["published"]["total_amount"] = "7.00"


def edited_run_number(found: Any) -> None:
    found.layers["gold"]["published"]["run_seq"] = RUNS - 1


def edited_kpis(found: Any) -> None:
    item_of(found)["kpis"]["total_amount"] = "2.51"
    rewritten_passport(found)


def edited_outcomes(found: Any) -> None:
    item_of(found)["silver"]["outcomes"]["inserted"] = 2
    rewritten_passport(found)


def edited_run(found: Any) -> None:
    item_of(found)["silver"]["run_seq"] = 1
    rewritten_passport(found)


def edited_gold_run(found: Any) -> None:
    item_of(found)["gold"]["report_sha256"] = "0" * 64
    rewritten_passport(found)


def edited_changes_of_gold(found: Any) -> None:
    item_of(found)["gold"]["changes"]["days"] = 3
    rewritten_passport(found)


def edited_status(found: Any) -> None:
    item_of(found)["status"] = "rejected"
    rewritten_passport(found)


def rewritten_passport(found: Any) -> None:
    """Whoever edits an item may write its passport anew."""
    item = item_of(found)
    found.passports[item["file_id"]] = json.dumps(item, sort_keys=True, indent=1).encode()


def edited_instant(found: Any) -> None:
    item_of(found)["changes"][0]["at"] = "2026-06-02T00:00:00.000000Z"


def dropped_item(found: Any) -> None:
    item = item_of(found)
    del found.items[item["file_id"]], found.passports[item["file_id"]], found.bronze[item["file_id"]]


def dropped_decision(found: Any) -> None:
    item_of(found, "transactions/a.csv")["decisions"] = []
    item_of(found, "transactions/a.csv")["in_effect"] = True


def edited_in_effect(found: Any) -> None:
    item_of(found, "transactions/a.csv")["in_effect"] = True


def altered_passport(found: Any) -> None:
    name = item_of(found)["file_id"]
    found.passports[name] = flip(found.passports[name], b'"2.50"', b'"2.51"')


def altered_blank_of_passport(found: Any) -> None:
    name = item_of(found)["file_id"]
    found.passports[name] += b"\n"


def dropped_passport(found: Any) -> None:
    del found.passports[item_of(found)["file_id"]]


def replaced_version(found: Any) -> None:
    del found.bronze[item_of(found)["file_id"]]


def other_bytes(found: Any) -> None:
    found.bronze[item_of(found)["file_id"]]["checksums"]["SHA256"] = "0" * 64


def other_etag(found: Any) -> None:
    found.bronze[item_of(found)["file_id"]]["etag"] = "0" * 32


def row_in_silver(found: Any) -> None:
    found.tables["silver"]["total_amount"] = "6.51"


def row_in_gold(found: Any) -> None:
    found.tables["gold"]["row_count"] = 3


def effect_of_an_old_run(found: Any) -> None:
    found.tables["effects"].update({"2": "2.60", "3": "3.90"})


def edited_cut(found: Any) -> None:
    found.cut["snapshots"]["silver"]["transactions"] = 10


def unreadable_cut(found: Any) -> None:
    found.cut.clear()


MUTATIONS: dict[Callable[[Any], None], str] = {
    altered_report: "reports/silver/run_00000002_2.json: it was altered or replaced",
    altered_blank: "reports/gold/run_00000001_1.json: it was altered or replaced",
    dropped_report: "report of run 2: it is missing",
    dropped_head_report: "report of run 4: it is missing",
    swapped_reports: "reports/silver/run_00000001_1.json: it holds the report of run 2: reports were swapped",
    chain_cut_off: "ledger item layer#silver: it has lost the head of the chain",
    head_of_an_earlier_run: "ledger item layer#silver: what is published is not the head of the chain",
    edited_total: "ledger item layer#silver: its total_amount is not what the last run reported",
    edited_run_number: "ledger item layer#gold: run 4 is the last one, but 3 is published",
    edited_kpis: "of transactions/b.csv: it is not the item that was accepted",
    edited_outcomes: "of transactions/b.csv: its outcomes differ from the report of Silver's run 2",
    edited_run: "of transactions/b.csv: silver run 2 took the file, and it does not say so",
    edited_gold_run: "of transactions/b.csv: it does not hold the hash of gold run 2",
    edited_changes_of_gold: "of transactions/b.csv: it does not say what Gold's run 2 changed",
    edited_status: "of transactions/b.csv: its status is rejected, which the runs do not say",
    edited_instant: "of transactions/b.csv: passport and ledger differ in changes",
    dropped_item: "of transactions/b.csv: silver run 2 took the file, and it is missing",
    dropped_decision: "of transactions/a.csv: its decisions are not those that Silver carried out",
    edited_in_effect: "of transactions/a.csv: whether it is in effect is not what was decided last",
    altered_passport: "of transactions/b.csv: passport and ledger differ in kpis",
    altered_blank_of_passport: "of transactions/b.csv: it was altered",
    dropped_passport: "of transactions/b.csv: it is missing",
    replaced_version: "Bronze transactions/b.csv version v-transactions/b.csv: it is gone",
    other_bytes: "Bronze transactions/b.csv version v-transactions/b.csv: its SHA256 is not what the run took",
    other_etag: "Bronze transactions/b.csv version v-transactions/b.csv: its etag is not what the run took",
    row_in_silver: "silver.transactions: its total_amount is 6.51, the chain says 6.50",
    row_in_gold: "gold.fact_transactions: its row_count is 3, the chain says 2",
    effect_of_an_old_run: "silver.transaction_effects: those of run 2 sum to 2.60, not 2.50",
    edited_cut: "current.json: it does not name the runs and snapshots that are published",
    unreadable_cut: "current.json: it does not name the runs and snapshots that are published",
}


def faults(found: Evidence) -> list[str]:
    return [f"{fault.what}: {fault.why}" for fault in check(found)[1]]


def run_script(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script of a pack with the standard library alone."""
    command = [sys.executable, "-I", "-S", str(folder / "verify.py")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_checks_find_nothing__nothing_was_changed(lake: EvidenceLake, tmp_path: Path) -> None:
    chains, found = check(lake.evidence())
    assert found == []
    heads = [lake.layers[layer]["head"]["sha256"] for layer in ("silver", "gold")]
    assert [str(chain) for chain in chains] == [
        f"{layer}: {RUNS} of the runs 1 to {RUNS}, head {head}"
        for layer, head in zip(("silver", "gold"), heads, strict=True)
    ]
    pack.write(pack.of_month(lake.evidence(), "2026-06"), tmp_path / "june", "assay-test")
    done = run_script(tmp_path / "june")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [*map(str, chains), "Nothing was changed."]


@pytest.mark.parametrize("change", MUTATIONS, ids=lambda change: change.__name__)
def test_checks_name_what_was_changed(change: Callable[[Any], None], lake: EvidenceLake, tmp_path: Path) -> None:
    found = lake.evidence()
    change(found)
    told = faults(found)
    assert [each for each in told if MUTATIONS[change] in each], told
    pack.write(pack.of_month(found, "2026-06"), tmp_path / "june", "assay-test")
    done = run_script(tmp_path / "june")
    assert (done.returncode, done.stderr) == (1, "")
    assert MUTATIONS[change] in done.stdout


def test_checks_go_on_below_a_lost_report__two_are_altered(lake: EvidenceLake) -> None:
    found: Any = lake.evidence()
    dropped_head_report(found)
    del found.reports[report_key("gold", 3)]
    found.reports[report_key("gold", 1)] += b" "
    assert [each for each in faults(found) if "report" in each] == [
        "report of run 4: it is missing",
        "report of run 3: it is missing",
        "reports/gold/run_00000001_1.json: it was altered or replaced",
    ]


def test_pack_names_its_files_that_were_changed(lake: EvidenceLake, tmp_path: Path) -> None:
    folder = tmp_path / "june"
    pack.write(pack.of_month(lake.evidence(), "2026-06"), folder, "assay-test")
    (folder / "contract" / "rules.py").unlink()
    (folder / "README.txt").write_text("nothing")
    done = run_script(folder)
    assert done.returncode == 1
    assert "FAULT contract/rules.py: it is missing from the pack" in done.stdout
    assert "FAULT README.txt: it is not what was packed" in done.stdout


def test_pack_holds_the_files_of_its_month_and_all_reports(tmp_path: Path) -> None:
    lake = EvidenceLake()
    may, june = lake.publish("may.csv", month="2026-05"), lake.publish("june.csv")
    undone = lake.undo(may)
    packed = pack.of_month(lake.evidence(), "2026-06")
    assert set(packed.items) == {june, undone}, "what was decided in June, too"
    assert (set(packed.bronze), len(packed.reports)) == ({june}, 6)
    pack.write(packed, tmp_path / "june", "assay-test")
    assert run_script(tmp_path / "june").returncode == 0
    with pytest.raises(UserError, match="is not empty"):
        pack.write(packed, tmp_path / "june", "assay-test")


def test_checks_name_what_was_changed_about_repairs(lake: EvidenceLake) -> None:
    original = next(item["file_id"] for item in lake.items.values() if item["key"] == "transactions/b.csv")
    lake.publish("repair.csv", repairs=original)
    assert faults(lake.evidence()) == []
    found: Any = lake.evidence()
    item_of(found)["repaired"]["waived"] = 1
    item_of(found, "transactions/repair.csv")["repairs"] = "0" * 64
    told = "\n".join(faults(found))
    assert "of transactions/b.csv: which of its rows are repaired is not what Silver reported" in told
    assert "of transactions/repair.csv: it is not the item that was accepted" in told


def test_checks_pass_over_what_comes_after_the_passport__parked_and_resumed(lake: EvidenceLake) -> None:
    found = lake.evidence()
    later = {"parked": "arn:one", "execution_arn": "arn:two", "resumes": 1}
    item_of(found, "transactions/a.csv").update(later)
    assert faults(found) == []


@pytest.mark.parametrize("layer", ["silver", "gold"])
def test_checks_pass_over_a_run_that_is_being_published(layer: str, lake: EvidenceLake) -> None:
    before = lake.evidence()
    lake.publish("d.csv")
    found: Any = lake.evidence()
    found.layers[layer]["intent"] = {"run_seq": RUNS + 1}
    for name in {"silver": ("silver", "gold"), "gold": ("gold",)}[layer]:
        del item_of(found, "transactions/d.csv")[name]
    item_of(found, "transactions/d.csv")["status"] = {"silver": "accepted", "gold": "in_silver"}[layer]
    found.layers[layer]["published"] = before.layers[layer]["published"]
    if layer == "silver":
        found.layers["gold"] = before.layers["gold"]
        found = Evidence(**{**vars(found), "cut": before.cut, "tables": before.tables})
    assert faults(found) == []


def test_chain_says_which_runs_are_older__the_lake_was_there_before(lake: EvidenceLake) -> None:
    old = EvidenceLake()
    old.layers = {name: {"run_seq": 41, "published": {"run_seq": 41}} for name in ("silver", "gold")}
    old.publish("a.csv")
    old.effects |= {40: old.effects[42], 42: old.amount}
    old.effects[40] -= old.amount
    chains, found = check(old.evidence())
    assert found == []
    assert str(chains[0]).endswith("; runs before 42 are older than the chain")
    assert str(check(Evidence({}, {}, {}, {}, {}, {}, {}))[0][0]) == "silver: no run; the next one begins the chain"


def test_checks_hold_effects_to_their_sum__up_to_a_rebuild(lake: EvidenceLake) -> None:
    item: Item = {"key": "x", "last_modified_at": "2026-06"}
    totals = {"row_count": lake.rows, "total_amount": f"{lake.amount:.2f}"}
    lake._report("silver", {**item, "file_id": "x"}, {"files": {}, "totals": totals})
    lake.effects = {4: lake.amount}
    found: Any = lake.evidence()
    for key in (report_key("silver", 5),):
        assert b'"files": {}' in found.reports[key]
    assert [each for each in faults(found) if "effects" in each] == []
    found.tables["effects"]["4"] = "6.51"
    assert "silver.transaction_effects: up to run 5 they sum to 6.51, not 6.50" in faults(found)
