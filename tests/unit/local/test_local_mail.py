"""Mails as files, and the subjects that SNS takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from moto.sns.exceptions import InvalidParameterValue

from devcloud.local.mail import Mail, keep, mails
from devcloud.local.sns import check_subject
from devcloud.local.state_folder import StateFolder


def test_mails_come_back_as_sent__several_in_order(tmp_path: Path) -> None:
    sent = [
        Mail(topic="t", subject="published: a: b", body="one\n\ntwo\nTopic: not a field", message_id="1"),
        Mail(topic="t", subject="", body="", message_id="2"),
    ]
    for mail in sent:
        keep(StateFolder(tmp_path), mail)
    assert mails(tmp_path) == sent


def test_mails_are_none__nothing_sent(tmp_path: Path) -> None:
    assert mails(tmp_path) == []


@pytest.mark.parametrize("subject", ["Gr\u00fc\u00dfe", "two\nlines", "x" * 100, "", " leading blank", "bell\a"])
def test_check_subject_refuses__what_aws_refuses(subject: str) -> None:
    with pytest.raises(InvalidParameterValue):
        check_subject(subject)


@pytest.mark.parametrize("subject", [None, "x" * 99, "Assay: published [a+b].csv"])
def test_check_subject_passes__what_aws_takes(subject: str | None) -> None:
    check_subject(subject)
