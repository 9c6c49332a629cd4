"""The page that the batch's publications leave in the lake: the function's package made it, and mails name it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from deployed_app import DeployedApp, until
from ended_batch import EndedBatch


@pytest.fixture(scope="module")
def kept(ended: EndedBatch) -> str:
    """The page of the batch's month, as of the last publication."""
    app, month = ended.app, ended.items[0]["last_modified_at"][:7]
    key = f"reports/{month}.html"
    told = until(lambda: _head(app, key, run=app.ledger.gold_run()), seconds=120, what="the page of the last run")
    assert told["ContentType"] == "text/html; charset=utf-8"
    return app.object(f"{app.target.stack.report_pages}{month}.html").decode()


def _head(app: DeployedApp, key: str, *, run: int) -> Any:
    try:
        found = app.target.s3.head_object(Bucket=app.target.stack.lake_bucket, Key=key)
    except ClientError:
        return None
    return found if int(found["Metadata"]["run"]) >= run else None


def test_page_is_kept_after_publications__and_adds_up(ended: EndedBatch, kept: str) -> None:
    assert "is different" not in kept
    assert "are different" not in kept
    assert "Every figure adds up to the cent" in kept
    assert all(item["file_id"] in kept for item in ended.items)
    months = json.loads(ended.app.object(f"{ended.app.target.stack.report_pages}months.json"))
    assert months["run_seq"] == ended.app.ledger.gold_run()


def test_mail_of_a_publication_names_the_page_of_its_month(ended: EndedBatch, kept: str) -> None:
    assert kept
    published = [item for item in ended.items if item["status"] == "published"]
    for item in published:
        (mail,) = ended.app.mails_about(item)
        assert f"{ended.app.target.stack.report_pages}{item['last_modified_at'][:7]}.html" in mail.body
