"""Offsets of Kafka: read from names and metadata, noted in the ledger, their gaps mailed once and once more."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
import sweep
from cloud import coverage
from cloud.coverage import Coverage, partition_id, spans_of
from cloud.ledger import Ledger, instant, instant_of
from cloud.settings import SettingsError, SweepSettings
from contract.partitions import PartitionOffsets
from hypothesis import given
from hypothesis import strategies as st
from kpi_cloud import BRONZE, TABLE, Cloud, handle
from reading.card_numbers import masked_key
from reading.offsets import Span, covers, gaps, key_of, merged, offsets_of, overlaps
from reading.rejection import RejectedError

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
FOLDER = "transactions/topics/orders"
TOPICS = st.from_regex(r"[A-Za-z0-9._-]{1,30}", fullmatch=True)
OFFSETS = st.integers(0, 2**63 - 1)
SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: Span(pair[0], sum(pair))))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("transactions/topics/orders/partition=3/orders+3+0000000100.json", (FOLDER, "orders", 3, 100)),
        ("transactions/a/topics/o/partition=0/o+0+7.json.gz", ("transactions/a/topics/o", "o", 0, 7)),
        ("transactions/topics/orders/year=2026/month=11/orders+1+0000000000.jsonl", (FOLDER, "orders", 1, 0)),
        ("transactions/topics/topics/partition=0/topics+0+1.avro", ("transactions/topics/topics", "topics", 0, 1)),
        ("transactions/topics/a.b_c-d/partition=0/a.b_c-d+0+1.csv", ("transactions/topics/a.b_c-d", "a.b_c-d", 0, 1)),
    ],
)  # fmt: skip
def test_offsets_are_read_from_the_name__of_the_sink(key: str, expected: tuple[str, str, int, int]) -> None:
    found = offsets_of(key, {}, records=10)
    assert found == PartitionOffsets(
        folder=expected[0], topic=expected[1], partition=expected[2], first=expected[3], last=expected[3] + 9
    )


@pytest.mark.parametrize(
    "key",
    [
        "transactions/orders/partition=3/orders+3+0000000100.json",
        "transactions/topics/orders/partition=3/others+3+0000000100.json",
        "transactions/topics/orders/partition=3/orders+3+100",
        "transactions/topics/orders/orders-3-100.json",
        "transactions/topics/orders/orders+x+100.json",
        "transactions/mytopics/orders/orders+0+100.json",
        "transactions/topics/orders/orders+0+100.json/part.csv",
    ],
)
def test_name_says_nothing_of_offsets__not_of_the_sink(key: str) -> None:
    assert offsets_of(key, {}, records=10) is None


def test_last_offset_is_the_metadatas__topic_with_holes() -> None:
    key = f"{FOLDER}/partition=0/orders+0+100.json"
    found = offsets_of(key, {"last-offset": "149"}, records=10)
    assert found is not None
    assert (found["first"], found["last"]) == (100, 149)
    assert offsets_of(key, {}, records=0) is None
    for wrong in ("99", "-1", "x", "", "1e3", "1" * 21):
        with pytest.raises(RejectedError, match="last-offset"):
            offsets_of(key, {"last-offset": wrong}, records=10)


@given(topic=TOPICS, partition=st.integers(0, 9999), first=OFFSETS, more=st.integers(1, 1000))
def test_name_that_is_written_is_read__any_topic_and_offset(topic: str, partition: int, first: int, more: int) -> None:
    key = key_of("transactions/x", topic, partition, first, ".jsonl")
    found = offsets_of(key, {}, records=more)
    assert found is not None
    assert (found["topic"], found["partition"], found["first"], found["last"]) == (
        topic,
        partition,
        first,
        first + more - 1,
    )
    assert key < key_of("transactions/x", topic, partition, first + more, ".jsonl")
    assert masked_key(key_of("transactions/x", "t", partition, first, ".jsonl")).endswith(f"{first}.jsonl")


@given(SPANS)
def test_coverage_is_that_of_single_offsets__any_spans(spans: list[Span]) -> None:
    times = [sum(span.first <= offset <= span.last for span in spans) for offset in range(80)]
    there = {offset for offset in range(80) if times[offset]}
    ends = range(min(there, default=0), max(there, default=0))
    assert _offsets(merged(spans)) == sorted(there)
    assert _offsets(gaps(spans)) == [offset for offset in ends if offset not in there]
    assert _offsets(overlaps(spans)) == [offset for offset in range(80) if times[offset] > 1]
    assert all(covers(spans, span) for span in spans)
    assert not any(covers(spans, gap) for gap in gaps(spans))


def _offsets(spans: list[Span]) -> list[int]:
    return [offset for span in spans for offset in range(span.first, span.last + 1)]


def test_gap_is_as_old_as_the_first_that_came_behind_it() -> None:
    spans = [Span(0, 9, "1"), Span(40, 49, "2"), Span(20, 29, "3")]
    assert gaps(spans) == [Span(10, 19, "2"), Span(30, 39, "2")]


class Topic:
    """Uploads files of a partition with so many rows, and sweeps."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.coverage = Coverage(Ledger(cloud.table))
        self.on = sweep.Services(
            settings=SweepSettings(TABLE, BRONZE, "kpi", cloud.machine_arn, cloud.topic_arn, "test", 3600),
            ledger=Ledger(boto3.resource("dynamodb").Table(TABLE)),
            s3=cloud.s3,
            sns=boto3.client("sns"),
            workflows=cloud.workflows,
            functions=cast(Any, SimpleNamespace(invoke=lambda **_: None)),
        )

    def send(self, first: int, rows: int, *, good: bool = True, **metadata: str) -> dict[str, Any]:
        key = f"{FOLDER}/partition=0/orders+0+{first:010}.csv"
        header, row = (b"dms_id,amount,date\n", b"%d,1.00,2023-05-06\n") if good else (b"dms_id,amount\n", b"%d,1.00\n")
        handle(self.cloud.put(key, header + b"".join(row % (first + n) for n in range(rows)), **metadata))
        return self.cloud.item(key)

    def spans(self) -> list[tuple[int, int]]:
        (item,) = self.coverage.partitions()
        return [(span.first, span.last) for span in merged(spans_of(item))]

    def sweep(self, now: datetime) -> list[str]:
        return [each["what"] for each in sweep.sweep({}, "call", self.on, now, lambda: True)["notices"]]


