"""What an undo or redo would do, computed here from the published tables at one cut; it writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contract.subjects import REFERENCES
from contract.tables import VALUES
from rich.console import Group, RenderableType
from rich.text import Text

from assay import console
from assay.audit import UNDONE
from assay.errors import UserError
from assay.grid import Heading
from assay.ledger import OUTCOMES, Item, Ledger
from assay.query import Lake
from assay.undo.actions import verb

SHOWN = 10
BEGINNING = "1800-01-01T00:00:00Z"
ORDER = ("instant", "object_key", "sequencer", "version_id", "row")
CHANGES = {"deleted": "gone", "inserted": "come back", "updated": "with another value"}


@dataclass(frozen=True)
class Preview:
    """Keys by what would become of them, Gold's groups before and after, the largest movements, and who else gives."""

    file: Item
    silver_run: int
    changes: dict[str, int]
    before: Decimal
    after: Decimal
    givers: Sequence[tuple[str, int]]
    groups: Sequence[Item]
    movements: Sequence[Item]
    unchanged: int
    all_keys: bool
    members: int

    def as_json(self) -> dict[str, object]:
        """Return everything for programs; money as text."""
        return {
            "file_id": self.file["file_id"],
            "key": self.file["key"],
            "version_id": self.file["version_id"],
            "silver_run": self.silver_run,
            "keys": {kind: self.changes.get(kind, 0) for kind in CHANGES} | {"unchanged": self.unchanged},
            "kept_through": [{"key": key, "keys": keys} for key, keys in self.givers],
            "all_keys": self.all_keys,
            "members": self.members,
            "effect_amount": self.after - self.before,
            "groups": self.groups,
            "largest_movements": self.movements,
        }


@dataclass(frozen=True)
class Loads:
    """Where loads stand after a decision: the floor, where files begin, and whether either moves by it."""

    floor: str
    starts: dict[str, str]
    moves: bool


def loads_after(ledger: Ledger, silver: Item, file_id: str, *, in_effect: bool) -> Loads:
    """Return where loads stand once a file is in effect, or is not; markers and files are looked up in the ledger."""
    held = silver.get("loads", {})
    markers = ledger.get([*held, *silver.get("incomplete_loads", {})])
    complete = {marker_id: markers[marker_id] for marker_id in held}
    after = dict(complete)
    for marker_id, marker in markers.items():
        members = {marker_id, *marker["load"]["files"]}
        if file_id not in members:
            continue
        after.pop(marker_id, None)
        others = ledger.get(members - {file_id}).values()
        if in_effect and all(other["in_effect"] for other in others):
            after[marker_id] = marker
    (floor, starts), before = places_of_loads(after), places_of_loads(complete)
    return Loads(floor, starts, (floor, starts) != before)


def places_of_loads(markers: dict[str, Item]) -> tuple[str, dict[str, str]]:
    """Return the floor of complete loads, and where each file that they list begins."""
    starts: dict[str, str] = {}
    for marker in markers.values():
        for listed in marker["load"]["files"]:
            starts[listed] = max(starts.get(listed, ""), marker["load"]["start_at"])
    return max((marker["load"]["start_at"] for marker in markers.values()), default=BEGINNING), starts


def published(ledger: Ledger) -> tuple[Item, int]:
    """Return what Silver has published, and which run of it Gold shows; raise UserError before Gold's first run."""
    gold, silver = (ledger.layer(layer) or {} for layer in ("gold", "silver"))
    if "published" not in gold:
        raise UserError("nothing is published yet", "wait for Gold's first run: assay status")
    return silver["published"], gold["published"]["silver_run_seq"]


