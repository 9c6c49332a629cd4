"""The files of the corpus that are no table: containers, other formats, other encodings; each small, all refused."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pyarrow as pa

TABLE = b"dms_id,amount,date\n1,1.00,2023-05-06\n"
_OLD_CHECKSUM_AT = 148


def _zip(*members: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    return sink.getvalue()


def _tar(*, form: int = tarfile.USTAR_FORMAT) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        member = tarfile.TarInfo("march.csv")
        member.size = len(TABLE)
        archive.addfile(member, io.BytesIO(TABLE))
    return sink.getvalue()


def _old_tar() -> bytes:
    """Return an archive as programs wrote it before the sign `ustar`: only its checksum tells it from a text."""
    data = bytearray(_tar())
    data[257:512] = bytes(255)
    total = sum(data[:_OLD_CHECKSUM_AT]) + 8 * ord(" ") + sum(data[_OLD_CHECKSUM_AT + 8 : 512])
    data[_OLD_CHECKSUM_AT : _OLD_CHECKSUM_AT + 8] = b"%06o\0 " % total
    return bytes(data)


def _compressed(codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(TABLE)
    return sink.getvalue().to_pybytes()


FOREIGN_CASES: dict[str, bytes] = {
    "workbook.xlsx": _zip(("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<workbook/>")),
    "workbook_by_content.csv": _zip(("_rels/.rels", b"<Relationships/>"), ("xl/workbook.xml", b"<workbook/>")),
    "spreadsheet.ods": _zip(("mimetype", b"application/vnd.oasis.opendocument.spreadsheet")),
    "archive.zip": _zip(("march.csv", TABLE)),
    "old_workbook.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    "archive.7z": b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(24),
    "bzip2.csv.bz2": bz2.compress(TABLE),
    "xz.csv.xz": lzma.compress(TABLE),
    "zstd.csv.zst": _compressed("zstd"),
    "lz4.csv.lz4": _compressed("lz4"),
    "archive.tar": _tar(),
    "pax_archive.tar": _tar(form=tarfile.PAX_FORMAT),
    "old_archive.tar": _old_tar(),
    "archive.tar.gz": gzip.compress(_tar(), mtime=0),
    "old_archive_by_content.csv.gz": gzip.compress(_old_tar(), mtime=0),
    "compressed_twice.csv.gz": gzip.compress(gzip.compress(TABLE, mtime=0), mtime=0),
    "parquet_in_gzip.csv.gz": gzip.compress(b"PAR1" + bytes(100), mtime=0),
    "utf16_in_gzip.csv.gz": gzip.compress(TABLE.decode().encode("utf-16"), mtime=0),
    "encrypted_footer.parquet": b"PARE" + bytes(40) + b"PARE",
    "rows.avro": b"Obj\x01\x02\x16avro.schema",
    "rows.orc": b"ORC\x11\0\0\x0a",
    "print.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "error.xml": b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n',
    "bare_error.xml": b"<Error><Code>NoSuchKey</Code></Error>",
    "login.csv": b"\n<!DOCTYPE HTML>\n<html><head><title>Sign in</title></head></html>\n",
    "preallocated.csv": bytes(1000),
    "utf16_without_mark.csv": TABLE.decode().encode("utf-16-le"),
    "utf16_big_endian_without_mark.csv": TABLE.decode().encode("utf-16-be"),
    "utf32.csv": TABLE.decode().encode("utf-32"),
    "utf32_without_mark.csv": TABLE.decode().encode("utf-32-be"),
}
