"""The story of an operator's month, by the command line, on a stack that begins empty; it takes some minutes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from contract.aggregates import AGGREGATES
from deployed_app import DeployedApp, await_parking, deployed, dropped_events, open_breaker, until

from assay.ledger import Item
from assay.query import current_cut, lake
from devcloud.local.mail import Mail

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

HEADER = "dms_id,amount,date,client_id,merchant_id,merchant_city,mcc,use_chip"
GOOD = {
    "history.csv": (
        "1,10.00,2020-05-01,7,5,Boston,5411,Chip Transaction",
        "2,20.00,2020-06-10,7,5,Boston,5411,Swipe Transaction",
        "3,30.00,2020-06-10,8,6,Salem,5812,Online Transaction",
    ),
    "day_1.csv": (
        "4,40.00,2020-06-11,7,5,Boston,5411,Chip Transaction",
        "1,11.00,2020-05-01,7,5,Boston,5411,Chip Transaction",
    ),
    "day_2.csv": ("5,50.00,2020-06-12,8,6,Salem,5812,Online Transaction",),
    "day_3.csv": (
        "6,60.00,2020-06-13,7,5,Boston,5411,Chip Transaction",
        "3,33.00,2020-06-10,8,6,Salem,5812,Online Transaction",
    ),
}
FILES = GOOD | {
    "wrong.csv": (
        "6,600.00,2020-06-13,7,5,Bosten,5411,Chip Transaction",
        "3,330.00,2020-06-10,8,6,Salem,5812,Online Transaction",
        "70,700.00,2020-06-14,9,9,Lynn,7777,Swipe Transaction",
    ),
    "older.csv": (
        "4,44.00,2020-06-11,7,5,Boston,5411,Chip Transaction",
        "8,80.00,2020-05-02,7,5,Boston,5411,Chip Transaction",
    ),
    "newer.csv": ("4,45.00,2020-06-11,7,5,Boston,5411,Chip Transaction",),
    "lost.csv": ("9,9.00,2020-06-20,8,6,Salem,5812,Online Transaction",),
}
# Keys, with the files whose rows name them, in the order of the runs.
LIVES = {
    1: ["history.csv", "day_1.csv"],
    3: ["history.csv", "day_3.csv", "wrong.csv"],
    4: ["day_1.csv", "newer.csv", "older.csv"],
    9: ["lost.csv"],
    70: ["wrong.csv"],
}
LATE = ("10,1.00,2020-07-01,8,6,Salem,5812,Online Transaction",)
GOOD_ROWS, BROKEN_ROWS = 400, 300
FACTS_AND_TOTALS = """
    SELECT (SELECT sum(amount) FROM gold.fact_transactions) AS facts, sum(total_amount) AS totals
    FROM gold.daily_totals"""
SECONDS_BETWEEN_READS = 2
MINUTES = 10
Cells = dict[str, list[dict[str, Any]]]
Pair = tuple[Decimal, Decimal]


@dataclass
class Reader:
    """Joins facts with totals again and again, as anybody may at any time, until it is stopped."""

    app: DeployedApp
    seen: list[Pair] = field(default_factory=list)
    stopped: Event = field(default_factory=Event)

    def read(self) -> None:
        while not self.stopped.wait(SECONDS_BETWEEN_READS):
            if current_cut(self.app.target) is None:
                continue  # nothing is published yet
            with lake(self.app.target) as tables:
                both = tables.one(FACTS_AND_TOTALS)
                self.seen.append((both["facts"], both["totals"]))


@dataclass
class Story:
    """The stack, and what a chapter asks of it."""

    app: DeployedApp

    def tell(self, *words: str) -> str:
        """Run a command, which must succeed; return what it printed."""
        done = self.app.assay(*words)
        assert done.returncode == 0, f"assay {' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, name: str, rows: tuple[str, ...]) -> str:
        (self.app.project / name).write_text("\n".join((HEADER, *rows, "")))
        return name

    def upload(self, *names: str) -> None:
        self.tell("upload", *[self.write(name, FILES[name]) for name in names], "--wait")

    def item(self, name: str) -> Item:
        """Return the item of a file; nothing before there is one."""
        found = (item for item in self.app.ledger.whole() if item["key"] == f"transactions/{name}")
        return next(found, {})

    def end_of(self, name: str, status: str) -> Item:
        def ended() -> Item:
            item = self.item(name)
            return item if ("failed" if "failed" in item else item.get("status")) == status else {}

        return dict(until(ended, seconds=60 * MINUTES, what=f"{name} {status}"))

    def await_mail(self, name: str, words: str, *, count: int = 1) -> str:
        """Wait for mails about a file with these words in their subjects; return the text of the last one."""
        found = until(
            lambda: len(mails := [mail for mail in self.mails(name) if words in mail.subject]) >= count and mails,
            seconds=60 * MINUTES,
            what=f"{count} mails: {name} {words}",
        )
        assert len(found) == count
        return str(found[-1].body)

    def ask(self, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a query; money comes as text."""
        rows: list[dict[str, Any]] = json.loads(self.tell("query", statement, "--format", "json"))
        return rows

    def movements(self, preview: str) -> list[str]:
        """Return the lines under the last heading of a preview, the largest movements."""
        lines = [" ".join(line.split()) for line in preview.partition("Largest movements")[2].splitlines()]
        return [line for line in lines if "→" in line]

    def amounts(self, *keys: int) -> list[Decimal]:
        facts = self.facts()
        return [facts[key] for key in keys]

    def facts(self) -> dict[int, Decimal]:
        """Return the amount of each transaction in Gold."""
        return {row["dms_id"]: row["amount"] for row in self.app.cells()["fact_transactions"]}

    def mails(self, name: str) -> list[Mail]:
        """Return the mails that name a file."""
        return [mail for mail in self.app.all_mails() if f"transactions/{name}" in mail.body]


