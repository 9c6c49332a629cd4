"""Turns the ledger's items into what a report says of files and decisions, as they were at the readers' cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from contract.runs import Cut

from assay import console, passport
from assay.ledger import Item
from assay.report.period import Period
from assay.report.summary import (
    FAILED,
    NOTHING,
    PUBLISHED,
    REJECTED,
    UNDONE,
    WAITING,
    Action,
    File,
    GroupMoved,
    MovedMonth,
)

READ = (
    *("file_id", "kind", "subject", "key", "version_id", "size", "checksum", "last_modified_at", "as_of_at"),
    *("status", "in_effect", "decisions", "decides", "load", "kpis", "control", "warnings", "reasons", "failed"),
    *("silver", "repaired", "gold", "execution_arn", "changes"),
)
"""The attributes of an item that a report reads; the columns of wide files are not among them."""
MOST_MOVEMENTS = 10


@dataclass
class Folded:
    """What the items amount to: those of the period one by one, of all others their effect on the money alone.

    `days` are the first and the last day of each file's transactions.
    """

    files: list[File] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    effects_before: Decimal = NOTHING
    effects_after: Decimal = NOTHING
    movements: dict[int, list[GroupMoved]] = field(default_factory=dict)
    months: dict[int, list[MovedMonth]] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)

    @property
    def runs(self) -> list[int]:
        """The runs of Silver that took a file of the period, or carried out a decision of it."""
        runs = {file.silver_run for file in self.files} | {action.run for action in self.actions}
        return sorted(run for run in runs if run is not None)

    @property
    def effects(self) -> Decimal:
        """The money that files and decisions of the period moved."""
        of_files = sum((file.effect for file in self.files), NOTHING)
        return sum((action.effect for action in self.actions), of_files)

    @property
    def groups_moved(self) -> list[GroupMoved]:
        """The largest movements of Gold's groups, by the runs that published files of the period."""
        moved = [each for of_run in self.movements.values() for each in of_run]
        moved.sort(key=lambda each: (-abs(each.after - each.before), each.run, each.group))
        return moved[:MOST_MOVEMENTS]

    @property
    def months_moved(self) -> list[MovedMonth]:
        """What the same runs moved in closed months, in the order of the months."""
        moved = [each for of_run in self.months.values() for each in of_run]
        return sorted(moved, key=lambda each: (each.month, each.channel, each.run))


def fold(items: Iterable[Item], period: Period, cut: Cut | None) -> Folded:
    """Go through all items once; only those of the period are kept."""
    silver_run, gold_run = (cut["silver_run_seq"], cut["run_seq"]) if cut else (0, 0)
    found = Folded()
    for item in items:
        at, effect = arrived_at(item), effect_of(item, silver_run)
        if not period.holds(at):
            if period.is_before(at):
                found.effects_after += effect
            else:
                found.effects_before += effect
        elif "decides" in item:
            found.actions.append(_action(item, effect, silver_run))
            _note_movements(found, item, gold_run)
        else:
            found.files.append(file_of(item, silver_run=silver_run, gold_run=gold_run))
            _note_movements(found, item, gold_run)
            found.days |= {item["kpis"][name][:10] for name in ("first_at", "last_at") if name in item.get("kpis", {})}
    found.files.sort(key=lambda file: (file.arrived_at, file.file_id))
    found.actions.sort(key=lambda action: action.at)
    return found


def arrived_at(item: Item) -> str:
    """Return when a file was written to Bronze, or when an action was decided."""
    return str(item["decides"]["at"] if "decides" in item else item["last_modified_at"])


