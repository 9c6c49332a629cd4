"""S3 delivers at least once: an event that comes again, also many times at once, changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from batch import twice
from deployed_app import DeployedApp
from ended_batch import REPEATED, TIMES, EndedBatch


def _state(app: DeployedApp) -> dict[str, Any]:
    """Give all that an event may change: ledger, tables by their snapshots, executions, job runs, mails."""
    stack = app.target.stack
    glue, layers = app.client("glue"), (stack.silver_database, stack.gold_database)
    tables = [table for layer in layers for table in glue.get_tables(DatabaseName=layer)["TableList"]]
    items = app.target.dynamodb.scan(TableName=stack.ledger_table)["Items"]
    return {
        "ledger": {item["file_id"]["S"]: item for item in items},
        "tables": {
            (table["DatabaseName"], table["Name"]): table["Parameters"].get("metadata_location")  # a view has none
            for table in tables
        },
        "executions": sorted(each["executionArn"] for each in app.executions()),
        "runs": [len(app.job_runs(job)) for job in (stack.silver_job, stack.gold_job)],
        "mails": [mail.message_id for mail in app.all_mails()],
    }


def test_event_takes_effect_once__many_at_once_on_the_way(app: DeployedApp, ended: EndedBatch) -> None:
    assert ended.answers == [{"handled": 1}] * TIMES * len(REPEATED)
    published, rejected = (ended.items_of(key)[0] for key in REPEATED)
    executions = [each["executionArn"] for each in app.executions()]
    for item, started in ((published, 1), (rejected, 0)):
        assert sum(item["file_id"][:32] in arn for arn in executions) == started
        assert len(app.mails_about(item)) == 1
        changes = [change["status"] for change in item["changes"]]
        assert sorted(set(changes)) == sorted(changes)


def test_event_changes_nothing__repeated_for_published_file(app: DeployedApp, ended: EndedBatch) -> None:
    (item,) = ended.items_of("transactions/day=1/a b+c%20d.csv")
    before = _state(app)
    assert [app.deliver_again(item) for _ in range(TIMES)] == [{"handled": 1}] * TIMES
    assert _state(app) == before


def test_event_changes_nothing__repeated_for_rejected_file(app: DeployedApp, ended: EndedBatch) -> None:
    (item,) = ended.items_of("transactions/rejected/a cent off.csv")
    before = _state(app)
    assert app.deliver_again(item) == {"handled": 1}
    assert _state(app) == before


def test_event_changes_nothing__many_at_once(app: DeployedApp, ended: EndedBatch) -> None:
    items = ended.items_of(twice()[0].key) * TIMES
    before = _state(app)
    with ThreadPoolExecutor(TIMES) as pool:
        assert list(pool.map(app.deliver_again, items)) == [{"handled": 1}] * len(items)
    assert _state(app) == before
