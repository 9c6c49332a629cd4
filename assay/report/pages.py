"""Keeps the page of each month in the lake, as `assay report` would write it after the newest publication.

What a page costs follows its month: the months that a run of Gold has touched come from the run's report, their items
by the ledger's index, and the money of all other months from `months.json`, which stands beside the pages. Every object
names the run of Gold that it shows, and is written under a condition, so that of two writers the later run's wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypedDict

from botocore.exceptions import ClientError
from contract.runs import Cut
from contract.vocabulary import REPORT_PAGES

from assay import query
from assay.evidence.chain import run_of_report
from assay.ledger import Item, Ledger
from assay.report import gathering, items, page
from assay.report.period import MONTH, of_month
from assay.report.summary import NOTHING, Summary
from assay.target import Target

MONTHS = f"{REPORT_PAGES}months.json"
OF_GOLD = "reports/gold/run_"
LOST = ("PreconditionFailed", "ConditionalRequestConflict")
"""What S3 answers to a conditional write when another one came first."""


class Months(TypedDict):
    """By how much the files and decisions of each month have moved the money, as of a run of Gold."""

    run_seq: int
    effects: dict[str, str]


def bring_up_to_date(target: Target, ledger: Ledger, *, now: str) -> list[str]:
    """Write the pages of the months that were touched since the last call; return their keys, the oldest first."""
    cut, kept = query.current_cut(target), _kept(target)
    if cut is None or (kept is not None and kept["run_seq"] >= cut["run_seq"]):
        return []
    months = _months_of(ledger, _taken(target, kept["run_seq"] if kept else cut["run_seq"] - 1, cut["run_seq"]))
    if kept:
        effects = {month: Decimal(amount) for month, amount in kept["effects"].items()}
        summaries = _summaries(target, ledger, months, effects, cut, now=now)
        if all(check.good for each in summaries.values() for check in each.totals_checks):
            return _write(target, summaries, effects, cut)
    # The first pages; or what is kept lacks something: a report was taken away, a replay has put figures right.
    effects = _effects(ledger, cut)
    return _write(target, _summaries(target, ledger, months, effects, cut, now=now), effects, cut)


def run_shown(target: Target, month: str) -> int:
    """Return the run of Gold that the page of a month shows; 0 if there is no page."""
    found = _head(target, target.stack.lake_bucket, f"{REPORT_PAGES}{month}.html")
    return int(found["Metadata"]["run"]) if found else 0


def _summaries(
    target: Target, ledger: Ledger, months: Iterable[str], effects: dict[str, Decimal], cut: Cut, *, now: str
) -> dict[str, Summary]:
    """Read some months at the cut, and put their effects among those of all months."""
    folds = {month: items.fold(ledger.arrived(of_month(month)), of_month(month), cut) for month in months}
    effects |= {month: folded.effects for month, folded in folds.items()}
    found = dict[str, Summary]()
    for month, folded in folds.items():
        folded.effects_before = sum((amount for other, amount in effects.items() if other < month), NOTHING)
        folded.effects_after = sum((amount for other, amount in effects.items() if other > month), NOTHING)
        found[month] = gathering.at_cut(target, ledger, of_month(month), cut, folded, now=now)
    return found


def _write(target: Target, summaries: Mapping[str, Summary], effects: Mapping[str, Decimal], cut: Cut) -> list[str]:
    pages = {f"{REPORT_PAGES}{month}.html": page.write(each) for month, each in summaries.items()}
    written = [key for key, text in pages.items() if _put(target, key, text, "text/html; charset=utf-8", cut)]
    # Last: a call that dies before it is repeated as a whole.
    told = {"run_seq": cut["run_seq"], "effects": {month: str(amount) for month, amount in sorted(effects.items())}}
    _put(target, MONTHS, json.dumps(told), "application/json", cut)
    return written


def _kept(target: Target) -> Months | None:
    try:
        body = target.s3.get_object(Bucket=target.stack.lake_bucket, Key=MONTHS)["Body"]
    except target.s3.exceptions.NoSuchKey:
        return None
    kept: Months = json.loads(body.read())
    return kept


def _taken(target: Target, after: int, last: int) -> list[str]:
    """Return the file ids that Gold's runs after one, up to the last, have published."""
    bucket, found = target.stack.lake_bucket, list[str]()
    pages = target.s3.get_paginator("list_objects_v2")
    for listed in pages.paginate(Bucket=bucket, Prefix=OF_GOLD, StartAfter=f"{OF_GOLD}{after:08}_~"):
        for each in listed.get("Contents", []):
            if after < run_of_report(each["Key"]) <= last:
                report = json.loads(target.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
                found += report["files"]
    return found


def _months_of(ledger: Ledger, taken: Iterable[str]) -> list[str]:
    """Return the months whose pages show something of these files and decisions, or of the files that they name."""
    months, seen, asked = set[str](), set[str](), set(taken)
    while asked:
        seen |= asked
        found = ledger.get(asked).values()
        months |= {items.arrived_at(item)[:MONTH] for item in found}
        asked = {named for item in found for named in _named(item)} - seen
    return sorted(months)


def _named(item: Item) -> Iterator[str]:
    """Yield the file that a decision is about, and the one whose rows a repair or a waiver closes."""
    if "decides" in item:
        yield item["decides"]["file_id"]
    if "repairs" in item:
        yield item["repairs"]


def _effects(ledger: Ledger, cut: Cut) -> dict[str, Decimal]:
    """Add up the effects of all files and decisions by month; for this alone the ledger is scanned."""
    found = dict[str, Decimal]()
    for item in ledger.each(items.READ):
        month = items.arrived_at(item)[:MONTH]
        found[month] = found.get(month, NOTHING) + items.effect_of(item, cut["silver_run_seq"])
    return found


def _put(target: Target, key: str, text: str, kind: str, cut: Cut) -> bool:
    """Put an object that shows a cut; return whether it was put, and not kept from it by one of a later run."""
    bucket, run = target.stack.lake_bucket, cut["run_seq"]
    while True:
        condition: Mapping[str, Any] = {"IfNoneMatch": "*"}
        if there := _head(target, bucket, key):
            if int(there["Metadata"].get("run", 0)) > run:
                return False
            condition = {"IfMatch": there["ETag"]}
        try:
            target.s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=text.encode(),
                ContentType=kind,
                CacheControl="no-cache",
                Metadata={"run": str(run)},
                **condition,
            )
            return True
        except ClientError as error:
            if error.response["Error"]["Code"] not in LOST:
                raise


def _head(target: Target, bucket: str, key: str) -> Mapping[str, Any] | None:
    try:
        return target.s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        return None
