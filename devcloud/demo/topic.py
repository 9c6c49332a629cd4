"""`assay demo --kafka`: transactions go from a topic to Gold, by two bridges of which one is killed on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

import polars as pl
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from reading.offsets import Span, merged

from assay import console, offsets, passport, stages, watch, watching
from assay.errors import UserError
from assay.ledger import Item, Ledger, ending
from assay.query import lake
from assay.target import local_target
from devcloud.demo import play
from devcloud.demo.expectation import Model
from devcloud.demo.files import SEED, Row, rows_of
from devcloud.kafka import broker
from devcloud.local import lifecycle
from devcloud.sample.extent import Extent
from devcloud.sample.history import History
from devcloud.sample.increment import Mix, increment

TOPIC = "transactions"
PREFIX = "transactions/demo-kafka"
PARTITIONS = 3
HISTORY = Extent(rows=16_000, seed=SEED)
MIX = Mix(new=1_000, changed=2_000, repeated=1_000)
BRIDGE = ("--prefix", PREFIX, "--records", "3000", "--quiet", "2", "--config", "session.timeout.ms=6000")
TIMEOUT_S = 300.0
_POLL_S = 0.3


@dataclass
class Messages:
    """The rows in the order in which they are produced, and how many have gone to each partition."""

    rows: list[Row]
    columns: list[str]
    ends: list[int] = field(default_factory=lambda: [0] * PARTITIONS)

    @classmethod
    def generate(cls) -> Messages:
        """Generate a history, and changes and repeats of its rows, all shuffled."""
        frame = pl.concat([*History(HISTORY), *increment(HISTORY, MIX, seed=SEED)])
        rows = rows_of(frame)
        random.Random(SEED).shuffle(rows)  # noqa: S311 - a shuffle that is the same each time
        return cls(rows, frame.columns)

    def model(self) -> Model:
        """Return Silver as it must be: of each key the row that was produced last."""
        model = Model()
        for number, row in enumerate(self.rows):
            model.state[row.dms_id] = row, ("", "", 0, number)
        return model

    def produce(self, bootstrap: str, rows: list[Row]) -> None:
        """Produce rows as JSON; a key's rows all go to one partition, where they keep their order."""
        producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
        for row in rows:
            partition = row.dms_id % PARTITIONS
            producer.produce(
                TOPIC, self.json(row), key=str(row.dms_id), partition=partition, on_delivery=_require_delivered
            )
            producer.poll(0)
            self.ends[partition] += 1
        producer.flush()

    def json(self, row: Row) -> bytes:
        """Write a row as JSON, its amount as a number with two decimals."""
        values = dict(zip(self.columns, row.values, strict=True))
        sign, cents = "-" if row.cents < 0 else "", abs(row.cents)
        texts = {name: f'"{value}"' for name, value in values.items() if value is not None and name != "amount_cents"}
        texts["amount"] = f"{sign}{cents // 100}.{cents % 100:02}"
        pairs = ", ".join(f'"{name}": {text}' for name, text in texts.items())
        return f"{{{pairs}}}".encode()


def _require_delivered(error: KafkaError | None, _: Message) -> None:
    """Raise UserError for a message that the broker has not taken."""
    if error is not None:
        raise UserError(f"the broker has not taken a message: {error.str()}", "start the demo again")


@dataclass
class Bridges:
    """Bridges as processes of their own, each with a log."""

    project: Path
    bootstrap: str
    logs: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        """Start a bridge; the local cloud of the project is its target."""
        command = [sys.executable, "-c", "from assay.cli import main; main()", "kafka", "--topic", TOPIC]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with (self.logs / f"bridge-{len(self.processes) + 1}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--bootstrap", self.bootstrap, *BRIDGE],
                stdout=log,
                stderr=log,
                cwd=self.project,
                env=environment,
            )
        self.processes.append(process)
        return process

    def require_running(self, process: subprocess.Popen[bytes]) -> None:
        """Raise UserError if a bridge has ended."""
        if process.poll() is not None:
            raise UserError(f"a bridge ended with {process.returncode}", f"see its log in {self.logs}")

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def bridges_of(project: Path, bootstrap: str) -> Iterator[Bridges]:
    """Run bridges for as long as the block does."""
    logs = project / ".assay" / "logs" / "kafka"
    logs.mkdir(parents=True, exist_ok=True)
    bridges = Bridges(project, bootstrap, logs)
    try:
        yield bridges
    finally:
        bridges.close()


