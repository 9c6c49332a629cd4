"""The chain of evidence of a layer, walked from its head to its first run, and what is wrong with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from contract.evidence import sha256, signed_text

from assay.evidence.signature import is_signed

Facts = Mapping[str, Any]


class Fault(NamedTuple):
    """What is not as it was written down, and how that shows."""

    what: str
    why: str


@dataclass(frozen=True)
class Evidence:
    """What there is to check, as it was found.

    `layers` and `items` are of the ledger, `reports` by object key, `passports` by file id. `bronze` is what S3 says of
    object versions by file id, nothing of one that is gone. `tables` are rows
    and money of the state tables, and the effects by run; `cut` is the readers'. `keys`
    are public keys by ARN; heads are signed with `signing_key` if there is one. A pack is of one `month`.
    """

    layers: Mapping[str, Facts]
    items: Mapping[str, Facts]
    reports: Mapping[str, bytes]
    passports: Mapping[str, bytes]
    bronze: Mapping[str, Facts]
    tables: Facts
    cut: Facts
    keys: Mapping[str, bytes] = field(default_factory=dict)
    signing_key: str = ""
    month: str = ""

    def counts(self) -> dict[str, int]:
        """Return how much of each kind was found."""
        counts = {"run reports": self.reports, "ledger items": self.items, "passports": self.passports}
        return {name: len(found) for name, found in counts.items()} | {"object versions": len(self.bronze)}


@dataclass(frozen=True)
class Run:
    """A run of the chain."""

    number: int
    sha256: str
    report: Facts

    def effect(self) -> Decimal:
        return sum((Decimal(file["effect"]) for file in self.report["files"].values()), Decimal(0))


@dataclass(frozen=True)
class Chain:
    """The runs of a layer that are as they were written down, the oldest first, and what is wrong with the others."""

    layer: str
    runs: Sequence[Run]
    faults: Sequence[Fault]

    def as_json(self) -> dict[str, object]:
        """Return the first and the last run, and the head's hash."""
        if not self.runs:
            return {"runs": 0}
        first, last = self.runs[0], self.runs[-1]
        return {"runs": len(self.runs), "first": first.number, "last": last.number, "head": last.sha256}

    def __str__(self) -> str:
        if not self.runs:
            return f"{self.layer}: no run; the next one begins the chain"
        first, last = self.runs[0].number, self.runs[-1].number
        made, spanned = len(self.runs), last - first + 1
        told = f"{self.layer}: {made:,} of the runs {first} to {last}, head {self.runs[-1].sha256}"
        if made < spanned and not self.faults:
            told += f"; {spanned - made:,} were made by a version without a chain"
        return told + (f"; runs before {first} are older than the chain" if first > 1 and not self.faults else "")


class Reports:
    """The reports of a layer: by hash, and by the number of their run."""

    def __init__(self, layer: str, evidence: Evidence) -> None:
        self.bodies = {key: body for key, body in evidence.reports.items() if f"reports/{layer}/" in key}
        self.by_hash = {sha256(body): key for key, body in self.bodies.items()}
        self.by_number: dict[int, list[str]] = {}
        for key, body in self.bodies.items():
            if _is_link(body):
                self.by_number.setdefault(run_of_report(key), []).append(key)
        of_layer = [item[layer] for item in evidence.items.values() if "report_sha256" in item.get(layer, {})]
        self.told = {part["run_seq"]: part["report_sha256"] for part in of_layer}

    def faults(self, number: int, expected: str) -> Iterator[Fault]:
        """Say why the report of a run is not where it should be, or not what it was."""
        here = self.by_number.get(number, [])
        if expected not in self.by_hash:
            name = here[0] if here else f"report of run {number}"
            yield Fault(name, "it was altered or replaced" if here else "it is missing")
        elif run_of_report(self.by_hash[expected]) != number:
            yield Fault(self.by_hash[expected], f"it holds the report of run {number}: reports were swapped")

    def before(self, number: int) -> Facts | None:
        """Return where the walk goes on below a run whose report is lost: by what the ledger or a report says."""
        for earlier in range(number - 1, min(self.by_number, default=number) - 1, -1):
            if earlier in self.told:
                return {"run_seq": earlier, "sha256": self.told[earlier]}
            for key in self.by_number.get(earlier, []):
                return {"run_seq": earlier, "sha256": sha256(self.bodies[key])}
        return None


def run_of_report(key: str) -> int:
    """Return the number of the run whose report a key names: `…/run_00000012_<token>.json`."""
    middle = key.rpartition("/")[2].split("_")[1:2]
    return int(middle[0]) if middle and middle[0].isdigit() else 0


def _is_link(body: bytes) -> bool:
    """Tell the report of a run in a chain from those of earlier versions."""
    return b'"taken"' in body


def walk(layer: str, evidence: Evidence) -> Chain:
    """Follow a layer's chain from its head to its first run."""
    reports, item = Reports(layer, evidence), evidence.layers.get(layer, {})
    name = f"ledger item layer#{layer}"
    if "head" not in item:
        is_cut_off = reports.by_number or reports.told
        return Chain(layer, [], [Fault(name, "it has lost the head of the chain")] if is_cut_off else [])
    runs: list[Run] = []
    faults = [Fault(name, why) for why in _faults_of_head(item)]
    heads, head = [], item["head"]
    while head is not None:
        number, expected = head["run_seq"], head["sha256"]
        heads.append(head)
        faults += reports.faults(number, expected)
        if expected in reports.by_hash:
            report = json.loads(reports.bodies[reports.by_hash[expected]])
            runs.append(Run(number, expected, report))
            head = report.get("previous")
        else:
            head = reports.before(number)
    faults += _faults_of_signatures(layer, heads, evidence)
    return Chain(layer, runs[::-1], faults)


def _faults_of_head(item: Facts) -> Iterator[str]:
    """Compare the parts of a layer's item, unless a run is being published."""
    published, head = item.get("published", {}), item["head"]
    if "intent" in item:
        return
    if published.get("run_seq") != item["run_seq"]:
        yield f"run {item['run_seq']} is the last one, but {published.get('run_seq')} is published"
    elif "report_sha256" in published and (published["run_seq"], published["report_sha256"]) != (
        head["run_seq"],
        head["sha256"],
    ):
        yield "what is published is not the head of the chain"


def _faults_of_signatures(layer: str, heads: Sequence[Facts], evidence: Evidence) -> Iterator[Fault]:
    """Check who signed the heads, the newest first: the stack's key the last, others as the chain names them."""
    signed = [head for head in heads if "signature" in head]
    if evidence.signing_key and (not signed or heads[0] is not signed[0]):
        yield Fault(f"ledger item layer#{layer}", "its head is not signed")
    for head in signed:
        key, value = head["signature"]["key"], base64.b64decode(head["signature"]["value"])
        name = f"signature of {layer} run {head['run_seq']}"
        if head is heads[0] and evidence.signing_key and key != evidence.signing_key:
            yield Fault(name, f"it is of the key {key}, not of the stack's")
        elif key in evidence.keys and not is_signed(
            signed_text(layer, head["run_seq"], head["sha256"]), value, evidence.keys[key]
        ):
            yield Fault(name, "it does not fit")
