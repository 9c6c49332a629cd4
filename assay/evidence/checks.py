"""Holds ledger, passports, Bronze and tables to the chains of evidence of both layers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from contract.evidence import item_sha256, passport_of

from assay.evidence.chain import Chain, Evidence, Facts, Fault, Run, walk

LAYERS = ("silver", "gold")
ENDED = ("published", "rejected")
COUNTED = ("outcomes", "amounts", "missing", "moved", "settled")
STATES = {"silver": "silver.transactions", "gold": "gold.fact_transactions"}
LAGGING = {"decisions", "in_effect", "rejection_mail", "repaired", "parked", "execution_arn", "resumes"}
"""What the ledger may say of a file that its passport, written at its end, does not say yet."""


def faults_of_totals(silver: Chain) -> Iterator[Fault]:
    """Hold the money of each run of Silver to the money of the run before it."""
    for before, run in pairwise(silver.runs):
        moved = Decimal(run.report["totals"]["total_amount"]) - Decimal(before.report["totals"]["total_amount"])
        if run.number == before.number + 1 and run.report["files"] and moved != run.effect():
            yield Fault(f"silver run {run.number}", f"its files moved {run.effect():,}, but the total {moved:,}")


def faults_between(silver: Chain, gold: Chain) -> Iterator[Fault]:
    """Hold each run of Gold to the run of Silver that it shows."""
    runs = {run.number: run for run in silver.runs}
    for run in gold.runs:
        totals = run.report["totals"]
        shown = runs.get(totals["silver_run_seq"])
        name = f"gold run {run.number}"
        if shown is None:
            continue
        if totals.get("silver_report_sha256", shown.sha256) != shown.sha256:
            yield Fault(name, f"it shows another report of Silver's run {shown.number} than the chain has")
        for figure in ("row_count", "total_amount"):
            if totals[figure] != shown.report["totals"][figure]:
                yield Fault(name, f"its {figure} is {totals[figure]}, Silver's {shown.report['totals'][figure]}")


def faults_of_files(chain: Chain, evidence: Evidence) -> Iterator[Fault]:
    """Hold the ledger's items to the runs that took their files."""
    layer, runs = chain.layer, {run.number: run for run in chain.runs}
    unfinished = evidence.layers.get(layer, {}).get("intent", {}).get("run_seq")
    for run in chain.runs:
        for file_id, taken in run.report["taken"].items():
            if run.number == unfinished or not taken["came_at"].startswith(evidence.month):
                continue
            item = evidence.items.get(file_id, {})
            if item.get(layer, {}).get("run_seq") != run.number:
                lost = "it does not say so" if item else "it is missing"
                yield Fault(_item_name(file_id, taken), f"{layer} run {run.number} took the file, and {lost}")
            elif item_sha256(item) != taken["item_sha256"]:
                yield Fault(_item_name(file_id, taken), "it is not the item that was accepted")
    for file_id, item in evidence.items.items():
        told_by = runs.get(item.get(layer, {}).get("run_seq", 0))
        for why in _faults_of_part(layer, file_id, item[layer], told_by) if told_by else ():
            yield Fault(_item_name(file_id, item), why)


def _faults_of_part(layer: str, file_id: str, part: Facts, run: Run) -> Iterator[str]:
    """Compare what an item says of a run with the run's report."""
    late = layer == "gold" and part["snapshots"] == {}  # an earlier run had published the file's rows
    if part.get("report_sha256") != run.sha256:
        yield f"it does not hold the hash of {layer} run {run.number}"
    elif file_id not in run.report["taken"]:
        if not late:
            yield f"{layer} run {run.number} did not take it"
    elif layer == "gold":
        if part.get("changes") != run.report.get("changes"):
            yield f"it does not say what Gold's run {run.number} changed"
    else:
        said = run.report["files"][file_id]
        expected = {"effect_amount": said["effect"], **{name: said[name] for name in COUNTED if name in said}}
        differs = [name for name in ("effect_amount", *COUNTED) if part.get(name) != expected.get(name)]
        if differs:
            yield f"its {', '.join(differs)} differ from the report of Silver's run {run.number}"