def preview(lake: Lake, ledger: Ledger, silver: Item, silver_run: int, file: Item) -> Preview:
    """Compute what changing whether a file is in effect would do, at the cut that shows a run of Silver.

    `silver` is what Silver has published: where loads stand.
    """
    file_id, in_effect = file["file_id"], not file["in_effect"]
    lake.open("silver", "transactions")
    lake.open("gold", "daily_totals")
    loads = loads_after(ledger, silver, file_id, in_effect=in_effect)
    _prepare(lake, file_id, loads, in_effect=in_effect)
    kinds = lake.rows(
        "SELECT change, count(*) AS keys, count(*) FILTER (is_named) AS named, "
        "coalesce(sum(before.amount), 0)::DECIMAL(38, 2) AS before, "
        "coalesce(sum(after.amount), 0)::DECIMAL(38, 2) AS after FROM moved WHERE change IS NOT NULL GROUP BY change"
    )
    named, zero = lake.rows("SELECT count(*) AS n FROM named")[0]["n"], Decimal("0.00")
    return Preview(
        file=file,
        silver_run=silver_run,
        changes={row["change"]: row["keys"] for row in kinds},
        before=sum((row["before"] for row in kinds), zero),
        after=sum((row["after"] for row in kinds), zero),
        givers=_givers(lake, ledger, file_id),
        groups=lake.rows(GROUPS),
        movements=lake.rows(MOVEMENTS),
        unchanged=named - sum(row["named"] for row in kinds),
        all_keys=loads.moves,
        members=_members(lake, file),
    )


def _prepare(lake: Lake, file_id: str, loads: Loads, *, in_effect: bool) -> None:
    """Make the temporary tables `named` (keys of the file) and `moved` (keys before and after the decision)."""
    lake.rows("CREATE OR REPLACE TEMP TABLE undone (file_id VARCHAR)")
    if "silver.decisions" in lake.tables():
        lake.open("silver", "decisions")
        lake.rows(f"INSERT INTO undone SELECT file_id FROM ({UNDONE}) WHERE file_id <> ?", [file_id])  # noqa: S608
    if not in_effect:
        lake.rows("INSERT INTO undone VALUES (?)", [file_id])
    lake.rows("CREATE OR REPLACE TEMP TABLE starts (file_id VARCHAR, start TIMESTAMPTZ)")
    for each, start in loads.starts.items():
        lake.rows("INSERT INTO starts VALUES (?, ?::TIMESTAMPTZ)", [each, start])
    history = HISTORY if "repairs" in lake.open("silver", "transaction_history") else HISTORY_WITHOUT_REPAIRS
    lake.rows(f"CREATE OR REPLACE TEMP VIEW history AS {history}")
    lake.rows(NAMED, [file_id] * 3)
    lake.rows(COUNTING)
    of_keys = "" if loads.moves else "SEMI JOIN named USING (dms_id)"
    lake.rows(AFTER.format(of_keys=of_keys), [loads.floor])
    lake.rows(MOVED.format(of_keys=of_keys))


IMAGE = f"struct_pack({', '.join(f'{name} := t.{name}' for name in VALUES)})"
HISTORY = "SELECT *, row_order.repair AS repair FROM silver.transaction_history"
HISTORY_WITHOUT_REPAIRS = """
    SELECT *, NULL::VARCHAR AS repairs, NULL::STRUCT(file_id VARCHAR, instant TIMESTAMPTZ, object_key VARCHAR,
    sequencer VARCHAR, version_id VARCHAR, "row" BIGINT) AS repair FROM silver.transaction_history"""
NAMED = """
    CREATE OR REPLACE TEMP TABLE named AS
    WITH same AS (SELECT repairs, row_order.row AS number FROM history WHERE file_id = ? AND repairs IS NOT NULL)
    SELECT DISTINCT dms_id FROM history WHERE file_id = ? OR repairs = ?
    UNION SELECT dms_id FROM history h JOIN same ON same.repairs = h.repairs AND same.number = h.row_order.row"""
