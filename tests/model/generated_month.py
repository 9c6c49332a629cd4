"""A month of generated ledger items, as many files as asked for, whose rows and cents add up; and what a lake holds."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from contract.runs import Cut

from assay.ledger import OUTCOMES
from assay.report import items
from assay.report.period import of_month
from assay.report.summary import Broken, Example, Expected, GoldCell, Lake, RowMoved, Summary

MONTH = "2026-06"
RULES = ("amount_unreadable", "date_in_future", "too_few_fields", "dms_id_missing")
CHANNELS = ("swipe", "chip", "online")
FOLDERS = ("london", "paris", "zurich")
Item = dict[str, Any]


@dataclass
class Month:
    """Items as the ledger gives them, and the figures that the tables would hold."""

    items: list[Item] = field(default_factory=list)
    cells: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    quarantined: dict[str, tuple[int, int]] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    effects: dict[str, int] = field(default_factory=lambda: {"inserted": 0, "deleted": 0})
    cents: int = 0
    rows: int = 0
    runs: int = 1

    @property
    def cut(self) -> Cut:
        snapshots = {"silver": {"transactions": 11, "quarantine": 12}, "gold": {"fact_transactions": 21}}
        at = "2026-07-01T00:10:00.000000Z"
        return {"run_seq": self.runs, "silver_run_seq": self.runs, "at": at, "snapshots": snapshots}

    @property
    def lake(self) -> Lake:
        cells = [GoldCell(day, name, rows, money(cents)) for (day, name), (rows, cents) in sorted(self.cells.items())]
        first, last = date(2026, 6, 1), date(2026, 6, 30)
        moved = RowMoved(1, "file", self.items[0]["file_id"], 7, 4711, Decimal("900.00"))
        return Lake(
            rows=self.rows,
            amount=money(self.cents),
            first_on=first,
            last_on=last,
            cells=cells,
            effects={name: money(cents) for name, cents in self.effects.items()},
            quarantined=self.quarantined,
            broken=self.broken,
            examples=self.examples,
            rows_moved=[moved],
        )

    def summary(self, **more: Any) -> Summary:
        """Return the summary of the month, made of its items as the ledger's are."""
        period = of_month(MONTH)
        folded = items.fold(self.items, period, self.cut)
        given: dict[str, Any] = {
            "stack": "local cloud at http://127.0.0.1:4566, stack assay-local",
            "made_at": "2026-07-01T08:00:00.000000Z",
            "version": "0.1.0",
            "period": period,
            "cut": self.cut,
            "lake": self.lake,
            "files": folded.files,
            "actions": folded.actions,
            "groups_moved": folded.groups_moved,
            "expected": EXPECTED,
        }
        return Summary(**given | more)


EXPECTED = (
    Expected("transactions/london/day_2026-06-17.csv", "2026-06-18T06:30:00.000000Z", "late", ""),
    Expected(
        "transactions/london/day_2026-06-18.csv",
        "2026-06-19T06:30:00.000000Z",
        "came",
        "2026-06-19T05:59:12.000000Z",
    ),
)


