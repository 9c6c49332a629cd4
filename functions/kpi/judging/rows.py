"""Judge rows: return of each what the figures are counted from, exactly for every form of the contract.

Of each row: `key`, `cents`, `us` (each null if missing or unreadable), `channel` (its place in CHANNELS, the next
number if unknown, null if the row has no fields or is a delete), `rules` (those that it breaks, the bit of each at
its place in the contract's order), `op_code` (its place in OPERATIONS, null if unknown), `bare` (it is a delete without
a value that is read).
"""

from collections.abc import Iterable, Mapping

import polars as pl
from contract.rules import rules_of
from contract.subjects import Subject
from contract.vocabulary import CHANNELS, OPERATIONS

from judging.rules import Limits, broken_rules
from judging.values import read_values

JUDGED = ("key", "cents", "us", "channel", "rules", "op_code", "bare")
DELETE = OPERATIONS.index("D")
UNKNOWN_CHANNEL = len(CHANNELS)
NO_MONEY: Mapping[str, type[pl.DataType]] = {"cents": pl.Int64, "us": pl.Int64, "channel": pl.UInt8}


def judge_exactly(records: pl.DataFrame, subject: Subject, limits: Limits) -> pl.DataFrame:
    """Return the judged rows, read and tested as the contract says."""
    codes = range(len(OPERATIONS))
    return read_values(records, subject).select(
        key=pl.col(f"{subject.key}_value"),
        **(_measures() if subject.has_money else {name: pl.lit(None, kind) for name, kind in NO_MONEY.items()}),
        rules=_bits(broken_rules(subject, limits).values()),
        op_code=pl.col("op_value").replace_strict(OPERATIONS, codes, default=None, return_dtype=pl.UInt8),
        bare=_is_bare(subject),
    )


def names_of(rules: int, subject: Subject) -> list[str]:
    """Return the names of the rules whose bits are set, in their order."""
    return [rule.name for place, rule in enumerate(rules_of(subject)) if rules >> place & 1]


def _bits(rules: Iterable[pl.Expr]) -> pl.Expr:
    return pl.sum_horizontal(rule.cast(pl.UInt64) * (1 << place) for place, rule in enumerate(rules))


def _measures() -> dict[str, pl.Expr]:
    has_image = pl.col("broken").is_null() & pl.col("op_value").ne_missing("D")
    code = pl.col("use_chip_value").replace_strict(CHANNELS, range(UNKNOWN_CHANNEL), default=UNKNOWN_CHANNEL)
    return {
        "cents": pl.col("amount_value"),
        "us": pl.col("date_value"),
        "channel": pl.when(has_image).then(code.cast(pl.UInt8)),
    }


def _is_bare(subject: Subject) -> pl.Expr:
    values = subject.required[1:] or subject.ruled[1:]
    empty = [pl.col(name).is_null() for name in values]
    is_delete = (pl.col("op_value") == "D").fill_null(value=False)
    return pl.all_horizontal(is_delete, pl.lit(value=bool(values)), *empty)