@pytest.fixture
def topic(cloud: Cloud) -> Topic:
    return Topic(cloud)


def test_offsets_stand_in_the_ledger__accepted_files(cloud: Cloud, topic: Topic) -> None:
    item = topic.send(0, 10)
    assert item["offsets"] == {"folder": FOLDER, "topic": "orders", "partition": 0, "first": 0, "last": 9}
    assert topic.send(10, 5, last_offset="29")["offsets"]["last"] == 29
    assert topic.spans() == [(0, 29)]
    assert cloud.differences_from_contract() == []


def test_offsets_have_not_come__rejected_file(topic: Topic) -> None:
    topic.send(0, 10)
    item = topic.send(10, 10, good=False, last_offset="19")
    assert (item["status"], item["offsets"]["last"]) == ("rejected", 19)
    assert topic.spans() == [(0, 9)]


def test_offsets_have_come__object_of_tombstones_alone(cloud: Cloud, topic: Topic) -> None:
    topic.send(0, 10)
    before = cloud.table.get_item(Key={"file_id": "range#transactions"})["Item"]
    key = f"{FOLDER}/partition=0/orders+0+0000000010.json"
    handle(cloud.put(key, b"null\n" * 5))
    topic.send(15, 5)

    item = cloud.item(key)
    assert (item["status"], item["offsets"]["last"], item["kpis"]["row_count"]) == ("accepted", 14, 0)
    assert item["notice"]["ending"] == "published with warnings"
    assert topic.spans() == [(0, 19)]
    assert topic.sweep(NOW + 9 * HOUR) == []
    after = cloud.table.get_item(Key={"file_id": "range#transactions"})["Item"]
    assert (after["min_rows"], after["files"]) == (before["min_rows"], before["files"]), "an empty file tells no range"
    assert cloud.differences_from_contract() == []


