"""The bridge against a real broker: kills, rebalances, a broker that goes and comes back, topics that lose records."""

import os
import random
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import Producer, TopicPartition
from documented_answers import conform
from kafka_bench import Bench, bench, until

from assay.errors import UserError
from assay.kafka import consumer
from assay.kafka.bridge import Bridge, Store
from assay.kafka.cutting import Limits
from devcloud.kafka.broker import Broker, running


def test_topic_comes_to_bronze_whole__ctrl_c_and_a_second_start(stand: Bench) -> None:
    stand.make_topic()
    stand.produce(4_000)
    first = stand.bridge()
    stand.await_all()
    stand.check()
    assert all(head["Metadata"]["row-count"].isdecimal() for head in stand.objects().values())
    until(lambda: stand.committed() == [len(sent) for sent in stand.sent], "all offsets committed")
    assert stand.interrupt(first) == 130
    assert "Stopped. What was read and is not in Bronze yet will be read again." in stand.log(0).read_text()

    before = set(stand.objects())
    stand.produce(1_000)
    stand.bridge("--json")
    stand.await_all()
    until(lambda: stand.log(1).read_text().count('"lag"') >= 3, "a line for each partition")
    for line in (each for each in stand.log(1).read_text().splitlines() if each.startswith("{")):
        conform("kafka", line)
    stand.check()
    assert before < set(stand.objects())
    assert "in Bronze already" not in stand.log(1).read_text()
    assert "gap" not in stand.logs()


