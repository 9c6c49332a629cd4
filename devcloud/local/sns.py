"""Makes moto's SNS as strict about subjects as AWS is, and keeps every message as a file."""

from __future__ import annotations

from typing import Any

from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import SNSBackend, Topic

from devcloud.local.mail import Mail, keep
from devcloud.local.patching import Function, wrap, wrap_classmethod
from devcloud.local.state_folder import StateFolder

_SUBJECT_LIMIT = 100


def install(folder: StateFolder) -> None:
    wrap(SNSBackend, "publish", lambda original: _keeping(original, folder))
    wrap_classmethod(Topic, "update_from_cloudformation_json", _in_place)


def _keeping(original: Function, folder: StateFolder) -> Function:
    def publish(backend: SNSBackend, message: str, arn: str | None = None, **kwargs: Any) -> str:
        subject = kwargs.get("subject")
        check_subject(subject)
        message_id: str = original(backend, message, arn, **kwargs)
        topic = str(arn).rsplit(":", 1)[-1]
        keep(folder, Mail(topic=topic, subject=subject or "", body=message, message_id=message_id))
        return message_id

    return publish


def _in_place(original: Function) -> Function:
    # Until moto updates topics in place: it makes another one, that nothing which was deployed earlier knows.
    def update_from_cloudformation_json(cls: type, **kwargs: Any) -> Topic:
        topic: Topic = kwargs["original_resource"]
        properties = kwargs["cloudformation_json"]["Properties"]
        if properties.get("TopicName", topic.name) != topic.name:
            replaced: Topic = original(cls, **kwargs)
            return replaced
        topic.display_name = properties.get("DisplayName", "")
        return topic

    return update_from_cloudformation_json


def check_subject(subject: str | None) -> None:
    """Refuse what AWS refuses, until moto does: a subject is ASCII, one line, begins visibly, has under 100 characters.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    if subject is None:
        return
    visible = subject.isascii() and subject.isprintable()
    if not visible or not subject or subject[0] == " " or len(subject) >= _SUBJECT_LIMIT:
        raise InvalidParameterValue("Invalid parameter: Subject")
