"""`assay explain`: a cell of an aggregate, or the life of a transaction's key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UserError
from assay.options import CHECK_FAILED, AsJson, Profile, Region, StackName, open_ledger, open_target

if TYPE_CHECKING:
    from assay.explain.biography import Biography
    from assay.explain.cell import Explained
    from assay.query import Lake
    from assay.target import Target

KEY = re.compile("-?[0-9]+")


def explain(
    what: Annotated[
        str, typer.Argument(metavar="AGGREGATE|KEY", help="gold.daily_totals, or the dms_id of a transaction.")
    ],
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="VALUE", help="Of an aggregate: the day, then each member; unknown means none."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="RUN|INSTANT", help="Sum up what was there after a run of Silver, or at an instant."),
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="How many of the largest movements to show.")] = 10,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show which runs, files and rows add up to a figure of Gold. Exits 1 if they do not.

    For instance: assay explain gold.daily_totals 2024-03-01 online. Of a key it shows every row that named it.
    """
    from assay import console
    from assay.query import lake

    target = open_target(stack, region, profile)
    with lake(target) as opened, console.working("reading history and effects"):
        found = _explanation(target, opened, what, values or [], since, rows)
    files = {file_id: item["key"] for file_id, item in open_ledger(target).get(found.file_ids).items()}
    if as_json:
        console.print_json(found.as_json(files))
    else:
        console.out().print(found.render(files))
    if not found.adds_up:
        raise typer.Exit(CHECK_FAILED)


def _explanation(
    target: Target, opened: Lake, what: str, values: list[str], since: str | None, rows: int
) -> Biography | Explained:
    from assay.explain import biography, cell

    if not KEY.fullmatch(what):
        wanted = cell.find(opened, what, values)
        return cell.explain(opened, wanted, since=_run_at(target, since), most_rows=rows)
    if values or since:
        raise UserError("a key has neither values nor --since", f"its whole life: assay explain {what}")
    life = biography.biography(opened, int(what))
    if not life.rows:
        raise UserError(
            f"no accepted row names the key {what}",
            "a broken row is in quarantine: assay quarantine",
        )
    return life


def _run_at(target: Target, since: str | None) -> int:
    """Return the Silver run that readers were shown at an instant, or the one that is named; 0 for none."""
    if since is None or since.isdecimal():
        return int(since or 0)
    from assay.query import kept_cuts
    from assay.upload import instant_text, read_instant

    at = instant_text(read_instant("--since", since))
    cuts = kept_cuts(target)
    earlier = [cut["silver_run_seq"] for cut in cuts if cut["at"] <= at]
    if not earlier and cuts and cuts[0]["run_seq"] > 1:
        raise UserError(
            f"which run was shown at {at} is not kept", f"name a run of Silver, or an instant after {cuts[0]['at']}"
        )
    return max(earlier, default=0)
