"""Files that are no table: each is refused by its name with what converts it; the first bytes decide, not the key."""

import gzip

import pytest
from admission import Inspection
from contract.formats import FOREIGN_FORMATS
from contract.limits import REASON_CHARACTERS
from foreign_cases import FOREIGN_CASES, TABLE
from kpi_rows import inspected_file
from reading.foreign import foreign_format, refuse_foreign
from reading.rejection import RejectedError

SAID = {
    "workbook.xlsx": ("an Excel workbook", "libreoffice"),
    "workbook_by_content.csv": ("an Excel workbook", "libreoffice"),
    "spreadsheet.ods": ("an OpenDocument spreadsheet", "libreoffice"),
    "archive.zip": ("a zip archive", "unzip -p FILE"),
    "old_workbook.xls": ("an Excel workbook of the old form", "libreoffice"),
    "archive.7z": ("a 7z archive", "7z x"),
    "bzip2.csv.bz2": ("bzip2", "bzip2 -dc FILE"),
    "xz.csv.xz": ("xz", "xz -dc FILE"),
    "zstd.csv.zst": ("zstd", "zstd -dc FILE"),
    "lz4.csv.lz4": ("lz4", "lz4 -dc FILE"),
    "archive.tar": ("a tar archive", "tar -xf FILE"),
    "pax_archive.tar": ("a tar archive", "tar -xf FILE"),
    "old_archive.tar": ("a tar archive", "tar -xf FILE"),
    "archive.tar.gz": ("a tar archive inside of gzip", "tar -xzf FILE"),
    "old_archive_by_content.csv.gz": ("a tar archive inside of gzip", "tar -xzf FILE"),
    "compressed_twice.csv.gz": ("gzip inside of gzip", "gunzip -c FILE | gunzip"),
    "parquet_in_gzip.csv.gz": ("Parquet inside of gzip", "gunzip -c FILE > COPY.parquet"),
    "utf16_in_gzip.csv.gz": ("UTF-16", "iconv -f UTF-16 -t UTF-8"),
    "encrypted_footer.parquet": ("encrypted Parquet", "without Parquet's encryption"),
    "rows.avro": ("Avro", "read_avro"),
    "rows.orc": ("ORC", "pyarrow.orc"),
    "print.pdf": ("a PDF document", "as CSV"),
    "error.xml": ("XML", "head -c 500 FILE"),
    "bare_error.xml": ("XML", "head -c 500 FILE"),
    "login.csv": ("a web page (HTML)", "login"),
    "preallocated.csv": ("a run of zero bytes", "transfer it again"),
    "utf16_without_mark.csv": ("UTF-16", "iconv -f UTF-16LE"),
    "utf16_big_endian_without_mark.csv": ("UTF-16", "iconv -f UTF-16BE"),
    "utf32.csv": ("UTF-32", "iconv -f UTF-32 "),
    "utf32_without_mark.csv": ("UTF-32", "iconv -f UTF-32BE"),
}
"""File → what its reason calls it, and a part of what it advises."""


def inspected(content: bytes, *, key: str) -> Inspection:
    return inspected_file(content, key=key)


def test_table_covers_the_corpus__one_saying_per_file() -> None:
    assert set(SAID) == set(FOREIGN_CASES)


@pytest.mark.parametrize("key", ["transactions/march.csv", "transactions/march.parquet", "transactions/march"])
@pytest.mark.parametrize("name", SAID)
def test_file_is_refused_by_its_name_and_with_its_remedy__whatever_its_key(name: str, key: str) -> None:
    [reason] = inspected(FOREIGN_CASES[name], key=key).reasons
    called, advised = SAID[name]
    assert reason.code == ("not_utf8" if called.startswith("UTF") else "unsupported_format")
    assert f" {called}" in reason.text
    assert advised in reason.text
    assert len(reason.text) <= REASON_CHARACTERS


@pytest.mark.parametrize("found", FOREIGN_FORMATS, ids=lambda found: found.name)
def test_reason_fits_the_ledger__each_format_plain_and_in_gzip(found: object) -> None:
    for offset, sign in found.signs:  # type: ignore[attr-defined]
        for extra in found.extra or (b"",):  # type: ignore[attr-defined]
            head = (b"\x01" * offset + sign).ljust(64, b"\x01") + extra
            for in_gzip in (False, True):
                with pytest.raises(RejectedError, match="not a table") as refused:
                    refuse_foreign(head, in_gzip=in_gzip)
                assert len(str(refused.value)) <= REASON_CHARACTERS


@pytest.mark.parametrize(
    "head",
    [
        TABLE,
        b"\xef\xbb\xbf" + TABLE,
        b"<id>,id,amount,date\n",
        b"{note},id,amount,date\n",
        b"[x],id,amount,date\n",
        b"ORC,id,amount,date\n",
        b"PKID,id,amount,date\n",
        b"BZh9,id,amount,date\n",
        b"id,amount,date\n1,1.00,2023-05-06\n\x1a" + bytes(9),
        b"",
        b"\n",
        "id,amount,date,ville\n1,1.00,2023-05-06,Zürich 東京 🏦\n".encode(),
    ],
)
def test_table_is_no_other_format__a_header_that_looks_like_one(head: bytes) -> None:
    assert foreign_format(head) is None
    refuse_foreign(head)


def test_file_is_read__a_gzip_of_a_table_whose_name_says_tar() -> None:
    found = inspected(gzip.compress(TABLE), key="transactions/march.tar.gz")
    assert not found.reasons
    assert found.format["kind"] == "csv.gz"


def test_codes_are_read__json_with_a_mark_and_blanks() -> None:
    found = inspected(b'\xef\xbb\xbf \n{"5411": "Groceries"}', key="mcc_codes/codes.csv")
    assert not found.reasons
    assert found.format["kind"] == "json"


@pytest.mark.parametrize("content", [b'["5411"]', b'[{"5411": "Groceries"}]'])
def test_codes_are_refused_as_json__a_list_instead_of_an_object(content: bytes) -> None:
    assert [reason.code for reason in inspected(content, key="mcc_codes/codes.json").reasons] == ["unreadable_json"]