@pytest.fixture(scope="module")
def never_saw_it(tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """Gold's cells on a stack that got the good files alone."""
    with deployed(tmp_path_factory.mktemp("other") / "project") as other:
        story = Story(other)
        story.upload("history.csv")
        story.upload("day_1.csv", "day_2.csv", "day_3.csv")
        return other.cells()


@pytest.fixture(scope="module")
def story(never_saw_it: Cells, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A stack of the story's own: it ends with its last test."""
    with deployed(tmp_path_factory.mktemp("story") / "project") as app:
        yield Story(app)


@pytest.fixture(scope="module")
def read_beside(story: Story) -> Iterator[Callable[[], list[Pair]]]:
    """Join facts with totals again and again, until the pairs of sums that were read are asked for."""
    reader = Reader(story.app)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reader.read)

        def pairs() -> list[Pair]:
            reader.stopped.set()
            reading.result()
            return reader.seen

        yield pairs
        reader.stopped.set()


@pytest.mark.usefixtures("read_beside")
def test_wrong_file_is_undone__gold_is_that_of_a_stack_that_never_saw_it(story: Story, never_saw_it: Cells) -> None:
    story.upload("history.csv")
    story.upload("day_1.csv", "day_2.csv", "day_3.csv")
    assert story.app.cells() == never_saw_it
    story.upload("wrong.csv")
    wrong = story.app.cells()

    preview = story.tell("undo", "wrong.csv", "--dry-run")
    assert "effect on Silver and Gold: -1,537.00" in preview
    assert "Gold: 3 groups of 3 days change" in preview
    assert story.movements(preview) == ["70 700.00 → none", "6 600.00 → 60.00", "3 330.00 → 33.00"]
    assert story.app.cells() == wrong != never_saw_it
    story.tell("undo", "wrong.csv", "--yes", "--reason", "amounts x 10")
    assert story.app.cells() == never_saw_it
    story.tell("redo", "wrong.csv", "--yes")
    assert story.app.cells() == wrong
    story.tell("undo", "wrong.csv", "--yes")
    assert story.app.cells() == never_saw_it
    assert story.ask("SELECT dms_id FROM silver.tombstones") == []
    story.await_mail("wrong.csv", "a file was undone", count=2)
    story.await_mail("wrong.csv", "a file was redone")
    passport = story.tell("passport", "wrong.csv")
    assert (passport.count("undone at"), passport.count("redone at"), passport.count("amounts x 10")) == (2, 1, 1)


def test_failed_file_is_resumed__newer_values_stay(story: Story) -> None:
    """Silver finds other figures in the file than the ledger has, which is set right before the file is resumed."""
    ledger, table = story.app.client("dynamodb"), story.app.target.stack.ledger_table
    open_breaker(story.app, "silver")
    story.tell("upload", story.write("older.csv", FILES["older.csv"]))
    file_id = await_parking(story.app, "transactions/older.csv")["file_id"]

    def put_rows(count: int) -> None:
        ledger.update_item(
            TableName=table,
            Key={"file_id": {"S": file_id}},
            UpdateExpression="SET kpis.row_count = :n",
            ExpressionAttributeValues={":n": {"N": str(count)}},
        )

    put_rows(3)
    story.tell("resume", "--layer", "silver", "--yes")
    assert story.end_of("older.csv", "failed")["failed"]["stage"] == "silver"
    story.await_mail("older.csv", "a file failed")
    story.upload("newer.csv")

    put_rows(2)
    story.tell("resume", "older.csv", "--yes")
    outcomes = story.end_of("older.csv", "published")["silver"]["outcomes"]
    assert (outcomes["stale"], outcomes["inserted"]) == (1, 1)
    assert story.amounts(4, 8) == [Decimal("45.00"), Decimal("80.00")]
    story.await_mail("older.csv", "a file was published")


def test_broken_rows_come_home__corrected_in_a_table(story: Story) -> None:
    good = tuple(f"{key},1.00,2020-05-03,7,5,Boston,5411,Chip Transaction" for key in range(1_000, 1_000 + GOOD_ROWS))
    broken = tuple(f"{key},2.o0,2020-05-04,7,5,Boston,5411,Chip Transaction" for key in range(100, 100 + BROKEN_ROWS))
    story.tell("upload", story.write("broken.csv", good + broken), "--wait")
    exported = story.app.project / "rows.csv"
    story.tell("quarantine", "export", "--file", "broken.csv", "--output", str(exported))
    rows = list(csv.DictReader(exported.read_text().splitlines()))
    assert (len(rows), {row["reasons"] for row in rows}) == (BROKEN_ROWS, {"amount_unreadable"})

    with exported.open("w", newline="") as corrected:
        writer = csv.DictWriter(corrected, rows[0])
        writer.writeheader()
        writer.writerows({**row, "amount": "2.00"} for row in rows)
    before = sum(story.facts().values())
    preview = story.tell("quarantine", "fix", "rows.csv", "--dry-run")
    assert f"Repair {BROKEN_ROWS} rows of" in preview
    assert f"effect on Silver and Gold: {2 * BROKEN_ROWS}.00" in preview
    assert sum(story.facts().values()) == before
    story.tell("quarantine", "fix", "rows.csv", "--yes")

    assert story.amounts(*range(100, 100 + BROKEN_ROWS)) == BROKEN_ROWS * [Decimal("2.00")]
    assert sum(story.facts().values()) == before + 2 * BROKEN_ROWS
    passport = " ".join(story.tell("passport", "broken.csv").split())
    assert f"quarantined rows = repaired + waived + open: {BROKEN_ROWS} = {BROKEN_ROWS}" in passport
    assert f"repaired {BROKEN_ROWS} " in passport
    assert story.ask("SELECT count(*) AS n FROM silver.quarantine WHERE repaired_by IS NULL") == [{"n": 0}]


def test_closed_month_is_flagged__changed_by_a_file_whose_event_was_lost(story: Story) -> None:
    story.tell("close", "2020-06", "--yes", "--reason", "books of June")
    with dropped_events(story.app):
        story.tell("upload", story.write("lost.csv", FILES["lost.csv"]))
    story.tell("sweep", "--older-than", "0", "--yes")
    item = story.end_of("lost.csv", "published")

    assert [(each["month"], each["channel"]) for each in item["gold"]["closed"]] == [("2020-06", "online")]
    body = story.await_mail("lost.csv", "and changed a closed month")
    assert "2020-06, online: 83.00 → 92.00; closed with 83.00, now +9.00 in +1 facts" in body
    assert "closed month" in story.tell("passport", "lost.csv")
    (closed,) = json.loads(story.tell("status", "--closed", "--json"))
    held = (closed["channels"]["online"]["total_amount"], closed["now"]["online"]["total_amount"])
    assert held == ("83.00", "92.00")
    assert any("sweep: 1 left behind" in mail.subject for mail in story.app.all_mails())


def test_late_file_is_announced__and_again_when_it_came(story: Story) -> None:
    due = datetime.now(UTC) + timedelta(minutes=2)
    name = f"due_{due:%Y-%m-%d}.csv"
    story.tell("expect", "transactions", "due_{date}.csv", "--by", f"{due:%H:%M}", "--yes")

    def mailed(word: str) -> int:
        story.tell("sweep", "--yes")
        return sum(f"sweep: 1 {word}" in mail.subject and name in mail.body for mail in story.app.all_mails())

    until(lambda: mailed("late"), seconds=60 * MINUTES, what="the mail about the late file")
    assert any(each["state"] == "late" for each in json.loads(story.tell("status", "--expected", "--json")))
    story.tell("upload", story.write(name, LATE), "--wait")
    until(lambda: mailed("came"), seconds=60 * MINUTES, what="the mail about the file that came")
    assert (mailed("late"), mailed("came")) == (1, 1)


def test_facts_and_totals_that_were_read_together_agree__at_any_time(read_beside: Callable[[], list[Pair]]) -> None:
    seen = read_beside()
    assert [(facts, totals) for facts, totals in seen if facts != totals] == []
    assert len(set(seen)) > 5


def test_everything_adds_up__in_the_end(story: Story) -> None:
    named = _named(story.app.cells())
    assert named.keys() == AGGREGATES.keys()
    assert min(map(len, named.values())) >= 4
    for table, cells in named.items():
        for words, row in cells:
            told = json.loads(story.tell("explain", f"gold.{table}", *words, "--json"))
            held = (row["row_count"], row["total_amount"])
            assert (sum(int(file["facts"]) for file in told["files"]), _sum(told["files"])) == held, words
            assert (told["row_count"], Decimal(told["total_amount"]), told["adds_up"]) == (*held, True)

    facts = story.facts()
    for key, files in LIVES.items():
        life = json.loads(story.tell("explain", str(key), "--json"))
        assert [row["key"].removeprefix("transactions/") for row in life["rows"]] == files
        assert _sum(life["effects"], "effect_amount") == facts.get(key, 0)
        assert life["adds_up"]
    # Of all the others: the effects of each key, as one statement.
    effects = "SELECT dms_id, sum(effect_amount) AS amount FROM silver.transaction_effects GROUP BY dms_id"
    sums = {row["dms_id"]: Decimal(row["amount"]) for row in story.ask(effects)}
    assert {key: amount for key, amount in sums.items() if key in facts or amount} == facts

    story.tell("audit", "--full")
    story.tell("replay", "--check", "--seed", "7")


def _named(cells: Cells) -> dict[str, list[tuple[list[str], dict[str, Any]]]]:
    """Return the rows of each aggregate with the words that name them."""
    merchants = {row["merchant_key"]: row["merchant_id"] for row in cells["dim_merchant"]}
    words = {
        "daily_totals": lambda row: (row["transacted_on"], row["channel"]),
        "monthly_merchant_totals": lambda row: (row["month"], merchants[row["merchant_key"]]),
        "monthly_client_totals": lambda row: (row["month"], row["client_id"]),
    }
    return {table: [([str(word) for word in name(row)], row) for row in cells[table]] for table, name in words.items()}


def _sum(lines: list[dict[str, Any]], name: str = "amount") -> Decimal:
    return sum((Decimal(line[name]) for line in lines), Decimal(0))