def test_place_is_that_of_its_offsets__object_late_or_again(cloud: Cloud, topic: Topic) -> None:
    items = [topic.send(first, 10) for first in (0, 20, 0, 10, 30)]
    first, third, again, second, fourth = (instant_of(item.get("as_of_at", item["last_modified_at"])) for item in items)
    assert "as_of_at" not in items[0]
    assert again == first
    assert first < second < third < fourth
    (partition,) = topic.coverage.partitions()
    assert partition["places"] == {
        str(end): instant(at) for end, at in ((9, first), (19, second), (29, third), (39, fourth))
    }
    assert cloud.differences_from_contract() == []


def test_place_is_as_of__where_the_sender_says_it(topic: Topic) -> None:
    topic.send(10, 10)
    item = topic.send(0, 10, as_of="2024-01-01T00:00:00Z")
    assert item["as_of_at"] == "2024-01-01T00:00:00.000000Z"
    (partition,) = topic.coverage.partitions()
    assert list(partition["places"]) == ["19"]


def test_place_is_kept__call_dies_before_the_file_is_accepted(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> bool:
        raise ConnectionError("died")

    topic.send(10, 10)
    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "accept", dies)
        with pytest.raises(ExceptionGroup):
            topic.send(0, 10)
    (before,) = topic.coverage.partitions()
    item = topic.send(0, 10)
    (after,) = topic.coverage.partitions()
    assert before["places"] == after["places"]
    assert item["as_of_at"] == before["places"]["9"]


