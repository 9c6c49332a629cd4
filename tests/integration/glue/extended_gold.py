"""Gold with more in its contract: the job that is exported from a copy of the tree with added entries."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from export_notebooks import ROOT, export
from glue_pipeline import Pipeline, immortal_session

COPIED = ("glue/notebooks", "glue/lake", "glue/reading", "functions/kpi/contract")
ENTRIES = {
    "dimensions": 'DimensionTable("dim_state", "state_key", ("merchant_state",), "The state where a card was used."),',
    "aggregates": """
        AggregateTable("weekly_totals", Period.WEEK, ("channel",), "Each week by channel."),
        AggregateTable("quarterly_totals", Period.QUARTER, ("merchant", "channel"), "Each quarter by both."),
        AggregateTable("state_totals", Period.ALL_TIME, ("state", "client"), "By state and client."),
    """,
}
"""What the copy's contract has more, before the entry that stands first today."""
FIRST_ENTRIES = {"dimensions": 'DimensionTable("dim_channel"', "aggregates": 'AggregateTable("daily_totals"'}


def exported(folder: Path) -> ModuleType:
    """Return the Gold job of a copy of this tree, whose contract has the added entries."""
    for part in COPIED:
        shutil.copytree(ROOT / part, folder / part)
    for name, entries in ENTRIES.items():
        path, first = folder / "functions" / "kpi" / "contract" / f"{name}.py", FIRST_ENTRIES[name]
        text = path.read_text(encoding="utf-8")
        assert text.count(first) == 1
        path.write_text(text.replace(first, f"{entries.strip()}\n        {first}"), encoding="utf-8")
    script = folder / "extended_gold_job.py"
    script.write_text(export("gold", folder), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def run(job: ModuleType, pipeline: Pipeline, *, dies_at: str | None = None) -> None:
    """Run an exported job over a pipeline; it may die at a step."""

    def at_step(_: object, name: str, **found: object) -> None:
        if name == dies_at:
            raise KeyboardInterrupt(name)

    with immortal_session(), patch.object(job.Job, "step", at_step):
        job.main(job.LAYER, job.arguments(job.LAYER, pipeline.arguments("gold")))
