"""One batch of good, odd, bad and damaged files: each ends with one mail, and Gold holds exactly the good rows."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from batch import damaged, expected_gold, twice
from deployed_app import DeployedApp
from ended_batch import EndedBatch

from assay.audit import audit, differences
from assay.ledger import Item, ending
from assay.query import lake

FACTS = """
    SELECT fact.dms_id, fact.amount, fact.transacted_on, channel.channel, location.merchant_city
    FROM gold.fact_transactions AS fact
    JOIN gold.dim_channel AS channel USING (channel_key)
    JOIN gold.dim_location AS location USING (location_key)"""
HISTORY = "SELECT file_id, dms_id, amount FROM silver.transaction_history"


def _end(item: Item) -> str | None:
    """Name a file's end as the batch does: a rejected file by its codes."""
    end = ending(item)
    return ",".join(dict.fromkeys(reason["code"] for reason in item["reasons"])) if end == "rejected" else end


def test_batch_ends_as_each_file_deserves(ended: EndedBatch) -> None:
    expected = [(file.key, file.end) for file in ended.files]
    assert [(item["key"], _end(item)) for item in ended.items] == expected


def test_batch_is_refused_before_silver__page_damaged_behind_a_good_footer(ended: EndedBatch) -> None:
    (item,) = ended.items_of(damaged().key)
    assert (item["status"], "execution_arn" in item) == ("rejected", False)


def test_batch_is_warned_of__content_other_than_the_name(ended: EndedBatch) -> None:
    warned = [file.key for file, item in ended.pairs() if any("The name promises" in text for text in item["warnings"])]
    assert warned == ["transactions/is parquet.csv"]


def test_batch_proves__control_totals_that_agree(ended: EndedBatch) -> None:
    proven = [item["key"] for item in ended.items if item.get("control", {}).get("proven")]
    assert proven == ["transactions/proven.csv"]


def test_batch_sends_one_mail_for_each_file(ended: EndedBatch) -> None:
    subjects = {"published": "a file was published"}
    for file, item in ended.pairs():
        (mail,) = ended.app.mails_about(item)
        assert item["key"] in mail.body
        assert item["version_id"] in mail.body
        assert subjects.get(file.end, "rejected: ") in mail.subject
        assert all(reason["code"] in mail.body for reason in item.get("reasons", []))
    assert len(ended.app.all_mails()) == len(ended.files)


def test_batch_runs_one_execution_for_each_accepted_file__green_only_if_published(ended: EndedBatch) -> None:
    expected = {item["execution_arn"]: "SUCCEEDED" for file, item in ended.pairs() if file.end == "published"}
    assert sorted((each["executionArn"], each["status"]) for each in ended.app.executions()) == sorted(expected.items())


def test_batch_costs_few_job_runs(ended: EndedBatch) -> None:
    stack = ended.app.target.stack
    assert 1 <= len(ended.app.job_runs(stack.silver_job)) <= 6
    assert 1 <= len(ended.app.job_runs(stack.gold_job)) <= 6


def test_gold_holds_exactly_the_good_rows(ended: EndedBatch) -> None:
    expected = expected_gold(list(ended.files)).values()
    with lake(ended.app.target) as tables:
        found = tables.ask(FACTS).read_all().to_pylist()
    assert sorted(tuple(row.values()) for row in found) == sorted(
        (row.dms_id, row.amount, row.on, row.channel, row.city) for row in expected
    )


def test_daily_totals_add_up_to_the_cent(ended: EndedBatch) -> None:
    counts: dict[tuple[date, str], int] = defaultdict(int)
    amounts: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for row in expected_gold(list(ended.files)).values():
        counts[row.on, row.channel] += 1
        amounts[row.on, row.channel] += row.amount
    with lake(ended.app.target) as tables:
        found = tables.ask("SELECT transacted_on, channel, row_count, total_amount FROM gold.daily_totals")
        rows = [tuple(row.values()) for row in found.read_all().to_pylist()]
    assert sorted(rows) == sorted((*cell, counts[cell], amounts[cell]) for cell in counts)


def test_quarantine_holds_the_bad_rows_with_their_place_and_rules(ended: EndedBatch) -> None:
    expected = [
        (item["file_id"], bad.row, bad.line, bad.raw, bad.rules) for file, item in ended.pairs() for bad in file.bad
    ]
    with lake(ended.app.target) as tables:
        found = tables.ask("SELECT file_id, row, line, raw, rules FROM silver.quarantine").read_all().to_pylist()
    assert sorted(
        (row["file_id"], row["row"], row["line"], row["raw"], tuple(row["rules"])) for row in found
    ) == sorted(expected)


def test_each_version_takes_effect_with_its_own_bytes__key_uploaded_twice(ended: EndedBatch) -> None:
    versions = twice()
    items = ended.items_of(versions[0].key)
    with lake(ended.app.target) as tables:
        history = tables.ask(HISTORY).read_all().to_pylist()
    for file, item in zip(versions, items, strict=True):
        kept = {row["dms_id"]: row["amount"] for row in history if row["file_id"] == item["file_id"]}
        assert kept == {row.dms_id: row.amount for row in file.rows}
        assert Decimal(item["kpis"]["total_amount"]) == sum(row.amount for row in file.rows)


def test_audit_agrees_to_the_row_and_the_cent__full(ended: EndedBatch, app: DeployedApp) -> None:
    expected = expected_gold(list(ended.files)).values()
    with lake(app.target) as tables:
        checks = audit(app.ledger, tables)
    assert differences(checks) == []
    total = sum(row.amount for row in expected)
    assert {"rows: Silver = Gold": len(expected), "amount: Silver = Gold": total}.items() <= {
        check.what: check.found for check in checks
    }.items()
