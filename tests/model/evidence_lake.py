"""A stack's evidence, made run by run with the jobs' own code for reports and heads; files have one row each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from contract.evidence import sha256
from contract.items import FileItem
from contract.runs import GoldReport, LayerItem, LayerTotals, SilverReport
from contract.vocabulary import OUTCOMES

from assay.evidence.chain import Evidence
from assay.ledger import file_id
from assay.undo.actions import action_id
from glue.lake.evidence import chained, head_of

Item = dict[str, Any]
SNAPSHOTS = {"silver": {"transactions": 11, "transaction_effects": 12}, "gold": {"fact_transactions": 21}}
NO_CHANGES = {"facts": {}, "members": {}, "days": 0, "groups": {}, "largest": []}


def keep(key: str, body: bytes) -> Item:
    """Stand for S3: return what it says of an object that was put."""
    checksum = {"algorithm": "SHA256", "value": sha256(body)}
    return {"version_id": f"v-{key}", "etag": hashlib.md5(body).hexdigest(), "checksum": checksum}  # noqa: S324


@dataclass
class EvidenceLake:
    """What the ledger, the lake and Bronze hold."""

    bucket: str = "bronze"
    put: Callable[[str, bytes], Item] = keep
    snapshots: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: SNAPSHOTS)
    signing_key: str = "none"
    layers: dict[str, Item] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    reports: dict[str, bytes] = field(default_factory=dict)
    rows: int = 0
    amount: Decimal = Decimal("0.00")
    effects: dict[int, Decimal] = field(default_factory=dict)

    def publish(self, name: str, amount: str = "1.00", *, month: str = "2026-06", repairs: str = "") -> str:
        """Take a file through a run of each layer; return its id. It may repair the row of another file."""
        key, body = f"transactions/{name}", f"dms_id,amount,date\n{len(self.items)},{amount},2026-06-01\n".encode()
        identity = self.put(key, body)
        item = {
            "file_id": file_id(self.bucket, key, identity["version_id"]),
            "kind": "file",
            "subject": "transactions",
            "bucket": self.bucket,
            "key": key,
            **identity,
            "sequencer": "00",
            "size": len(body),
            "last_modified_at": f"{month}-02T03:04:05.000000Z",
            "in_effect": True,
            "kpis": {"row_count": 1, "total_amount": amount},
            "warnings": [],
        }
        said: Item = {"outcomes": dict.fromkeys(OUTCOMES, 0) | {"inserted": 1}}
        said |= {"amounts": {"inserted": amount}, "effect": amount}
        if repairs:
            item["repairs"] = repairs
            said["repairs"] = {repairs: {"by": [item["file_id"]], "repaired": 1, "waived": 0}}
            self.items[repairs]["repaired"] = said["repairs"][repairs]
        self._run(item, said, rows=1)
        return str(item["file_id"])

    def undo(self, undone_id: str, *, month: str = "2026-06") -> str:
        """Take the decision to undo a file through a run of each layer; return the action's id."""
        file = self.items[undone_id]
        effect = f"-{file['silver']['effect_amount']}"
        decided = {"in_effect": False, "who": "o", "at": f"{month}-03T00:00:00.000000Z", "reason": "wrong"}
        action = {name: file[name] for name in ("bucket", "key", "version_id", "sequencer", "etag", "size")}
        action |= {"file_id": action_id(undone_id, 0), "kind": "action", "subject": "undo", "in_effect": True}
        action |= {"last_modified_at": file["last_modified_at"]}
        action["decides"] = {"file_id": undone_id, "number": 0, **decided}
        settled = {"inserted": 0, "updated": 0, "deleted": 1, "unchanged": 0}
        said = {"outcomes": dict.fromkeys(OUTCOMES, 0), "amounts": {}, "effect": effect, "settled": settled}
        self._run(action, said | {"decides": action["decides"]}, rows=-1)
        file["in_effect"] = False
        file["decisions"] = [{"action": action["file_id"], **decided, "run_seq": self.run_seq}]
        return str(action["file_id"])

    @property
    def run_seq(self) -> int:
        return int(self.layers.get("silver", {}).get("run_seq", 0))

    def _run(self, item: Item, said: Item, *, rows: int) -> None:
        self.rows, self.amount = self.rows + rows, self.amount + Decimal(said["effect"])
        self.effects[self.run_seq + 1] = Decimal(said["effect"])
        totals: Item = {"row_count": self.rows, "total_amount": f"{self.amount:.2f}"}
        of_run = self._report("silver", item, {"files": {item["file_id"]: said}, "totals": totals})
        counted = {name: value for name, value in said.items() if name not in ("effect", "decides", "repairs")}
        item["silver"] = {**of_run, "effect_amount": said["effect"], **counted}
        shown = {"silver_run_seq": of_run["run_seq"], "silver_report_sha256": of_run["report_sha256"]}
        totals = {**totals, **shown, "silver_snapshots": dict(self.snapshots["silver"])}
        files = [item["file_id"]]
        of_run = self._report("gold", item, {"files": files, "totals": totals, "changes": NO_CHANGES})
        item["gold"] = {**of_run, "changes": NO_CHANGES}
        item["status"], item["changes"] = "published", [{"status": "published", "at": item["last_modified_at"]}]
        self.items[item["file_id"]] = item

    def _report(self, layer: str, item: Item, report: Item) -> Item:
        before = self.layers.get(layer, {"file_id": f"layer#{layer}", "kind": "layer", "run_seq": 0})
        run_seq = before["run_seq"] + 1
        said = cast(SilverReport | GoldReport, report)
        body = chained(layer, run_seq, cast(LayerItem, before), [cast(FileItem, item)], said)  # type: ignore[arg-type]
        head = head_of(layer, run_seq, body, signing_key=self.signing_key)  # type: ignore[arg-type]
        self.reports[f"reports/{layer}/run_{run_seq:08d}_{run_seq:x}.json"] = body
        of_run: Item = {"run_seq": run_seq, "snapshots": dict(self.snapshots[layer]), "report_sha256": head["sha256"]}
        published = {**of_run, **cast(LayerTotals, report["totals"])}
        self.layers[layer] = {**before, "run_seq": run_seq, "head": head, "published": published}
        return of_run

    @property
    def cut(self) -> Item:
        """What `current.json` says."""
        runs = {"run_seq": self.layers["gold"]["run_seq"], "silver_run_seq": self.run_seq}
        return {**runs, "at": "2026-06-04T00:00:00.000000Z", "snapshots": self.snapshots}

    @property
    def passports(self) -> dict[str, bytes]:
        return {name: json.dumps(item, sort_keys=True, indent=1).encode() for name, item in self.items.items()}

    def evidence(self, **more: Any) -> Evidence:
        """Return it as `assay verify` collects it."""
        files = {name: item for name, item in self.items.items() if item["kind"] == "file"}
        totals = {"row_count": self.rows, "total_amount": f"{self.amount:.2f}"}
        found = {
            "layers": self.layers,
            "items": self.items,
            "reports": self.reports,
            "passports": self.passports,
            "bronze": {name: in_bronze(item) for name, item in files.items()},
            "tables": {"silver": totals, "gold": dict(totals), "effects": _texts(self.effects)},
            "cut": self.cut,
        }
        return Evidence(**json_round(found) | more)


def in_bronze(item: Item) -> Item:
    checksum = item["checksum"]
    return {"etag": item["etag"], "size": item["size"], "checksums": {checksum["algorithm"]: checksum["value"]}}


def _texts(effects: Mapping[int, Decimal]) -> dict[str, str]:
    return {str(number): f"{amount:.2f}" for number, amount in effects.items()}


def json_round(value: Any) -> Any:
    """Return a deep copy, so that a test may change a part of it."""
    if isinstance(value, Mapping):
        return {name: json_round(inner) for name, inner in value.items()}
    return [json_round(inner) for inner in value] if isinstance(value, list) else value
