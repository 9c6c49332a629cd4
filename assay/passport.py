"""A file's passport: what came in, what became of each row, and whether rows and cents add up."""

from dataclasses import dataclass
from decimal import Decimal

from contract.writing import COMMA, DAY_FIRST, DELIMITERS
from rich.console import Group, RenderableType
from rich.text import Text

from assay import console, offsets
from assay.grid import Facts, Heading
from assay.ledger import OUTCOMES, Item

MEANINGS = {
    "quarantined": "breaks the data contract",
    "unchanged": "the same as before the run",
    "stale": "older than what is known",
    "superseded": "a newer row of its key in the same run",
    "inserted": "new",
    "updated": "changed",
    "deleted": "removed",
}

CLOSED = {"repaired": "of these, corrected since", "waived": "of these, closed without a repair", "open": "of these"}
LABELS = {
    "row_count": "rows",
    "total_amount": "",
    "positive_total": "above 0",
    "negative_total": "below 0",
    "key_sum": "ids",
    "hash_total": "ids times cents",
}
"""What control totals are called, in the order of the contract."""


@dataclass(frozen=True)
class Check:
    """Two figures that must be the same."""

    what: str
    expected: int | Decimal
    found: int | Decimal

    @property
    def good(self) -> bool:
        return self.expected == self.found

    def as_json(self) -> dict[str, object]:
        return {"what": self.what, "expected": self.expected, "found": self.found, "equal": self.good}


def checks(item: Item) -> list[Check]:
    """Compare what the KPI function counted with what Silver made of it; nothing before the file is in Silver."""
    silver, kpis = item.get("silver"), item.get("kpis")
    if not silver or not kpis:
        return []
    quarantined = silver["outcomes"].get("quarantined", 0)
    found = [Check("quarantined rows = repaired + waived + open", quarantined, sum(quarantine(item).values()))]
    return [
        *(found if closed_rows(item) else []),
        Check("rows in file = sum of the seven outcomes", kpis["row_count"], sum(silver["outcomes"].values())),
        Check(
            "total amount of the file = sum over all outcomes",
            Decimal(kpis["total_amount"]),
            sum((Decimal(amount) for amount in silver["amounts"].values()), Decimal("0.00")),
        ),
    ]


def closed_rows(item: Item) -> int:
    """Return how many of a file's quarantined rows are repaired or waived."""
    repaired = item.get("repaired", {})
    return int(repaired.get("repaired", 0)) + int(repaired.get("waived", 0))


def quarantine(item: Item) -> dict[str, int]:
    """Return what became of a file's quarantined rows; no more than there are can be open."""
    repaired, rows = item.get("repaired", {}), item["silver"]["outcomes"].get("quarantined", 0)
    counts = {name: int(repaired.get(name, 0)) for name in ("repaired", "waived")}
    return {**counts, "open": max(0, rows - closed_rows(item))}


def as_json(item: Item) -> dict[str, object]:
    """Return the whole ledger item with the checks."""
    return {**item, "checks": [check.as_json() for check in checks(item)]}


def render(item: Item, *, short: bool = False) -> RenderableType:
    """Draw the passport; the short form leaves out runs, snapshots and status changes."""
    parts: list[RenderableType] = [_title(item)]
    if item.get("decides"):
        parts += [_decision(item)]
    elif item.get("load"):
        parts += [_load(item)]
    elif item.get("waives"):
        parts += [_waiver(item)]
    elif item.get("kpis"):
        parts += [_kpis(item)]
    elif item.get("offsets"):
        parts += [Facts([("offsets", _offsets(item))])]
    if item.get("silver") and not (item.get("load") or item.get("decides") or item.get("waives")):
        parts += [_outcomes(item)]
    parts += [_check_line(check) for check in checks(item)]
    parts += [Text(f"! {console.shown(warning)}", style="yellow") for warning in item.get("warnings", [])]
    parts += [
        Text(f"{reason['code']}: {console.shown(reason['text'])}", style="red") for reason in item.get("reasons", [])
    ]
    parts += [Text(decided(decision), style="bold yellow") for decision in item.get("decisions", [])]
    if item.get("failed"):
        parts.append(_failed(item))
    if not short:
        if "changes" in item.get("gold", {}):
            parts.append(_gold(item))
        parts += [_identity(item), _runs(item), _changes(item)]
    return Group(*parts, Text(""))


def _title(item: Item) -> RenderableType:
    is_undone = bool(item.get("decisions")) and not item["in_effect"]
    state = "failed" if item.get("failed") else "undone" if is_undone else item["status"]
    style = {"published": "green", "rejected": "red", "failed": "red"}.get(state, "yellow")
    return Heading("Passport ", console.shown(item["key"]), Text(f"  {state}", style=f"bold {style}"))


