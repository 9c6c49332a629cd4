"""What the mail about an undo says: who, when and why, and where the file's month stands on one page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from assay.undo.actions import OF_THE_FILE, item_of

FILE = dict.fromkeys(OF_THE_FILE, "x") | {
    "file_id": "f" * 64,
    "in_effect": True,
    "last_modified_at": "2026-05-31T10:00:00.000000Z",
}


@pytest.mark.parametrize(
    ("pages", "more"),
    [("none", ""), ("s3://lake/reports/", "\n\nIts month on one page: s3://lake/reports/2026-05.html")],
)
def test_notice_names_the_page_of_the_files_own_month__where_one_is_kept(pages: str, more: str) -> None:
    action = item_of(FILE, who="ann", reason="x 10", at=datetime(2026, 6, 2, tzinfo=UTC), pages=pages)
    assert action["notice"]["text"] == f"By ann at 2026-06-02T00:00:00Z: x 10{more}"