# DuckDB takes null for the greatest of all: a row that repairs none would be the newest.
REPAIRED = (
    "coalesce(t.repair.instant::TIMESTAMPTZ, TIMESTAMPTZ '0001-01-01'), coalesce(t.repair.object_key, ''), "
    "coalesce(t.repair.sequencer, ''), coalesce(t.repair.version_id, ''), coalesce(t.repair.row, 0)"
)
COUNTING = f"""
    CREATE OR REPLACE TEMP TABLE counting AS
    SELECT file_id, row FROM history t ANTI JOIN undone USING (file_id)
    WHERE repairs IS NOT NULL AND repairs NOT IN (FROM undone)
    QUALIFY row_number() OVER (PARTITION BY repairs, row_order.row ORDER BY ({REPAIRED}) DESC) = 1"""  # noqa: S608
"""The rows of repairs that count: with their originals, and the newest one of each row."""
PLACE = f"(position, t.row_order.phase, {', '.join(f't.row_order.{name}' for name in ORDER)}, {REPAIRED})"
AFTER = f"""
    CREATE OR REPLACE TEMP TABLE newest AS
    WITH placed AS (
        SELECT t.*, CASE WHEN t.row_order.phase = 0 THEN coalesce(s.start, t.row_order.position::TIMESTAMPTZ)
                         ELSE t.row_order.position::TIMESTAMPTZ END AS position
        FROM history t {{of_keys}}
        ANTI JOIN undone USING (file_id) LEFT JOIN starts s ON s.file_id = coalesce(t.repairs, t.file_id)
        WHERE t.repairs IS NULL OR (t.file_id, t.row) IN (SELECT (file_id, row) FROM counting))
    SELECT dms_id, arg_max(struct_pack(op := t.op, file_id := t.file_id, image := {IMAGE}), {PLACE}) AS winner
    FROM placed t WHERE position >= ?::TIMESTAMPTZ GROUP BY dms_id"""  # noqa: S608
MOVED = f"""
    CREATE OR REPLACE TEMP TABLE moved AS
    WITH held AS (SELECT dms_id, t.file_id AS writer, {IMAGE} AS before FROM silver.transactions t {{of_keys}}),
         given AS (SELECT dms_id, winner.file_id AS giver, winner.image AS after FROM newest WHERE winner.op <> 'D')
    SELECT dms_id, before, after, writer, giver, dms_id IN (FROM named) AS is_named,
           CASE WHEN before IS NOT DISTINCT FROM after THEN NULL WHEN after IS NULL THEN 'deleted'
                WHEN before IS NULL THEN 'inserted' ELSE 'updated' END AS change
    FROM held FULL JOIN given USING (dms_id)"""  # noqa: S608
GROUPS = """
    WITH sides AS (
        SELECT before.transacted_at::DATE AS transacted_on, coalesce(before.channel, 'unknown') AS channel,
               -1 AS row_count, -before.amount AS amount FROM moved WHERE change IS NOT NULL AND before IS NOT NULL
        UNION ALL
        SELECT after.transacted_at::DATE, coalesce(after.channel, 'unknown'), 1, after.amount
        FROM moved WHERE change IS NOT NULL AND after IS NOT NULL),
    net AS (SELECT transacted_on, channel, sum(row_count) AS row_count, sum(amount) AS amount FROM sides GROUP BY ALL)
    SELECT net.transacted_on, net.channel, coalesce(held.row_count, 0)::BIGINT AS rows_before,
           coalesce(held.total_amount, 0)::DECIMAL(38, 2) AS before,
           (coalesce(held.row_count, 0) + net.row_count)::BIGINT AS rows_after,
           (coalesce(held.total_amount, 0) + net.amount)::DECIMAL(38, 2) AS after
    FROM net LEFT JOIN gold.daily_totals held ON held.transacted_on = net.transacted_on AND held.channel = net.channel
    ORDER BY abs(net.amount) DESC, net.transacted_on, net.channel"""
MOVEMENTS = f"""
    SELECT dms_id, before.amount AS before, after.amount AS after FROM moved WHERE change IS NOT NULL
    ORDER BY abs(coalesce(after.amount, 0) - coalesce(before.amount, 0)) DESC, dms_id LIMIT {SHOWN}"""  # noqa: S608


