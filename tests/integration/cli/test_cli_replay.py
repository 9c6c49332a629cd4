"""`assay replay` against a stack in moto; the Glue jobs are played by a fake that moves the ledgers and writes rows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from deployed_stack import NAMES, DeployedStack, file_item, identifier_of, layer_items
from documented_answers import conform

from assay import runs
from assay.errors import UserError
from assay.ledger import Item, Ledger
from assay.replay import rebuild
from assay.target import Target

NOON = datetime(2010, 1, 1, 12, tzinfo=UTC)
ROWS = [(1, Decimal("12.50"), "chip", NOON), (2, Decimal("-2.50"), None, NOON)]
FACTS = [(key, amount) for key, amount, *_ in ROWS]
FILES = [file_item(f"{name}.csv") for name in "abcdef"]


LATER = (3, Decimal("5.00"), None, NOON)
TABLES = ("silver.transactions", "gold.fact_transactions")


def name_cut(stack: DeployedStack, *, silver_run: int, gold_run: int) -> None:
    """Name the newest snapshots of both tables as a cut, beside the cuts that there are."""
    s3, lake, snapshots = stack.client("s3"), NAMES["LakeBucket"], {}
    for table in TABLES:
        layer, name = table.split(".")
        current = stack.catalog.load_table(identifier_of(table)).current_snapshot()
        snapshots[layer] = {name: current.snapshot_id}
    there = {found["Key"] for found in s3.list_objects_v2(Bucket=lake).get("Contents", [])}
    cuts = json.loads(s3.get_object(Bucket=lake, Key="cuts.json")["Body"].read()) if "cuts.json" in there else []
    at = f"2026-11-23T06:00:{gold_run:02d}.000000Z"
    cuts.append({"run_seq": gold_run, "silver_run_seq": silver_run, "at": at, "snapshots": snapshots})
    s3.put_object(Bucket=lake, Key="cuts.json", Body=json.dumps(cuts))


def publish(stack: DeployedStack, name: str, row: tuple[Any, ...], *, run: int) -> None:
    """Take a file with one row through production: its rows, its item, the layers' items, the cut."""
    stack.write("silver.transactions", row)
    stack.write("gold.fact_transactions", row[:2])
    file = file_item(name)
    stack.put(file | {"silver": file["silver"] | {"run_seq": run}})
    stack.put(*(item | {"run_seq": run} for item in layer_items(rows=3, silver="15.00")))
    name_cut(stack, silver_run=run, gold_run=run)


class FakeJobs:
    """Plays the four jobs: the replay's take what waits and write `rows`, production's take over what was rebuilt."""

    def __init__(self, stack: DeployedStack) -> None:
        self.stack = stack
        self.rows, self.moves = ROWS, False
        self.never: set[str] = set()
        self.started: list[tuple[str, dict[str, str]]] = []
        self.first_batch: list[Item] = []

    def run(self, target: Target, job: str, arguments: Mapping[str, str]) -> None:
        self.started.append((job, dict(arguments)))
        played = {
            NAMES["ReplaySilverJob"]: self.replay_silver,
            NAMES["ReplayGoldJob"]: self.replay_gold,
            NAMES["SilverJob"]: self.silver,
            NAMES["GoldJob"]: lambda: None,
        }
        played[job]()

    def ledger(self, table: str) -> Ledger:
        return Ledger(self.stack.client("dynamodb"), NAMES[table])

    def replay_silver(self) -> None:
        self.first_batch = self.first_batch or self.ledger("ReplayLedgerTable").whole()
        if not self.tables():
            self.stack.write("replay_silver.transactions", *self.rows)
        self.advance("accepted", "in_silver")

    def replay_gold(self) -> None:
        if ("assay_replay_gold", "fact_transactions") not in self.tables():
            self.stack.write("replay_gold.fact_transactions", *FACTS)
        self.advance("in_silver", "published")
        self.stack.put(*layer_items(rows=2, silver="10.00"), table="ReplayLedgerTable")

    def silver(self) -> None:
        """Stand for a run that came between: production is a run further, and the job refuses."""
        if self.moves:
            later, _ = layer_items(rows=2, silver="10.00")
            self.stack.put(later | {"run_seq": 2})
            raise runs.RunFailedError("the job ended FAILED: FencedOut", "see the logs")

    def tables(self) -> list[Any]:
        found = [self.stack.catalog.list_tables(NAMES[f"Replay{layer}Database"]) for layer in ("Silver", "Gold")]
        return [table for tables in found for table in tables]

    def advance(self, before: str, after: str) -> None:
        for item in self.ledger("ReplayLedgerTable").whole():
            if item["status"] == before and item["key"] not in self.never:
                self.stack.put(item | {"status": after}, table="ReplayLedgerTable")