def _load(item: Item) -> RenderableType:
    """Draw what a marker declares, and what the reload did once it was complete."""
    load, silver = item["load"], item.get("silver", {})
    facts = [
        ("subject", item.get("subject", "")),
        ("load", console.shown(load["name"])),
        ("start", load["start_at"]),
        ("files", console.count(len(load["files"]))),
    ]
    if silver:
        facts += [
            ("missing", f"{silver.get('missing', 0):,} living keys that the load lacks, deleted"),
            ("moved", f"{silver.get('moved', 0):,} keys whose value another row of the load now gives"),
            ("effect on Silver", console.money(Decimal(silver["effect_amount"]))),
        ]
    return Facts(facts)


def _decision(item: Item) -> RenderableType:
    """Draw what an action decides, and what became of keys once it was carried out."""
    decides, silver = item["decides"], item.get("silver", {})
    facts = [
        ("decision", item["subject"]),
        ("of the file", decides["file_id"]),
        ("who", console.shown(decides["who"])),
        ("when", decides["at"]),
        ("why", console.shown(decides["reason"])),
    ]
    if silver:
        facts += [(f"keys {name}", console.count(keys)) for name, keys in sorted(silver["settled"].items())]
        facts += [("effect on Silver", console.money(Decimal(silver["effect_amount"])))]
    return Facts(facts)


def _waiver(item: Item) -> RenderableType:
    """Draw what a waiver closes, and why."""
    said = item["waives"]
    facts = [("waiver of", said["rule"]), ("of the file", item["repairs"])]
    return Facts([*facts, ("who", console.shown(said["who"])), ("why", console.shown(said["reason"]))])


def decided(decision: Item) -> str:
    done = "redone" if decision["in_effect"] else "undone"
    why = f": {decision['reason']}" if decision["reason"] else ""
    return console.shown(f"{done} at {decision['at']} by {decision['who']} in Silver run {decision['run_seq']}{why}")


def _kpis(item: Item) -> RenderableType:
    kpis = item["kpis"]
    control = item.get("control", {})
    rows = [
        ("subject", item.get("subject", "")),
        ("repairs rows of", item.get("repairs", "")),
        ("offsets", _offsets(item)),
        ("dialect", item.get("format", {}).get("dialect", "")),
        ("written with", _writing(item.get("format", {}))),
        ("ordered by", _order(item)),
        ("rows", console.count(kpis["row_count"])),
        ("tombstones", _tombstones(item.get("format", {}))),
        ("total amount", f"{console.money(Decimal(kpis['total_amount']))} ({proof(control)})"),
        ("above and below 0", _sums(kpis)),
        ("sums modulo 10^16", _hashes(kpis)),
        ("control totals", control_totals(control)),
        ("keys", f"{kpis['distinct_keys']:,} distinct, {kpis['duplicate_keys']:,} repeated"),
        ("dates", f"{kpis.get('first_at', '-')} … {kpis.get('last_at', '-')}"),
        ("operations", _numbers(kpis.get("operations", {}))),
        ("channels", _numbers(kpis.get("channels", {}))),
        ("to be quarantined", _broken(kpis)),
    ]
    return Facts([(name, value) for name, value in rows if value])


def _tombstones(shape: Item) -> str:
    """Say how many records of Kafka are no rows."""
    return f"{shape['tombstones']:,}, which are no rows" if "tombstones" in shape else ""


def _offsets(item: Item) -> str:
    """Say which offsets of Kafka the file holds."""
    return console.shown(offsets.in_words(item["offsets"])) if item.get("offsets") else ""


def _writing(shape: Item) -> str:
    """Say how the file is written, as its values or its pin decided; what is no text is not written."""
    if shape.get("kind") == "parquet" and "string" not in shape.get("types", []):
        return ""
    delimiter = shape.get("delimiter", COMMA)
    is_csv = str(shape.get("kind", "csv")).startswith("csv")
    fields = [f"fields separated by {DELIMITERS[delimiter]}"] if is_csv else []
    amount = "1.234,56" if shape.get("decimal") == "," else "1,234.56"
    first = "day" if shape.get("date_order") == DAY_FIRST else "month"
    fields += [f"{column} in {encoding}" for column, encoding in shape.get("encodings", {}).items()]
    return ", ".join([*fields, f"amounts as {amount}", f"the {first} first in dates with slashes"])


def _order(item: Item) -> str:
    """Say what orders the rows of the file."""
    if column := item.get("format", {}).get("ordered_by"):
        return f"its column {column}"
    if "as_of_at" not in item:
        return "the instant at which it was written"
    return "as-of, or its offsets" if "offsets" in item else "as-of"


def _numbers(counts: Item) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()) if number)


def _broken(kpis: Item) -> str:
    """Return how many rows are quarantined, and how many break each rule."""
    rules = sorted(kpis.get("broken_rules", {}).items(), key=lambda counted: (-counted[1], counted[0]))
    told = ", ".join(f"{rows:,} {rule}" for rule, rows in rules)
    return f"{kpis.get('bad_rows', 0):,}{f': {told}' if told else ''}"