def _givers(lake: Lake, ledger: Ledger, file_id: str) -> list[tuple[str, int]]:
    """Name the other files that keep the value of keys which the file wrote last, each with how many."""
    found = lake.rows(
        "SELECT giver, count(*) AS keys FROM moved WHERE change IS NULL AND writer = ? AND giver <> writer "
        "GROUP BY giver ORDER BY keys DESC, giver",
        [file_id],
    )
    items = ledger.get(row["giver"] for row in found)
    return [(items[row["giver"]]["key"] if row["giver"] in items else row["giver"], row["keys"]) for row in found]


def _members(lake: Lake, file: Item) -> int:
    """Count the cards, clients or codes that a reference file names."""
    if file["subject"] not in REFERENCES:
        return 0
    lake.open("silver", file["subject"])
    key = REFERENCES[file["subject"]].key
    statement = f"SELECT count(DISTINCT {key}) AS n FROM silver.{file['subject']} WHERE file_id = ?"  # noqa: S608
    return int(lake.rows(statement, [file["file_id"]])[0]["n"])


def render(found: Preview) -> RenderableType:
    """Draw what would happen."""
    file, parts = found.file, list[RenderableType]()
    parts.append(Heading(f"{verb(in_effect=not file['in_effect']).capitalize()} ", console.shown(file["key"])))
    parts.append(Text(f"version {file['version_id']}, at Silver run {found.silver_run}"))
    if file["silver"]["run_seq"] > found.silver_run:
        late = f"Gold does not show Silver's run {file['silver']['run_seq']} yet, nor do these figures."
        parts.append(Text(late, style="yellow"))
    parts.append(_rows(file))
    for kind, words in CHANGES.items():
        parts.append(Text(f"  {found.changes.get(kind, 0):>9,} keys {words}"))
    parts.append(Text(f"  {found.unchanged:>9,} keys of the file keep their value"))
    for key, keys in found.givers[:SHOWN]:
        parts.append(Heading(f"            {keys:,} of them through ", console.shown(key), style=""))
    if found.all_keys:
        parts.append(Text("  A reload becomes complete or incomplete, so that all keys are looked at.", style="yellow"))
    if found.members:
        parts.append(Text(f"  {found.members:>9,} members of {file['subject']} are made anew"))
    moved = found.after - found.before
    parts.append(Text(f"  effect on Silver and Gold: {console.money(moved)}", style="bold"))
    if found.groups:
        parts += [draw_groups(found.groups), draw_movements(found.movements)]
    return Group(*parts)


def _rows(file: Item) -> RenderableType:
    silver = file["silver"]
    grid = console.table(
        "Rows of the file, as its run took them", ("outcome", "rows", "amount"), right=("rows", "amount")
    )
    for outcome in OUTCOMES:
        if rows := silver["outcomes"].get(outcome):
            grid.add_row(outcome, console.count(rows), console.money(Decimal(silver["amounts"].get(outcome, "0.00"))))
    return grid


def draw_groups(groups: Sequence[Item]) -> RenderableType:
    days = len({group["transacted_on"] for group in groups})
    title = f"Gold: {len(groups):,} groups of {days:,} days change; the largest"
    names = ("day", "channel", "rows", "amount")
    grid = console.table(title, names, right=names[2:], spare=("rows",))
    for group in groups[:SHOWN]:
        rows = f"{group['rows_before']:,} → {group['rows_after']:,}"
        amounts = f"{console.money(group['before'])} → {console.money(group['after'])}"
        grid.add_row(str(group["transacted_on"]), group["channel"], rows, amounts)
    return grid


def draw_movements(movements: Sequence[Item]) -> RenderableType:
    grid = console.table("Largest movements", ("dms_id", "amount"), right=("dms_id", "amount"))
    for key in movements:
        grid.add_row(str(key["dms_id"]), f"{_amount(key['before'])} → {_amount(key['after'])}")
    return grid


def _amount(amount: Any) -> str:
    return "none" if amount is None else console.money(amount)