def money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def month(files: int, *, runs: int = 10, seed: int = 0) -> Month:
    """Generate a month: one file in 50 is rejected, one in 40 has broken rows, one is undone, one still waits."""
    draw, made = random.Random(seed), Month(runs=runs)
    for number in range(files):
        at = datetime(2026, 6, 1) + timedelta(days=30) * number / files
        item = _item(draw, at, number, run=1 + number * runs // files)
        if number % 50 == 17:
            _reject(item)
        elif number == files - 1 and files > 2:
            item["status"] = "accepted"
        else:
            _publish(draw, made, item, number)
        made.items.append(item)
    if files > 2:
        _undo(made, made.items[1], runs)
    return made


def _item(draw: random.Random, at: datetime, number: int, *, run: int) -> Item:
    key = f"transactions/{FOLDERS[number % 3]}/{at:%Y-%m-%d}/day_{at:%Y-%m-%d}_{number:05}.csv"
    version, rows = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest(), draw.randint(400, 2_000)
    file_id = hashlib.sha256(f"bronze\0{key}\0{version}".encode()).hexdigest()
    cents, stamp = draw.randint(1_000_00, 90_000_00), f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
    return {
        "file_id": file_id,
        "kind": "file",
        "subject": "transactions",
        "bucket": "assay-bronze",
        "key": key,
        "version_id": version,
        "sequencer": f"{number:032}",
        "etag": version,
        "size": rows * 91,
        "last_modified_at": stamp,
        "checksum": {"algorithm": "SHA256", "value": "3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        "status": "published",
        "in_effect": True,
        "kpis": {
            "row_count": rows,
            "total_amount": str(money(cents)),
            "first_at": f"{at:%Y-%m-%dT00:00:00.000000Z}",
            "last_at": f"{at:%Y-%m-%dT23:59:59.000000Z}",
            "broken_rules": {},
        },
        "control": {"source": "metadata", "row_count": rows, "total_amount": str(money(cents)), "proven": True},
        "warnings": [],
        "execution_arn": f"arn:aws:states:eu-central-1:123456789012:execution:assay-local-workflow:{file_id[:40]}",
        "changes": [{"status": status, "at": stamp} for status in ("received", "accepted", "in_silver", "published")],
        "run": run,
    }


def _reject(item: Item) -> None:
    text = "the control total is 51,234.10, the file has 51,234.11"
    item |= {"status": "rejected", "in_effect": False, "reasons": [{"code": "total_amount_mismatch", "text": text}]}
    item["changes"] = item["changes"][:2]


def _publish(draw: random.Random, made: Month, item: Item, number: int) -> None:
    rows, cents = item["kpis"]["row_count"], int(Decimal(item["kpis"]["total_amount"]).scaleb(2))
    counts, amounts = dict.fromkeys(OUTCOMES, 0), dict[str, int]()
    counts["quarantined"] = draw.randint(1, 30) if number % 40 == 5 else 0
    counts["updated"], counts["unchanged"], counts["deleted"] = (draw.randint(0, 30) for _ in range(3))
    counts["inserted"] = rows - sum(counts.values())
    for name in ("quarantined", "updated", "unchanged", "deleted"):
        amounts[name] = counts[name] * 45_00 if counts[name] else 0
    amounts["inserted"] = cents - sum(amounts.values())
    effect = amounts["inserted"] - amounts["deleted"]
    told: Mapping[str, str] = {name: str(money(amounts[name])) for name in amounts if counts[name]}
    run = item["run"]
    item["silver"] = {"run_seq": run, "outcomes": counts, "amounts": told, "effect_amount": str(money(effect))}
    day = item["last_modified_at"][:10]
    item["gold"] = {"run_seq": run, "changes": {"largest": _largest(run, day)}}
    made.cents += effect
    made.effects["inserted"] += amounts["inserted"]
    made.effects["deleted"] -= amounts["deleted"]
    made.rows += counts["inserted"] - counts["deleted"]
    channel = CHANNELS[number % 3]
    had_rows, had = made.cells.get((day, channel), (0, 0))
    made.cells[day, channel] = had_rows + counts["inserted"] - counts["deleted"], had + effect
    if counts["quarantined"]:
        _quarantine(made, item, counts["quarantined"], RULES[number // 40 % len(RULES)])


def _largest(run: int, day: str) -> list[Mapping[str, str]]:
    return [{"group": f"{day} chip", "before": "100.00", "after": f"{1_000 + run}.50"}]


def _quarantine(made: Month, item: Item, rows: int, rule: str) -> None:
    item["kpis"]["broken_rules"] = {rule: rows}
    item["repaired"] = {"by": ["b" * 64], "repaired": rows // 4, "waived": 0}
    made.quarantined[item["file_id"]] = (rows, rows // 4)
    made.broken.append(Broken(item["file_id"], rule, rows, rows // 4))
    if len(made.examples) < 8:
        raw = '90210,$12.3.4,2026-06-31,"Swipe Transaction",4521,,Boston'
        made.examples.append(Example(item["file_id"], 12, 14, [rule], raw, False))


def _undo(made: Month, item: Item, run: int) -> None:
    """Take a file back: an action whose effect is the reverse of the file's."""
    decision = {"in_effect": False, "who": "ann@example.org", "at": "2026-06-20T09:00:00.000000Z", "reason": "x 10"}
    item["decisions"] = [{"action": "a" * 64, "run_seq": run, **decision}]
    item["in_effect"] = False
    effect = -Decimal(item["silver"]["effect_amount"])
    decides = {"file_id": item["file_id"], "number": 0, **decision}
    changes = {"settled": {}, "run_seq": run, "effect_amount": str(effect), "outcomes": {}, "amounts": {}}
    made.items.append({**item, "kind": "action", "subject": "undo", "decides": decides, "silver": changes})
    made.cents += int(effect.scaleb(2))
