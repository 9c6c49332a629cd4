"""Compare a file's figures with the control totals and the stack's limits."""

from dataclasses import dataclass
from decimal import Decimal

from contract.limits import FILE_ROWS, STORED_REASONS
from reading.control import Control
from reading.layout import Shape
from reading.rejection import Reason

from judging.broken_rows import TOO_MANY, counted
from judging.kpis import Kpis, money_text
from judging.values import CHANGE_NAMES


@dataclass(frozen=True)
class Policy:
    """The stack's limits."""

    maximum_bad_share: Decimal
    minimum_rows: int
    hold_warnings: bool = False
    empties_security_codes: bool = False
    """Whether security codes of cards are left behind in Bronze instead of rejecting their file."""
    maximum_rows: int = FILE_ROWS


def is_proven(control: Control) -> bool:
    """Return whether the sender gave a figure to compare with."""
    return control.row_count is not None or control.total_cents is not None


def reasons_against(kpis: Kpis, control: Control, policy: Policy) -> list[Reason]:
    """Return why the file is rejected; nothing if it is accepted."""
    return [
        *_row_reasons(kpis, policy),
        *_control_reasons(kpis, control),
    ]


def _row_reasons(kpis: Kpis, policy: Policy) -> list[Reason]:
    if kpis.row_count == 0:
        return [Reason("no_rows", "The file has columns and no rows.")]
    if kpis.row_count < policy.minimum_rows:
        return [Reason("no_rows", f"The file has {kpis.row_count} rows, the minimum is {policy.minimum_rows}.")]
    if kpis.bad_rows > policy.maximum_bad_share * kpis.row_count:
        share = Decimal(kpis.bad_rows * 100) / kpis.row_count
        text = (
            f"{kpis.bad_rows} of {kpis.row_count} rows ({share:.1f} %) break the data contract, "
            f"the maximum is {policy.maximum_bad_share * 100:f} %. By rule: {counted(kpis.broken_rules)}."
        )
        return [Reason(TOO_MANY, text)]
    return []


def _control_reasons(kpis: Kpis, control: Control) -> list[Reason]:
    reasons = []
    if control.row_count not in (None, kpis.row_count):
        text = f"The file has {kpis.row_count} rows, its {control.source} says {control.row_count}."
        reasons.append(Reason("row_count_mismatch", text))
    if control.total_cents is not None and control.total_cents != kpis.total_cents:
        text = (
            f"The amounts of the file add up to {money_text(kpis.total_cents)}, its {control.source} says "
            f"{money_text(control.total_cents)}; the difference is "
            f"{money_text(kpis.total_cents - control.total_cents)}."
        )
        reasons.append(Reason("total_amount_mismatch", text))
    return reasons


def repeated_keys(kpis: Kpis, shape: Shape) -> list[str]:
    """Return a warning where an id stands in several rows of a file in which nothing says that they are changes."""
    if not kpis.duplicate_keys or shape.layout.places.keys() & set(CHANGE_NAMES):
        return []
    rounded = " A spreadsheet rounds ids of more than 15 digits." if kpis.has_long_keys else ""
    rows = "1 row repeats" if kpis.duplicate_keys == 1 else f"{kpis.duplicate_keys} rows repeat"
    text = f"{rows} an id of the file, which has neither operations nor commit timestamps: of rows with one id the last"
    return [f"{text} counts.{rounded}"]


def held_reasons(warnings: list[str]) -> list[Reason]:
    """Return why a file with warnings is rejected where the stack holds warnings: its warnings, and the way out."""
    shown = warnings[: STORED_REASONS - 2]
    more = len(warnings) - len(shown)
    left = f" ({more} more are not listed)" if more else ""
    texts = [
        f"The parameter HoldWarnings rejects files with warnings; this one has {len(warnings)}{left}.",
        *shown,
        (
            "What to do: figures that are right though unusual pass with `assay upload --accept-range`, or proven by "
            "control totals; a pin or the sender settles the others; or deploy with HoldWarnings=false."
        ),
    ]
    return [Reason("held_warnings", text) for text in texts]
