"""Random histories: few keys, instants and values, so that rows collide; files in any order and in any batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any

from equal_hashes import twin_card
from hypothesis import strategies as st
from order_model import Card, File, Image, Name, Row

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
    Image(SOME_DAY, 1000, client_id=7, card_id=5),
    Image(SOME_DAY, 1000, client_id=8, card_id=twin_card(1000, SOME_DAY, 7, 5, 8)),
]
TWINS = set(IMAGES[-2:])
"""Values of equal hash."""
CARD_KEYS = [100, 101, 5]
CARDS = [Card(7, "Discover"), Card(87766, "6pSUC5eF"), Card(7, "Visa"), Card(None, None)]
"""The first two have equal hashes."""
WITH_CHANGES = {"cdc", "pinned", "cards"}
SIDE_CARS = "transactions/side-car"
FOLDERS = {
    "cards": ["cards/a.csv", "cards/b.csv"],
    "pinned": ["transactions/pinned/a.csv", "transactions/pinned/LOAD00000002.csv"],
    "upload": ["transactions/a.csv", "transactions/deep/é [1].csv"],
    "full load": ["transactions/LOAD00000001.csv", "transactions/LOAD0000000A.csv"],
    "cdc": ["transactions/20240301-120000001.csv", "transactions/20240302-120000001.csv"],
    "marker": ["transactions/_load.json"],
    "repair": ["transactions/repairs/a.csv"],
}
DATA = ["cdc", "full load", "upload", "cdc", "full load", "cards", "pinned", "upload"]
CONTROLS = ["none", "none", "metadata", "side-car"]


@dataclass(frozen=True)
class History:
    """Files, and the batches in which they arrive, as places in `files`; one that is in none never comes.

    `decisions` are undone or redone files, whichever they are not: after which batch, and the place of the file.
    """

    files: tuple[File, ...]
    batches: tuple[tuple[int, ...], ...]
    decisions: tuple[tuple[int, int], ...] = ()

    def arrivals(self) -> list[list[File]]:
        return [[self.files[place] for place in batch] for batch in self.batches]

    def arrived(self) -> list[File]:
        return [file for batch in self.arrivals() for file in batch]

    def decided_after(self, batch: int) -> list[File]:
        """Return the files on which somebody decides after a batch; a file may be there twice."""
        return [self.files[place] for place in self.decided_places(batch)]

    def decided_places(self, batch: int) -> list[int]:
        return [place for number, place in self.decisions if number % len(self.batches) == batch]


def _row(number: int, drawn: tuple[str, int, int, int, bool], *, kind: str, timed: bool) -> Row:
    """Make a row of what was drawn; of a delete, every second value leaves the key only."""
    op, key, instant, image, broken = drawn
    op = op if kind in WITH_CHANGES else "I"
    bare = op == "D" and image % 2 == 1
    of_cards = kind == "cards"
    value = CARDS[image % len(CARDS)] if of_cards else IMAGES[image]
    return Row(
        number=number,
        op=op,
        key=CARD_KEYS[key % len(CARD_KEYS)] if of_cards else key,
        image=(Card() if of_cards else Image()) if bare else value,
        commit_at=INSTANTS[instant] if timed else None,
        broken=broken and op != "D",
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

OF_TWO_LOADS = History(
    files=(
        FIRST_LOAD,
        SECOND_LOAD,
        _file(2, "marker", start_at=INSTANTS[3], listed=frozenset({FIRST_LOAD.name})),
        _file(4, "marker", start_at=INSTANTS[4], listed=frozenset({FIRST_LOAD.name})),
        _file(5, "marker", start_at=INSTANTS[4], listed=frozenset({SECOND_LOAD.name})),
    ),
    batches=((0, 1), (2,), (3,), (4,)),
    decisions=((3, 3),),
)
"""A file that two loads list, of which the newer one is undone: another load that began with it holds the floor."""

ROWS = st.tuples(
    st.sampled_from("IUD"),
    st.sampled_from(KEYS),
    st.integers(0, len(INSTANTS) - 1),
    st.integers(0, len(IMAGES) - 1),
    st.integers(0, 11).map(lambda number: number == 11),
)
MANY = 12
OBJECTS = st.tuples(st.integers(0, 1), st.sampled_from(INSTANTS), st.none() | st.sampled_from(INSTANTS))


@st.composite
def data_files(draw: st.DrawFn, *, version_id: str, kinds: Sequence[str], max_rows: int) -> File:
    """Draw a file of rows: an upload, a file of a full load, of changes, of a pinned folder, or of cards.

    One in twelve is rejected. Some have control totals, an upload also beside it: under a key of its own, as what lies
    beside a key stands for all versions of it.
    """
    kind, timed = draw(st.sampled_from(kinds)), draw(st.booleans())
    place, last_modified_at, as_of_at = draw(OBJECTS)
    size = draw(st.sampled_from([4, 4, max_rows]))
    rows = draw(st.lists(ROWS, min_size=1, max_size=size))
    control, rejected = draw(st.sampled_from(CONTROLS)), draw(st.integers(0, 11)) == 11
    beside = control == "side-car" and kind == "upload"
    return File(
        kind=kind,
        key=f"{SIDE_CARS}/{version_id}.csv" if beside else FOLDERS[kind][place],
        version_id=version_id,
        sequencer=version_id[1:],
        last_modified_at=last_modified_at,
        as_of_at=as_of_at,
        rows=tuple(
            _row(number, drawn, kind=kind, timed=timed or kind == "pinned") for number, drawn in enumerate(rows, 1)
        ),
        control="side-car" if beside else "metadata" if control != "none" or rejected else "none",
        rejected=rejected,
    )


@st.composite
def copies(draw: st.DrawFn, original: File, *, version_id: str) -> File:
    """Draw a second version of the same rows, perhaps under another key and of another instant."""
    place, last_modified_at, as_of_at = draw(OBJECTS)
    facts: dict[str, Any] = {"last_modified_at": last_modified_at, "as_of_at": as_of_at}
    facts |= {"control": "none", "rejected": False}
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


def _with_repairs(files: Sequence[File], rng: Random) -> list[File]:
    """Break more rows of some files, and add repairs of broken rows: of several, some of the same rows."""
    broken = [_broken(file, rng) if _is_repairable(file) and rng.random() < 0.7 else file for file in files]
    repairable = [file for file in broken if _is_repairable(file) and any(row.broken for row in file.rows)]
    few = rng.choices(repairable, k=2) if repairable else []
    repaired = [rng.choice(few) for _ in range(rng.choice([1, 2, 3, 4]))] if few else []
    repairs = [_repair(file, f"v{len(files) + number:X}9", rng) for number, file in enumerate(repaired)]
    return [*broken, *repairs]


def _is_repairable(file: File) -> bool:
    return file.kind not in ("cards", "marker") and not file.rejected


def _broken(file: File, rng: Random) -> File:
    rows = [replace(row, broken=row.broken or (row.op != "D" and rng.random() < 0.4)) for row in file.rows]
    return replace(file, rows=tuple(rows))


def _repair(original: File, version_id: str, rng: Random) -> File:
    """Make a repair of some of a file's broken rows; only one with operations may delete."""
    broken = [row for row in original.rows if row.broken]
    chosen = rng.sample(broken, rng.randint(1, len(broken)))
    ops = "IUD" if any(row.op != "I" for row in original.rows) else "I"
    timed = any(row.commit_at for row in original.rows)
    rows = []
    for number, row in enumerate(chosen, 1):
        key = row.key if rng.random() < 0.5 else rng.choice(KEYS)
        drawn = (rng.choice(ops), key, rng.randrange(len(INSTANTS)), rng.randrange(len(IMAGES)), False)
        rows.append(replace(_row(number, drawn, kind=original.kind, timed=timed), of=row.number))
    at = rng.choice(INSTANTS)
    key = FOLDERS["repair"][0]
    as_of_at = INSTANTS[0] if len(rows) == 1 else None
    return File("repair", key, version_id, version_id[1:], at, as_of_at, rows=tuple(rows), original=original)