def play_topic(project: Path) -> list[str]:
    """Run the demo; return what is wrong, nothing if every offset is there and every figure is right."""
    play.heading("1. Start the local cloud")
    with console.working("starting"):
        cloud = lifecycle.start(project)
    console.out().print(f"  it listens at {cloud.endpoint}")
    play.heading("2. Deploy the stack (sam build, sam deploy)")
    play.deploy_quietly(project, cloud)
    target = local_target(cloud, project=project)
    ledger = Ledger(target.dynamodb, target.stack.ledger_table)
    messages = Messages.generate()
    alone = not ledger.files()
    if not alone:
        console.note("  this cloud holds other files: Gold's totals are shown, but not checked")
    stage = play.Stage(target, ledger, messages.model(), alone)
    with TemporaryDirectory(prefix="assay-kafka-") as folder, broker.running(Path(folder)) as kafka:
        play.heading(f"3. A Kafka broker runs at {kafka.bootstrap}; its topic has {PARTITIONS} partitions")
        make_topic(kafka.bootstrap)
        begun = monotonic()
        with bridges_of(project, kafka.bootstrap) as bridges:
            _bridge_all(stage, messages, bridges)
        _tell_rate(messages, "Bronze", monotonic() - begun)
    items = _follow(stage, messages)
    _tell_rate(messages, "Gold", monotonic() - begun)
    play.heading("6. The passports")
    for item in items:
        console.out().print(passport.render(item, short=True))
        for check in passport.checks(item):
            stage.verdict.same(f"{item['key']}: {check.what}", check.expected, check.found)
        stage.verdict.same(f"{item['key']}: proven by its rows", True, item["control"]["proven"])
    with lake(target) as tables:
        play.heading("7. Gold")
        play.show_gold(stage, tables)
        play.heading("8. The audit: every row of both layers is read again")
        play.show_audit(stage, tables)
    return play.finish(stage, told_of=items[0]["key"].rpartition("/")[2])


def _tell_rate(messages: Messages, where: str, seconds: float) -> None:
    """Say how soon the messages were there, from the first on, with starts and the kill."""
    count = len(messages.rows)
    console.out().print(f"  {count:,} messages were in {where} after {seconds:.0f} s: {count / seconds:,.0f} a second")


def make_topic(bootstrap: str) -> None:
    """Make the topic, and wait until the broker has it."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)]).values():
        made.result(timeout=TIMEOUT_S)


def _bridge_all(stage: play.Stage, messages: Messages, bridges: Bridges) -> None:
    """Produce half, kill one of two bridges at work, produce the rest, and wait until all of it is in Bronze."""
    half = len(messages.rows) // 2
    messages.produce(bridges.bootstrap, messages.rows[:half])
    play.heading(f"4. Two bridges take {len(messages.rows):,} transactions to Bronze; one is killed on the way")
    first = bridges.start()
    second = bridges.start()
    _until(lambda: bool(_of_topic(stage.ledger)), "the first object", bridges, second)
    first.kill()
    console.out().print(f"  one bridge was killed; {half:,} more transactions follow")
    messages.produce(bridges.bootstrap, messages.rows[half:])
    _until(lambda: _is_whole(stage.ledger, messages), "every offset in the ledger", bridges, second)
    second.send_signal(signal.SIGINT)
    stage.verdict.same("exit code of the bridge at Ctrl-C", 130, second.wait(timeout=60))


def _follow(stage: play.Stage, messages: Messages) -> list[Item]:
    """Show the coverage, and follow the objects to Gold; return their items."""
    play.heading("5. Offsets, and the way to Gold")
    found = _of_topic(stage.ledger)
    console.out().print(offsets.render(found))
    for each in found:
        whole = [Span(0, messages.ends[each.number] - 1)]
        stage.verdict.same(f"offsets of partition {each.number}", whole, [_plain(span) for span in merged(each.spans)])
        stage.verdict.same(f"gaps in partition {each.number}", [], each.gaps)
        stage.verdict.same(f"offsets that came twice in partition {each.number}", [], each.overlaps)
    files = reversed(stage.ledger.files())
    progress = [watching.of_item(item) for item in files if item["key"].startswith(PREFIX)]
    with watch.showing(stages.Pipeline(stage.target, stage.ledger)) as show:
        watch.wait(progress, stage.ledger, stage.target.stepfunctions, show, timeout_s=TIMEOUT_S, poll_s=_POLL_S)
    items = stage.ledger.get(each.file.file_id for each in progress)
    for item in items.values():
        stage.verdict.same(f"{item['key']}: its end", "published", ending(item))
    return [items[each.file.file_id] for each in progress]


def _of_topic(ledger: Ledger) -> list[offsets.Partition]:
    return [each for each in offsets.partitions(ledger.files()) if each.folder.startswith(PREFIX) and each.spans]


def _is_whole(ledger: Ledger, messages: Messages) -> bool:
    come = {each.number: sum(span.count for span in merged(each.spans)) for each in _of_topic(ledger)}
    return all(come.get(number, 0) >= end for number, end in enumerate(messages.ends))


def _plain(span: Span) -> Span:
    return Span(span.first, span.last)


def _until(is_so: Callable[[], bool], what: str, bridges: Bridges, process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so; raise UserError if the bridge ends or it takes too long."""
    end, waiting = monotonic() + TIMEOUT_S, Event()
    with console.working(f"waiting for {what}"):
        while not is_so():
            bridges.require_running(process)
            if monotonic() > end:
                raise UserError(f"there was not {what} within {TIMEOUT_S:.0f} s", f"see the logs in {bridges.logs}")
            waiting.wait(_POLL_S)
