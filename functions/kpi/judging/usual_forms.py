"""Judge rows of transactions quickly where their texts have the usual forms.

A usual form is one that polars reads exactly and that breaks no rule. All other rows are judged by `rows`; a test holds
both to the same results.
"""

from collections.abc import Callable, Mapping

import polars as pl
from contract.columns import SourceColumn
from contract.kinds import AMOUNT, CHANNEL, INSTANT, INTEGER, MCC, ZIP, Fault
from contract.rules import COMPARISONS
from contract.subjects import Subject
from contract.vocabulary import CHANNELS

from judging.rows import JUDGED, UNKNOWN_CHANNEL, judge_exactly
from judging.rules import Limits, limit_value
from judging.values import EARLIEST_US
from judging.writing import Writings

FIGURES: Mapping[str, str] = {"dms_id": "key", "amount": "cents", "date": "us"}
"""Columns whose values are figures, so they are read once for both."""
_USUAL_CHANNELS = [f"{name.capitalize()} Transaction" for name in CHANNELS]
_SECONDS = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-5][0-9]"
_USUAL_DATE = rf"^{_SECONDS}$"
_USUAL_INSTANT = rf"^{_SECONDS}(?:\.[0-9]{{1,6}})?$"
_USUAL_AMOUNT = r"^\$?-?[0-9]{1,12}\.[0-9]{2}$"
"""Of fewer digits than a card number."""
_USUAL_ZIP = r"^[1-9][0-9]{0,4}(?:\.0)?$"


def judge(
    records: pl.DataFrame, subject: Subject, limits: Limits, writings: Writings | None = None
) -> list[pl.DataFrame]:
    """Return what `judge_exactly` returns, in several frames and in any order; `writings` sees how they are written."""
    seen = writings or Writings(subject)
    seen.see_all(records)
    if not subject.has_money:
        return [_judged_and_seen(records, subject, limits, seen)]
    read = records.with_columns(*_quick_values(records.schema))
    quick = read.select(*JUDGED, usual=_is_usual(records.schema, subject, limits))
    if quick["usual"].all():
        seen.see_usual(records.height)
        return [quick.drop("usual")]
    odd = records.filter(~quick["usual"])
    seen.see_usual(records.height - odd.height)
    return [quick.filter(pl.col("usual")).drop("usual"), _judged_and_seen(odd, subject, limits, seen)]


def _judged_and_seen(records: pl.DataFrame, subject: Subject, limits: Limits, seen: Writings) -> pl.DataFrame:
    judged = judge_exactly(records, subject, limits)
    seen.see_odd(records)
    seen.see_broken(records.filter(judged["rules"] > 0))
    return judged


def _quick_values(schema: pl.Schema) -> list[pl.Expr]:
    return [
        _integer("dms_id", schema).alias("key"),
        _cents("amount", schema).alias("cents"),
        _date(schema).alias("us"),
        _channel(schema).alias("channel"),
        pl.lit(0, pl.UInt64).alias("rules"),
        _operation(schema).alias("op_code"),
        pl.lit(value=False).alias("bare"),
    ]


def _is_usual(schema: pl.Schema, subject: Subject, limits: Limits) -> pl.Expr:
    """Return whether all texts of a row have usual forms."""
    tests = [pl.col("broken").is_null()]
    if "op" in schema:
        tests.append(pl.col("op").is_in(["I", "U"]))
    if "commit_at" in schema:
        tests.append(_is_usual_instant("commit_at", schema))
        tests.append(_instant("commit_at", schema) <= limits.future_us)
    for column in subject.columns:
        if column.tested_faults and column.name in schema:
            is_good = pl.all_horizontal(*_tests_of(column, schema, subject, limits))
            tests.append(is_good if column.required else pl.col(column.name).is_null() | is_good)
    return pl.all_horizontal(tests).fill_null(value=False)