def test_nothing_is_missing_or_double__one_of_two_bridges_is_killed(stand: Bench) -> None:
    stand.make_topic()
    stand.produce(3_000)
    stand.bridge()
    until(lambda: stand.covered() > 0, "the first object")
    killed = stand.bridge()
    until(lambda: len(stand.log(1).read_text()) > 0 or stand.is_all_there(), "the other bridge at work")
    killed.kill()
    stand.produce(3_000)
    stand.await_all()
    stand.check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_missing_or_double__ten_kills_of_bridges_and_broker(
    seed: int, cloud: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    draw = random.Random(seed)
    folder = tmp_path_factory.mktemp(f"kills-{seed}")
    with running(folder / "kafka") as broker, bench(broker, cloud, folder, f"kills-{seed}") as stand:
        stand.make_topic()
        stand.produce(2_000)
        for number in range(10):
            at = stand.covered() + draw.randrange(1, 1_500)
            bridge = stand.bridge(records=draw.choice([50, 100, 300]))
            stand.produce(1_500)
            until(lambda at=at: stand.covered() >= min(at, sum(map(len, stand.sent))), "a random instant")  # type: ignore[misc]
            if number % 3 == 2:
                broker.kill()
                broker.start()
            if draw.random() < 0.8:
                bridge.kill()
        stand.bridge(records=300)
        stand.await_all()
        stand.check()


def test_bridge_goes_on__broker_that_is_killed_and_comes_back(
    cloud: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("back")
    with running(folder / "kafka") as broker, bench(broker, cloud, folder, "back") as stand:
        stand.make_topic()
        stand.produce(1_000)
        bridge = stand.bridge()
        stand.await_all()
        broker.kill()
        broker.start()
        stand.produce(2_000)
        stand.await_all()
        stand.check()
        assert stand.interrupt(bridge) == 130


def test_gap_is_named__records_deleted_before_they_were_read(stand: Bench) -> None:
    stand.make_topic(1)
    stand.produce(1_000)
    bridge = stand.bridge()
    stand.await_all()
    stand.interrupt(bridge)
    stand.produce(1_000)
    stand.admin.delete_records([TopicPartition(stand.topic, 0, 1_500)])[TopicPartition(stand.topic, 0, 1_500)].result()
    stand.bridge()
    until(lambda: stand.covered() == 1_500, "what is left")
    (partition,) = stand.coverage()
    assert [(gap.first, gap.last) for gap in partition.gaps] == [(1_000, 1_499)]
    assert "gap: partition 0: offsets 1000 to 1499 (500) are no longer in the topic" in stand.log(1).read_text()


@pytest.mark.slow
def test_offsets_without_records_are_no_gap__compacted_topic(stand: Bench) -> None:
    stand.make_topic(
        1, cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.0", segment_bytes="100000"
    )
    numbers = count()
    stand.produce(6_000, key=lambda _: str(next(numbers) % 50))
    # The last segment is never compacted; until the others are, the low offsets are there.
    until(lambda: _records_left(stand) < 3_000, "a compacted topic")
    stand.bridge()
    until(lambda: stand.covered() == 6_000, "all offsets")
    (partition,) = stand.coverage()
    assert (partition.gaps, partition.overlaps) == ([], [])
    lines = stand.lines(0)
    assert len(lines) < 3_000
    assert lines[-1] == stand.sent[0][-1]


def _records_left(stand: Bench) -> int:
    """Count what the topic still holds, by reading it."""
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": stand.broker.bootstrap, "group.id": "counts", "log_level": 0})
    consumer.assign([TopicPartition(stand.topic, 0, 0)])
    found, last = 0, -1
    while last < 5_999:
        for message in consumer.consume(500, timeout=10):
            if message.error() is None:
                found, last = found + 1, message.offset() or 0
    consumer.close()
    return found


def test_marks_of_transactions_are_no_gap_and_aborted_records_do_not_come(stand: Bench) -> None:
    stand.make_topic(1)
    settings = {"bootstrap.servers": stand.broker.bootstrap, "transactional.id": stand.topic, "log_level": 0}
    producer = Producer(settings)
    producer.init_transactions(30)
    for number in range(6):
        producer.begin_transaction()
        producer.produce(stand.topic, b'{"dms_id": %d}' % number, partition=0)
        producer.flush(30)
        if number % 3 == 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
            stand.sent[0].append(b'{"dms_id": %d}' % number)
    stand.produce(1)
    stand.bridge()
    until(lambda: stand.covered() == 13, "all offsets")
    (partition,) = stand.coverage()
    assert (partition.gaps, stand.lines(0)) == ([], stand.sent[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--topic", "no-such-topic"), "no-such-topic: there is no such topic"),
        (("--prefix", "elsewhere/"), "--prefix elsewhere/ starts nothing"),
        (("--config", "enable.auto.commit=true"), "the setting enable.auto.commit is the bridge's own"),
        (("--config", "no.such.setting=1"), "the client refuses its settings"),
        (("--config", "nothing"), "nothing is no setting of the client"),
    ],
)
def test_bridge_says_what_to_mend__usage(stand: Bench, options: tuple[str, ...], said: str) -> None:
    bridge = stand.bridge(*options)
    assert bridge.wait(timeout=60) == 2
    assert said in stand.log(0).read_text()


def tls(stand: Bench, *settings: str) -> tuple[str, str]:
    """Write settings of the client for TLS into a file; return the option that names it."""
    (stand.folder / "client.properties").write_text(
        "\n".join(("# of the broker", "security.protocol = SSL", *settings, ""))
    )
    return "--config-file", "client.properties"


def test_settings_of_the_client_pass_through__broker_with_tls(stand: Bench, certificate: Path) -> None:
    stand.make_topic()
    stand.produce(300)
    trusted = tls(stand, f"ssl.ca.location = {certificate}")
    bridge = stand.bridge("--bootstrap", f"127.0.0.1:{stand.broker.tls_port}", *trusted)
    stand.await_all()
    stand.check()
    assert stand.interrupt(bridge) == 130


@pytest.mark.parametrize("has_tls", [False, True])
def test_settings_of_the_client_pass_through__tls_to_a_broker_without_it_or_unknown(
    stand: Bench, has_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "PATIENCE_S", 0.0)
    monkeypatch.setattr(consumer, "ANSWER_S", 2.0)
    stand.make_topic(1)
    port = stand.broker.tls_port if has_tls else stand.broker.port
    settings = consumer.client_settings([], stand.folder / tls(stand)[1])
    topic = consumer.KafkaTopic(f"127.0.0.1:{port}", stand.topic, "assay", settings)
    told = "the TLS connection fails" if has_tls else "no broker answers: ssl://"
    with pytest.raises(UserError, match=told):
        topic.subscribe(Bridge(topic, cast(Store, None), Limits(1, 1, 1), 1.0, tell=print, on_object=print))
    topic.close()


def test_broker_is_stopped_by_who_started_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("once")
    with running(folder) as broker:
        assert isinstance(broker, Broker)
        pid = broker.pid
    with pytest.raises(RuntimeError, match="does not run"):
        broker.pid  # noqa: B018
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
