"""Read of a Parquet file's footer what polars does not tell: codecs, encodings, places of pages, encryption.

The numbers of fields are those of parquet.thrift (apache/parquet-format).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contract.formats import ENCRYPTED_PARQUET
from contract.parquet import FOOTER_BYTES

from reading.foreign import refusal
from reading.rejection import Reason, RejectedError
from reading.thrift import DAMAGED, Compact, Struct

_MAGIC = b"PAR1"
_TAIL_BYTES = 8
_OF_FILE = {"schema": 2, "rows": 3, "row_groups": 4, "encryption": 8}
_OF_GROUP = {"columns": 1, "rows": 3}
_REPEATED = 2
_OF_ELEMENT = {"type": 1, "repetition": 3, "name": 4, "children": 5, "logical": 10}
_OF_CHUNK = {"meta": 3}
_OF_META = {"encodings": 2, "codec": 4, "values": 5, "size": 7, "data_page": 9, "dictionary_page": 11}
_PAGES = ("data_page", "dictionary_page")


@dataclass(frozen=True)
class Leaf:
    """A column that has pages: the place of the field of the file to which it belongs, and its types by number."""

    place: int
    name: str
    physical: int | None
    logical: int | None
    is_flat: bool


@dataclass(frozen=True)
class Chunk:
    """The pages of a leaf in one row group, from the first byte to the one behind the last."""

    leaf: Leaf
    codec: int
    encodings: frozenset[int]
    start: int
    end: int
    values: int
    """How many values its pages hold together, nulls included."""


@dataclass(frozen=True)
class Footer:
    """What a footer says."""

    leaves: tuple[Leaf, ...]
    chunks: tuple[Chunk, ...]
    row_count: int

    def of_places(self, places: set[int]) -> Iterator[Chunk]:
        """Yield the chunks of the fields at these places."""
        return (chunk for chunk in self.chunks if chunk.leaf.place in places)

    def leaf_of(self, place: int) -> Leaf | None:
        """Return the only leaf of the field at a place; None for one of several."""
        found = [leaf for leaf in self.leaves if leaf.place == place]
        return found[0] if len(found) == 1 else None


def read_footer(path: Path) -> Footer:
    """Return a file's footer; raise RejectedError if there is none that can be read, or if pages are encrypted."""
    try:
        said = Compact(_footer_bytes(path)).struct()
        if _OF_FILE["encryption"] in said:
            raise RejectedError(refusal(ENCRYPTED_PARQUET))
        leaves = tuple(_leaves(said[_OF_FILE["schema"]]))
        if said[_OF_FILE["rows"]] != sum(group[_OF_GROUP["rows"]] for group in said[_OF_FILE["row_groups"]]):
            raise ValueError("its numbers of rows do not add up")
        chunks = (chunk for group in said[_OF_FILE["row_groups"]] for chunk in _chunks(group, leaves))
        return Footer(leaves, tuple(chunks), int(said[_OF_FILE["rows"]]))
    except DAMAGED as error:
        raise unreadable(f"its footer is damaged ({error})") from error


def unreadable(why: str) -> RejectedError:
    """Return the rejection of a Parquet file that cannot be read."""
    return RejectedError(Reason("unreadable_parquet", f"The Parquet file cannot be read: {why}."))


def _footer_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        whole = file.seek(0, 2)
        file.seek(max(0, whole - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES)
        size = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC:
            raise unreadable("it does not end as a Parquet file does, so its end may be missing")
        if size > min(whole - _TAIL_BYTES - len(_MAGIC), FOOTER_BYTES):
            raise unreadable(f"its footer would have {size} bytes")
        file.seek(whole - _TAIL_BYTES - size)
        return file.read(size)


def _leaves(elements: list[Struct]) -> Iterator[Leaf]:
    """Yield the leaves in the order of their chunks: the elements are a tree, each before its children."""
    rest = iter(elements[1:])
    for place in range(int(elements[0].get(_OF_ELEMENT["children"], 0))):
        open_elements, nested = 1, False
        while open_elements:
            element = next(rest, None)
            if element is None:
                raise ValueError("its columns are incomplete")
            children = int(element.get(_OF_ELEMENT["children"], 0))
            open_elements += children - 1
            if not children:
                yield _leaf(place, element, is_flat=not nested and element.get(_OF_ELEMENT["repetition"]) != _REPEATED)
            nested = True


def _leaf(place: int, element: Struct, *, is_flat: bool) -> Leaf:
    logical = element.get(_OF_ELEMENT["logical"], {})
    name = element[_OF_ELEMENT["name"]].decode(errors="replace")
    return Leaf(place, name, element.get(_OF_ELEMENT["type"]), next(iter(logical.keys()), None), is_flat)


def _chunks(group: Struct, leaves: tuple[Leaf, ...]) -> Iterator[Chunk]:
    for leaf, column in zip(leaves, group[_OF_GROUP["columns"]], strict=True):
        meta = column[_OF_CHUNK["meta"]]
        # A chunk without values may have a dictionary alone, and the place 0 for its data.
        places = [place for name in _PAGES if (place := meta.get(_OF_META[name], 0)) > 0]
        first = min(places, default=0)
        # Readers make room for as many values as are said here, and end with the process where there is none.
        values, rows = meta[_OF_META["values"]], group[_OF_GROUP["rows"]]
        if values < rows or (leaf.is_flat and values != rows):
            raise ValueError("its numbers of values do not add up")
        encodings = frozenset(meta[_OF_META["encodings"]])
        yield Chunk(
            leaf, int(meta[_OF_META["codec"]]), encodings, first, first + meta[_OF_META["size"]] * bool(places), values
        )