def proof(control: Item) -> str:
    source = control.get("source", "none")
    if control.get("proven"):
        return f"proven by {source}"
    return "unproven: no control totals" if source == "none" else f"not what its {source} says"


def control_totals(control: Item) -> str:
    return ", ".join(
        f"{console.count(value) if isinstance(value, int) else console.money(Decimal(value))} {label}".strip()
        for name, label in LABELS.items()
        if (value := control.get(name)) is not None
    )


def _sums(kpis: Item) -> str:
    """Return the amounts above and below zero; earlier versions did not add them up."""
    if "positive_total" not in kpis:
        return ""
    return f"{console.money(Decimal(kpis['positive_total']))} and {console.money(Decimal(kpis['negative_total']))}"


def _hashes(kpis: Item) -> str:
    return f"ids {kpis['key_sum']:,}, ids times cents {kpis['hash_total']:,}" if "key_sum" in kpis else ""


def _outcomes(item: Item) -> RenderableType:
    silver = item["silver"]
    grid = console.table("", ("outcome", "rows", "amount", "meaning"), right=("rows", "amount"), spare=("meaning",))
    for outcome in OUTCOMES:
        amount = console.money(Decimal(silver["amounts"].get(outcome, "0.00")))
        grid.add_row(outcome, console.count(silver["outcomes"].get(outcome, 0)), amount, MEANINGS[outcome])
        if outcome == "quarantined" and silver["outcomes"].get(outcome):
            for name, number in quarantine(item).items():
                grid.add_row(f"  {name}", console.count(number), "", CLOSED[name])
    grid.add_section()
    rows, amounts = (check.found for check in checks(item)[-2:]) if checks(item) else (0, 0)
    grid.add_row("sum", f"{rows:,}", f"{amounts:,}", "")
    grid.add_row("effect on Silver", "", console.money(Decimal(silver["effect_amount"])), "new minus before, per key")
    return grid


def _gold(item: Item) -> RenderableType:
    """Draw what the run that published the file did to Gold, with the other files of that run."""
    changes = item["gold"]["changes"]
    groups = [f"{number:,} of {table}" for table, number in changes["groups"].items() if number]
    facts = [
        (f"Gold, run {item['gold']['run_seq']}", f"facts {_numbers(changes['facts']) or 'unchanged'}"),
        ("new members", _numbers(changes["members"])),
        ("groups touched", ", ".join(groups) + f", on {changes['days']:,} days" if groups else ""),
    ]
    for moved in changes["largest"]:
        before, after = (console.money(Decimal(moved[side])) for side in ("before", "after"))
        facts.append((f"{changes['table']}", f"{console.shown(moved['group'])}: {before} → {after}"))
    for month in item["gold"].get("closed", []):
        facts.append(("closed month", _closed_month(month)))
    return Facts([(name, value) for name, value in facts if value])


def _closed_month(moved: Item) -> str:
    """Say what became of a channel of a closed month, and by how much it differs from its closing now."""
    closed, before, after = (Decimal(moved[side]["total_amount"]) for side in ("closed", "before", "after"))
    told = f"{moved['month']}, {moved['channel']}: {console.money(before)} → {console.money(after)}"
    return f"{told}; closed with {console.money(closed)}, now {after - closed:+,.2f}"


def _check_line(check: Check) -> Text:
    comparison = f"{check.expected:,}" + (" = " if check.good else " ≠ ") + f"{check.found:,}"
    return Text.assemble(console.mark(check.good), f" {check.what}: {comparison}")


def _failed(item: Item) -> Text:
    failed = item["failed"]
    attempts = console.counted(int(failed["attempts"]), "attempt")
    return Text(
        f"failed in {failed['stage']} at {failed['at']} after {attempts}: {console.shown(failed['reason'])}",
        style="red",
    )


def _identity(item: Item) -> RenderableType:
    names = ("file_id", "bucket", "key", "version_id", "sequencer", "size", "checksum", "last_modified_at", "as_of_at")
    checksum = item.get("checksum", {})
    told = {**item, **({"checksum": f"{checksum['algorithm']} {checksum['value']}"} if checksum else {})}
    # S3 gives the others: a sequencer may have digits like a card number's.
    shown = {"key": console.shown}
    return Facts([(name, shown.get(name, str)(told[name])) for name in names if name in told])


def _runs(item: Item) -> RenderableType:
    layers = [(layer, item[layer]) for layer in ("silver", "gold") if layer in item]
    facts = [
        (f"{layer} run {run['run_seq']}", ", ".join(f"{table} {snapshot}" for table, snapshot in sorted(snapshots)))
        for layer, run in layers
        for snapshots in [run.get("snapshots", {}).items()]
    ]
    if "execution_arn" in item:
        facts.append(("execution", item["execution_arn"]))
    return Facts(facts)


def _changes(item: Item) -> RenderableType:
    return Facts([(change["status"], change["at"]) for change in item.get("changes", [])])
