"""The files of the batch, each with the end that it must find, and the Gold that follows from them.

Every file owns its keys: the file number times 100 and what follows. So what Gold must hold is known without the code
under test: the sum of what the good rows say, in Decimal.
"""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

CHANNELS = ("swipe", "chip", "online")
HEADER = ("dms_id", "amount", "date", "use_chip", "merchant_city")
ZSTD_FRAME = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Row:
    """A good transaction."""

    dms_id: int
    amount: Decimal
    on: date
    channel: str
    city: str

    def texts(self) -> tuple[str, ...]:
        return (str(self.dms_id), f"{self.amount:.2f}", self.on.isoformat(), self.channel, self.city)


@dataclass(frozen=True)
class BadRow:
    """A row for the quarantine: its fields, its place in the file and the rules that it breaks."""

    raw: str
    row: int
    line: int
    rules: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """An upload: `end` is `published` or the code of its rejection."""

    key: str
    body: bytes
    rows: tuple[Row, ...] = ()
    bad: tuple[BadRow, ...] = ()
    end: str = "published"
    metadata: dict[str, str] = field(default_factory=dict)
    warning: str = ""


def good_rows(number: int, *, size: int = 6, more_cents: int = 0) -> tuple[Row, ...]:
    """Make rows with the keys of a file's number; every fourth amount is a refund."""
    return tuple(
        Row(
            dms_id=number * 100 + n,
            amount=Decimal((n * 1_317 + number * 11 + more_cents) * (-1 if n % 4 == 3 else 1)).scaleb(-2),
            on=date(2019, 12, 30) + timedelta(days=n % 4),
            channel=CHANNELS[n % 3],
            city=f'Köln, "Süd" {n}',
        )
        for n in range(size)
    )


def csv_text(rows: tuple[Row, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *(row.texts() for row in rows)])
    return text.getvalue()


