"""Cut lines of a CSV file into the records of the data contract (section 2), and records into fields."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice

import polars as pl
from contract.limits import RECORD_LINES, SAMPLE_RECORDS
from contract.patterns import csv_field, empty_record
from contract.writing import COMMA, DECIMAL_SIGNS

from reading.layout import NAMELESS, Shape
from reading.trailer import trailer_of

_QUOTED = r'"(?:[^"]|"")*"'
_MAXIMUM_COUNTED_FIELDS = 100
"""A pattern that counts more fields would be too large."""


@dataclass(frozen=True)
class Beginning:
    """The first record of a file and the lines of its first block, which any separator may cut."""

    first: str
    lines: Sequence[str]

    def header(self, delimiter: str) -> list[str] | None:
        """Return the fields of the first record; None if a quote in it is misused."""
        return split_record(self.first, delimiter)

    def records(self, delimiter: str) -> list[list[str]]:
        """Return the first records, the one of the header too; not those with misused quotes, nor a trailer."""
        cut = [split_record(text, delimiter) for text in self._texts(delimiter)]
        if cut and any(trailer_of(cut[-1], decimal) for decimal in DECIMAL_SIGNS):
            cut.pop()
        return list(islice((record for record in cut if record is not None), SAMPLE_RECORDS))

    def _texts(self, delimiter: str) -> list[str]:
        """Return the lines, those of a record of several lines joined: how many fields it has is not known yet."""
        lines = self.lines

        def is_record(first: int, last: int) -> bool:
            return last - first < RECORD_LINES and split_record(_joined(lines, first, last), delimiter) is not None

        ends = dict(_spans([at for at, line in enumerate(lines) if line.count('"') % 2], is_record))
        texts, at = list[str](), 0
        while at < len(lines):
            last = ends.get(at, at)
            texts.append(_joined(lines, at, last))
            at = last + 1
        return texts


@dataclass
class RecordCutter:
    """Cuts the lines of one file into records, block by block; it keeps the place that it has reached.

    A frame of records has one text column, not trimmed, per column of `wanted` that the file has and per column without
    a name, and `broken`: the rule of section 2 that the record breaks, or null. With `places` it also has `row`, `line`
    and `raw`, in order.
    """

    shape: Shape
    wanted: tuple[str, ...]
    first_line: int
    places: bool = False
    odd_quote_lines: int = field(init=False, default=0)
    _row: int = field(init=False, default=1)
    _line: int = field(init=False)

    _places: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._line = self.first_line
        layout = self.shape.layout
        known = {name: place for name, place in layout.places.items() if name in self.wanted}
        self._places = known | {f"{NAMELESS}{place}": place for place in layout.nameless}

    @property
    def width(self) -> int:
        """How many fields a record must have."""
        return len(self.shape.layout.names)

    @property
    def delimiter(self) -> str:
        """What separates fields."""
        return self.shape.delimiter

    def are_single(self, text: bytes) -> bool:
        """Return whether each line is a record by itself with the header's number of fields."""
        if self.width > _MAXIMUM_COUNTED_FIELDS:
            return False
        field_ = csv_field(self.delimiter)
        pattern = rf"^{field_}(?:[{self.delimiter}]{field_}){{{self.width - 1}}}$"
        return bool(_lines(text).str.contains(pattern).all())

    def split(self, text: bytes) -> pl.DataFrame:
        """Split lines that are known to be well formed and to have the header's number of fields; leave out empty ones.

        Most lines have a first field, so the others need not be looked at.
        """
        fields = self._fields(text)
        if (fields["column_1"].is_null() | (fields["column_1"] < "!")).any():
            fields = fields.filter(pl.any_horizontal(pl.all().str.strip_chars(" \t") != "").fill_null(value=False))
        return self._named(fields)

    def _fields(self, text: bytes) -> pl.DataFrame:
        return pl.read_csv(
            text,
            has_header=False,
            separator=self.delimiter,
            schema={f"column_{place + 1}": pl.String for place in range(self.width)},
            empty_string_is_null=True,
        )

    def _named(self, fields: pl.DataFrame) -> pl.DataFrame:
        return fields.select(
            pl.col(f"column_{place + 1}").alias(name) for name, place in self._places.items()
        ).with_columns(broken=pl.lit(None, pl.String))

    def cut(self, text: bytes, *, final: bool) -> tuple[pl.DataFrame, int]:
        """Return the records of a block, and how many lines they used; the others may go on in the next block."""
        lines = pl.DataFrame(_lines(text)).with_columns(
            at=pl.int_range(pl.len(), dtype=pl.UInt32), quotes=pl.col("raw").str.count_matches('"', literal=True)
        )
        spans, used = self._long_records(lines, final=final)
        inner = {line for first, last in spans for line in range(first, last + 1)}
        empty = f"^(?:{empty_record(self.delimiter)})$"
        single = (
            lines.head(used)
            .filter(~pl.col("at").is_in(sorted(inner)) & ~pl.col("raw").str.contains(empty))
            .with_columns(broken=_broken(self.width, self.delimiter))
            .pipe(self._of_other_tables)
        )
        simple = single["broken"].is_null() & ~single["raw"].str.contains("\r", literal=True)
        parts = [
            self._split_simple(single.filter(simple)),
            self._split_slowly(single.filter(~simple)),
            self._split_slowly(self._of_other_tables(_long_records(lines["raw"], spans))),
        ]
        records = pl.concat(parts).sort("at")
        if self.places:
            records = records.with_columns(
                row=pl.int_range(pl.len(), dtype=pl.Int64) + self._row, line=pl.col("at").cast(pl.Int64) + self._line
            )
        self._row += records.height
        self._line += used
        return records.drop("at") if self.places else records.drop("at", "raw"), used

    def _of_other_tables(self, records: pl.DataFrame) -> pl.DataFrame:
        """Return the rule that a record of another table breaks, whatever its number of fields."""
        table, place = self.shape.table, self.shape.table_place
        if table is None:
            return records

        def is_other(raw: str) -> bool:
            fields = split_record(raw, self.delimiter)
            return fields is None or len(fields) <= place or fields[place].strip(" \t").lower() != table

        other = pl.Series([is_other(raw) for raw in records["raw"]], dtype=pl.Boolean)
        well_quoted = records["broken"].is_null() | (records["broken"] != "malformed_quotes")
        return records.with_columns(
            broken=pl.when(other & well_quoted).then(pl.lit("other_table")).otherwise(pl.col("broken"))
        )

    def _long_records(self, lines: pl.DataFrame, *, final: bool) -> tuple[list[tuple[int, int]], int]:
        """Return the records of several lines, as (first, last), and how many lines of the block can be judged now."""
        odd = lines.filter(pl.col("quotes") % 2 == 1)["at"].to_list()
        spans, used = _spans(odd, partial(self._is_record, lines["raw"])), lines.height
        is_open = odd and not (spans and spans[-1][1] == odd[-1])
        if is_open and not final and lines.height - odd[-1] < RECORD_LINES:
            used = odd[-1]
        self.odd_quote_lines += sum(1 for line in odd if line < used)
        return spans, used

    def _is_record(self, lines: pl.Series, first: int, last: int) -> bool:
        if last - first >= RECORD_LINES:
            return False
        fields = split_record(_joined(lines, first, last), self.delimiter)
        return fields is not None and len(fields) == self.width

    def _split_simple(self, single: pl.DataFrame) -> pl.DataFrame:
        # The first line keeps polars from taking a byte order mark inside the file for one at its beginning.
        guard = self.delimiter * (self.width - 1)
        text = pl.concat([pl.Series("raw", [guard]), single["raw"]]).str.join("\n").item()
        return self._named(self._fields(text.encode()).slice(1)).with_columns(single["at"], single["raw"])

    def _split_slowly(self, records: pl.DataFrame) -> pl.DataFrame:
        columns: dict[str, list[str | None]] = {name: [] for name in self._places}
        for raw, broken in records.select("raw", "broken").iter_rows():
            fields = None if broken else split_record(raw, self.delimiter)
            for name, place in self._places.items():
                columns[name].append(fields[place] if fields else None)
        series = [pl.Series(name, values, pl.String) for name, values in columns.items()]
        return pl.DataFrame(series).with_columns(records["broken"], records["at"], records["raw"])


