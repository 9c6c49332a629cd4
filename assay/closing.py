"""`assay close` and `status --closed`: what a month was closed with, and what Gold holds of it now.

A closed month is not held back: each publication that changes it says so. The Gold job reads the items of closed months
after its commit, so a month is closed with what the last committed run shows, or closed again at the next one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.errors import NothingPublishedError, UserError
from assay.options import (
    AsJson,
    DryRun,
    Profile,
    Region,
    StackName,
    Yes,
    agree_on,
    open_ledger,
    open_target,
    refuse_to_ask,
)

if TYPE_CHECKING:
    from contract.closings import ChannelTotals, ClosedItem
    from contract.runs import Cut
    from rich.console import RenderableType

    from assay.ledger import Ledger
    from assay.query import Lake
    from assay.target import Target

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
KEPT_OF_EARLIER = ("run_seq", "silver_run_seq", "channels", "who", "at", "reason")
LOOKS = 60  # at a run that is committed and not shown yet, one a second
Channels = Mapping[str, "ChannelTotals"]


def close(
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month, by UTC, such as 2026-06.")],
    reason: Annotated[str, typer.Option(help="Why; needed with --again.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Close it anew, with what Gold holds of it now.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Close a month with its totals. From then on, publications that change it say so; none is held back."""
    from assay import console

    refuse_month(month, datetime.now(UTC))
    if again and not reason:
        raise UserError("--again needs a reason", 'say why: --reason "late files of Leeds"')
    refuse_to_ask(as_json=as_json, yes=yes or dry_run)
    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    show = partial(look if as_json else shown, target, ledger, month, again=again)
    asked = show() if dry_run else agree_on(show, f"Close {month}?", run=partial(committed, ledger), yes=yes)
    if dry_run:
        if as_json:
            console.print_json({"preview": asked.as_json(), "result": None})
        return
    closed = put(target, ledger, asked, reason=reason)
    if as_json:
        console.print_json({"preview": asked.as_json(), "result": closed})
    console.note(f"{month} is closed with Gold run {closed['run_seq']}. See all closed months: assay status --closed")


