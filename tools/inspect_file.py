"""Show what the KPI function finds in a local file, so that a change of the contract is seen without a cloud."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "functions" / "kpi"))

from admission import inspect_file
from judging.reconcile import Policy


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.add_argument("file", type=Path)
    parser.add_argument("--subject", default="transactions", help="transactions, cards, users or mcc_codes")
    arguments = parser.parse_args()
    with arguments.file.open("rb") as stream:
        found = inspect_file(
            f"{arguments.subject}/{arguments.file.name}",
            stream,
            last_modified_at=datetime.now(UTC),
            metadata={},
            read_side_car=lambda: None,
            learned=lambda: None,
            policy=Policy(maximum_bad_share=Decimal(1), minimum_rows=1),
        )
    print(json.dumps(found.as_item(), indent=1, ensure_ascii=False))
    return 1 if found.reasons else 0


if __name__ == "__main__":
    sys.exit(main())
