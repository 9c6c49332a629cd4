"""Build the contract's rules: each an expression over the values of a row, true where the row breaks it, never null.

The columns are those of `values.read_values`; the order is the contract's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
from contract.kinds import AMOUNT, INSTANT, INTEGER, Fault, Kind
from contract.limits import AMOUNT_DECIMALS, FUTURE_DAYS
from contract.rules import Rule, rules_of
from contract.subjects import Subject

from judging.values import us_of


@dataclass(frozen=True)
class Limits:
    """What the rules know of the object: the instant beyond which a date lies in the future."""

    future_us: int

    @classmethod
    def of(cls, last_modified_at: datetime) -> "Limits":
        return cls(us_of(last_modified_at + timedelta(days=FUTURE_DAYS)))


def broken_rules(subject: Subject, limits: Limits) -> dict[str, pl.Expr]:
    """Return the rules by name, in their order; a row of broken structure breaks none of the others."""
    has_image = pl.col("op_value").ne_missing("D")
    made = {}
    for rule in rules_of(subject):
        broken = _TESTS[rule.fault](rule, subject, limits)
        if rule.fault is not Fault.STRUCTURE:
            broken &= pl.col("broken").is_null() if rule.on_deletes else pl.col("broken").is_null() & has_image
        made[rule.name] = broken.fill_null(value=False)
    return made


def broken_rule_names(subject: Subject, limits: Limits) -> pl.Expr:
    """Return the names of the rules that a row breaks, in their order, as a list."""
    rules = broken_rules(subject, limits)
    return pl.concat_list(pl.when(rule).then(pl.lit(name)) for name, rule in rules.items()).list.drop_nulls()


def limit_value(kind: Kind, text: str) -> int:
    """Return what a comparison compares with, in the form of the kind's values; raise KeyError for other kinds."""
    return _LIMITS[kind.name](text)


def _cents(text: str) -> int:
    return int(Decimal(text).scaleb(AMOUNT_DECIMALS).to_integral_exact())


def _microseconds(text: str) -> int:
    at = datetime.fromisoformat(text)
    return us_of(at if at.tzinfo else at.replace(tzinfo=UTC))


_LIMITS: Mapping[str, Callable[[str], int]] = {INTEGER.name: int, AMOUNT.name: _cents, INSTANT.name: _microseconds}


def _value(rule: Rule) -> pl.Expr:
    return pl.col(f"{rule.column}_value")


def _is_given(rule: Rule) -> pl.Expr:
    return pl.col(rule.column).is_not_null()


def _has_form(rule: Rule) -> pl.Expr:
    return pl.col(f"{rule.column}_has_form")


def _is_precise(rule: Rule) -> pl.Expr:
    return pl.col(f"{rule.column}_is_precise")


def _limit(rule: Rule, subject: Subject) -> int:
    return limit_value(subject.known[rule.column].kind, rule.limit)


_TESTS: Mapping[Fault, Callable[[Rule, Subject, Limits], pl.Expr]] = {
    Fault.STRUCTURE: lambda rule, _, __: pl.col("broken") == rule.name,
    Fault.MISSING: lambda rule, _, __: pl.col(rule.column).is_null(),
    Fault.UNREADABLE: lambda rule, _, __: _is_given(rule) & _value(rule).is_null(),
    Fault.UNKNOWN: lambda rule, _, __: _is_given(rule) & _value(rule).is_null(),
    Fault.MALFORMED: lambda rule, _, __: _is_given(rule) & ~_has_form(rule),
    Fault.TOO_PRECISE: lambda rule, _, __: _has_form(rule) & ~_is_precise(rule),
    Fault.TOO_LARGE: lambda rule, _, __: _has_form(rule) & _is_precise(rule) & _value(rule).is_null(),
    Fault.IN_FUTURE: lambda rule, _, limits: _value(rule) > limits.future_us,
    Fault.IMPOSSIBLE: lambda rule, _, __: _is_given(rule) & (_value(rule).is_null() | (_value(rule) == 0)),
    Fault.NOT_GIVEN: lambda rule, _, __: pl.col(f"has_{rule.column}") & _value(rule).is_null(),
    Fault.ABOVE_LIMIT: lambda rule, subject, _: _value(rule) > _limit(rule, subject),
    Fault.BELOW_LIMIT: lambda rule, subject, _: _value(rule) < _limit(rule, subject),
}
