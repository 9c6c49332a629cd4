"""What a file is that is no table: known by its first bytes, named, and refused with what turns it into one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ForeignFormat:
    """A format that is not read. A file is of it if it has one of the `signs`: bytes at an offset.

    `remedy` says how to convert a file called FILE, `in_gzip` how to convert one that is inside of gzip, where that is
    not to unpack it first. `extra` are bytes of which one must also stand among the first ones.
    """

    name: str
    signs: tuple[tuple[int, bytes], ...]
    remedy: str
    extra: tuple[bytes, ...] = ()
    in_gzip: str = ""


_SAVE_AS_CSV = "save it as CSV UTF-8, or run `libreoffice --headless --convert-to csv FILE`"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = ((0, b"PK\x03\x04"), (0, b"PK\x05\x06"), (0, b"PK\x07\x08"))
_AS_PARQUET = "p.write_table({reader}('FILE'), 'COPY.parquet')"

TAR = ForeignFormat(
    "a tar archive",
    ((257, b"ustar"),),
    "run `tar -xf FILE` and send each file in it under a key of its own",
    in_gzip="run `tar -xzf FILE` and send each file in it under a key of its own",
)
"""Archives older than the sign are told by the checksum of their first header."""
GZIP = ForeignFormat("gzip", ((0, b"\x1f\x8b"),), "", in_gzip="run `gunzip -c FILE | gunzip > COPY.csv`")
"""Refused inside of gzip only, as the next one is."""
PARQUET = ForeignFormat("Parquet", ((0, b"PAR1"),), "", in_gzip="run `gunzip -c FILE > COPY.parquet`")
ENCRYPTED_PARQUET = ForeignFormat(
    "encrypted Parquet", ((0, b"PARE"),), "have it written without Parquet's encryption, because Assay has no key to it"
)
"""A file with a plain footer has the sign of Parquet: its columns tell."""
_AS_LINES = "run `jq -c . FILE > COPY.jsonl`, with jq 1.7 or later, which keeps numbers as they are written"
JSON_ARRAY = ForeignFormat("a JSON array", (), _AS_LINES.replace("-c .", "-c '.[]'"))
JSON_OVER_LINES = ForeignFormat("JSON whose objects span lines", (), _AS_LINES)
JSON_ON_A_LINE = ForeignFormat(
    "JSON whose objects have no line ends between them",
    (),
    f"have the sender end each with a line feed (Firehose: `AppendDelimiterToRecord`), or {_AS_LINES}",
)
JSON_OF_CARDS = ForeignFormat(
    "JSON with cards",
    (),
    "send cards as CSV or Parquet, the kinds of which Assay can take card numbers out of each record",
)
JSON_FORMATS = (JSON_ARRAY, JSON_OVER_LINES, JSON_ON_A_LINE)
"""Those that a look at the first bytes alone does not tell come from the readers."""
HTML = ForeignFormat("a web page (HTML)", (), "open it: most often it is the login or error page of a server")
XML = ForeignFormat("XML", (), "look at it with `head -c 500 FILE`: most often it is an error message of a server")

FOREIGN_FORMATS = (
    ForeignFormat(
        "an Excel workbook (a zip archive)", _ZIP, _SAVE_AS_CSV, extra=(b"xl/", b"[Content_Types].xml", b"_rels/.rels")
    ),
    ForeignFormat(
        "an OpenDocument spreadsheet (a zip archive)", _ZIP, _SAVE_AS_CSV, extra=(b"mimetypeapplication/vnd.oasis",)
    ),
    ForeignFormat("a zip archive", _ZIP, "run `unzip -p FILE > COPY.csv`, for each file in it"),
    ForeignFormat("an Excel workbook of the old form", ((0, _OLE),), _SAVE_AS_CSV),
    ForeignFormat("a 7z archive", ((0, b"7z\xbc\xaf\x27\x1c"),), "run `7z x FILE`"),
    ForeignFormat("a rar archive", ((0, b"Rar!\x1a\x07"),), "run `unrar x FILE`"),
    ForeignFormat(
        "compressed by bzip2",
        tuple((0, b"BZh%d" % level + mark) for level in range(1, 10) for mark in (b"1AY&SY", b"\x17rE8P\x90")),
        "run `bzip2 -dc FILE > COPY.csv`",
    ),
    ForeignFormat("compressed by xz", ((0, b"\xfd7zXZ\0"),), "run `xz -dc FILE > COPY.csv`"),
    ForeignFormat("compressed by zstd", ((0, b"\x28\xb5\x2f\xfd"),), "run `zstd -dc FILE > COPY.csv`"),
    ForeignFormat(
        "compressed by lz4",
        ((0, b"\x04\x22\x4d\x18"), (0, b"\x02\x21\x4c\x18")),
        "run `lz4 -dc FILE > COPY.csv`",
    ),
    ForeignFormat("compressed by snappy", ((0, b"\xff\x06\0\0sNaPpY"),), "run `snzip -dc FILE > COPY.csv`"),
    ForeignFormat("compressed by compress", ((0, b"\x1f\x9d"),), "run `uncompress -c < FILE > COPY.csv`"),
    TAR,
    ENCRYPTED_PARQUET,
    ForeignFormat(
        "Avro",
        ((0, b"Obj\x01"),),
        "run `duckdb -c \"INSTALL avro; LOAD avro; COPY (FROM read_avro('FILE')) TO 'COPY.parquet'\"`",
    ),
    ForeignFormat(
        "ORC",
        tuple((0, b"ORC" + bytes([code])) for code in range(256) if not 32 <= code < 127 and code not in (9, 10, 13)),
        'run `python3 -c "import pyarrow.orc as o, pyarrow.parquet as p; '
        f'{_AS_PARQUET.format(reader="o.read_table")}"`',
    ),
    ForeignFormat(
        "an Arrow or Feather file",
        ((0, b"ARROW1"),),
        'run `python3 -c "import pyarrow.feather as f, pyarrow.parquet as p; '
        f'{_AS_PARQUET.format(reader="f.read_table")}"`',
    ),
    ForeignFormat(
        "a SQLite database",
        ((0, b"SQLite format 3\0"),),
        "run `sqlite3 -header -csv FILE 'SELECT * FROM TABLE' > COPY.csv`",
    ),
    ForeignFormat("a PDF document", ((0, b"%PDF-"),), "ask the sender for the table that it was printed from, as CSV"),
    ForeignFormat("encrypted by PGP", ((0, b"-----BEGIN PGP"),), "run `gpg --decrypt FILE > COPY.csv`"),
    ForeignFormat("a run of zero bytes", ((0, bytes(64)),), "transfer it again: the last transfer did not finish"),
)
"""In the order in which they are tried: a format before those that share its signs."""

BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32", "UTF-32"),
    (b"\xff\xfe", "UTF-16", "UTF-16"),
    (b"\xfe\xff", "UTF-16", "UTF-16"),
)
"""Mark, what the text is, and what `iconv` calls it."""
UNMARKED_TEXTS = (
    ("UTF-32", "UTF-32LE", 4, (1, 2, 3)),
    ("UTF-32", "UTF-32BE", 4, (0, 1, 2)),
    ("UTF-16", "UTF-16LE", 2, (1,)),
    ("UTF-16", "UTF-16BE", 2, (0,)),
)
"""What the text is, what `iconv` calls it, bytes a character, and which of them are zero in Latin letters."""