def _tests_of(column: SourceColumn, schema: pl.Schema, subject: Subject, limits: Limits) -> list[pl.Expr]:
    name, compared = column.name, [rule for rule in COMPARISONS[subject.name] if rule.column == column.name]
    tests = [_USUAL[column.kind.name](name, schema)]
    if Fault.IN_FUTURE in column.tested_faults:
        tests.append(_value(column, schema) <= limits.future_us)
    for rule in compared:
        limit, value = limit_value(column.kind, rule.limit), _value(column, schema)
        tests.append(value <= limit if rule.fault is Fault.ABOVE_LIMIT else value >= limit)
    return tests


def _value(column: SourceColumn, schema: pl.Schema) -> pl.Expr:
    if column.name in FIGURES:
        return pl.col(FIGURES[column.name])
    return _VALUES[column.kind.name](column.name, schema)


def _integer(name: str, _: pl.Schema) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False)


def _cents(name: str, _: pl.Schema) -> pl.Expr:
    return pl.col(name).str.strip_prefix("$").str.replace(".", "", literal=True).cast(pl.Int64, strict=False)


def _date(schema: pl.Schema) -> pl.Expr:
    if schema["date"] == pl.String:
        return pl.col("date").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False).cast(pl.Int64)
    return pl.col("date").cast(pl.Int64)


def _instant(name: str, schema: pl.Schema) -> pl.Expr:
    if schema[name] != pl.String:
        return pl.col(name).cast(pl.Int64)
    return pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False).cast(pl.Int64)


def _channel(schema: pl.Schema) -> pl.Expr:
    code: pl.Expr = pl.lit(UNKNOWN_CHANNEL, pl.UInt8)
    if "use_chip" in schema:
        for place, name in enumerate(_USUAL_CHANNELS):
            code = pl.when(pl.col("use_chip") == name).then(pl.lit(place, pl.UInt8)).otherwise(code)
    return code


def _operation(schema: pl.Schema) -> pl.Expr:
    inserted, updated = pl.lit(0, pl.UInt8), pl.lit(1, pl.UInt8)
    return pl.when(pl.col("op") == "U").then(updated).otherwise(inserted) if "op" in schema else inserted


def _is_usual_integer(name: str, schema: pl.Schema) -> pl.Expr:
    # polars reads "+1" and any number of digits as integers, the contract does not.
    is_short = (pl.col(name).str.len_bytes() <= 19) & ~pl.col(name).str.starts_with("+")
    value = pl.col(FIGURES[name]) if name in FIGURES else _integer(name, schema)
    return value.is_not_null() & is_short


def _is_usual_amount(name: str, _: pl.Schema) -> pl.Expr:
    return pl.col(name).str.contains(_USUAL_AMOUNT)


def _is_usual_instant(name: str, schema: pl.Schema) -> pl.Expr:
    value = pl.col(FIGURES[name]) if name in FIGURES else _instant(name, schema)
    if schema[name] != pl.String:
        return value >= EARLIEST_US
    return pl.col(name).str.contains(_USUAL_DATE if name in FIGURES else _USUAL_INSTANT) & (value >= EARLIEST_US)


def _is_usual_channel(name: str, _: pl.Schema) -> pl.Expr:
    return pl.col(name).is_in(_USUAL_CHANNELS)


def _is_usual_zip(name: str, _: pl.Schema) -> pl.Expr:
    return pl.col(name).str.contains(_USUAL_ZIP)


def _is_usual_mcc(name: str, _: pl.Schema) -> pl.Expr:
    text = pl.col(name)
    number = text.cast(pl.UInt16, strict=False)
    return number.is_not_null() & (text.str.len_bytes() <= 4) & ~text.str.starts_with("+")


_USUAL: Mapping[str, Callable[[str, pl.Schema], pl.Expr]] = {
    INTEGER.name: _is_usual_integer,
    AMOUNT.name: _is_usual_amount,
    INSTANT.name: _is_usual_instant,
    CHANNEL.name: _is_usual_channel,
    ZIP.name: _is_usual_zip,
    MCC.name: _is_usual_mcc,
}
_VALUES: Mapping[str, Callable[[str, pl.Schema], pl.Expr]] = {
    INTEGER.name: _integer,
    AMOUNT.name: _cents,
    INSTANT.name: _instant,
}
"""Of the kinds that a rule may compare with a limit."""
