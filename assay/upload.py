"""Puts files into Bronze and keeps the version of each, so that what is awaited is what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import ClientError
from contract.companions import is_companion

from assay.aws_errors import explain
from assay.errors import UserError
from assay.ledger import file_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import ChecksumAlgorithmType
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PutObjectRequestTypeDef

    from assay.target import Target

FOLDERS = ("transactions/", "cards/", "users/", "mcc_codes/")  # whose uploads start something: the template's events
CARDS = "cards/"
NO_DATA = (
    *(".md", ".rst", ".adoc", ".doc", ".docx", ".rtf", ".odt", ".ppt", ".pptx"),
    *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"),
    *(".py", ".pyc", ".ipynb", ".sh", ".sql", ".r", ".js", ".ts", ".css", ".java", ".jar", ".exe", ".dll", ".so"),
    *(".yaml", ".yml", ".toml", ".ini", ".cfg", ".lock", ".gitignore", ".ds_store", "makefile", "thumbs.db"),
)
"""Ends of names, in lower case, that no table has: such a file lay in the folder, or its name was mistyped."""
NO_DATA_NAMES = ("readme", "license", "changelog", "dockerfile")
KEY_BYTES = 1_024  # of S3
PARALLEL = 4
ONE_REQUEST = 64 * 1024**2  # larger files are sent in parts
PART = 32 * 1024**2
MOST_PARTS = 10_000  # of S3
CHECKSUM: ChecksumAlgorithmType = "SHA256"  # S3 computes it too, refuses what differs, and tells it ever after


@dataclass(frozen=True)
class Bronze:
    """Where uploads go: the bucket, and the ARN of the key under which files of cards lie there.

    `on_sent` is called with the number of bytes each time that some of a file have arrived, by several threads.
    """

    client: S3Client
    bucket: str
    cards_key: str
    on_sent: Callable[[int], None] = lambda sent: None


@dataclass(frozen=True)
class Source:
    """A local file and the key that it gets."""

    path: Path
    key: str

    @property
    def is_companion(self) -> bool:
        """Whether it only goes with other files, and is not taken to Gold itself."""
        return is_companion(self.key)


@dataclass(frozen=True)
class Unsent:
    """A local file that was not sent: what is wrong, and what to do about it."""

    source: Source
    what: str
    do: str = "correct it, or leave it out"

    @property
    def told(self) -> tuple[str, str]:
        """What is wrong with which file, and what to do about it."""
        return f"{self.source.path}: {self.what}", self.do


@dataclass(frozen=True)
class Uploaded:
    """An object version in Bronze."""

    key: str
    version_id: str
    file_id: str
    size: int
    uploaded_at: datetime


def find_sources(paths: Iterable[Path], prefix: str) -> list[Source]:
    """Return files, and the files below folders, with their keys; a folder's files keep their paths relative to it.

    Raises `UserError` where two files would get one key, or a file one that starts nothing in the stack.
    """
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    sources = [
        Source(file, folder + file.relative_to(path if path.is_dir() else path.parent).as_posix())
        for path in paths
        for file in _files(path)
    ]
    _refuse_same_keys(sources)
    _refuse_unheard_keys(sources)
    return sources


def unfit(source: Source) -> Unsent | None:
    """Return why a file cannot be one of the pipeline, told by its name alone; None if it can."""
    name, key = source.path.name, source.key
    if name.lower().endswith(NO_DATA) or name.lower().startswith(NO_DATA_NAMES):
        subject = key.partition("/")[0]
        return Unsent(source, f"this is no file of {subject}", "leave it out, or rename it if it holds a table")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return Unsent(source, "its name is not UTF-8", "rename it")
    if "\n" in key or "\r" in key:
        return Unsent(source, "its name has a line break in it", "rename it")
    if size > KEY_BYTES:
        return Unsent(source, f"its key has {size:,} bytes, S3 takes {KEY_BYTES:,}", "use shorter names")
    return None


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"no such file: {path}", "check the name")
    files = sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        raise UserError(f"the folder {path} holds no files", "check the name")
    return files


def _refuse_same_keys(sources: Sequence[Source]) -> None:
    taken: dict[str, Path] = {}
    for source in sources:
        other = taken.setdefault(source.key, source.path)
        if other != source.path:
            raise UserError(
                f"{other} and {source.path} would both become {source.key}", "upload them separately, with --prefix"
            )


def _refuse_unheard_keys(sources: Sequence[Source]) -> None:
    for source in sources:
        if not source.key.startswith(FOLDERS):
            raise UserError(
                f"{source.path} would become {source.key}, which starts nothing",
                f"begin --prefix with {', '.join(FOLDERS[:-1])} or {FOLDERS[-1]}",
            )


def as_of_metadata(as_of: str | None) -> dict[str, str]:
    """Turn an ISO 8601 instant into the object metadata `as-of`, in UTC."""
    return {"as-of": instant_text(read_instant("--as-of", as_of))} if as_of is not None else {}


def accept_metadata(*, accept_range: bool) -> dict[str, str]:
    """Turn `--accept-range` into the object metadata that vouches for unusual figures."""
    return {"accept-range": "true"} if accept_range else {}


def read_instant(option: str, text: str) -> datetime:
    """Read an ISO 8601 instant, in UTC if it says nothing else."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} {text} is no instant", f"write it like {option} 2026-11-23T06:00:00Z") from None
    return (instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant).astimezone(UTC)


