"""The bridge's side of Kafka: a consumer of confluent-kafka (librdkafka) that commits nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_INVALID,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from assay.errors import UserError
from assay.kafka.bridge import Bridge
from assay.kafka.cutting import NO_TIME, Record

RESERVED = {
    "bootstrap.servers": "--bootstrap",
    "group.id": "--group",
    "enable.auto.commit": "offsets are committed once their object is in Bronze",
    "enable.auto.offset.store": "offsets are committed once their object is in Bronze",
    "auto.offset.reset": "offsets that are gone are told as a gap",
    "partition.assignment.strategy": "partitions move one by one between bridges",
    "enable.partition.eof": "the bridge does not ask for it",
}
"""Settings of the client that belong to the bridge, and why."""
QUEUE_KB = 16_384
"""What the client reads ahead."""
AT_ONCE = 500
ANSWER_S = 10.0
"""So long a question to a broker waits for its answer."""
PATIENCE_S = 60.0
"""So long a broker that does not answer is asked again, where the bridge cannot go on without it."""
_FOR_A_PERSON = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: "there is no such topic",
    KafkaError._UNKNOWN_TOPIC: "there is no such topic",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "the topic may not be read",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "the group may not be used",
    KafkaError.SASL_AUTHENTICATION_FAILED: "the broker refuses these credentials",
    KafkaError._AUTHENTICATION: "the broker refuses these credentials",
    KafkaError._SSL: "the TLS connection fails",
}
_Answer = TypeVar("_Answer")


def client_settings(pairs: list[str], file: Path | None) -> dict[str, str]:
    """Return settings of the client, of a file of lines `name=value` and given one by one, which count more.

    Raise UserError for what is no setting, or belongs to the bridge.
    """
    lines = file.read_text().splitlines() if file else []
    settings = {}
    for line in (*(each for each in lines if each.strip() and not each.lstrip().startswith("#")), *pairs):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name:
            raise UserError(f"{line} is no setting of the client", "write it like security.protocol=SASL_SSL")
        if name in RESERVED:
            raise UserError(f"the setting {name} is the bridge's own: {RESERVED[name]}", "leave it out")
        settings[name] = value
    return settings


class KafkaTopic:
    """A topic as a member of a group reads it. Its calls are patient: a broker may go away and come back."""

    def __init__(self, bootstrap: str, topic: str, group: str, settings: Mapping[str, str]) -> None:
        self.name = topic
        self.trouble: str | None = None
        """Why no record comes at the moment, as the client says."""
        self._failure: UserError | None = None
        own: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "partition.assignment.strategy": "cooperative-sticky",
            "queued.max.messages.kbytes": QUEUE_KB,
            "fetch.max.bytes": QUEUE_KB << 10,
            "log_level": 2,
            "error_cb": self._on_error,
        }
        try:
            self._consumer = Consumer({"client.id": "assay", **settings, **own})
        except KafkaException as error:
            raise UserError(f"the client refuses its settings: {error.args[0].str()}", "correct --config") from error

    def subscribe(self, bridge: Bridge) -> None:
        """Join the group, and have partitions come to a bridge; raise UserError if there is no such topic."""
        self._require_topic()

        def on_assign(consumer: Consumer, parts: list[TopicPartition]) -> None:
            starts = bridge.assign([part.partition for part in parts])
            consumer.incremental_assign([TopicPartition(self.name, each, starts[each]) for each in starts])

        def on_revoke(consumer: Consumer, parts: list[TopicPartition]) -> None:
            bridge.revoke([part.partition for part in parts])
            consumer.incremental_unassign(parts)

        self._consumer.subscribe([self.name], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke)

    def feed(self, bridge: Bridge, timeout_s: float) -> None:
        """Give a bridge the records that come within a time; raise UserError for what a person has to mend."""
        for message in self._consumer.consume(AT_ONCE, timeout_s):
            error, partition = message.error(), message.partition()
            if error is None and partition is not None:
                self.trouble = None
                bridge.take(partition, record_of(message))
            elif error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET and partition is not None:
                offset = bridge.cut_off(partition)
                if offset is not None:
                    self._consumer.seek(TopicPartition(self.name, partition, offset))
            elif error is not None:
                self._on_error(error)
        if self._failure:
            raise self._failure

    def committed(self, partition: int) -> tuple[int | None, str]:
        (found,) = self._patiently(lambda: self._consumer.committed([TopicPartition(self.name, partition)], ANSWER_S))
        if found.error:
            raise _refusal(found.error, self.name)
        return (None if found.offset == OFFSET_INVALID else found.offset), found.metadata or ""

    def bounds(self, partition: int) -> tuple[int, int]:
        part = TopicPartition(self.name, partition)
        low, high = self._patiently(lambda: self._consumer.get_watermark_offsets(part, timeout=ANSWER_S))
        return low, high

    def end(self, partition: int) -> int | None:
        """Return the end of a partition as the last answer of a broker told it; None before the first one."""
        known = self._consumer.get_watermark_offsets(TopicPartition(self.name, partition), cached=True)
        return known[1] if known and known[1] >= 0 else None

    def commit(self, partition: int, offset: int, text: str) -> None:
        place = TopicPartition(self.name, partition, offset, text)
        try:
            self._consumer.commit(offsets=[place], asynchronous=False)
        except KafkaException as error:
            # The object is in Bronze: whoever reads these offsets again finds it there.
            self.trouble = f"not committed: {error.args[0].str()}"

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _require_topic(self) -> None:
        def ask() -> Any:
            try:
                return self._consumer.list_topics(self.name, timeout=ANSWER_S)
            finally:
                self._consumer.poll(0)  # hears why a broker cannot be reached

        found = self._patiently(ask).topics[self.name]
        if found.error:
            raise _refusal(found.error, self.name)

    def _on_error(self, error: KafkaError) -> None:
        self._failure = self._failure or _for_a_person(error, self.name)
        if error.fatal():
            raise _refusal(error, self.name)
        self.trouble = error.str()

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask until there is an answer; raise UserError if there is none for a minute."""
        until = monotonic() + PATIENCE_S
        while True:
            try:
                return ask()
            except KafkaException as error:
                reason = error.args[0]
                if told := _for_a_person(reason, self.name) or self._failure:
                    raise told from error
                if not (reason.retriable() or reason.code() < 0) or monotonic() > until:
                    why = self.trouble or reason.str()
                    raise UserError(f"no broker answers: {why}", "check --bootstrap and --config") from error
                sleep(0.5)


def record_of(message: Message) -> Record:
    """Return a message as a record."""
    kind, at_ms = message.timestamp()
    offset = message.offset()
    if offset is None:
        raise ValueError("a message without an offset")
    return Record.of(offset, NO_TIME if kind == TIMESTAMP_NOT_AVAILABLE else at_ms, message.value())


def _for_a_person(error: KafkaError, topic: str) -> UserError | None:
    told = _FOR_A_PERSON.get(error.code())
    return UserError(f"{topic}: {told}: {error.str()}", "check --topic, --group and --config") if told else None


def _refusal(error: KafkaError, topic: str) -> UserError:
    return _for_a_person(error, topic) or UserError(error.str(), "check --bootstrap, --group and --config")
