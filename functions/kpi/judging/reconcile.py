"""Compare a file's figures with the control totals and the stack's limits."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from contract.control_totals import CONTROL_FIGURES, Unit
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


def reasons_against(
    kpis: Kpis, controls: Iterable[Control], policy: Policy, *, may_be_empty: bool = False
) -> list[Reason]:
    """Return why the file is rejected, with each figure that differs; nothing if it is accepted.

    A file that holds something else than rows may be empty.
    """
    return [
        *([] if may_be_empty and kpis.row_count == 0 else _row_reasons(kpis, policy)),
        *(reason for control in controls for reason in _control_reasons(kpis, control)),
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
    found = kpis.control_figures()
    return [
        Reason(f"{name}_mismatch", _difference(name, found[name], said, control.source))
        for name, said in control.figures.items()
        if said != found[name]
    ]


def _difference(name: str, found: int, said: int, source: str) -> str:
    figure = CONTROL_FIGURES[name]
    if figure.unit is Unit.ROWS:
        return f"The file has {found} rows, its {source} says {said}."
    opening = f"The {figure.summed} of the file add up to"
    if figure.unit is Unit.CENTS:
        difference = money_text(found - said)
        return f"{opening} {money_text(found)}, its {source} says {money_text(said)}; the difference is {difference}."
    return f"{opening} {found:,}, its {source} says {said:,} ({name}, modulo 10^16)."


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
