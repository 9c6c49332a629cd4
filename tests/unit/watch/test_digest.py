"""Publications are mailed as digests: every one at least once, whatever dies on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import boto3
import digest
import pytest
import watch
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends


@dataclass
class Hour:
    """What was told of publications, and the mails about them."""

    queue: str
    topic: str
    told: str

    def publish(self, name: str, ending: str = "published") -> None:
        """Send a mail as the workflow does."""
        subject = f"[assay test] a file was {ending}"
        boto3.client("sns").publish(TopicArn=self.told, Subject=subject, Message=f"Published: {name}")

    def send(self) -> int:
        return watch.handler({"task": "digest"}, None)["mailed"]

    def mails(self) -> list[tuple[str, str]]:
        """Return subject and text of all mails."""
        sent = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[self.topic].sent_notifications
        return [(subject, text) for _, text, subject, *_ in sent]

    def come_back(self) -> None:
        """Let the time pass for which messages that were received stay hidden."""
        for message in sqs_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].queues["digest"]._messages:
            message.change_visibility(0)


@pytest.fixture
def hour(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hour]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr(digest, "WAIT_SECONDS", 0)
    with mock_aws():
        sns, sqs = boto3.client("sns"), boto3.client("sqs")
        topic, told = (sns.create_topic(Name=name)["TopicArn"] for name in ("mail", "published"))
        queue = sqs.create_queue(QueueName="digest", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=told, Protocol="sqs", Endpoint=arn)
        for name, value in {"QUEUE_URL": queue, "TOPIC_ARN": topic, "STAGE": "test"}.items():
            monkeypatch.setenv(name, value)
        yield Hour(queue, topic, told)


def test_one_mail_tells_all_publications_of_the_hour__none_twice(hour: Hour) -> None:
    for number in range(25):
        closed = ", and changed a closed month" if number in (7, 8) else ""
        hour.publish(f"{number}.csv", ("published with warnings" if number == 7 else "published") + closed)

    assert (hour.send(), hour.send()) == (25, 0)
    [(subject, text)] = hour.mails()
    assert subject == "[assay test] 25 files were published, 1 with warnings, 2 changed a closed month"
    assert sorted(text.split(digest.RULE)) == sorted(f"Published: {number}.csv" for number in range(25))


def test_nothing_is_mailed__nothing_was_published(hour: Hour) -> None:
    assert (hour.send(), hour.mails()) == (0, [])


def test_mails_stay_below_what_sns_takes__many_publications(hour: Hour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "MOST_BYTES", digest.AT_ONCE * 8_000 + 100)
    for number in range(25):
        hour.publish(f"{number}.csv")

    assert hour.send() == 25
    assert [subject for subject, _ in hour.mails()] == [
        *["[assay test] 10 files were published"] * 2,
        "[assay test] 5 files were published",
    ]


@pytest.mark.parametrize("call", ["Publish", "DeleteMessageBatch"])
def test_no_mail_is_lost__the_call_dies_half_way(hour: Hour, call: str) -> None:
    hour.publish("a.csv")
    make = boto3.client

    def dying(service: str, **options: Any) -> Any:
        client = make(service, **options)
        client.meta.events.register(f"before-call.*.{call}", die)
        return client

    def die(**_: Any) -> None:
        raise KeyboardInterrupt

    with patch.object(watch.boto3, "client", dying), pytest.raises(KeyboardInterrupt):
        hour.send()
    assert hour.send() == 0
    hour.come_back()

    assert hour.send() == 1
    assert {text for _, text in hour.mails()} == {"Published: a.csv"}


def test_subject_is_one_that_sns_takes() -> None:
    told = [
        digest.Told("", "[assay prod] a file was published with warnings, and changed a closed month", "")
    ] * 120_000

    subject = digest.subject_of(told, "p" * 10)

    assert subject.isascii()
    assert len(subject) < 100
