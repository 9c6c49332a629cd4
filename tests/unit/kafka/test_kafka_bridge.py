"""The bridge against a partition and a bucket in memory: killed at any step, replaced, thought dead, compacted."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kafka_model import LIMITS, Bucket, DiedError, Partition, Reader
from two_sizes import in_two_sizes

from assay.errors import UserError
from assay.kafka import bridge as bridging
from assay.kafka.cutting import Batch, Limits, Record, is_part_of
from assay.kafka.objects import OtherRecordsError, Place
from assay.upload import Bronze

KILLED = 0.15


def filled(count: int, *, step_ms: int = 1, partition: Partition | None = None) -> Partition:
    partition = partition or Partition()
    for _ in range(count):
        number = len(partition.records)
        partition.append(number * step_ms, b'{"dms_id": %d}' % number)
    return partition


def lines_of(partition: Partition) -> list[bytes]:
    return [each.line for each in partition.records]


def is_chain(spans: list[tuple[int, int]]) -> bool:
    return all(after[0] == before[1] + 1 for before, after in pairwise(spans))


def test_objects_are_cut_by_count_and_by_the_records_time() -> None:
    partition, bucket = Partition(), Bucket()
    for at in (0, 1, 2, 3, 4, 5, 6, 104, 106, 107, 90, 300):
        partition.append(at, b"{}")
    reader = Reader(partition, bucket)
    reader.join()
    reader.read(100)
    assert bucket.spans() == [(0, 4), (5, 7), (8, 10)]
    assert partition.committed_at == (11, '{"latest": 107}')
    reader.wait()
    assert bucket.spans() == [(0, 4), (5, 7), (8, 10), (11, 11)]


def test_tombstone_stays_with_its_delete__object_that_is_full() -> None:
    partition, bucket = Partition(), Bucket()
    for number in range(5):
        partition.append(number, b"{}")
    for _ in range(2):
        partition.append(1_000, b"null")
    partition.append(1_000, b"{}")
    reader = Reader(partition, bucket)
    reader.join()
    reader.finish()
    assert bucket.spans() == [(0, 5), (6, 7)]


def test_object_says_how_far_it_goes_and_when_it_is_of() -> None:
    partition, bucket = Partition(), Bucket()
    partition.append(1_700_000_000_123, b'{"a":\r\n 1}')
    partition.append(1_600_000_000_000, b"", holes=3)
    partition.append(-1, b"no json")
    Reader(partition, bucket).join()
    reader = Reader(partition, bucket)
    reader.join()
    reader.finish()
    [(key, found)] = bucket.objects.items()
    assert key == "transactions/topics/orders/partition=0/orders+0+00000000000000000000.jsonl"
    assert found["Body"] == b'{"a":   1}\n\nno json\n'
    assert found["Metadata"] == {
        "last-offset": "5",
        "latest-record-ms": "1700000000123",
        "row-count": "2",
        "as-of": "2023-11-14T22:13:20.123000Z",
    }


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ((b"{}", b'{"schema":null,"payload":null}'), None),
        ((b"{}", None), None),
        ((b"{}", b"null\n"), None),
        ((b"{}", b"null\0\x1a"), None),
        ((b"{}", b"null x"), "2"),
        ((b"{}", b"\x0c"), "2"),
        ((b"{}", b"\x1a", b" \0", b"\t "), "1"),
        ((b"\xef\xbb\xbf\xef\xbb\xbf", b"{}"), "1"),
        ((b"\xef\xbb\xbfnull", b"{}"), None),
        ((b"{}", b"\xef\xbb\xbf"), "2"),
        ((b"",), "0"),
    ],
)
def test_rows_are_counted_as_the_contract_does__else_not(values: tuple[bytes | None, ...], rows: str | None) -> None:
    bucket, batch = Bucket(), Batch(0)
    for offset, value in enumerate(values):
        batch.add(Record.of(offset, 0, value))
    Place(Bronze(bucket, "bronze", ""), "transactions", "orders").put(0, batch, datetime.now(UTC))  # type: ignore[arg-type]
    (found,) = bucket.objects.values()
    assert found["Metadata"].get("row-count") == rows


def test_no_body_is_sent_for_nothing__along_objects_that_are_there() -> None:
    partition, bucket = filled(40), Bucket()
    reader = Reader(partition, bucket, limits=replace(LIMITS, records=2))
    reader.join()
    reader.finish()
    partition.committed_at = (None, "")
    partition.append(41, b"{}")
    reader = Reader(partition, bucket, limits=replace(LIMITS, records=100))
    reader.join()
    reader.read(100)
    while partition.committed_at[0] != partition.high:
        reader.wait()
    assert bucket.refused == 1
    assert bucket.lines() == lines_of(partition)
    assert (reader.bridge.progress[0].found, reader.bridge.progress[0].objects) == (20, 21)
    assert bucket.spans()[-1] == (40, 40)


def test_each_object_is_told__many_of_one_step() -> None:
    partition, bucket = filled(12), Bucket()
    reader = Reader(partition, bucket)
    reader.join()
    reader.read(12)
    reader.bridge.revoke([0])
    reader.join()
    reader.finish()
    assert [(at, each.first, each.last) for at, each in reader.stored] == [(0, 0, 4), (0, 5, 9), (0, 10, 11)]


def test_partition_that_was_left_is_not_gone_on_with() -> None:
    reader = Reader(filled(3), Bucket())
    reader.join()
    reader.bridge.revoke([0])
    assert reader.bridge.cut_off(0) is None


def test_as_of_never_goes_back__clocks_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    partition, bucket = Partition(), Bucket()
    for at in (50, 10, 20, 30, 40, 5, 5, 5, 5, 5, 60):
        partition.append(at, b"{}")
    for _ in range(4):  # each begins anew, from what was committed
        reader = Reader(partition, bucket)
        reader.join()
        reader.read(6)
    reader.finish()
    as_ofs = [bucket.objects[key]["Metadata"]["as-of"] for key in sorted(bucket.objects)]
    assert as_ofs == sorted(as_ofs)
    assert bucket.spans() == [(0, 4), (5, 9), (10, 10)]


def test_as_of_is_not_ahead__record_of_the_future() -> None:
    partition, bucket = Partition(), Bucket()
    partition.append(33_000_000_000_000, b"{}")
    reader = Reader(partition, bucket)
    reader.join()
    reader.finish()
    (found,) = bucket.objects.values()
    assert found["Metadata"]["as-of"] < "2100"


@in_two_sizes(100, 300, st.integers(0, 2**32), st.integers(1, 60), st.booleans(), st.booleans())
def test_every_offset_is_in_bronze_once__kills_at_any_step_rebalances_and_members_thought_dead(
    seed: int, count: int, with_holes: bool, with_quiet: bool
) -> None:
    draw = random.Random(seed)
    partition, bucket = Partition(), Bucket()
    for number in range(count):
        at = draw.randrange(2_000)
        partition.append(at, b"%d" % number, holes=draw.randrange(3) if with_holes else 0)

    def step() -> None:
        if draw.random() < KILLED:
            raise DiedError

    bucket.step = partition.step = step
    living: list[Reader] = []
    for _ in range(80):
        comes = not living or draw.random() < 0.2
        reader = Reader(partition, bucket) if comes else draw.choice(living)
        try:
            if comes:
                reader.join()  # the one before goes on, and does not know that it is thought dead
                living.append(reader)
            reader.read(draw.randrange(1, 8))
            if with_quiet and draw.random() < 0.4:
                reader.wait()
        except DiedError:
            living = [each for each in living if each is not reader]
    bucket.step = partition.step = lambda: None
    last = Reader(partition, bucket)
    last.join()
    last.finish()

    assert bucket.lines() == lines_of(partition)
    assert is_chain(bucket.spans())
    assert bucket.spans()[0][0] == 0
    assert partition.committed_at[0] == partition.high
    as_ofs = [bucket.objects[key]["Metadata"]["as-of"] for key in sorted(bucket.objects)]
    assert as_ofs == sorted(as_ofs)


@in_two_sizes(70, 200, st.integers(0, 2**32), st.integers(1, 60))
def test_repetition_cuts_alike__any_beginning_among_the_ends(seed: int, count: int) -> None:
    draw = random.Random(seed)
    partition = Partition()
    for number in range(count):
        partition.append(draw.randrange(2_000), b"%d" % number)
    once, again = Bucket(), Bucket()
    whole = Reader(partition, once)
    whole.join()
    whole.finish()
    for first, _ in once.spans():
        partition.committed_at = (first, "")
        reader = Reader(partition, again)
        reader.join()
        reader.finish()
        assert again.spans() == [span for span in once.spans() if span[0] >= first]
        again.objects.clear()


@in_two_sizes(70, 200, st.integers(0, 2**32), st.integers(5, 60))
@example(159, 44)
def test_what_is_left_is_in_bronze_once__topic_that_is_compacted_meanwhile(seed: int, count: int) -> None:
    draw = random.Random(seed)
    partition, bucket = filled(count), Bucket()
    before = lines_of(partition)

    def step() -> None:
        if draw.random() < KILLED:
            raise DiedError

    bucket.step = partition.step = step
    for _ in range(30):
        reader = Reader(partition, bucket)
        try:
            reader.join()
            reader.read(draw.randrange(1, 20))
            if draw.random() < 0.3:
                reader.wait()
        except DiedError:
            pass
        partition.records = [each for each in partition.records if draw.random() < 0.9 or each is partition.records[-1]]
    bucket.step = partition.step = lambda: None
    reader = Reader(partition, bucket)
    reader.join()
    reader.finish()

    lines = bucket.lines()
    assert len(lines) == len(set(lines))
    assert is_part_of(lines_of(partition), lines)
    assert is_part_of(lines, before)
    assert is_chain(bucket.spans())
    assert partition.committed_at[0] == partition.high


def test_gap_is_named__records_were_deleted_before_they_were_read() -> None:
    partition, bucket = filled(30), Bucket()
    reader = Reader(partition, bucket)
    reader.join()
    reader.read(7)
    partition.low = 20
    partition.records = partition.records[20:]
    reader.finish()
    assert bucket.spans() == [(0, 4), (5, 6), (20, 24), (25, 29)]
    assert reader.told == ["gap: partition 0: offsets 7 to 19 (13) are no longer in the topic"]


def test_gap_is_named__records_were_deleted_while_no_bridge_ran() -> None:
    partition, bucket = filled(30), Bucket()
    reader = Reader(partition, bucket)
    reader.join()
    reader.read(7)
    partition.low = 20
    partition.records = partition.records[20:]
    reader = Reader(partition, bucket)
    reader.join()
    reader.finish()
    assert bucket.spans() == [(0, 4), (20, 24), (25, 29)]
    assert reader.told == ["gap: partition 0: offsets 5 to 19 (15) are no longer in the topic"]


@pytest.mark.parametrize("count", [1, 3, 10, 12, 30])
def test_bridge_stops__topic_was_made_anew_under_its_name(count: int) -> None:
    partition, bucket = filled(12), Bucket()
    reader = Reader(partition, bucket)
    reader.join()
    reader.finish()
    before = dict(bucket.objects)
    anew = Partition()
    for number in range(count):
        anew.append(number, b'{"dms_id": %d}' % (0 if number == 0 else number + 1_000))
    reader = Reader(anew, bucket)
    reader.join()
    if count > 1:
        with pytest.raises(OtherRecordsError, match="holds other records"):
            reader.finish()
    else:  # what there is so far is the same
        reader.finish()
        assert anew.committed_at == (None, "")
    assert bucket.objects == before


def test_bridge_stops__topic_ends_before_what_the_group_has_read() -> None:
    partition, bucket = filled(12), Bucket()
    reader = Reader(partition, bucket)
    reader.join()
    reader.finish()
    anew = replace(filled(5), committed_at=partition.committed_at)
    with pytest.raises(UserError, match="ends at 5, and the group has read it up to 12"):
        Reader(anew, bucket).join()


def test_bridge_stops__object_of_another_program_under_its_key() -> None:
    partition, bucket = filled(12), Bucket()
    bucket.objects["transactions/topics/orders/partition=0/orders+0+00000000000000000000.jsonl"] = {
        "Metadata": {},
        "Body": b"{}",
    }
    reader = Reader(partition, bucket)
    reader.join()
    with pytest.raises(UserError, match="no bridge has put it there"):
        reader.finish()


def test_fullest_partition_is_put__more_than_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridging, "MEMORY", 500)
    partition, bucket = filled(4), Bucket()
    reader = Reader(partition, bucket)
    reader.join()
    reader.read(4)
    assert bucket.spans() == [(0, 3)]


def test_object_ends_at_its_size__record_that_is_larger_stands_alone() -> None:
    limits, batch = Limits(records=100, span_ms=1_000, size=10), Batch(0)
    large = Record.of(0, 0, b"x" * 50)
    assert batch.has_room_for(large, limits)
    batch.add(large)
    assert not batch.has_room_for(Record.of(1, 0, b""), limits)
    assert LIMITS.records > 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_newest_row_wins__every_range_came_twice_by_two_writers_that_cut_otherwise(seed: int, count: int) -> None:
    draw = random.Random(seed)
    partition = Partition()
    for number in range(count):
        partition.append(draw.randrange(300), b"%d %d" % (draw.randrange(5), number))
    bucket, orders = Bucket(), {}
    for folder, records in (("transactions/a", draw.randrange(1, 9)), ("transactions/b", draw.randrange(1, 9))):
        partition.committed_at = (None, "")
        reader = Reader(partition, bucket, folder=folder, limits=replace(LIMITS, records=records))
        reader.join()
        reader.finish()
    for key, found in bucket.objects.items():
        for row, line in enumerate(found["Body"].split(b"\n")[:-1]):
            name, _, number = line.partition(b" ")
            # The order of rows without a commit timestamp: never that in which they are taken.
            order = found["Metadata"]["as-of"], key, row
            orders[name] = max(orders.get(name, (("", "", 0), 0)), (order, int(number)))
    newest = {each.line.partition(b" ")[0]: int(each.line.partition(b" ")[2]) for each in partition.records}
    assert {name: number for name, (_, number) in orders.items()} == newest