def instant_text(instant: datetime) -> str:
    """Write an instant as the ledger does."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def bronze(target: Target) -> Bronze:
    """Return where the uploads of a stack go."""
    return Bronze(target.s3, target.stack.bronze_bucket, target.stack.cards_key)


def upload(to: Bronze, sources: Sequence[Source], metadata: dict[str, str]) -> list[Uploaded]:
    """Send all files as `send_all` does; raise UserError for the first that cannot be sent."""
    sent, unsent = send_all(to, sources, metadata)
    if unsent:
        raise UserError(*unsent[0].told)
    return sent


def send_all(to: Bronze, sources: Sequence[Source], metadata: dict[str, str]) -> tuple[list[Uploaded], list[Unsent]]:
    """Send files, some at a time, in the order of `sources`; return what was sent, and what could not be.

    Companions go first, since they must be there before their files are read.
    """
    first = [source for source in sources if source.is_companion]
    then = [source for source in sources if not source.is_companion]
    done: list[Uploaded | Unsent] = []
    for group in (first, then):
        with ThreadPoolExecutor(PARALLEL) as pool:
            done += pool.map(lambda source: _send_or_tell(to, source, metadata), group)
    return [each for each in done if isinstance(each, Uploaded)], [each for each in done if isinstance(each, Unsent)]


def _send_or_tell(to: Bronze, source: Source, metadata: dict[str, str]) -> Uploaded | Unsent:
    """Send a file; errors that are of this file alone do not hold up the others."""
    if unsent := unfit(source):
        return unsent
    try:
        return _send(to, source, metadata)
    except OSError as error:
        if error.filename is None:
            raise
        return Unsent(source, str(error.strerror), "check the file and your permissions")
    except ClientError as error:
        if explain(error) is not None:
            raise
        return Unsent(source, f"S3 refuses it: {error.response.get('Error', {}).get('Message', '')}")


def bytes_of(sources: Iterable[Source]) -> int:
    """Return how many bytes are to be sent; a file that has vanished has none, and is told of when it is sent."""
    return sum(source.path.stat().st_size for source in sources if source.path.is_file())


def part_size(size: int) -> int:
    """Return how many bytes the parts have in which a large file is sent."""
    return max(PART, size // MOST_PARTS + 1)


def _send(to: Bronze, source: Source, metadata: dict[str, str]) -> Uploaded:
    size = source.path.stat().st_size
    with source.path.open("rb") as body:
        # To send parts of what lies under a key takes the right to decrypt, which senders of cards do not have.
        if size <= ONE_REQUEST or source.key.startswith(CARDS):
            sent = send_bytes(to, source.key, body, metadata, size=size)
            to.on_sent(size)
            return sent
        version = _send_in_parts(to, source.key, body, metadata, part=part_size(size))
        return _uploaded(to.bucket, source.key, version, size)


def send_bytes(to: Bronze, key: str, body: BinaryIO | bytes, metadata: dict[str, str], *, size: int) -> Uploaded:
    """Put an object in one request, one of cards under their key."""
    sent: PutObjectRequestTypeDef = {"Bucket": to.bucket, "Key": key, "Body": body, "Metadata": metadata}
    sent["ChecksumAlgorithm"] = CHECKSUM
    if key.startswith(CARDS):
        sent |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": to.cards_key, "BucketKeyEnabled": True}
    return _uploaded(to.bucket, key, to.client.put_object(**sent).get("VersionId"), size)


def _uploaded(bucket: str, key: str, version: str | None, size: int) -> Uploaded:
    if not version or version == "null":
        raise UserError(f"the bucket {bucket} keeps no versions", "switch versioning on: files are known by version")
    return Uploaded(key, version, file_id(bucket, key, version), size, datetime.now(UTC))


def _send_in_parts(to: Bronze, key: str, body: BinaryIO, metadata: dict[str, str], *, part: int) -> str | None:
    """Send a large file part by part; boto3's own transfer does not return the version that it made.

    S3 refuses parts with checksums unless the upload has declared them, and its end unless it repeats them.
    """
    client, bucket = to.client, to.bucket
    begun = client.create_multipart_upload(Bucket=bucket, Key=key, Metadata=metadata, ChecksumAlgorithm=CHECKSUM)
    upload_id = begun["UploadId"]
    parts: list[CompletedPartTypeDef] = []
    try:
        while chunk := body.read(part):
            number = len(parts) + 1
            sent = client.upload_part(
                Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=chunk, ChecksumAlgorithm=CHECKSUM
            )
            to.on_sent(len(chunk))
            parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]})
        done = client.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        )
    except BaseException:
        # Parts of an upload that never ends are kept, and paid for, without being seen.
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        raise
    return done.get("VersionId")
