"""Compare a file's figures with the control totals, the stack's limits, and the files accepted before."""

from dataclasses import dataclass
from decimal import Decimal

from contract.items import RangeItem
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


@dataclass(frozen=True)
class LearnedRange:
    """What earlier accepted files of the same prefix looked like."""

    files: int
    min_rows: int
    max_rows: int
    min_mean_cents: int
    max_mean_cents: int

    @classmethod
    def of_item(cls, item: RangeItem) -> "LearnedRange":
        """Read the ledger's item of a prefix."""
        return cls(
            files=int(item["files"]),
            min_rows=int(item["min_rows"]),
            max_rows=int(item["max_rows"]),
            min_mean_cents=_cents(item["min_mean"]),
            max_mean_cents=_cents(item["max_mean"]),
        )

    def as_item(self, first_folder: str) -> RangeItem:
        """Return the ledger's item of a prefix."""
        return {
            "file_id": f"range#{first_folder}",
            "kind": "range",
            "files": self.files,
            "min_rows": self.min_rows,
            "max_rows": self.max_rows,
            "min_mean": money_text(self.min_mean_cents),
            "max_mean": money_text(self.max_mean_cents),
        }


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


def range_warnings(kpis: Kpis, learned: LearnedRange | None) -> list[str]:
    """Return warnings for a file without control totals that differs from the files before it."""
    if learned is None:
        return ["The file is unproven: it has no control totals, and no earlier file to compare it with."]
    warnings = ["The file is unproven: it has no control totals; it was compared with earlier files."]
    if not learned.min_rows <= kpis.row_count <= learned.max_rows:
        warnings.append(
            f"Its {kpis.row_count} rows are outside of the range of {learned.files} earlier files, "
            f"{learned.min_rows} to {learned.max_rows}."
        )
    mean = kpis.mean_cents
    if mean is not None and not learned.min_mean_cents <= mean <= learned.max_mean_cents:
        warnings.append(
            f"Its mean amount {money_text(mean)} is outside of the range of {learned.files} earlier files, "
            f"{money_text(learned.min_mean_cents)} to {money_text(learned.max_mean_cents)}."
        )
    return warnings


def widened(kpis: Kpis, learned: LearnedRange | None) -> LearnedRange:
    """Return the range widened by this file."""
    rows, mean = kpis.row_count, kpis.mean_cents or 0
    if learned is None:
        return LearnedRange(1, rows, rows, mean, mean)
    return LearnedRange(
        learned.files + 1,
        min(learned.min_rows, rows),
        max(learned.max_rows, rows),
        min(learned.min_mean_cents, mean),
        max(learned.max_mean_cents, mean),
    )


def _cents(money: str) -> int:
    return int(money.replace(".", ""))
