"""Turns records into the facts that the figures are counted from, quickly where the text has its usual form.

Facts of a row: `key`, `cents`, `us` (each null if missing or unreadable), `channel` (its place in CHANNELS, the next
number if unknown, null if the row has no fields), `bad` (it breaks a rule). The rules proper are in `rules.py`; the
quick way takes only texts that cannot break one, and a test holds the two to the same facts.
"""

import polars as pl
from rules import CHANNELS, EARLIEST_US, IDS, Limits, broken_rules, parsed

_FACTS = ("key", "cents", "us", "channel", "bad")
UNKNOWN_CHANNEL = len(CHANNELS)
_USUAL_CHANNELS = [f"{name.capitalize()} Transaction" for name in CHANNELS]
_USUAL_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-5][0-9]$"
_USUAL_AMOUNT = r"^\$?-?[0-9]{1,13}\.[0-9]{2}$"
_USUAL_ZIP = r"^[1-9][0-9]{0,4}(?:\.0)?$"


def facts_of(records: pl.DataFrame, limits: Limits) -> list[pl.DataFrame]:
    """Return the facts of the records, in any order."""
    read = records.with_columns(*_quick_facts(records.schema))
    quick = read.select(*_FACTS, usual=_usual(records.schema, limits))
    if quick["usual"].all():
        return [quick.drop("usual")]
    odd = records.filter(~quick["usual"])
    return [quick.filter(pl.col("usual")).drop("usual"), exact_facts(odd, limits)]


def exact_facts(records: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    """Return the facts by the rules proper."""
    has_fields = pl.col("broken").is_null()
    code = pl.col("channel").replace_strict(CHANNELS, list(range(UNKNOWN_CHANNEL)), default=UNKNOWN_CHANNEL)
    return parsed(records).select(
        "key",
        "cents",
        "us",
        channel=pl.when(has_fields).then(code.cast(pl.UInt8)),
        bad=pl.any_horizontal(broken_rules(limits).values()),
    )


def _quick_facts(schema: pl.Schema) -> list[pl.Expr]:
    return [
        _quick_key().alias("key"),
        _quick_cents().alias("cents"),
        _quick_us(schema).alias("us"),
        _quick_channel(schema).alias("channel"),
        pl.lit(value=False).alias("bad"),
    ]


def _usual(schema: pl.Schema, limits: Limits) -> pl.Expr:
    """Say of which rows all texts have a form that the quick way reads exactly and that breaks no rule."""
    required = [
        pl.col("broken").is_null(),
        pl.col("key").is_not_null() & _is_short_integer("dms_id"),
        pl.col("amount").str.contains(_USUAL_AMOUNT),
        pl.col("us").is_between(EARLIEST_US, limits.future_us),
    ]
    if schema["date"] == pl.String:
        required.append(pl.col("date").str.contains(_USUAL_DATE))
    optional = {name: pl.col(name).cast(pl.Int64, strict=False).is_not_null() & _is_short_integer(name) for name in IDS}
    optional |= {
        "use_chip": pl.col("use_chip").is_in(_USUAL_CHANNELS),
        "zip": pl.col("zip").str.contains(_USUAL_ZIP),
        "mcc": pl.col("mcc").cast(pl.UInt16, strict=False).is_not_null()
        & (pl.col("mcc").str.len_bytes() <= 4)
        & ~pl.col("mcc").str.starts_with("+"),
    }
    given = [pl.col(name).is_null() | usual for name, usual in optional.items() if name in schema]
    return pl.all_horizontal(*required, *given).fill_null(value=False)


def _is_short_integer(name: str) -> pl.Expr:
    # polars reads "+1" and any number of digits as integers, the contract does not.
    return (pl.col(name).str.len_bytes() <= 19) & ~pl.col(name).str.starts_with("+")


def _quick_key() -> pl.Expr:
    return pl.col("dms_id").cast(pl.Int64, strict=False)


def _quick_cents() -> pl.Expr:
    digits = pl.col("amount").str.strip_prefix("$").str.replace(".", "", literal=True)
    return digits.cast(pl.Int64, strict=False)


def _quick_us(schema: pl.Schema) -> pl.Expr:
    if schema["date"] == pl.String:
        return pl.col("date").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False).cast(pl.Int64)
    return pl.col("date").cast(pl.Int64)


def _quick_channel(schema: pl.Schema) -> pl.Expr:
    if "use_chip" not in schema:
        return pl.lit(UNKNOWN_CHANNEL, pl.UInt8)
    code: pl.Expr = pl.lit(UNKNOWN_CHANNEL, pl.UInt8)
    for place, name in enumerate(_USUAL_CHANNELS):
        code = pl.when(pl.col("use_chip") == name).then(pl.lit(place, pl.UInt8)).otherwise(code)
    return code
