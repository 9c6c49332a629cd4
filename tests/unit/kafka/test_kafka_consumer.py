"""What the bridge's consumer makes of a client's answers that are errors; the client's own part is not asked."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from kafka_model import Bucket, Partition, Reader

from assay.errors import UserError
from assay.kafka.consumer import KafkaTopic

REMEDY = "check --bootstrap, --group and --config"


@dataclass
class Answer:
    """A message, a topic or an offset as the client answers, with an error."""

    failure: KafkaError
    offset: int = 0
    metadata: str = ""

    @property
    def topics(self) -> dict[str, Any]:
        return {"orders": Failed(self.failure)}

    def error(self) -> KafkaError:
        return self.failure

    def partition(self) -> int:
        return 0


@dataclass
class Failed:
    error: KafkaError
    offset: int = 0
    metadata: str = ""


@dataclass
class Client:
    """Answers with one error, whatever it is asked."""

    failure: KafkaError
    sought: list[int] = field(default_factory=list)

    def poll(self, _: float) -> None: ...

    def consume(self, *_: object) -> list[Answer]:
        return [Answer(self.failure)]

    def committed(self, *_: object) -> list[Failed]:
        return [Failed(self.failure)]

    def list_topics(self, *_: object, **__: object) -> Answer:
        return Answer(self.failure)

    def seek(self, part: TopicPartition) -> None:
        self.sought.append(part.offset)


def topic_of(client: Client) -> KafkaTopic:
    topic = KafkaTopic("127.0.0.1:9", "orders", "assay", {})
    topic._consumer.close()
    topic._consumer = client  # type: ignore[assignment]
    return topic


@pytest.fixture
def reader() -> Reader:
    reader = Reader(Partition(), Bucket())
    reader.join()
    return reader


@pytest.mark.parametrize("code", [KafkaError.NOT_COORDINATOR, KafkaError.INVALID_GROUP_ID])
def test_person_reads_what_the_client_says__error_without_a_saying_of_its_own(code: int, reader: Reader) -> None:
    topic = topic_of(Client(KafkaError(code, "says the broker")))
    for ask in (lambda: topic.committed(0), lambda: topic.subscribe(reader.bridge)):
        with pytest.raises(UserError, match="says the broker") as refused:
            ask()
        assert refused.value.do == REMEDY


def test_person_reads_what_the_client_says__fatal_error(reader: Reader) -> None:
    topic = topic_of(Client(KafkaError(KafkaError._FENCED, "fenced", fatal=True)))
    with pytest.raises(UserError, match="fenced"):
        topic.feed(reader.bridge, 0)


@pytest.mark.parametrize(("is_left", "sought"), [(False, [0]), (True, [])])
def test_reading_goes_on_where_the_topic_begins__unless_the_partition_was_left(
    is_left: bool, sought: list[int], reader: Reader
) -> None:
    client = Client(KafkaError(KafkaError._AUTO_OFFSET_RESET))
    if is_left:
        reader.bridge.revoke([0])
    topic_of(client).feed(reader.bridge, 0)
    assert client.sought == sought
