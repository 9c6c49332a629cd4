"""Gold = Silver = the sum of all effects, to the cent; from the running totals, or by reading every row."""

from dataclasses import dataclass
from decimal import Decimal
from threading import Event

from contract.aggregates import AGGREGATES
from contract.tables import SILVER_TABLES
from rich.table import Table

from assay import console
from assay.errors import NothingPublishedError, UserError
from assay.facts import content_checks
from assay.ledger import Item, Ledger
from assay.passport import Check, checks, closed_rows
from assay.query import Lake

ATTEMPTS = 3
PAUSE_S = 3  # a run is published within seconds, unless it was killed
NO_MONEY = Decimal("0.00")
GOLD_HAS_TAKEN = "last Silver run = the Silver run that Gold shows"

UNDONE = """
    WITH newest AS (SELECT file_id, arg_max(in_effect, (run_seq, "at")) AS is_so FROM silver.decisions GROUP BY file_id)
    SELECT file_id FROM newest WHERE NOT is_so"""
UNDONE_WRITERS = f"SELECT count(*) AS n FROM silver.transactions WHERE file_id IN ({UNDONE}) {{repaired}}"  # noqa: S608
REPAIRED = f"OR row_order.repair.file_id IN ({UNDONE})"
CLOSED = """
    SELECT file_id, count(*) AS "rows" FROM silver.quarantine WHERE repaired_by IS NOT NULL GROUP BY file_id"""
FILE_TOTALS = """
    SELECT file_id, count(*) AS row_count, coalesce(sum(amount), 0)::DECIMAL(38, 2) AS total_amount
    FROM ({rows}) GROUP BY file_id"""


@dataclass(frozen=True)
class Totals:
    """Rows and cents of one table or layer."""

    rows: int
    amount: Decimal

    @staticmethod
    def of(row: Item) -> "Totals":
        return Totals(int(row["row_count"]), Decimal(row["total_amount"]))


@dataclass(frozen=True)
class Layers:
    """What the ledger says of both layers at one moment."""

    silver: Item
    gold: Item

    @property
    def is_moving(self) -> bool:
        """Tell whether a run is being published: its tables come before what the ledger says of them."""
        return "intent" in self.silver or "intent" in self.gold

    @property
    def silver_totals(self) -> Totals:
        return Totals.of(self.silver["published"])

    @property
    def gold_totals(self) -> Totals:
        return Totals.of(self.gold["published"])


def audit(ledger: Ledger, lake: Lake | None = None) -> list[Check]:
    """Compare the running totals of the layers; with the lake, also with every row, and file by file."""
    pause = Event()
    for _ in range(ATTEMPTS):
        before = read_layers(ledger)
        found = compare_layers(before) + (compare_rows(before, ledger.published(), lake) if lake else [])
        if all(check.good for check in found) or (read_layers(ledger) == before and not before.is_moving):
            return found
        pause.wait(PAUSE_S if before.is_moving else 0)
    raise UserError(
        "runs publish while the audit reads, or one was killed while it published",
        "let the files arrive (assay status), and audit again; the next run of a job finishes what was left",
    )


def read_layers(ledger: Ledger) -> Layers:
    silver, gold = ledger.layer("silver"), ledger.layer("gold")
    if not silver or not gold or "published" not in silver or "published" not in gold:
        raise NothingPublishedError
    return Layers(silver, gold)


def compare_layers(layers: Layers) -> list[Check]:
    silver, gold = layers.silver_totals, layers.gold_totals
    return [
        Check(GOLD_HAS_TAKEN, _run(layers.silver), _taken(layers.gold)),
        Check("rows: Silver = Gold", silver.rows, gold.rows),
        Check("amount: Silver = Gold", silver.amount, gold.amount),
    ]


def compare_rows(layers: Layers, published: list[Item], lake: Lake) -> list[Check]:
    """Read all rows of both layers; compare them with the running totals, with each other and with the passports."""
    contents = content_checks(lake, _silver_snapshot(layers.gold))
    found = _silver_rows(layers, lake) + _gold_rows(layers, lake) + contents + decision_checks(published, lake)
    found += repair_checks(published, lake)
    return found + file_checks(published, _file_totals(lake))


def decision_checks(published: list[Item], lake: Lake) -> list[Check]:
    """Compare which files are undone by Silver's decisions and by the ledger; no such file may hold a key."""
    if "silver.decisions" not in lake.tables():
        return []
    undone = lake.ask(UNDONE).read_all().column("file_id").to_pylist()
    in_ledger = [item["file_id"] for item in published if not item["in_effect"]]
    known = {item["file_id"] for item in published}
    last = lake.one(UNDONE_WRITERS.format(repaired=REPAIRED if _knows_repairs(lake) else ""))["n"]
    return [
        Check("files: undone in the ledger = by Silver's decisions", len(in_ledger), len(known.intersection(undone))),
        Check("files: undone by both", len(in_ledger), len(set(in_ledger).intersection(undone))),
        Check("keys that an undone file wrote last", 0, last),
    ]


def repair_checks(published: list[Item], lake: Lake) -> list[Check]:
    """Compare how many quarantined rows are closed by the ledger and by the table, file by file."""
    if "silver.quarantine" not in lake.tables():
        return []
    closed = {row["file_id"]: row["rows"] for row in lake.ask(CLOSED).read_all().to_pylist()}
    noted = {item["file_id"]: closed_rows(item) for item in published if closed_rows(item)}
    same = sum(1 for file_id, rows in noted.items() if closed.get(file_id) == rows)
    return [
        Check("closed rows of quarantine: by the ledger = in the table", sum(noted.values()), sum(closed.values())),
        Check("files with such rows: as many in both", len(noted), same),
    ]


