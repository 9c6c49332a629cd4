"""What the ledger knows of Kafka: the offsets of a file, and the items of partitions."""

from typing import Annotated, Literal, NotRequired, TypedDict


class PartitionOffsets(TypedDict):
    """The offsets of a Kafka partition that a file holds."""

    folder: Annotated[str, "of the topic, in Bronze: equal names in two folders are two topics"]
    topic: str
    partition: int
    first: int
    last: int


class OffsetSpan(TypedDict):
    """A span of offsets, both ends included."""

    first: int
    last: int


class KnownSpan(OffsetSpan):
    """A span of offsets that has come."""

    since: Annotated[str, "when it came, or the first that lies behind it"]


class PartitionItem(TypedDict):
    """An item per partition of a Kafka topic, which offsets of it have come in accepted files."""

    file_id: Annotated[str, "`offsets#`, and the hex SHA-256 of the topic's folder and the partition"]
    kind: Annotated[Literal["offsets"], "`offsets`"]
    folder: Annotated[str, "of the topic, in Bronze"]
    topic: str
    partition: int
    spans: Annotated[dict[str, KnownSpan], "by first and last offset; those that touch are joined now and then"]
    watched: Annotated[list[OffsetSpan], "gaps that a sweep has mailed or is mailing, until it has mailed their end"]
    places: NotRequired[
        Annotated[
            dict[str, str],
            "last offset of an accepted file without an `as-of` → the instant that orders it; the 500 that go furthest",
        ]
    ]
    placed: NotRequired[Annotated[int, "how often `places` was changed"]]


class PartitionsItem(TypedDict):
    """The item that lists the partitions."""

    file_id: Annotated[str, "`partitions`"]
    kind: Annotated[Literal["partitions"], "`partitions`"]
    ids: Annotated[set[str], "file ids of their items"]