def faults_of_decisions(silver: Chain, evidence: Evidence) -> Iterator[Fault]:
    """Hold the decisions on files, and whether they are in effect, to the runs that carried them out."""
    numbers = {run.number for run in silver.runs}
    unfinished = evidence.layers.get("silver", {}).get("intent", {}).get("run_seq")
    made: dict[str, dict[str, Facts]] = {}
    for run in silver.runs:
        for action_id, said in run.report["files"].items():
            if "decides" in said and run.number != unfinished:
                decides = {name: value for name, value in said["decides"].items() if name not in ("file_id", "number")}
                made.setdefault(said["decides"]["file_id"], {})[action_id] = {**decides, "run_seq": run.number}
    for file_id, item in evidence.items.items():
        if item["kind"] != "file" or "silver" not in item:
            continue
        decisions = item.get("decisions", [])
        known = {said["action"]: said for said in decisions if said["run_seq"] in numbers}
        if {action: {**said, "action": action} for action, said in made.get(file_id, {}).items()} != known:
            yield Fault(_item_name(file_id, item), "its decisions are not those that Silver carried out")
        if item["in_effect"] is not (decisions[-1]["in_effect"] if decisions else True):
            yield Fault(_item_name(file_id, item), "whether it is in effect is not what was decided last")


def faults_of_repairs(silver: Chain, evidence: Evidence) -> Iterator[Fault]:
    """Hold what became of files' quarantined rows to the last run that took a repair or a waiver of them."""
    unfinished = evidence.layers.get("silver", {}).get("intent", {}).get("run_seq")
    told: dict[str, Facts] = {}
    for run in silver.runs:
        for said in run.report["files"].values() if run.number != unfinished else ():
            told |= said.get("repairs", {})
    for file_id, item in evidence.items.items():
        if file_id in told and item.get("repaired") != told[file_id]:
            yield Fault(_item_name(file_id, item), "which of its rows are repaired is not what Silver reported")


def faults_of_passports(evidence: Evidence) -> Iterator[Fault]:
    """Hold the passports of files that have ended to their items."""
    unfinished = {layer: item["intent"]["run_seq"] for layer, item in evidence.layers.items() if "intent" in item}
    for file_id, item in evidence.items.items():
        if any(item.get(layer, {}).get("run_seq") == number for layer, number in unfinished.items()):
            continue
        if "silver" in item and item["status"] != ("published" if "gold" in item else "in_silver"):
            yield Fault(_item_name(file_id, item), f"its status is {item['status']}, which the runs do not say")
        if item["status"] not in ENDED:
            continue
        body = evidence.passports.get(file_id)
        name = f"passport {file_id} of {item['key']}"
        said = _read(body) if body is not None else None
        if said is None:
            yield Fault(name, "it is missing" if body is None else "it was altered")
        else:
            differs = sorted(n for n in {*item, *said} - LAGGING if item.get(n) != said.get(n))
            decided = said.get("decisions", [])
            if decided != item.get("decisions", [])[: len(decided)]:
                differs.append("decisions")
            if said["in_effect"] is not (decided[-1]["in_effect"] if decided else item["status"] == "published"):
                differs.append("in_effect")
            if differs:
                yield Fault(name, f"passport and ledger differ in {', '.join(differs)}")


def _read(passport: bytes) -> Facts | None:
    """Return what a passport says, nothing if a byte of it is not as the pipeline writes it."""
    try:
        said: Facts = json.loads(passport)
    except ValueError:
        return None
    rejected = json.dumps(said, sort_keys=True, indent=2, ensure_ascii=False).encode()  # as the KPI function writes it
    return said if passport in (passport_of(said), rejected) else None


