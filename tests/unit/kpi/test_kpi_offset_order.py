"""Rows without a commit timestamp are ordered by their offsets, whatever a sink delivers late or again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from order_model import NEVER, File, Row, version
from reading.offsets import key_of, place_of
from two_sizes import in_two_sizes

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RECORDS = 40
KEYS = st.lists(st.integers(0, 4), min_size=RECORDS, max_size=RECORDS)
OBJECTS = st.lists(
    st.tuples(st.integers(0, RECORDS - 1), st.integers(1, 25), st.integers(0, 5_000_000)), min_size=1, max_size=14
)
"""In the order in which they are written: first offset, records, and microseconds since the one before."""
ONE_KEY = [0] * RECORDS
Keys = list[int]
Objects = list[tuple[int, int, int]]


def written(keys: Keys, objects: Objects) -> list[File]:
    """Return the objects as a sink without an `as-of` has written them; the values of rows are their offsets."""
    files: list[File] = []
    for (first, size, _), us in zip(objects, accumulate(pause for _, _, pause in objects), strict=True):
        end, number = min(first + size, RECORDS), len(files)
        rows = tuple(Row(offset - first + 1, "I", keys[offset], offset) for offset in range(first, end))
        key = key_of("transactions", "orders", 0, first, ".json")
        at = BEGIN + timedelta(microseconds=us)
        files.append(File("upload", key, f"v{number}", f"{number:08}", at, rows=rows))
    return files


def placed(files: list[File]) -> list[File]:
    """Return the objects with the places that they get if they are examined one after the other."""
    places: dict[int, datetime] = {}
    found = []
    for file in files:
        last = file.rows[-1].image
        places[last] = place_of(last, file.last_modified_at, places)
        found.append(replace(file, as_of_at=places[last]))
    return found


def newest(files: list[File]) -> dict[int, int]:
    """Return the value of each key by the order of its rows."""
    versions = sorted((version(file, row, NEVER) for file in files for row in file.rows), key=lambda each: each.order)
    return {each.row.key: each.row.image for each in versions}


def furthest(files: list[File]) -> dict[int, int]:
    """Return the value of each key by the offsets that were delivered."""
    return {key: max(row.image for file in files for row in file.rows if row.key == key) for key in newest(files)}


@in_two_sizes(100, 300, KEYS, OBJECTS, st.randoms(use_true_random=False))
@example(ONE_KEY, [(0, 40, 1), (10, 10, 1)], None)
@example(ONE_KEY, [(20, 10, 1), (10, 5, 1), (0, 12, 1), (11, 1, 1)], None)
def test_newest_offset_wins__any_objects_examined_in_any_order(keys: Keys, objects: Objects, order: object) -> None:
    files = written(keys, objects)
    if order is not None:
        order.shuffle(files)  # type: ignore[attr-defined]
    found = placed(files)
    for count in range(1, len(found) + 1):
        assert newest(found[:count]) == furthest(found[:count])


@given(KEYS, OBJECTS)
def test_place_is_when_it_was_written__as_long_as_objects_go_further_and_further(keys: Keys, objects: Objects) -> None:
    before = -1
    for file in placed(written(keys, [(first, size, pause + RECORDS) for first, size, pause in objects])):
        last = file.rows[-1].image
        assert (file.as_of_at == file.last_modified_at) == (last > before)
        before = max(before, last)


def test_older_value_comes_back__objects_ordered_by_when_they_were_written() -> None:
    files = written(ONE_KEY, [(0, 10, 1), (10, 10, 1), (0, 10, 1)])
    assert (newest(files), furthest(files)) == ({0: 9}, {0: 19})
    assert newest(placed(files)) == {0: 19}


def test_offsets_beside_instants_are_no_order__a_row_of_another_file_between() -> None:
    """Of three objects each would be older than the next: two by their offsets, the others by their instants."""
    first, again = place_of(9, BEGIN, {}), place_of(9, BEGIN + timedelta(2), {})
    later, other = BEGIN + timedelta(hours=1), BEGIN + timedelta(1)
    assert first < later < other < again, "by offset the first again is older than the later one"
    assert place_of(9, BEGIN + timedelta(2), {9: first, 19: later}) == first


@given(st.lists(st.tuples(st.integers(0, 2**63), st.integers(0, 10**12)), max_size=20))
def test_places_go_up_with_offsets__any_numbers(objects: list[tuple[int, int]]) -> None:
    places: dict[int, datetime] = {}
    for last, us in objects:
        places[last] = place_of(last, BEGIN + timedelta(microseconds=us), places)
    in_order = [places[last] for last in sorted(places)]
    assert all(one < other for one, other in pairwise(in_order))


@pytest.mark.parametrize("times", [2, 3])
def test_place_stays__the_same_object_again(times: int) -> None:
    files = placed(written(ONE_KEY, [(0, 10, 1), *[(0, 10, 1_000_000)] * times]))
    assert {file.as_of_at for file in files} == {files[0].last_modified_at}