def split_record(text: str, delimiter: str = COMMA) -> list[str] | None:
    """Split a record into its fields by rule 4; None if a quote is misused."""
    fields: list[str] = []
    at, field_ = 0, _field(delimiter)
    while match := field_.match(text, at):
        fields.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        at = match.end()
        if at == len(text):
            return fields
        if text[at] != delimiter:
            return None
        at += 1
    return None


@cache
def _field(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf'"((?:[^"]|"")*+)"|([^"{delimiter}]*)')


def _lines(text: bytes) -> pl.Series:
    return pl.Series("raw", [text.decode().removesuffix("\n")]).str.split("\n").explode()


def _broken(width: int, delimiter: str) -> pl.Expr:
    """Return the rule that a line which is a record by itself breaks, or null."""
    raw, quotes, field_ = pl.col("raw"), pl.col("quotes"), csv_field(delimiter)
    well_formed = rf"^{field_}(?:[{delimiter}]{field_})*$"
    outside = pl.when(quotes == 0).then(raw).otherwise(raw.str.replace_all(_QUOTED, ""))
    separators = outside.str.count_matches(delimiter, literal=True)
    return (
        pl.when((quotes > 0) & ~raw.str.contains(well_formed))
        .then(pl.lit("malformed_quotes"))
        .when(separators < width - 1)
        .then(pl.lit("too_few_fields"))
        .when(separators > width - 1)
        .then(pl.lit("too_many_fields"))
        .otherwise(pl.lit(None, pl.String))
    )


def _spans(odd: Sequence[int], is_record: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """Return which lines of odd quotes begin and end a record: of a chain of such pairs every second one is real."""
    spans, here = list[tuple[int, int]](), 0
    while here + 1 < len(odd):
        pair = odd[here], odd[here + 1]
        if joins := is_record(*pair):
            spans.append(pair)
        here += 2 if joins else 1
    return spans


def _joined(lines: Sequence[str] | pl.Series, first: int, last: int) -> str:
    return "\n".join(lines[first : last + 1])


def _long_records(lines: pl.Series, spans: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "raw": [_joined(lines, first, last) for first, last in spans],
            "at": [first for first, _ in spans],
            "broken": [None for _ in spans],
        },
        schema={"raw": pl.String, "at": pl.UInt32, "broken": pl.String},
    )
