"""Mails what the workflow has told of publications since the last hour, as few mails as it takes.

The queue keeps a message until the mail that holds it is sent: a call that dies half-way mails some again, and loses
none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef

MOST_BYTES = 200_000  # of a mail; SNS takes 262,144, and one message has 8,000 at the most
AT_ONCE = 10  # SQS gives and takes no more
WAIT_SECONDS = 2  # so that all of SQS's servers are asked
RULE = "\n\n" + 60 * "-" + "\n\n"


@dataclass(frozen=True)
class Told:
    """A message of the queue: what SNS has put there."""

    receipt: str
    subject: str
    text: str


def send_digests(sqs: SQSClient, queue: str, sns: SNSClient, topic: str, stage: str) -> int:
    """Mail all messages of the queue, and delete each once it is mailed; return how many."""
    mailed = 0
    while told := _gather(sqs, queue):
        sns.publish(TopicArn=topic, Subject=subject_of(told, stage), Message=RULE.join(each.text for each in told))
        for first in range(0, len(told), AT_ONCE):
            entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
                {"Id": str(number), "ReceiptHandle": each.receipt}
                for number, each in enumerate(told[first : first + AT_ONCE])
            ]
            sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
        mailed += len(told)
    return mailed


def subject_of(told: Sequence[Told], stage: str) -> str:
    """Return a subject that counts the files, those with warnings, and those whose run changed a closed month."""
    endings = ("with warnings", "changed a closed month")
    counts = [(sum(ending in each.subject for each in told), ending) for ending in endings]
    ending = "".join(f", {count} {ending}" for count, ending in counts if count)
    return f"[assay {stage}] {len(told)} {'file was' if len(told) == 1 else 'files were'} published{ending}"


def _gather(sqs: SQSClient, queue: str) -> list[Told]:
    """Receive messages, for one mail at the most."""
    told, size = list[Told](), 0
    while size < MOST_BYTES - AT_ONCE * 8_000:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=AT_ONCE, WaitTimeSeconds=WAIT_SECONDS)
        if not (messages := found.get("Messages", [])):
            break
        for message in messages:
            body = json.loads(message["Body"])
            told.append(Told(message["ReceiptHandle"], body["Subject"], body["Message"]))
            size += len(body["Message"].encode()) + len(RULE)
    return told
