"""The exception that rejects a file, and its reasons."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why a file is rejected: a code of the data contract and a sentence with the figures."""

    code: str
    text: str


class RejectedError(Exception):
    """The file cannot be accepted, whatever its rows say."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__("; ".join(reason.text for reason in reasons))
        self.reasons = reasons