def faults_of_bronze(silver: Chain, evidence: Evidence) -> Iterator[Fault]:
    """Hold what S3 says of object versions to what the runs took."""
    taken = {file_id: said for run in silver.runs for file_id, said in run.report["taken"].items()}
    for file_id, item in evidence.items.items():
        if item["kind"] != "file" or "silver" not in item:
            continue
        expected, found = taken.get(file_id, item), evidence.bronze.get(file_id)
        name = f"Bronze {expected['key']} version {expected['version_id']}"
        if not found:
            yield Fault(name, "it is gone")
            continue
        differs = [part for part in ("etag", "size") if part in expected and found[part] != expected[part]]
        checksum, known = expected.get("checksum"), found.get("checksums")
        if checksum and known is not None and known.get(checksum["algorithm"]) != checksum["value"]:
            differs.append(checksum["algorithm"])
        if differs:
            yield Fault(name, f"its {', '.join(differs)} is not what the run took")


def faults_of_tables(silver: Chain, gold: Chain, evidence: Evidence) -> Iterator[Fault]:
    """Hold the tables, the readers' cut, and what the ledger says of both, to the chains; not while a run publishes."""
    published = evidence.layers.get("gold", {}).get("published")
    if published and "intent" not in evidence.layers["gold"]:
        named = {"silver": published.get("silver_snapshots"), "gold": published["snapshots"]}
        runs = {"silver_run_seq": published.get("silver_run_seq"), "run_seq": published["run_seq"]}
        if any(evidence.cut.get(name) != said for name, said in {**runs, "snapshots": named}.items()):
            yield Fault("current.json", "it does not name the runs and snapshots that are published")
    for chain in (silver, gold):
        item = evidence.layers.get(chain.layer, {})
        run = next((run for run in chain.runs if run.number == item.get("published", {}).get("run_seq")), None)
        if run is not None and "intent" not in item:
            yield from _faults_of_layer(run, item["published"], evidence)


def _faults_of_layer(run: Run, published: Facts, evidence: Evidence) -> Iterator[Fault]:
    """Hold what the ledger and the tables say of a layer to its last run."""
    layer, totals = run.report["layer"], run.report["totals"]
    if differs := sorted(name for name in totals if published.get(name) != totals[name]):
        yield Fault(f"ledger item layer#{layer}", f"its {', '.join(differs)} is not what the last run reported")
    for figure, found in evidence.tables.get(layer, {}).items():
        if found != totals[figure]:
            yield Fault(STATES[layer], f"its {figure} is {found}, the chain says {totals[figure]}")


def faults_of_effects(silver: Chain, evidence: Evidence) -> Iterator[Fault]:
    """Hold the effects in the table to the runs; those up to a rebuild, or the chain's first run, only to their sum."""
    table = "silver.transaction_effects"
    effects = {int(number): Decimal(amount) for number, amount in evidence.tables.get("effects", {}).items()}
    unfinished = evidence.layers.get("silver", {}).get("intent", {}).get("run_seq")
    runs = [run for run in silver.runs if run.number != unfinished]
    rebuilt = max((place for place, run in enumerate(runs) if not run.report["files"]), default=0)
    for run in runs[rebuilt : rebuilt + 1]:
        summed = sum((amount for number, amount in effects.items() if number <= run.number), Decimal(0))
        total = Decimal(run.report["totals"]["total_amount"])
        if summed != total:
            yield Fault(table, f"up to run {run.number} they sum to {summed:,}, not {total:,}")
    for run in runs[rebuilt + 1 :]:
        found = effects.get(run.number, Decimal(0))
        if found != run.effect():
            yield Fault(table, f"those of run {run.number} sum to {found:,}, not {run.effect():,}")


def _item_name(file_id: str, said: Facts) -> str:
    return f"ledger item {file_id} of {said['key']}"


def check(evidence: Evidence) -> tuple[list[Chain], list[Fault]]:
    """Return the chains of both layers, and all that is wrong."""
    silver, gold = chains = [walk(layer, evidence) for layer in LAYERS]
    faults = [*silver.faults, *gold.faults, *faults_of_totals(silver), *faults_between(silver, gold)]
    faults += [*faults_of_files(silver, evidence), *faults_of_files(gold, evidence)]
    faults += [*faults_of_decisions(silver, evidence), *faults_of_repairs(silver, evidence)]
    faults += faults_of_passports(evidence)
    faults += [*faults_of_bronze(silver, evidence), *faults_of_tables(silver, gold, evidence)]
    faults += faults_of_effects(silver, evidence)
    return chains, faults
