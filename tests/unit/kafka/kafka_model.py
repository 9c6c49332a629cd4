"""A partition and a bucket in memory, with all that can go wrong between them, for tests of the bridge."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from assay.kafka.bridge import Bridge
from assay.kafka.cutting import Limits, Record
from assay.kafka.objects import Place, Stored
from assay.upload import Bronze

LIMITS = Limits(records=5, span_ms=100, size=1 << 20)
QUIET_S = 10.0


class DiedError(Exception):
    """The process was killed at a step."""


@dataclass
class Bucket:
    """As much of S3 as the bridge asks; `step` may kill the process before or after each put."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    step: Callable[[], None] = lambda: None
    refused: int = 0
    """Puts whose body was sent for nothing."""

    def put_object(self, **request: Any) -> None:
        self.step()
        if request["IfNoneMatch"] == "*" and request["Key"] in self.objects:
            self.refused += 1
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        self.objects[request["Key"]] = request
        self.step()

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        found = self.objects[Key]
        return {"Metadata": found["Metadata"], "Body": io.BytesIO(found["Body"])}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        if Key not in self.objects:  # without the permission to list
            raise ClientError({"Error": {"Code": "403"}}, "HeadObject")
        return {"Metadata": self.objects[Key]["Metadata"]}

    def spans(self) -> list[tuple[int, int]]:
        """Return first and last offset of each object, in the order of their keys."""
        return [
            (int(key.rpartition("+")[2].partition(".")[0]), int(self.objects[key]["Metadata"]["last-offset"]))
            for key in sorted(self.objects)
        ]

    def lines(self) -> list[bytes]:
        return [line for key in sorted(self.objects) for line in self.objects[key]["Body"].split(b"\n")[:-1]]


@dataclass
class Partition:
    """One partition, and what its group has committed; `member` is the bridge to which it belongs."""

    records: list[Record] = field(default_factory=list)
    low: int = 0
    high: int = 0
    committed_at: tuple[int | None, str] = (None, "")
    member: object = None
    step: Callable[[], None] = lambda: None

    def append(self, at_ms: int, value: bytes, *, holes: int = 0) -> None:
        """Add a record, behind offsets that hold none, such as marks of transactions."""
        self.records.append(Record.of(self.high + holes, at_ms, value))
        self.high += holes + 1

    def as_seen_by(self, member: object) -> Member:
        return Member(self, member)


@dataclass
class Member:
    """The partition as a member of the group sees it: one that was thought dead cannot commit."""

    partition: Partition
    name: object

    def committed(self, partition: int) -> tuple[int | None, str]:
        return self.partition.committed_at

    def bounds(self, partition: int) -> tuple[int, int]:
        return self.partition.low, self.partition.high

    def commit(self, partition: int, offset: int, text: str) -> None:
        self.partition.step()
        if self.partition.member == self.name:
            self.partition.committed_at = (offset, text)
        self.partition.step()


@dataclass
class Reader:
    """A bridge with its own place in the partition, as a consumer has it."""

    partition: Partition
    bucket: Bucket
    now: float = 0.0
    position: int = 0
    told: list[str] = field(default_factory=list)
    stored: list[tuple[int, Stored]] = field(default_factory=list)
    folder: str = "transactions"
    limits: Limits = LIMITS
    bridge: Bridge = field(init=False)

    def __post_init__(self) -> None:
        place = Place(Bronze(self.bucket, "bronze", ""), self.folder, "orders")  # type: ignore[arg-type]
        member = self.partition.as_seen_by(id(self))
        self.bridge = Bridge(
            member, place, self.limits, QUIET_S, self.told.append, self._on_object, clock=lambda: self.now
        )

    def _on_object(self, partition: int, stored: Stored) -> None:
        self.stored.append((partition, stored))

    def join(self) -> None:
        """Take the partition over from whoever has it."""
        self.partition.member = id(self)
        self.position = self.bridge.assign([0])[0]

    def read(self, count: int) -> None:
        """Read some records, as far as there are any."""
        if self.position < self.partition.low:
            offset = self.bridge.cut_off(0)
            self.position = self.position if offset is None else offset
        coming = [each for each in self.partition.records if each.offset >= self.position][:count]
        for record in coming:
            self.position = record.offset + 1
            self.bridge.take(0, record)
        self.bridge.settle()

    def wait(self) -> None:
        """Let the partition be quiet for long."""
        self.now += QUIET_S
        self.bridge.settle()

    def finish(self) -> None:
        """Read all there is, and put it; what lies behind an object that is there already waits once more."""
        self.read(len(self.partition.records) + 1)
        for _ in range(2):
            self.wait()