def file_of(item: Item, *, silver_run: int, gold_run: int) -> File:
    """Return what a report says of a file; of runs after those of the cut it says nothing."""
    silver = item["silver"] if _is_in(item, "silver", silver_run) else None
    kpis, control = item.get("kpis", {}), item.get("control", {})
    return File(
        file_id=item["file_id"],
        key=item["key"],
        version_id=item["version_id"],
        subject=item.get("subject", ""),
        arrived_at=item["last_modified_at"],
        state=state_of(item, silver_run=silver_run, gold_run=gold_run),
        rows=kpis.get("row_count", 0),
        amount=Decimal(kpis.get("total_amount", "0.00")),
        outcomes=silver["outcomes"] if silver else {},
        amounts={name: Decimal(amount) for name, amount in silver["amounts"].items()} if silver else {},
        open_rows=passport.quarantine(item)["open"] if silver else 0,
        effect=effect_of(item, silver_run),
        silver_run=silver["run_seq"] if silver else None,
        gold_run=item["gold"]["run_seq"] if _is_in(item, "gold", gold_run) else None,
        is_proven=bool(control.get("proven")),
        proof=passport.proof(control),
        reasons=_reasons(item),
        warnings=item.get("warnings", []),
        decisions=[passport.decided(decision) for decision in item.get("decisions", [])],
        broken_rules=kpis.get("broken_rules", {}),
        changes=[(change["status"], change["at"]) for change in item.get("changes", [])],
        identity=_identity(item),
        checks=passport.checks(item) if silver else [],
    )


def state_of(item: Item, *, silver_run: int, gold_run: int) -> str:
    """Return what has become of a file at the cut of a run of Gold, which shows a run of Silver."""
    if item.get("failed"):
        return FAILED
    if item["status"] == REJECTED:
        return REJECTED
    if not _is_in(item, "gold", gold_run):
        return WAITING
    carried_out = [decision for decision in item.get("decisions", []) if decision["run_seq"] <= silver_run]
    return UNDONE if carried_out and not carried_out[-1]["in_effect"] else PUBLISHED


def _is_in(item: Item, layer: str, run: int) -> bool:
    return layer in item and item[layer]["run_seq"] <= run


def effect_of(item: Item, silver_run: int) -> Decimal:
    """Return by how much a file or a decision has moved the money, up to a run of Silver."""
    return Decimal(item["silver"]["effect_amount"]) if _is_in(item, "silver", silver_run) else NOTHING


def _reasons(item: Item) -> list[str]:
    if failed := item.get("failed"):
        return [f"failed in {failed['stage']} after {failed['attempts']} attempts: {failed['reason']}"]
    return [f"{reason['code']}: {reason['text']}" for reason in item.get("reasons", [])]


def _identity(item: Item) -> list[tuple[str, str]]:
    """Return what tells the object version and its execution; of it only the name of a load is text of others."""
    checksum = item.get("checksum")
    told = [
        ("file id", item["file_id"]),
        ("version", item["version_id"]),
        ("size", f"{item['size']:,} bytes" if "size" in item else ""),
        ("checksum", f"{checksum['algorithm']} {checksum['value']}" if checksum else ""),
        ("as of", item.get("as_of_at", "")),
        (
            "load",
            f"{console.shown(item['load']['name'])}, {len(item['load']['files']):,} files" if "load" in item else "",
        ),
        ("control totals", passport.control_totals(item.get("control", {}))),
        ("execution", item.get("execution_arn", "")),
        *((f"report of {layer}", item.get(layer, {}).get("report_sha256", "")) for layer in ("silver", "gold")),
    ]
    return [(name, value) for name, value in told if value]


def _action(item: Item, effect: Decimal, silver_run: int) -> Action:
    decides: Mapping[str, str] = item["decides"]
    run = item["silver"]["run_seq"] if _is_in(item, "silver", silver_run) else None
    told = {name: decides[name] for name in ("file_id", "who", "at", "reason")}
    return Action(what=item["subject"], key=item["key"], effect=effect, run=run, **told)


def _note_movements(found: Folded, item: Item, gold_run: int) -> None:
    """Keep what the run that published a file or a decision moved; each of its files tells the same."""
    gold = item.get("gold", {})
    if not _is_in(item, "gold", gold_run) or gold["run_seq"] in found.movements:
        return
    run = gold["run_seq"]
    found.movements[run] = [
        GroupMoved(run, moved["group"], Decimal(moved["before"]), Decimal(moved["after"]))
        for moved in gold.get("changes", {}).get("largest", [])
    ]
    found.months[run] = [
        MovedMonth(
            run,
            moved["month"],
            moved["channel"],
            **{side: Decimal(moved[side]["total_amount"]) for side in ("closed", "before", "after")},
        )
        for moved in gold.get("closed", [])
    ]
