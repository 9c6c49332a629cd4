"""Which files can be resumed, and what would become of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from cloud.workflows import goes_on
from rich.console import Group, RenderableType
from rich.text import Text

from assay import console
from assay.errors import UserError
from assay.ledger import Item, Ledger

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

STAGES = {"received": "kpi", "accepted": "silver", "in_silver": "gold"}
PARALLEL = 8


@dataclass(frozen=True)
class Resumable:
    """A file that can go on, and the stage at which it does: `kpi`, `silver` or `gold`."""

    item: Item
    stage: str

    @property
    def why(self) -> str:
        """Return why it does not go on by itself."""
        failed = self.item.get("failed")
        return f"failed: {failed['reason']}" if failed else "waits, and its execution has ended"


def of_keys(keys: Sequence[str], ledger: Ledger, workflows: SFNClient, *, parts: bool) -> list[Resumable]:
    """Return the files of these keys; raise UserError for one that cannot be resumed."""
    found = [_of_key(ledger.versions(key, parts=parts), key, workflows) for key in keys]
    return list({each.item["file_id"]: each for each in found}.values())


def failed(ledger: Ledger, workflows: SFNClient) -> list[Resumable]:
    """Return all files that failed and whose execution has ended, the oldest first."""
    items = sorted(filter(_has_failed, ledger.whole()), key=lambda item: str(item["failed"]["at"]))
    return _ended(items, workflows)


def waiting_for(layer: str, ledger: Ledger, workflows: SFNClient) -> list[Resumable]:
    """Return the files that wait for a layer and have no execution that sees them through, the oldest first."""
    return _ended(sorted(ledger.waiting(layer), key=lambda item: str(item["waiting_since"])), workflows)


def _ended(items: Sequence[Item], workflows: SFNClient) -> list[Resumable]:
    with ThreadPoolExecutor(PARALLEL) as pool:
        running = list(pool.map(lambda item: _is_running(item, workflows), items))
    return [Resumable(item, STAGES[item["status"]]) for item, runs in zip(items, running, strict=True) if not runs]


def refuse_open_breaker(found: Iterable[Resumable], breakers: Collection[str]) -> None:
    """Raise UserError where a file would meet an open breaker: its execution would end at once."""
    for stage in {each.stage for each in found} & set(breakers):
        raise UserError(
            f"the breaker of {stage} is open: three runs failed in a row, and nothing is started",
            f"remove the cause (docs/runbook.md, section Open breaker), then: assay resume --layer {stage}",
        )


def _of_key(versions: Sequence[Item], key: str, workflows: SFNClient) -> Resumable:
    failed = list(filter(_has_failed, versions))
    stopped = [item for item in failed or versions if _is_stopped(item, workflows)]
    if len(stopped) > 1:
        named = ", ".join(item["file_id"] for item in stopped)
        raise UserError(f"{len(stopped)} versions of {key} can be resumed", f"name one by its file id: {named}")
    if stopped:
        return Resumable(stopped[0], STAGES[stopped[0]["status"]])
    newest = (failed or versions)[0]
    raise UserError(f"{newest['key']} cannot be resumed: it {_state(newest)}", _advice(newest))


def _has_failed(item: Item) -> bool:
    return "failed" in item and item["status"] in STAGES


def _is_stopped(item: Item, workflows: SFNClient) -> bool:
    """Tell whether a file has failed or waits, and no execution sees it through: two would send two mails."""
    return ("failed" in item or "waiting_for" in item) and not _is_running(item, workflows)


def _is_running(item: Item, workflows: SFNClient) -> bool:
    """Tell whether the execution of a file goes on; one that was never started does not."""
    return "execution_arn" in item and goes_on(workflows, item["execution_arn"])


def _state(item: Item) -> str:
    if _has_failed(item):
        return "has failed, and its execution still runs"
    told = {"published": "is published", "rejected": "was rejected", "received": "is being examined"}
    return told.get(item["status"], "is on its way, and its execution runs")


def _advice(item: Item) -> str:
    if item["status"] == "rejected":
        return f"correct it and upload it again; the reasons: assay passport {item['file_id']}"
    if _has_failed(item):
        return "it ends within minutes, with a mail; resume it then"
    return f"see how far it is: assay status {item['file_id']}"


def as_json(found: Sequence[Resumable], closes: str | None, resumed: Collection[str]) -> dict[str, object]:
    """Return what was done for programs; `resumed` are the file ids of those that go on."""
    files = [
        {
            "file_id": each.item["file_id"],
            "key": each.item["key"],
            "version_id": each.item["version_id"],
            "stage": each.stage,
            "why": each.why,
            "resumed": each.item["file_id"] in resumed,
        }
        for each in found
    ]
    return {"closes_breaker": closes, "files": files}


def render(found: Sequence[Resumable], closes: str | None) -> RenderableType:
    """Draw what would be done."""
    parts: list[RenderableType] = []
    if closes:
        parts.append(Text(f"The failed starts of {closes} are forgotten and its breaker is closed: runs start again."))
    if found:
        columns = ("file", "version", "goes on at", "rows", "amount", "why it stopped")
        grid = console.table(
            f"Files to resume: {len(found):,}",
            columns,
            right=("rows", "amount"),
            keys=("file",),
            spare=("version", "amount", "rows"),
        )
        for each in found:
            kpis = each.item.get("kpis", {})
            grid.add_row(
                console.shown(each.item["key"]),
                each.item["version_id"][:8],
                each.stage,
                console.count(kpis["row_count"]) if kpis else "",
                console.money(Decimal(kpis["total_amount"])) if kpis else "",
                console.shown(each.why),
            )
        parts += [grid, Text("Each keeps its own order: rows of the same keys that came later stay.", style="dim")]
    return Group(*parts)
