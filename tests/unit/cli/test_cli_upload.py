"""What is decided before anything is sent: keys, control totals, instants; and that S3 checks what is sent."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from assay import upload as sending
from assay.control import control_metadata
from assay.errors import UserError
from assay.upload import Source, as_of_metadata, find_sources, unfit, upload


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_find_sources_keeps_relative_names__folder(tmp_path: Path) -> None:
    write(tmp_path / "batch", "a.csv", "2026/b +%.csv", "2026/_c[1].csv")

    keys = {source.key for source in find_sources([tmp_path / "batch"], "transactions/")}

    assert keys == {"transactions/a.csv", "transactions/2026/b +%.csv", "transactions/2026/_c[1].csv"}


def test_find_sources_uses_only_the_name__single_file(tmp_path: Path) -> None:
    write(tmp_path, "deep/down/a.csv")

    found = find_sources([tmp_path / "deep/down/a.csv"], "/transactions/eu/x")

    assert [source.key for source in found] == ["transactions/eu/x/a.csv"]


@pytest.mark.parametrize("prefix", ["", "transaction/", "transactions.old", "Cards"])
def test_find_sources_refuses__prefix_that_starts_nothing(tmp_path: Path, prefix: str) -> None:
    write(tmp_path, "a.csv")
    with pytest.raises(UserError, match="starts nothing") as raised:
        find_sources([tmp_path / "a.csv"], prefix)
    assert "transactions/, cards/, users/ or mcc_codes/" in raised.value.do


def test_find_sources_takes_whole_tree__folders_of_subjects_in_it(tmp_path: Path) -> None:
    write(tmp_path, "transactions/a.csv", "cards/b.csv")
    assert [source.key for source in find_sources([tmp_path], "")] == ["cards/b.csv", "transactions/a.csv"]


def test_find_sources_refuses__two_files_with_one_key(tmp_path: Path) -> None:
    write(tmp_path, "one/a.csv", "two/a.csv")

    with pytest.raises(UserError, match=r"would both become transactions/a\.csv"):
        find_sources([tmp_path / "one/a.csv", tmp_path / "two/a.csv"], "transactions/")


def test_find_sources_takes_it_once_more__same_file_named_twice(tmp_path: Path) -> None:
    write(tmp_path, "a.csv")

    assert len(find_sources([tmp_path / "a.csv", tmp_path / "a.csv"], "transactions/")) == 2


@pytest.mark.parametrize(
    "name", ["README.md", "readme.txt", "notes.docx", "job.py", ".DS_Store", "LICENSE", "a\nb.csv"]
)
def test_unfit_files_are_told_by_name__no_table(name: str) -> None:
    assert unfit(Source(Path(name), f"transactions/{name}"))


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.csv.gz", "a.parquet", "a.json", "a.txt", "export", "march.xlsx", "a.tar.gz", "a.snappy.parquet"],
)
def test_fit_files_are_sent__what_they_are_is_told_from_their_bytes(name: str) -> None:
    assert unfit(Source(Path(name), f"transactions/{name}")) is None


@pytest.mark.parametrize(("length", "fits"), [(1_024, True), (1_025, False)])
def test_key_is_as_long_as_s3_takes__bytes(length: int, *, fits: bool) -> None:
    key = "transactions/".ljust(length, "x")
    assert (unfit(Source(Path("x"), key)) is None) is fits


@pytest.mark.parametrize("name", ["missing.csv", "empty"])
def test_find_sources_refuses__nothing_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(UserError):
        find_sources([tmp_path / name], "transactions/")


@pytest.mark.parametrize(
    ("control", "metadata"),
    [
        (None, {}),
        ("1200:51234.1", {"row-count": "1200", "total-amount": "51234.10"}),
        ("1200:", {"row-count": "1200"}),
        (":-0.05", {"total-amount": "-0.05"}),
        ("1:9999999999999999.99", {"row-count": "1", "total-amount": "9999999999999999.99"}),
        ("2:1.5,key-sum=-3", {"row-count": "2", "total-amount": "1.50", "key-sum": "-3"}),
        ("hash-total=9999999999999999", {"hash-total": "9999999999999999"}),
        (
            "positive-total=1,negative-total=-0.5,2:",
            {
                "positive-total": "1.00",
                "negative-total": "-0.50",
                "row-count": "2",
            },
        ),
    ],
)
def test_control_metadata_keeps_every_cent__readable(control: str | None, metadata: dict[str, str]) -> None:
    assert control_metadata(control) == metadata


UNREADABLE = (
    *("", ":", "1200", "x:1", "-3:1", "1:x", "1:1.005", "1:NaN", "1:Infinity", "1:1,"),
    *("sum=1", "key-sum=", "key-sum=1.0", "positive-total=", "1:1,row-count=1", "key-sum=1,key-sum=1"),
)


@pytest.mark.parametrize("control", UNREADABLE)
def test_control_metadata_refuses__not_rows_and_amount(control: str) -> None:
    with pytest.raises(UserError):
        control_metadata(control)


@pytest.mark.parametrize(
    ("as_of", "instant"),
    [
        ("2026-11-23T06:00:00Z", "2026-11-23T06:00:00.000000Z"),
        ("2026-11-23T06:00:00.5+02:00", "2026-11-23T04:00:00.500000Z"),
        ("2026-11-23 06:00", "2026-11-23T06:00:00.000000Z"),
    ],
)
def test_as_of_metadata_is_in_utc__any_zone(as_of: str, instant: str) -> None:
    assert as_of_metadata(as_of) == {"as-of": instant}


def test_as_of_metadata_refuses__no_instant() -> None:
    with pytest.raises(UserError, match="yesterday"):
        as_of_metadata("yesterday")


def test_companions_are_told_from_files__folder_that_spark_wrote(tmp_path: Path) -> None:
    write(tmp_path / "day", "_SUCCESS", "_committed_1", ".part-0.csv.crc", "part-0.csv", "part-0.csv.control.json")
    sources = find_sources([tmp_path / "day"], "transactions/")
    assert [source.key for source in sources if not source.is_companion] == ["transactions/part-0.csv"]


class Watched:
    """A bucket that keeps versions, and the requests that were made to it, by operation."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket="bronze")
        self.s3.put_bucket_versioning(Bucket="bronze", VersioningConfiguration={"Status": "Enabled"})
        self.requests: dict[str, list[dict[str, Any]]] = {}
        self.s3.meta.events.register("provide-client-params.s3.*", self._keep)

    def _keep(self, params: dict[str, Any], event_name: str, **_: object) -> None:
        self.requests.setdefault(event_name.rpartition(".")[2], []).append(params)


