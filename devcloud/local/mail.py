"""The mails that the application sent: each message to an SNS topic is kept as a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from devcloud.local.state_folder import StateFolder, instant


@dataclass(frozen=True)
class Mail:
    """One message, as a subscriber would get it."""

    topic: str
    subject: str
    body: str
    message_id: str


def mails(state_folder: Path) -> list[Mail]:
    """Return the mails of the local cloud whose folder `.assay` is given, oldest first."""
    return [_read(path) for path in sorted(StateFolder(state_folder).mail.glob("*.txt"))]


def keep(folder: StateFolder, mail: Mail) -> None:
    folder.mail.mkdir(parents=True, exist_ok=True)
    name = f"{instant(datetime.now(UTC))}-{mail.message_id}.txt"
    part = folder.mail / f"{name}.part"
    text = f"Topic: {mail.topic}\nSubject: {mail.subject}\nMessage-Id: {mail.message_id}\n\n{mail.body}"
    part.write_text(text)
    # A reader never sees half a mail.
    part.rename(folder.mail / name)


def _read(path: Path) -> Mail:
    head, _, body = path.read_text().partition("\n\n")
    fields = dict(line.partition(": ")[::2] for line in head.split("\n"))
    return Mail(topic=fields["Topic"], subject=fields["Subject"], body=body, message_id=fields["Message-Id"])
