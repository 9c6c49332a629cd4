"""What the end of a run of the Gold job calls: writes the report pages of the months that the run has touched."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

# Binaries among them are for Lambda's Python. They come last, so that a local cloud takes those of its own Python.
sys.path.append(str(Path(__file__).parent / "packages"))


def handler(_: object, __: object) -> dict[str, list[str]]:
    """Bring the pages up to date; a call that finds them so writes none."""
    import boto3

    from assay.ledger import Ledger
    from assay.report.pages import bring_up_to_date
    from assay.target import Target
    from assay.upload import instant_text

    target = Target(os.environ["STACK_NAME"], boto3.Session(), os.environ.get("AWS_ENDPOINT_URL"), Path.cwd())
    ledger = Ledger(target.dynamodb, target.stack.ledger_table)
    told = {"pages": bring_up_to_date(target, ledger, now=instant_text(datetime.now(UTC)))}
    print(json.dumps(told))
    return told