@pytest.fixture
def bronze(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield Watched()


def checksum(body: bytes) -> str:
    return b64encode(sha256(body).digest()).decode()


def test_parts_have_checksums_that_the_upload_declares_and_its_end_repeats__large_file(
    bronze: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # S3 answers "Checksum Type mismatch" to parts of an upload that declared none, and "missing for part 1" to an end
    # that does not repeat them; the emulator takes both.
    part = 5 * 1024**2  # the smallest of S3
    monkeypatch.setattr(sending, "ONE_REQUEST", part)
    monkeypatch.setattr(sending, "PART", part)
    bodies = [b"a" * part, b"b" * part, b"c"]
    (tmp_path / "a.csv").write_bytes(b"".join(bodies))
    [sent] = upload(sending.Bronze(bronze.s3, "bronze", ""), [Source(tmp_path / "a.csv", "transactions/a.csv")], {})
    [begun], [ended] = bronze.requests["CreateMultipartUpload"], bronze.requests["CompleteMultipartUpload"]
    parts = bronze.requests["UploadPart"]
    assert {params["ChecksumAlgorithm"] for params in (begun, *parts)} == {"SHA256"}
    told = [(part["PartNumber"], part["ChecksumSHA256"]) for part in ended["MultipartUpload"]["Parts"]]
    assert told == [(number, checksum(body)) for number, body in enumerate(bodies, 1)]
    head = bronze.s3.head_object(Bucket="bronze", Key=sent.key, VersionId=sent.version_id, ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"].startswith(checksum(b"".join(sha256(body).digest() for body in bodies)))


def test_object_has_the_checksum_of_its_file__one_request(bronze: Watched, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    upload(sending.Bronze(bronze.s3, "bronze", ""), [Source(tmp_path / "a.csv", "transactions/a.csv")], {})
    head = bronze.s3.head_object(Bucket="bronze", Key="transactions/a.csv", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == checksum(b"a")