def _decisions(files: Sequence[File], batches: int, rng: Random) -> list[tuple[int, int]]:
    """Choose decisions, each after a batch and on one of a few files: on markers and what they list more often."""
    listed = {name for file in files for name in file.listed}
    of_loads = [place for place, file in enumerate(files) if file.listed or file.name in listed]
    repairs = [place for place, file in enumerate(files) if file.original]
    originals = [place for place, file in enumerate(files) if any(each.original is file for each in files)]
    few = rng.choices([*range(len(files)), *of_loads, *of_loads, *repairs, *repairs, *originals], k=2)
    return sorted((rng.randrange(batches), rng.choice(few)) for _ in range(rng.choice([2, 4, 6, 6])))


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    kinds: Sequence[str] = DATA,
    reloads: bool = True,
    max_files: int = MANY,
    max_rows: int = MANY,
    max_batches: int = 5,
    has_decisions: bool = False,
) -> History:
    """Draw files and markers, the batch in which each arrives; now and then a file never comes.

    With decisions there are repairs, too: none comes before the file that it repairs.
    """
    files: list[File] = []
    most = draw(st.sampled_from([min(6, max_files), max_files]))
    for number in range(draw(st.integers(2, most))):
        version_id = f"v{number:X}"
        if files and draw(st.integers(0, 4)) == 4:
            files.append(draw(copies(draw(st.sampled_from(files)), version_id=version_id)))
        else:
            files.append(draw(data_files(version_id=version_id, kinds=kinds, max_rows=max_rows)))
    loads = [file.name for file in files if file.kind == "full load"]
    for number in range(draw(st.sampled_from([1, 2, 0])) if loads and reloads else 0):
        files.append(draw(markers(loads, version_id=f"v{len(files):X}{number}")))
    rng = Random(draw(st.integers(0, 2**32 - 1))) if has_decisions else None
    files = _with_repairs(files, rng) if rng else files
    runs = draw(st.lists(st.integers(0, max_batches - 1), min_size=len(files), max_size=len(files)))
    never = draw(st.integers(0, 6 * len(files)))  # the place of a file, or none
    of = {place: files.index(file.original) if file.original else place for place, file in enumerate(files)}
    runs = [max(run, runs[of[place]]) for place, run in enumerate(runs)]
    batches = [
        tuple(place for place, run in enumerate(runs) if run == number and never not in (place, of[place]))
        for number in sorted(set(runs))
    ]
    decisions = _decisions(files, max_batches, rng) if rng else []
    return History(tuple(files), tuple(filter(None, batches)), tuple(decisions))
