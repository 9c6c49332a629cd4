"""The ledger as a list, and the versions of one key with their status changes."""

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.text import Text

from assay import console
from assay.grid import Facts, Heading
from assay.ledger import Item
from assay.watch import outcomes_in_words

TRANSACTIONS = "transactions"
STYLES = {"published": "green", "rejected": "red", "failed": "bold red", "undone": "yellow"}


def status_of(item: Item) -> str:
    if item.get("failed"):
        return "failed"
    return "undone" if item.get("decisions") and not item["in_effect"] else str(item["status"])


def render_list(items: Sequence[Item], total: int) -> RenderableType:
    """Draw the newest files; `total` is how many the ledger holds."""
    columns = ("file", "version", "status", "rows", "amount", "effect", "outcomes or reason", "since")
    grid = console.table(
        f"Files: {len(items):,} of {total:,}, newest first",
        columns,
        right=("rows", "amount", "effect"),
        keys=("file",),
        lines=("version", "status", "since", "outcomes or reason"),
        spare=("version", "since", "amount", "outcomes or reason"),
    )
    for item in items:
        kpis = item.get("kpis", {})
        grid.add_row(
            _name(item),
            item["version_id"][:8],
            Text(status_of(item), style=STYLES.get(status_of(item), "yellow")),
            console.count(kpis["row_count"]) if kpis else "",
            console.money(Decimal(kpis["total_amount"])) if kpis else "",
            console.money(Decimal(silver["effect_amount"])) if (silver := item.get("silver")) else "",
            console.shown(why(item)),
            _since(item),
        )
    return grid


def render_actions(items: Sequence[Item]) -> RenderableType:
    """Draw undos and redos that are in progress or have failed, and what to do about these."""
    grid = console.table(
        "Undos and redos in progress",
        ("file", "version", "what", "status", "by", "why", "since"),
        keys=("file",),
        lines=("version", "what", "status", "since"),
        spare=("version", "since", "by"),
    )
    for item in items:
        decided, failed = item["decides"], item.get("failed")
        why = decided["reason"]
        if failed:
            again = f"assay {item['subject']} {decided['file_id']}"
            why = f"in {failed['stage']}: {failed['reason']}. To take it up again: {again}"
        grid.add_row(
            console.shown(item["key"]),
            item["version_id"][:8],
            item["subject"],
            Text(status_of(item), style=STYLES.get(status_of(item), "yellow")),
            console.shown(decided["who"]),
            console.shown(why),
            _since(item),
        )
    return grid


def breaker_line(layer: str, since: str) -> str:
    """Return what an open breaker means, and how to close it."""
    at = since[:19].replace("T", " ")
    return (
        f"The breaker of {layer} is open since {at}: no run starts but probes. Close it: assay resume --layer {layer}"
    )


def _name(item: Item) -> str:
    """Return a file's key, with its subject where that is not transactions."""
    subject = item.get("subject", TRANSACTIONS)
    key = console.shown(item["key"])
    return key if subject == TRANSACTIONS else f"{key} ({subject})"


def render_versions(items: Sequence[Item], logs: Sequence[str]) -> RenderableType:
    """Draw the status changes of each version of a key, newest first, and where the logs are."""
    parts: list[RenderableType] = []
    for item in items:
        state = Text(f"  {status_of(item)}", style=STYLES.get(status_of(item), "yellow"))
        parts.append(Heading("", _name(item), state))
        parts += [Text(f"  {change['at']}  {change['status']}") for change in item.get("changes", [])]
        parts += [Text(f"  {console.shown(line)}") for line in _whys(item)]
        parts += [Text(f"  ! {console.shown(warning)}", style="yellow") for warning in item.get("warnings", [])]
        identity = {"version": item["version_id"], "file_id": item["file_id"]}
        identity["execution"] = item.get("execution_arn", "none")
        parts.append(Facts([(f"  {name}", value) for name, value in identity.items()]))
    parts += [Text(f"logs: {place}", style="dim") for place in logs]
    return Group(*parts)


def why(item: Item) -> str:
    """Return in one line why a file has its status, and what it is warned of."""
    warnings = item.get("warnings", []) if status_of(item) == "published" else []
    return "; ".join([*_whys(item), *(f"! {warning}" for warning in warnings)])


def _whys(item: Item) -> list[str]:
    if item.get("failed"):
        return [f"in {item['failed']['stage']}: {item['failed']['reason']}"]
    if item.get("reasons"):
        return [f"{reason['code']}: {reason['text']}" for reason in item["reasons"]]
    return [words] if (words := outcomes_in_words(item)) else []


def _since(item: Item) -> str:
    changes = item.get("changes", [])
    return changes[-1]["at"][:19].replace("T", " ") if changes else ""