@pytest.fixture
def jobs(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> FakeJobs:
    """Six published files, two rows in production, and the jobs."""
    stack.put(*FILES, *layer_items(rows=2, silver="10.00"))
    stack.write("silver.transactions", *ROWS)
    stack.write("gold.fact_transactions", *FACTS)
    name_cut(stack, silver_run=1, gold_run=1)
    fake = FakeJobs(stack)
    monkeypatch.setattr(runs, "run", fake.run)
    return fake


def jobs_of(jobs: FakeJobs, name: str) -> list[dict[str, str]]:
    return [arguments for job, arguments in jobs.started if job == NAMES[name]]


def test_check_agrees__same_rows(jobs: FakeJobs) -> None:
    result = jobs.stack.assay("replay", "--check", "--seed", "1")

    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["✓", "silver.transactions", "2", "2"] in lines
    assert ["✓", "gold.fact_transactions", "2", "2"] in lines
    assert ["✓", "gold:", "total_amount", "10.00", "10.00"] in lines
    assert {tuple(each.items()) for each in jobs_of(jobs, "ReplaySilverJob")} == {(("--maximum_missing_share", "1"),)}
    assert jobs_of(jobs, "SilverJob") == []


def test_check_hands_on_the_files_as_accepted__each_once(jobs: FakeJobs) -> None:
    jobs.stack.assay("replay", "--check", "--seed", "1")

    replayed = jobs.ledger("ReplayLedgerTable").whole()
    assert sorted(item["key"] for item in replayed) == sorted(item["key"] for item in FILES)
    assert 0 < len(jobs.first_batch) < len(FILES)
    for item in jobs.first_batch:
        assert (item["status"], item["waiting_for"], "silver" in item, len(item["changes"])) == (
            "accepted",
            "silver",
            False,
            2,
        )


def test_check_begins_afresh__after_another_replay(jobs: FakeJobs) -> None:
    stack, s3, lake = jobs.stack, jobs.stack.client("s3"), NAMES["LakeBucket"]
    stack.write("replay_silver.transactions", (9, Decimal("1.00"), None, NOON))
    stack.put(file_item("left.csv"), table="ReplayLedgerTable")
    old = ["warehouse/assay_replay_silver.db/x.parquet", "replay/passports/x.json"]
    kept = ["warehouse/assay_silver.db/x.parquet", "passports/x.json"]
    for key in (*old, *kept):
        s3.put_object(Bucket=lake, Key=key, Body=b"x")

    result = stack.assay("replay", "--check", "--seed", "1")

    assert result.exit_code == 0, result.output
    keys = {found["Key"] for found in s3.list_objects_v2(Bucket=lake)["Contents"]}
    assert keys.isdisjoint(old)
    assert keys.issuperset(kept)
    assert "transactions/left.csv" not in {item["key"] for item in jobs.ledger("ReplayLedgerTable").whole()}


def test_check_ends_1_and_tells_the_row__replay_differs(jobs: FakeJobs) -> None:
    jobs.rows = [ROWS[0], (2, Decimal("-2.49"), None, NOON)]

    result = jobs.stack.assay("replay", "--check", "--seed", "1")
    told = conform("replay", jobs.stack.assay("replay", "--check", "--seed", "1", "--json").stdout)

    assert (result.exit_code, "silver.transactions dms_id 2: amount -2.50 ≠ -2.49" in result.stdout) == (1, True)
    assert (told["agrees"], told["tables"][0]["differing_keys"]) == (False, 1)


def test_check_ends_1_and_names_the_file__it_never_came_through(jobs: FakeJobs) -> None:
    jobs.never = {"transactions/c.csv"}

    result = jobs.stack.assay("replay", "--check", "--seed", "1")

    assert (result.exit_code, "not replayed: transactions/c.csv: still accepted" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    "items",
    [
        [file_item("late.csv") | {"status": "accepted", "silver": {}}],
        [layer_items(rows=2, silver="10.00")[0] | {"intent": {"run_seq": 2}}],
        layer_items(rows=2, silver="10.00", taken=0),
    ],
)
def test_check_agrees__production_is_not_at_rest(jobs: FakeJobs, items: list[dict[str, Any]]) -> None:
    jobs.stack.put(*items)

    result = jobs.stack.assay("replay", "--check", "--seed", "1")

    assert result.exit_code == 0, result.output
    assert len(jobs.ledger("ReplayLedgerTable").whole()) == len(FILES)


def publish_at_each_run(jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Publish a file in production beside each run of a replay; return a list of their runs, which grows."""
    published = [1]

    def beside(target: Target, job: str, arguments: Mapping[str, str]) -> None:
        jobs.run(target, job, arguments)
        published.append(published[-1] + 1)
        row = (published[-1] * 10, Decimal("5.00"), None, NOON)
        publish(jobs.stack, f"later {published[-1]}.csv", row, run=published[-1])

    monkeypatch.setattr(runs, "run", beside)
    return published


def test_check_agrees_with_the_runs_that_it_began_with__files_are_published_beside_it(
    jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = publish_at_each_run(jobs, monkeypatch)

    told = conform("replay", jobs.stack.assay("replay", "--check", "--seed", "1", "--json").stdout)

    assert len(published) > 3
    assert (told["agrees"], told["silver_run"], told["gold_run"], told["files"]) == (True, 1, 1, len(FILES)), told
    assert [(table["table"], table["production"]) for table in told["tables"]] == [(table, 2) for table in TABLES]


def test_check_finds_the_planted_row__files_are_published_beside_it(
    jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.stack.write("gold.fact_transactions", (9, Decimal("0.01")))
    name_cut(jobs.stack, silver_run=1, gold_run=2)
    publish_at_each_run(jobs, monkeypatch)

    result = jobs.stack.assay("replay", "--check", "--seed", "1")

    assert (result.exit_code, "gold.fact_transactions dms_id 9: rows 1 ≠ 0" in result.stdout) == (1, True)
    assert "gold: total_amount" in result.stdout


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ((), (2, 3, 7)),
        (("--gold-run", "1"), (1, 1, 6)),
        (("--silver-run", "1"), (1, 2, 6)),
        (("--silver-run", "1", "--gold-run", "1"), (1, 1, 6)),
    ],
)
def test_check_rebuilds_up_to_the_runs_named__or_the_newest(
    jobs: FakeJobs, named: tuple[str, ...], found: tuple[int, int, int]
) -> None:
    name_cut(jobs.stack, silver_run=1, gold_run=2)
    publish(jobs.stack, "later.csv", LATER, run=2)
    name_cut(jobs.stack, silver_run=2, gold_run=3)
    jobs.rows = [*ROWS, LATER] if found[0] == 2 else ROWS

    told = json.loads(jobs.stack.assay("replay", "--check", "--json", *named).stdout)

    assert (told["silver_run"], told["gold_run"], told["files"]) == found
    assert told["tables"][0]["equal"]


def test_check_refuses__no_kept_cut_is_of_the_runs(jobs: FakeJobs) -> None:
    result = jobs.stack.assay("replay", "--check", "--silver-run", "1", "--gold-run", "7")

    assert (result.exit_code, "no kept cut is of these runs" in result.stderr, jobs.started) == (2, True, [])
    assert "1/1" in result.stderr


def test_check_refuses_to_compare__a_snapshot_has_expired(jobs: FakeJobs) -> None:
    snapshots = {"silver": {"transactions": 1}, "gold": {}}
    cuts = [{"run_seq": 1, "silver_run_seq": 1, "at": "2026-11-23T06:00:01.000000Z", "snapshots": snapshots}]
    jobs.stack.client("s3").put_object(Bucket=NAMES["LakeBucket"], Key="cuts.json", Body=json.dumps(cuts))

    result = jobs.stack.assay("replay", "--check", "--seed", "1")

    assert (result.exit_code, "the snapshot 1 of silver.transactions has expired" in result.stderr) == (2, True)


def test_apply_takes_no_runs(jobs: FakeJobs) -> None:
    result = jobs.stack.assay("replay", "--apply", "--gold-run", "1")

    assert (result.exit_code, "what is published now" in result.stderr, jobs.started) == (2, True, []), result.output


def test_apply_hands_the_databases_and_runs_to_the_jobs__silver_first(jobs: FakeJobs) -> None:
    result = jobs.stack.assay("replay", "--apply", "--seed", "1")

    assert result.exit_code == 0, result.output
    assert jobs.started[-2:] == [
        (
            NAMES["SilverJob"],
            {
                "--rebuild_from": "assay_replay_silver",
                "--expected_run_seq": "1",
                "--expected_row_count": "2",
                "--expected_total_amount": "10.00",
            },
        ),
        (
            NAMES["GoldJob"],
            {"--rebuild_from": "assay_replay_gold", "--expected_run_seq": "1", "--expected_silver_run": "2"},
        ),
    ]


@pytest.mark.parametrize(
    "left",
    [
        [layer_items(rows=2, silver="10.00")[1] | {"in_progress": {"run_seq": 2}}],
        layer_items(rows=2, silver="10.00", taken=0),
    ],
)
def test_apply_mends__a_failed_run_is_left_or_gold_is_behind(jobs: FakeJobs, left: list[dict[str, Any]]) -> None:
    jobs.stack.put(*left)

    result = jobs.stack.assay("replay", "--apply", "--seed", "1")

    assert result.exit_code == 0, result.output
    assert [job for job, _ in jobs.started[-2:]] == [NAMES["SilverJob"], NAMES["GoldJob"]]


def test_apply_refuses_before_it_runs_anything__files_on_their_way(jobs: FakeJobs) -> None:
    jobs.stack.put(file_item("late.csv") | {"status": "accepted"})

    result = jobs.stack.assay("replay", "--apply")

    assert (result.exit_code, "transactions/late.csv" in result.stderr, jobs.started) == (2, True, []), result.output


def test_apply_says_to_run_it_again__a_run_came_between(jobs: FakeJobs) -> None:
    jobs.moves = True

    result = jobs.stack.assay("replay", "--apply", "--seed", "1")

    assert result.exit_code == 2
    assert "Silver is at run 2 instead of 1" in result.stderr
    assert "files arrived meanwhile" in result.stderr
    assert jobs_of(jobs, "GoldJob") == []


def test_apply_puts_nothing_in_place__another_replay_has_begun(jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin_another(*arguments: Any) -> None:
        jobs.stack.put({"file_id": "replay", "kind": "replay", "token": "other"}, table="ReplayLedgerTable")

    monkeypatch.setattr(rebuild, "require_unchanged", begin_another)

    result = jobs.stack.assay("replay", "--apply", "--seed", "1")

    assert (result.exit_code, "another replay has begun" in result.stderr) == (2, True), result.output
    assert jobs_of(jobs, "SilverJob") == []


def test_apply_says_what_is_in_place__gold_is_busy(jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_gold(target: Target, job: str, arguments: Mapping[str, str]) -> None:
        if job == NAMES["GoldJob"]:
            raise UserError("the job is running already", "wait until it has ended")
        jobs.run(target, job, arguments)

    monkeypatch.setattr(runs, "run", refuse_gold)

    result = jobs.stack.assay("replay", "--apply", "--seed", "1")

    assert result.exit_code == 2
    assert "Silver is in place and Gold is not: the job is running already" in result.stderr
    assert "assay replay --apply" in result.stderr


@pytest.mark.parametrize(("later", "code"), [(2, 1), (3, 2)])
def test_apply_blames_rows_only__if_no_run_came_before_the_last_comparison(
    jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch, later: int, code: int
) -> None:
    def move_on(target: Target, job: str, arguments: Mapping[str, str]) -> None:
        jobs.run(target, job, arguments)
        if job == NAMES["GoldJob"]:
            jobs.stack.write("silver.transactions", (3, Decimal("1.00"), None, NOON))
            silver, gold = layer_items(rows=2, silver="10.00")
            jobs.stack.put(silver | {"run_seq": later}, gold | {"run_seq": 2})

    monkeypatch.setattr(runs, "run", move_on)

    result = jobs.stack.assay("replay", "--apply", "--seed", "1")

    assert (result.exit_code, "has moved on before they were compared" in result.stderr) == (code, code == 2), (
        result.output
    )


def test_apply_puts_nothing_in_place__a_file_did_not_come_through(jobs: FakeJobs) -> None:
    jobs.never = {"transactions/c.csv"}

    result = jobs.stack.assay("replay", "--apply", "--seed", "1")

    assert (result.exit_code, "nothing is replaced" in result.stderr) == (2, True)
    assert jobs_of(jobs, "SilverJob") == []


def test_replay_ends_130__interrupted(jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run", interrupt)

    result = jobs.stack.assay("replay", "--check")

    assert (result.exit_code, "Readers see no change" in result.stderr) == (130, True)


def test_apply_tells_what_may_be_in_place__interrupted_between_the_layers(
    jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt_gold(target: Target, job: str, arguments: Mapping[str, str]) -> None:
        if job == NAMES["GoldJob"]:
            raise KeyboardInterrupt
        jobs.run(target, job, arguments)

    monkeypatch.setattr(runs, "run", interrupt_gold)

    result = jobs.stack.assay("replay", "--apply", "--seed", "1")

    assert (result.exit_code, "Silver may be replaced and Gold not" in result.stderr) == (130, True), result.output
    assert "Readers see no change" not in result.stderr


@pytest.mark.parametrize("options", [(), ("--check", "--apply")])
def test_replay_asks_what_for__neither_or_both(stack: DeployedStack, options: tuple[str, ...]) -> None:
    result = stack.assay("replay", *options)

    assert (result.exit_code, "replay needs one of --check and --apply" in result.stderr) == (2, True)