def parquet_bytes(rows: tuple[Row, ...]) -> bytes:
    columns = {
        "dms_id": pa.array([row.dms_id for row in rows], pa.int64()),
        "amount": pa.array([row.amount for row in rows], pa.decimal128(18, 2)),
        "date": pa.array([row.on for row in rows], pa.date32()),
        "use_chip": pa.array([row.channel for row in rows], pa.string()),
        "merchant_city": pa.array([row.city for row in rows], pa.string()),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd", use_dictionary=False)
    return sink.getvalue()


def with_damaged_city_page(content: bytes) -> bytes:
    """Overwrite the compressed page of merchant_city; the footer and all other columns stay good."""
    group = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    city = next(group.column(n) for n in range(group.num_columns) if group.column(n).path_in_schema == "merchant_city")
    start = content.index(ZSTD_FRAME, city.data_page_offset)
    end = city.data_page_offset + city.total_compressed_size
    return content[:start] + b"\xff" * (end - start) + content[end:]


def totals(rows: tuple[Row, ...], *, more_rows: int = 0, more_cents: int = 0) -> dict[str, str]:
    """Make the metadata of control totals, right or off."""
    amount = sum((row.amount for row in rows), Decimal(0)) + Decimal(more_cents).scaleb(-2)
    return {"row-count": str(len(rows) + more_rows), "total-amount": f"{amount:.2f}"}


def _plain(key: str, number: int) -> File:
    rows = good_rows(number)
    return File(f"transactions/{key}", csv_text(rows).encode(), rows)


def _with_bad_rows() -> File:
    rows = good_rows(20)
    bad = (
        BadRow("2006,12.345,2020-01-01,chip,Kiel", 7, 8, ("amount_too_precise",)),
        BadRow('2007,1.00,2020-01-01,chip,"Kiel', 8, 9, ("malformed_quotes",)),
        BadRow(
            "x,,2020-02-30,tap,Kiel",
            9,
            11,
            ("dms_id_unreadable", "amount_missing", "date_unreadable", "use_chip_unknown"),
        ),
        BadRow("2009,1.00", 10, 12, ("too_few_fields",)),
    )
    # The blank line is no row, but it is a line.
    lines = [bad[0].raw, bad[1].raw, "", bad[2].raw, bad[3].raw]
    return File("transactions/bad rows.csv", (csv_text(rows) + "\n".join(lines) + "\n").encode(), rows, bad)


def _good_files() -> list[File]:
    zipped, table, hidden, proven = good_rows(11), good_rows(12, size=50), good_rows(13), good_rows(14)
    return [
        _plain("good.csv", 10),
        File("transactions/good.csv.gz", gzip.compress(csv_text(zipped).encode()), zipped),
        File("transactions/good.parquet", parquet_bytes(table), table),
        File("transactions/is parquet.csv", parquet_bytes(hidden), hidden, warning="parquet"),
        File("transactions/proven.csv", csv_text(proven).encode(), proven, metadata=totals(proven)),
        _plain("day=1/a b+c%20d.csv", 30),
        _plain("[x]/{y}/*.csv", 31),
        _plain("10:30/_hidden.csv", 32),
        _plain("Übergröße/größe.csv", 33),
        _with_bad_rows(),
    ]


def _rejected_files() -> list[File]:
    rows = good_rows(40)
    text = csv_text(rows).encode()
    bad = b"dms_id,amount,date\n1,1.00,2020-01-01\nx,x,x\ny,y,y\n"

    def rejected(name: str, body: bytes, code: str, metadata: dict[str, str] | None = None) -> File:
        return File(f"transactions/rejected/{name}", body, end=code, metadata=metadata or {})

    return [
        rejected("empty.csv", b"", "empty_file"),
        rejected("header only.csv", b"dms_id,amount,date\n", "no_rows"),
        rejected("missing column.csv", b"dms_id,date\n1,2020-01-01\n", "missing_column"),
        rejected(
            "latin 1.csv", "dms_id,amount,date,merchant_city\n1,1.00,2020-01-01,Köln\n".encode("latin-1"), "not_utf8"
        ),
        rejected("truncated.csv.gz", gzip.compress(text)[:-12], "truncated_gzip"),
        rejected("truncated.parquet", parquet_bytes(rows)[:-20], "unreadable_parquet"),
        rejected("a row off.csv", text, "row_count_mismatch", totals(rows, more_rows=1)),
        rejected("a cent off.csv", text, "total_amount_mismatch", totals(rows, more_cents=1)),
        rejected("bad.csv", bad, "too_many_bad_rows"),
    ]


def twice() -> tuple[File, File]:
    """Make two versions of one key; the older has two rows that the newer lacks, and other amounts."""
    older, newer = good_rows(50, size=8), good_rows(50, size=6, more_cents=777)
    key = "transactions/twice.csv"
    return File(key, csv_text(older).encode(), older), File(key, csv_text(newer).encode(), newer)


def damaged() -> File:
    content = with_damaged_city_page(parquet_bytes(good_rows(60, size=50)))
    return File("transactions/damaged.parquet", content, end="unreadable_parquet")


def to_be_spoiled() -> File:
    """Make a file whose keys a wrong one names later, with the columns from which the dimensions have their members."""
    header = "dms_id,amount,date,client_id,merchant_id,merchant_city,mcc,use_chip"
    rows = (
        Row(800001, Decimal("10.00"), date(2021, 1, 1), "chip", "Boston"),
        Row(800002, Decimal("20.00"), date(2021, 1, 2), "swipe", "Boston"),
        Row(800003, Decimal("30.00"), date(2021, 2, 1), "online", "Salem"),
    )
    of_city = {"Boston": ("7", "5", "Boston", "5411"), "Salem": ("8", "6", "Salem", "5812")}
    lines = [",".join([*row.texts()[:3], *of_city[row.city], f"{row.channel.title()} Transaction"]) for row in rows]
    return File("transactions/history.csv", "".join(f"{line}\n" for line in (header, *lines)).encode(), rows)


def batch() -> list[File]:
    return [*_good_files(), to_be_spoiled(), *twice(), damaged(), *_rejected_files()]


def expected_gold(files: list[File]) -> dict[int, Row]:
    """Give the rows of Gold by key: files in the order of their upload, a later row in the place of an earlier."""
    return {row.dms_id: row for file in files for row in file.rows}