def _knows_repairs(lake: Lake) -> bool:
    """Tell whether the published rows were written by a version that knows repairs."""
    return "repairs" in lake.open("silver", "transaction_history")


def _silver_rows(layers: Layers, lake: Lake) -> list[Check]:
    total = layers.silver_totals
    rows = _totals(lake, "silver.transactions", "count(*)", "amount")
    effects = _totals(lake, "silver.transaction_effects", "count(*)", "effect_amount")
    return [
        Check("rows: Silver's running total = silver.transactions", total.rows, rows.rows),
        Check("amount: Silver's running total = silver.transactions", total.amount, rows.amount),
        Check("amount: silver.transactions = sum of all effects", rows.amount, effects.amount),
    ]


def _gold_rows(layers: Layers, lake: Lake) -> list[Check]:
    total = layers.gold_totals
    shown = _totals(
        lake, f"silver.transaction_effects WHERE run_seq <= {_taken(layers.gold)}", "count(*)", "effect_amount"
    )
    found = [("fact_transactions", _totals(lake, "gold.fact_transactions", "count(*)", "amount"))]
    for name in _aggregates(layers, lake):
        found.append((name, _totals(lake, f"gold.{name}", "coalesce(sum(row_count), 0)", "total_amount")))
    return [
        Check("amount: Gold's running total = effects up to the Silver run that it shows", total.amount, shown.amount),
    ] + [
        check
        for name, totals in found
        for check in (
            Check(f"rows: Gold's running total = gold.{name}", total.rows, totals.rows),
            Check(f"amount: Gold's running total = gold.{name}", total.amount, totals.amount),
        )
    ]


def _aggregates(layers: Layers, lake: Lake) -> list[str]:
    """Name the aggregates that there are: a new one comes with the first run of a job that knows it."""
    there, published = lake.tables(), layers.gold["published"]["snapshots"]
    return [name for name in AGGREGATES if f"gold.{name}" in there or name in published]


def file_checks(published: list[Item], kept: dict[str, Totals]) -> list[Check]:
    """Compare each file's passport with the rows that Silver keeps of it; only differences are listed one by one."""
    every = [check for item in published for check in _of_one_file(item, kept)]
    good = sum(1 for check in every if check.good)
    summary = Check(f"comparisons that agree, of {console.counted(len(published), 'published file')}", len(every), good)
    return [summary, *(check for check in every if not check.good)]


def _of_one_file(item: Item, kept: dict[str, Totals]) -> list[Check]:
    name = f"{item['key']} ({item['version_id']})"
    totals = kept.get(item["file_id"], Totals(0, NO_MONEY))
    kpis = item["kpis"]
    return [
        *(Check(f"{name}: {check.what}", check.expected, check.found) for check in checks(item)),
        Check(f"{name}: rows in file = rows in history and quarantine", kpis["row_count"], totals.rows),
        Check(f"{name}: amount of file = history and quarantine", Decimal(kpis["total_amount"]), totals.amount),
    ]


def _totals(lake: Lake, table: str, rows: str, amount: str) -> Totals:
    statement = f"SELECT {rows} AS row_count, coalesce(sum({amount}), 0)::DECIMAL(38, 2) AS total_amount FROM {table}"  # noqa: S608
    return Totals.of(lake.one(statement))


def _file_totals(lake: Lake) -> dict[str, Totals]:
    there = set(lake.tables())  # those of reference files come with the first run of a job that knows them
    parts = [
        f"SELECT file_id, {table.amount_of_file} AS amount FROM silver.{table.name}"  # noqa: S608
        for table in SILVER_TABLES.values()
        if table.amount_of_file is not None and f"silver.{table.name}" in there
    ]
    statement = FILE_TOTALS.format(rows=" UNION ALL ".join(parts))
    return {row["file_id"]: Totals.of(row) for row in lake.ask(statement).read_all().to_pylist()}


def _run(silver: Item) -> int:
    return int(silver["published"]["run_seq"])


def _taken(gold: Item) -> int:
    return int(gold["published"]["silver_run_seq"])


def _silver_snapshot(gold: Item) -> int | None:
    """Return the snapshot of Silver's transactions that Gold shows."""
    found = gold["published"].get("silver_snapshots", {}).get("transactions")
    return None if found is None else int(found)


def render(found: list[Check], title: str = "Audit") -> Table:
    grid = console.table(title, ("", "comparison", "expected", "found"), right=("expected", "found"))
    for check in found:
        grid.add_row(console.mark(check.good), check.what, f"{check.expected:,}", f"{check.found:,}")
    return grid


def report_differences(wrong: list[Check]) -> None:
    """Print the comparisons that differ, on stderr."""
    for check in wrong:
        console.note(f"difference: {check.what}: {check.expected:,} against {check.found:,}", style="bold red")
    if wrong and wrong[0].what == GOLD_HAS_TAKEN:
        console.note(
            "Gold has not taken Silver's last run yet; if files are still being processed (assay status), audit again."
        )


def differences(found: list[Check]) -> list[Check]:
    return [check for check in found if not check.good]