def test_place_of_each_call_counts__two_at_once(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    topic.send(20, 10)
    told = PartitionOffsets(folder=FOLDER, topic="orders", partition=0, first=0, last=9)
    late, keep = NOW + HOUR, Coverage._keep

    def after_another(self: Coverage, *given: Any) -> None:
        monkeypatch.setattr(Coverage, "_keep", keep)
        topic.coverage.place({**told, "first": 10, "last": 19}, late)
        keep(self, *given)

    monkeypatch.setattr(Coverage, "_keep", after_another)
    place = topic.coverage.place(told, late)
    (item,) = topic.coverage.partitions()
    assert sorted(item["places"].values()) == [item["places"][end] for end in ("9", "19", "29")]
    assert item["places"]["9"] == instant(place)
    assert item["placed"] == 3


def test_places_that_go_furthest_are_kept__more_than_are_known(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "SPANS", 3)
    for first in range(0, 50, 10):
        topic.send(first, 10)
    (item,) = topic.coverage.partitions()
    assert sorted(item["places"]) == ["29", "39", "49"]


def test_file_is_rejected__last_offset_before_its_first(topic: Topic) -> None:
    item = topic.send(10, 10, last_offset="9")
    assert [reason["code"] for reason in item["reasons"]] == ["unreadable_control"]


def test_offsets_are_noted_before_the_file_is_accepted__call_dies(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> bool:
        raise ConnectionError("died")

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "accept", dies)
        with pytest.raises(ExceptionGroup):
            topic.send(0, 10)
    assert topic.spans() == [(0, 9)]
    topic.send(0, 10)
    assert topic.spans() == [(0, 9)]


def test_spans_that_touch_are_joined__many_files(cloud: Cloud, topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "LOOSE", 4)
    at = iter(NOW + timedelta(minutes=number) for number in range(30))
    for first in (*range(0, 100, 10), *range(210, 300, 10), 200):
        told = PartitionOffsets(folder=FOLDER, topic="orders", partition=0, first=first, last=first + 9)
        topic.coverage.note(told, next(at))

    (item,) = topic.coverage.partitions()
    assert len(item["spans"]) <= 7
    assert merged(spans_of(item)) == [
        Span(0, 99, instant(NOW)),
        Span(200, 299, instant(NOW + timedelta(minutes=10))),
    ]
    assert cloud.differences_from_contract() == []


def test_newest_spans_are_kept__more_gaps_than_are_known_apart(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "SPANS", 3)
    monkeypatch.setattr(coverage, "LOOSE", 0)
    for first in range(0, 200, 20):
        told = PartitionOffsets(folder=FOLDER, topic="orders", partition=0, first=first, last=first + 9)
        topic.coverage.note(told, NOW)
    assert topic.spans() == [(140, 149), (160, 169), (180, 189)]


def test_gap_is_mailed_once_and_once_more_when_it_closes__object_taken_away_and_put_back(
    cloud: Cloud, topic: Topic
) -> None:
    topic.send(0, 10)
    topic.send(20, 10)

    assert topic.sweep(NOW + timedelta(minutes=59)) == []
    assert topic.sweep(NOW + 2 * HOUR) == ["gap"]
    assert topic.sweep(NOW + 3 * HOUR) == []
    topic.send(10, 10)
    assert topic.sweep(NOW + 4 * HOUR) == ["closed"]
    assert topic.sweep(NOW + 5 * HOUR) == []

    (gap, gap_body), (closed, closed_body) = cloud.mails()
    assert (gap, closed) == ("[assay test] sweep: 1 gap", "[assay test] sweep: 1 gap closed")
    assert f"gap       {FOLDER}, partition 0: offsets 10 to 19 (10) have not come\n" in gap_body
    assert f"closed    {FOLDER}, partition 0: offsets 10 to 19 (10) have come after all" in closed_body
    (item,) = topic.coverage.partitions()
    assert item["watched"] == []
    assert cloud.differences_from_contract() == []


def test_what_is_left_of_a_gap_is_not_mailed_again__closed_in_two_parts(topic: Topic) -> None:
    topic.send(0, 10)
    topic.send(30, 10)
    assert topic.sweep(NOW + 2 * HOUR) == ["gap"]
    topic.send(15, 5)
    assert topic.sweep(NOW + 4 * HOUR) == []
    topic.send(10, 5)
    topic.send(20, 10)
    assert topic.sweep(NOW + 5 * HOUR) == ["closed"]
    topic.send(50, 1)
    assert topic.sweep(NOW + 8 * HOUR) == ["gap"]


def test_nothing_is_mailed__gap_closes_before_it_is_old(topic: Topic) -> None:
    topic.send(10, 10)
    topic.send(30, 10)
    assert topic.sweep(NOW) == []
    topic.send(20, 10)
    assert topic.sweep(NOW + 9 * HOUR) == []


def test_mail_is_sent_by_the_next_call__call_dies_before_it(
    cloud: Cloud, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise ConnectionError("died")

    topic.send(0, 10)
    topic.send(20, 10)
    with monkeypatch.context() as broken:
        broken.setattr(sweep, "send", dies)
        with pytest.raises(ConnectionError):
            topic.sweep(NOW + 2 * HOUR)
    assert topic.sweep(NOW + 3 * HOUR) == ["gap"]
    assert len(cloud.mails()) == 1


def test_look_tells_gaps_and_changes_nothing__dry_run(cloud: Cloud, topic: Topic) -> None:
    topic.send(0, 10)
    topic.send(20, 10)
    before = cloud.table.scan()["Items"]
    assert [each["what"] for each in sweep.look({}, topic.on, NOW + 2 * HOUR)["notices"]] == ["gap"]
    assert cloud.table.scan()["Items"] == before


def test_partitions_are_apart__equal_topics_of_two_folders(cloud: Cloud, topic: Topic) -> None:
    topic.send(0, 10)
    handle(cloud.put("transactions/b/topics/orders/orders+0+20.csv", b"dms_id,amount,date\n1,1.00,2023-05-06\n"))
    assert topic.sweep(NOW + 2 * HOUR) == []
    assert partition_id(FOLDER, 0) != partition_id("transactions/b/topics/orders", 0)
    assert len(topic.coverage.partitions()) == 2


def test_setting_is_checked__seconds_of_a_gap() -> None:
    given = dict.fromkeys(
        ("LEDGER_TABLE", "BRONZE_BUCKET", "KPI_FUNCTION", "STATE_MACHINE_ARN", "TOPIC_ARN", "STAGE"), "x"
    )
    assert SweepSettings.of({**given, "GAP_SECONDS": "60"}).gap_seconds == 60
    with pytest.raises(SettingsError, match="GAP_SECONDS"):
        SweepSettings.of({**given, "GAP_SECONDS": "an hour"})
