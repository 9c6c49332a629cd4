"""`assay maintain` against a stack in moto; the Glue jobs are played by a fake that puts tables into one file."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from deployed_stack import NAMES, DeployedStack, identifier_of
from documented_answers import conform

from assay import runs
from assay.errors import UserError
from assay.target import Target

NOON = datetime(2010, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def filled(stack: DeployedStack) -> DeployedStack:
    """Two files of rows in Silver, one in Gold."""
    for key in (1, 2):
        stack.write("silver.transactions", (key, Decimal("12.50"), "chip", NOON))
    stack.write("gold.fact_transactions", (1, Decimal("12.50")))
    return stack


def test_both_jobs_compact__files_before_and_after(filled: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def run(target: Target, job: str, arguments: Mapping[str, str]) -> None:
        started.append((job, dict(arguments)))
        if job == NAMES["SilverJob"]:
            table = filled.catalog.load_table(identifier_of("silver.transactions"))
            table.overwrite(table.scan().to_arrow())

    monkeypatch.setattr(runs, "run", run)
    result = filled.assay("maintain")
    told = conform("maintain", filled.assay("maintain", "--orphans", "--json").stdout)

    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["silver.transactions", "2", "→", "1", "0", "0.0"] in lines
    assert ["gold.fact_transactions", "1", "0", "0.0"] in lines
    jobs = [NAMES[name] for name in ("SilverJob", "GoldJob")]
    assert started == [(job, {"--maintain": what}) for what in ("true", "orphans") for job in jobs]
    files = {each["table"]: (each["before"]["data_files"], each["after"]["data_files"]) for each in told}
    assert files == {"silver.transactions": (1, 1), "gold.fact_transactions": (1, 1)}


def test_maintain_says_what_to_do__a_job_is_running(filled: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(target: Target, job: str, arguments: Mapping[str, str]) -> None:
        raise UserError(f"the job {job} is running already", "wait until it has ended, then run this again")

    monkeypatch.setattr(runs, "run", refuse)
    result = filled.assay("maintain")

    assert result.exit_code == 2
    assert "do: wait until it has ended" in result.stderr


def test_nothing_to_compact__nothing_published(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(runs, "run", lambda *arguments: started.append(arguments))

    assert stack.assay("maintain").stdout.strip() == "nothing published yet"
    assert started == []
