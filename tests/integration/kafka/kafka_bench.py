"""What the tests of the bridge work with: a topic, a bucket, and `assay kafka` as a process that can be killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import boto3
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from reading.offsets import merged, offsets_of, overlaps

from assay.offsets import Partition, partitions
from assay.target import OUTPUTS
from devcloud.kafka.broker import Broker

LIMIT_S = 120.0
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
EAGER = ("session.timeout.ms=6000", "heartbeat.interval.ms=1000", "topic.metadata.refresh.interval.ms=2000")
"""A bridge that is killed is missed soon."""


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    end, waiting = monotonic() + LIMIT_S, Event()
    while not is_so():
        assert monotonic() < end, f"not so in {LIMIT_S:.0f} s: {what}"
        waiting.wait(0.1)


@dataclass
class Bench:
    """One topic with its bucket."""

    broker: Broker
    endpoint: str
    folder: Path
    topic: str
    bucket: str
    partitions: int = 3
    sent: list[list[bytes]] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @cached_property
    def s3(self) -> Any:
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", **_credentials())

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})

    def make_topic(self, partitions: int = 3, **config: str) -> None:
        self.partitions, self.sent = partitions, [[] for _ in range(partitions)]
        settings = {name.replace("_", "."): value for name, value in config.items()}
        self.admin.create_topics([NewTopic(self.topic, partitions, 1, config=settings)])[self.topic].result()

    def produce(self, count: int, *, key: Callable[[int], str] = str) -> None:
        """Send records to the partitions in turn."""
        settings = {"log_level": 0, "enable.idempotence": True, "batch.size": 50_000}
        failed: list[object] = []
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, **settings})
        for _ in range(count):
            number = sum(map(len, self.sent))
            partition, value = number % self.partitions, b'{"dms_id": %d}' % number
            producer.produce(
                *(self.topic, value, key(number)),
                partition=partition,
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
            producer.poll(0)
            self.sent[partition].append(value)
        assert (producer.flush(60), failed) == (0, [])

    def bridge(self, *options: str, records: int = 500, quiet: float = 1.0) -> subprocess.Popen[bytes]:
        """Start a bridge; its output goes to a file of its own."""
        command = [str(Path(sys.executable).with_name("assay")), "kafka", "--bootstrap", self.broker.bootstrap]
        command += ["--topic", self.topic]
        command += ["--stack", self.bucket, "--records", str(records), "--quiet", str(quiet), *options]
        for setting in EAGER:
            command += ["--config", setting]
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {**others, **KEYS, "AWS_ENDPOINT_URL": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
        with self.log(len(self.processes)).open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.folder)
        self.processes.append(process)
        return process

    def log(self, number: int) -> Path:
        return self.folder / f"bridge-{number}.log"

    def logs(self) -> str:
        return "\n".join(self.log(number).read_text(errors="replace") for number in range(len(self.processes)))

    def objects(self) -> dict[str, dict[str, Any]]:
        """Return the newest version of each object, with its metadata."""
        found = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for each in page.get("Contents", []):
                found[each["Key"]] = self.s3.head_object(Bucket=self.bucket, Key=each["Key"])
        return found

    def coverage(self) -> list[Partition]:
        """Return which offsets are in Bronze, as `assay status --offsets` would tell of their ledger items."""
        told = [offsets_of(key, head["Metadata"], records=0) for key, head in self.objects().items()]
        return partitions({"offsets": each, "status": "accepted", "key": ""} for each in told if each)

    def covered(self) -> int:
        """Return how many offsets are in Bronze."""
        return sum(span.count for each in self.coverage() for span in merged(each.spans))

    def lines(self, partition: int) -> list[bytes]:
        """Return what is in Bronze of a partition, by offset."""
        keys = sorted(key for key in self.objects() if f"/partition={partition}/" in key)
        bodies = [self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys]
        return [line for body in bodies for line in body.split(b"\n")[:-1]]

    def is_all_there(self) -> bool:
        return self.covered() >= sum(map(len, self.sent))

    def await_all(self) -> None:
        until(self.is_all_there, f"all offsets in Bronze; {self.covered()} are\n{self.logs()[-3000:]}")

    def check(self) -> None:
        """Hold Bronze to what was sent: every record once, in the order of its offsets, nothing missing or double."""
        for each in self.coverage():
            assert (each.gaps, overlaps(each.spans)) == ([], [])
        for partition, sent in enumerate(self.sent):
            lines = self.lines(partition)
            assert (len(lines), lines[:3], lines[-3:]) == (len(sent), sent[:3], sent[-3:])
            assert lines == sent
        versions = self.s3.list_object_versions(Bucket=self.bucket)["Versions"]
        assert len(versions) == len(self.objects())

    def committed(self) -> list[int]:
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "assay", "log_level": 0})
        found = consumer.committed([TopicPartition(self.topic, each) for each in range(self.partitions)], timeout=20)
        consumer.close()
        return [each.offset for each in found]

    def interrupt(self, process: subprocess.Popen[bytes]) -> int:
        process.send_signal(signal.SIGINT)
        return process.wait(timeout=60)


def _credentials() -> dict[str, str]:
    return {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@contextmanager
def bench(broker: Broker, endpoint: str, folder: Path, name: str) -> Iterator[Bench]:
    """Make a bucket behind a stack of its own; end the bridges that still run."""
    word = hashlib.sha256(name.encode()).hexdigest()[:12]
    made = Bench(broker, endpoint, folder, f"t-{word}", f"bronze-{word}")
    outputs = {each: {"Value": made.bucket if each == "BronzeBucket" else "x"} for each in OUTPUTS.values()}
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    client = boto3.client("cloudformation", endpoint_url=endpoint, region_name="us-east-1", **_credentials())
    client.create_stack(StackName=made.bucket, TemplateBody=json.dumps(template))
    made.s3.create_bucket(Bucket=made.bucket)
    made.s3.put_bucket_versioning(Bucket=made.bucket, VersioningConfiguration={"Status": "Enabled"})
    try:
        yield made
    finally:
        for process in made.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
