"""The exception that rejects a file, and its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

from contract.limits import REASON_CHARACTERS, STORED_REASONS, STORED_WARNINGS

from reading.card_numbers import masked


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


def stored_reasons(reasons: Sequence[Reason]) -> list[Reason]:
    """Return reasons as the ledger keeps them: the first ones, masked and cut; the last one counts the rest."""
    if len(reasons) > STORED_REASONS:
        rest = len(reasons) - STORED_REASONS + 1
        counted = Reason(reasons[STORED_REASONS - 1].code, f"There are {rest:,} more reasons.")
        reasons = [*reasons[: STORED_REASONS - 1], counted]
    return [Reason(reason.code, _cut(reason.text)) for reason in reasons]


def stored_warnings(warnings: Sequence[str]) -> list[str]:
    """Return warnings as the ledger keeps them: like reasons."""
    if len(warnings) > STORED_WARNINGS:
        rest = len(warnings) - STORED_WARNINGS + 1
        warnings = [*warnings[: STORED_WARNINGS - 1], f"There are {rest:,} more warnings."]
    return [_cut(text) for text in warnings]


def _cut(told: str) -> str:
    text = masked(told)
    if len(text) <= REASON_CHARACTERS:
        return text
    rest = f"… ({len(text):,} characters)"
    return text[: REASON_CHARACTERS - len(rest)] + rest
