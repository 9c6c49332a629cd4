"""Random histories: few keys, instants and values, so that rows collide; files in any order and in any batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hypothesis import strategies as st
from order_model import File, Image, Name, Row

KEYS = [1, 1, 1, 2, 2, 3, 4, 5, 6]
INSTANTS = [datetime(2024, 3, day, 12) for day in range(1, 6)] + [datetime(2024, 3, 3, 12, 0, 0, 1)]
SOME_DAY = datetime(2023, 1, 31, 23, 59, 59)
IMAGE = Image(SOME_DAY, 1000, "chip", 7, 100, 5, "Boston", "MA", "02139", "5411", None)
IMAGES = [
    IMAGE,
    IMAGE._replace(cents=1001),
    IMAGE._replace(merchant_city="Salem", zip="01970"),
    IMAGE._replace(channel="online", merchant_id=6, merchant_city="ONLINE", merchant_state=None, zip=None, mcc="0742"),
    IMAGE._replace(transacted_at=datetime(2023, 2, 1), cents=-250, channel="swipe", client_id=8),
    IMAGE._replace(transacted_at=datetime(2024, 2, 29), card_id=101, errors=("Bad PIN", "Bad CVV")),
    IMAGE._replace(cents=0, card_id=None, mcc=None),
    Image(SOME_DAY, 1000),
]
FOLDERS = {
    "upload": ["transactions/a.csv", "transactions/deep/é [1].csv"],
    "full load": ["transactions/LOAD00000001.csv", "transactions/LOAD0000000A.csv"],
    "cdc": ["transactions/20240301-120000001.csv", "transactions/20240302-120000001.csv"],
    "marker": ["transactions/_load.json"],
}
DATA = ["cdc", "full load", "upload", "cdc", "full load"]


@dataclass(frozen=True)
class History:
    """Files, and the batches in which they arrive, as places in `files`."""

    files: tuple[File, ...]
    batches: tuple[tuple[int, ...], ...]

    def arrivals(self) -> list[list[File]]:
        return [[self.files[place] for place in batch] for batch in self.batches]


def _row(number: int, drawn: tuple[str, int, int, int, bool], *, kind: str, timed: bool) -> Row:
    """Make a row of what was drawn; of a delete, every second value leaves the key only."""
    op, key, instant, image, broken = drawn
    bare = op == "D" and image % 2 == 1 and kind == "cdc"
    return Row(
        number=number,
        op=op if kind == "cdc" else "I",
        key=key,
        image=Image() if bare else IMAGES[image],
        commit_at=INSTANTS[instant] if timed and kind != "upload" else None,
        broken=broken and not bare and not (op == "D" and kind == "cdc"),
    )


def _file(number: int, kind: str, *rows: Row, place: int = 0, **facts: Any) -> File:
    key = FOLDERS[kind][place]
    return File(kind, key, f"v{number}", f"{number}", INSTANTS[0], as_of_at=INSTANTS[0], rows=rows, **facts)


FIRST_LOAD = _file(1, "full load", Row(1, "I", 1, IMAGE))
SECOND_LOAD = _file(3, "full load", Row(1, "I", 2, IMAGE), place=1)
EARLIER_LOAD_COMES_LATER = History(
    files=(
        _file(0, "cdc", Row(1, "D", 3, Image())),
        FIRST_LOAD,
        _file(2, "marker", start_at=INSTANTS[4], listed=frozenset({FIRST_LOAD.name})),
        SECOND_LOAD,
        _file(4, "marker", start_at=INSTANTS[3], listed=frozenset({SECOND_LOAD.name})),
    ),
    batches=((0,), (1,), (2,), (3, 4)),
)
"""A tombstone and nothing else; a load declared after its file was taken; then one that began before it."""

ROWS = st.tuples(
    st.sampled_from("IUD"),
    st.sampled_from(KEYS),
    st.integers(0, len(INSTANTS) - 1),
    st.integers(0, len(IMAGES) - 1),
    st.integers(0, 11).map(lambda number: number == 11),
)
OBJECTS = st.tuples(st.integers(0, 1), st.sampled_from(INSTANTS), st.none() | st.sampled_from(INSTANTS))


@st.composite
def data_files(draw: st.DrawFn, *, version_id: str, kinds: Sequence[str]) -> File:
    """Draw a file of rows: an upload, a file of a full load, or a file of changes with or without commit timestamps."""
    kind, timed = draw(st.sampled_from(kinds)), draw(st.booleans())
    place, last_modified_at, as_of_at = draw(OBJECTS)
    rows = draw(st.lists(ROWS, min_size=1, max_size=4))
    return File(
        kind=kind,
        key=FOLDERS[kind][place],
        version_id=version_id,
        sequencer=version_id[1:],
        last_modified_at=last_modified_at,
        as_of_at=as_of_at,
        rows=tuple(_row(number, drawn, kind=kind, timed=timed) for number, drawn in enumerate(rows, 1)),
    )


@st.composite
def copies(draw: st.DrawFn, original: File, *, version_id: str) -> File:
    """Draw a second version of the same rows, perhaps under another key and of another instant."""
    place, last_modified_at, as_of_at = draw(OBJECTS)
    facts: dict[str, Any] = {"last_modified_at": last_modified_at, "as_of_at": as_of_at}
    key = FOLDERS[original.kind][place]
    return replace(original, key=key, version_id=version_id, sequencer=version_id[1:], **facts)


@st.composite
def markers(draw: st.DrawFn, loads: Sequence[Name], *, version_id: str) -> File:
    """Draw the declaration of a load of some of the full-load files."""
    listed = draw(st.lists(st.sampled_from(loads), min_size=1, max_size=3, unique=True))
    return File(
        kind="marker",
        key=FOLDERS["marker"][0],
        version_id=version_id,
        sequencer=version_id[1:],
        last_modified_at=INSTANTS[-1],
        start_at=draw(st.sampled_from(INSTANTS)),
        listed=frozenset(listed),
    )


@st.composite
def histories(
    draw: st.DrawFn, *, kinds: Sequence[str] = DATA, reloads: bool = True, max_files: int = 6, max_batches: int = 5
) -> History:
    """Draw files and markers, and the batch in which each arrives."""
    files: list[File] = []
    for number in range(draw(st.integers(2, max_files))):
        version_id = f"v{number:X}"
        if files and draw(st.integers(0, 4)) == 4:
            files.append(draw(copies(draw(st.sampled_from(files)), version_id=version_id)))
        else:
            files.append(draw(data_files(version_id=version_id, kinds=kinds)))
    loads = [file.name for file in files if file.kind == "full load"]
    for number in range(draw(st.sampled_from([1, 2, 0])) if loads and reloads else 0):
        files.append(draw(markers(loads, version_id=f"v{len(files):X}{number}")))
    runs = draw(st.lists(st.integers(0, max_batches - 1), min_size=len(files), max_size=len(files)))
    batches = [tuple(place for place, run in enumerate(runs) if run == number) for number in sorted(set(runs))]
    return History(tuple(files), tuple(batches))