@dataclass(frozen=True)
class Month:
    """What Gold holds of a month at a cut, and the item of its closing, where it has one."""

    month: str
    cut: Cut
    channels: Channels
    before: ClosedItem | None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs, with its last closing."""
        runs = {name: self.cut[name] for name in ("run_seq", "silver_run_seq")}
        return {"month": self.month, **runs, "channels": self.channels, "closed": self.before}


def refuse_month(month: str, now: datetime) -> None:
    """Raise UserError unless this is a month that is over."""
    if not MONTH.fullmatch(month):
        raise UserError(f"{month} is no month", "write it as 2026-06")
    if month >= f"{now:%Y-%m}":
        raise UserError(f"{month} is not over (UTC)", "close it once it is")


def look(target: Target, ledger: Ledger, month: str, *, again: bool) -> Month:
    """Return what there is to close at the published cut; raise UserError where it cannot be closed."""
    from contract.closings import CLOSED

    from assay.query import lake

    before: Any = ledger.get([f"{CLOSED}{month}"]).get(f"{CLOSED}{month}")
    if before and not again:
        what = f"{month} was closed by {before['who']} at {before['at'][:19]}Z, with Gold run {before['run_seq']}"
        raise UserError(what, "see assay status --closed; close it anew with --again --reason TEXT")
    if again and not before:
        raise UserError(f"{month} was never closed", "leave out --again")
    cut = _settled_cut(target, ledger)
    with lake(target, named=dict(cut["snapshots"].items())) as tables:
        return Month(month, cut, totals(tables, [month]).get(month, {}), before)


def _settled_cut(target: Target, ledger: Ledger) -> Cut:
    """Return the published cut, once it is that of the last committed run, which is a moment later."""
    from assay.query import current_cut

    for _ in range(LOOKS):
        cut = current_cut(target)
        if cut is None:
            raise NothingPublishedError
        if (run_seq := committed(ledger)) == cut["run_seq"]:
            return cut
        time.sleep(1)
    what = f"Gold's run {run_seq} is committed, and readers are not shown it yet"
    raise UserError(what, "the next run of Gold finishes it; close the month after that")


def committed(ledger: Ledger) -> int:
    """Return the last committed run of Gold."""
    return int((ledger.layer("gold") or {}).get("run_seq", 0))


def shown(target: Target, ledger: Ledger, month: str, *, again: bool) -> Month:
    """Show what a month would be closed with."""
    from assay import console

    with console.working("adding up the month"):
        found = look(target, ledger, month, again=again)
    console.out().print(render(found))
    return found


def put(target: Target, ledger: Ledger, found: Month, *, reason: str) -> ClosedItem:
    """Close a month; once more where a run was committed meanwhile, which has seen it open, or with other totals."""
    last = found.before
    while True:
        item = item_of(found, who=target.operator(), reason=reason, at=datetime.now(UTC))
        _put(target, item, last)
        if committed(ledger) == found.cut["run_seq"]:
            return item
        later, last = look(target, ledger, found.month, again=True), item
        found = Month(found.month, later.cut, later.channels, found.before)


def item_of(found: Month, *, who: str, reason: str, at: datetime) -> ClosedItem:
    """Return the item of a closed month; it keeps what the month was closed with before."""
    from contract.closings import CLOSED
    from contract.limits import REASON_CHARACTERS
    from reading.visible import visible

    from assay.upload import instant_text

    item: ClosedItem = {
        "file_id": f"{CLOSED}{found.month}",
        "kind": "closed",
        "month": found.month,
        "run_seq": found.cut["run_seq"],
        "silver_run_seq": found.cut["silver_run_seq"],
        "snapshots": dict(found.cut["snapshots"].items()),
        "channels": {**found.channels},
        "who": visible(who, most=REASON_CHARACTERS),
        "at": instant_text(at),
        "reason": visible(reason, most=REASON_CHARACTERS),
    }
    if found.before:
        last: Any = {name: value for name, value in found.before.items() if name in KEPT_OF_EARLIER}
        item["earlier"] = [*found.before.get("earlier", []), last]
    return item


def _put(target: Target, item: ClosedItem, before: ClosedItem | None) -> None:
    """Write the item if it is as it was read; raise UserError if another operator has closed the month meanwhile.

    The month is named before it has an item: who looks in between finds none.
    """
    from boto3.dynamodb.types import TypeSerializer
    from contract.closings import CLOSED_MONTHS

    serialize = TypeSerializer().serialize
    target.dynamodb.update_item(
        TableName=target.stack.ledger_table,
        Key={"file_id": serialize(CLOSED_MONTHS)},
        UpdateExpression="SET kind = :kind ADD months :months",
        ExpressionAttributeValues={":kind": serialize("closed months"), ":months": serialize({item["month"]})},
    )
    given: Any = {"ConditionExpression": "attribute_not_exists(file_id)"}
    if before:
        given = {
            "ConditionExpression": "#at = :at",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": {":at": serialize(before["at"])},
        }
    try:
        stored = {name: serialize(value) for name, value in item.items()}
        target.dynamodb.put_item(TableName=target.stack.ledger_table, Item=stored, **given)
    except target.dynamodb.exceptions.ConditionalCheckFailedException:
        raise UserError(f"somebody else has just closed {item['month']}", "see assay status --closed") from None


def totals(lake: Lake, months: Iterable[str]) -> dict[str, dict[str, ChannelTotals]]:
    """Return facts and money of months by channel; a channel without facts is left out."""
    from contract.closings import TOTALS_TABLE

    lake.open("gold", TOTALS_TABLE)
    statement = (
        "SELECT strftime(transacted_on, '%Y-%m') AS month, channel, sum(row_count)::BIGINT AS row_count, "  # noqa: S608
        f"sum(total_amount)::DECIMAL(38, 2) AS total_amount FROM gold.{TOTALS_TABLE} "
        "WHERE strftime(transacted_on, '%Y-%m') IN (SELECT unnest(?)) GROUP BY ALL ORDER BY ALL"
    )
    found: dict[str, dict[str, ChannelTotals]] = {}
    for row in lake.rows(statement, [list(months)]):
        of_channel: ChannelTotals = {"row_count": row["row_count"], "total_amount": str(row["total_amount"])}
        found.setdefault(row["month"], {})[row["channel"]] = of_channel
    return found


def render(found: Month) -> RenderableType:
    """Draw what a month would be closed with, beside its last closing."""
    from rich.console import Group
    from rich.text import Text

    from assay import console

    cut = found.cut
    title = f"{found.month} (UTC) by Gold run {cut['run_seq']}, which shows Silver run {cut['silver_run_seq']}"
    columns = ("channel", "facts", "amount") + (("closed with", "difference") if found.before else ())
    grid = console.table("", columns, right=columns[1:])
    last: Channels = found.before["channels"] if found.before else {}
    for channel in sorted({*found.channels, *last}):
        grid.add_row(channel, *_columns(found.channels.get(channel), last.get(channel), beside=bool(found.before)))
    grid.add_section()
    grid.add_row("all", *_columns(_sum(found.channels), _sum(last), beside=bool(found.before)))
    return Group(Text(title, style="bold"), grid)


def _columns(now: ChannelTotals | None, then: ChannelTotals | None, *, beside: bool) -> list[str]:
    from assay import console

    facts, amount, closed = now["row_count"] if now else 0, _amount(now), _amount(then)
    more = [console.money(closed), f"{amount - closed:+,.2f}"] if beside else []
    return [console.count(facts), console.money(amount), *more]


def _amount(held: ChannelTotals | None) -> Decimal:
    return Decimal(held["total_amount"]) if held else Decimal("0.00")


def _sum(channels: Channels) -> ChannelTotals:
    amount = sum((_amount(each) for each in channels.values()), Decimal("0.00"))
    return {"row_count": sum(each["row_count"] for each in channels.values()), "total_amount": str(amount)}


def show_closed(target: Target, ledger: Ledger, *, as_json: bool) -> None:
    """Print all closed months by channel, as they were closed and as Gold holds them now."""
    from assay import console
    from assay.query import lake

    items: Any = sorted(ledger.whole("closed"), key=lambda item: str(item["month"]))
    found: dict[str, Any] = {}
    if items:
        with lake(target) as tables:
            found = totals(tables, [item["month"] for item in items])
    if as_json:
        console.print_json([{**item, "now": found.get(item["month"], {})} for item in items])
    elif items:
        console.out().print(render_closed(items, found))
    else:
        console.out().print("No month is closed. Close one: assay close YYYY-MM")


def render_closed(items: Iterable[ClosedItem], found: Mapping[str, Channels]) -> RenderableType:
    """Draw closed months, then and now."""
    from assay import console

    columns = ("month", "channel", "facts then", "facts now", "closed with", "now", "difference", "", "closed")
    grid = console.table("Closed months (UTC)", columns, right=columns[2:7])
    for item in items:
        now: Channels = found.get(item["month"], {})
        said = f"{item['at'][:10]}, Gold run {item['run_seq']}, {console.shown(item['who'])}"
        said += f": {console.shown(item['reason'])}" if item["reason"] else ""
        for channel in sorted({*item["channels"], *now}):
            then, held = item["channels"].get(channel), now.get(channel)
            counts = [console.count(each["row_count"] if each else 0) for each in (then, held)]
            amounts = [console.money(_amount(each)) for each in (then, held)]
            difference = f"{_amount(held) - _amount(then):+,.2f}"
            grid.add_row(item["month"], channel, *counts, *amounts, difference, console.mark(then == held), said)
            said = ""
        if not {*item["channels"], *now}:
            grid.add_row(item["month"], "none", "0", "0", "0.00", "0.00", "+0.00", console.mark(True), said)
    return grid
