"""Turns records into the facts that the figures are counted from, quickly where the text has its usual form.

Facts of a row: `key`, `cents`, `us` (each null if missing or unreadable), `channel` (its place in CHANNELS, the next
number if unknown, null if the row has no fields or is a delete), `bad` (it breaks a rule), `op_code` (its place in
OPERATIONS, null if unknown), `bare` (it is a delete without a value that is read). The rules proper are in `rules.py`;
the quick way takes only texts that cannot break one, and a test holds the two to the same facts.
"""

import polars as pl
from rules import (
    CHANNELS,
    EARLIEST_US,
    IDS,
    Limits,
    broken_reference_rules,
    broken_rules,
    parsed,
    parsed_reference,
)
from subjects import Subject

OPERATIONS = ("I", "U", "D")
DELETE = OPERATIONS.index("D")
_FACTS = ("key", "cents", "us", "channel", "bad", "op_code", "bare")
UNKNOWN_CHANNEL = len(CHANNELS)
_USUAL_CHANNELS = [f"{name.capitalize()} Transaction" for name in CHANNELS]
_USUAL_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-5][0-9]$"
_USUAL_COMMIT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]{1,6})?$"
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
    has_image = pl.col("broken").is_null() & pl.col("op").ne_missing("D")
    code = pl.col("channel").replace_strict(CHANNELS, list(range(UNKNOWN_CHANNEL)), default=UNKNOWN_CHANNEL)
    return parsed(records).select(
        "key",
        "cents",
        "us",
        channel=pl.when(has_image).then(code.cast(pl.UInt8)),
        bad=pl.any_horizontal(broken_rules(limits).values()),
        op_code=_op_code(),
        bare=_is_bare("amount", "date"),
    )


def reference_facts(records: pl.DataFrame, subject: Subject) -> pl.DataFrame:
    """Return the facts of rows of a reference table, which have neither money nor a date."""
    kinds = {"cents": pl.Int64, "us": pl.Int64, "channel": pl.UInt8}
    nothing = {name: pl.lit(None, kind) for name, kind in kinds.items()}
    bad = pl.any_horizontal(broken_reference_rules(subject).values())
    bare = _is_bare(*(name for name in subject.ruled if name != subject.key))
    return parsed_reference(records, subject).select("key", **nothing, bad=bad, op_code=_op_code(), bare=bare)


def without_null_text(records: pl.DataFrame, null_text: str | None) -> pl.DataFrame:
    """Read what a file writes for null as null; an instant of Parquet is held to it as the text that stands for it."""
    if null_text is None:
        return records
    kinds = {name: kind for name, kind in records.schema.items() if name not in ("broken", "raw")}
    plain = {name: pl.col(name).str.strip_chars(" \t") for name, kind in kinds.items() if kind == pl.String}
    plain |= {name: instants_as_text(pl.col(name)) for name, kind in kinds.items() if isinstance(kind, pl.Datetime)}
    return records.with_columns(pl.when(text.ne_missing(null_text)).then(pl.col(name)) for name, text in plain.items())


def instants_as_text(us: pl.Expr) -> pl.Expr:
    """Write an instant with as many decimals as it needs."""
    text = us.dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
    return pl.when(us.dt.microsecond() == 0).then(text.str.head(19)).otherwise(text.str.strip_chars_end("0"))


def _is_bare(*values: str) -> pl.Expr:
    empty = [pl.col(name).is_null() for name in values]
    return pl.all_horizontal((pl.col("op") == "D").fill_null(value=False), pl.lit(value=bool(values)), *empty)


def _op_code() -> pl.Expr:
    return pl.col("op").replace_strict(OPERATIONS, [0, 1, DELETE], default=None, return_dtype=pl.UInt8)


def _quick_facts(schema: pl.Schema) -> list[pl.Expr]:
    return [
        _quick_key().alias("key"),
        _quick_cents().alias("cents"),
        _quick_us(schema).alias("us"),
        _quick_channel(schema).alias("channel"),
        pl.lit(value=False).alias("bad"),
        _quick_op(schema).alias("op_code"),
        pl.lit(value=False).alias("bare"),
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
    if "op" in schema:
        required.append(pl.col("op").is_in(["I", "U"]))
    if "commit_at" in schema:
        required.append(_is_usual_commit(schema))
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


def _is_usual_commit(schema: pl.Schema) -> pl.Expr:
    if schema["commit_at"] != pl.String:
        return pl.col("commit_at").cast(pl.Int64) >= EARLIEST_US
    read = pl.col("commit_at").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False).cast(pl.Int64)
    return pl.col("commit_at").str.contains(_USUAL_COMMIT) & (read >= EARLIEST_US)


def _quick_op(schema: pl.Schema) -> pl.Expr:
    inserted, updated = pl.lit(0, pl.UInt8), pl.lit(1, pl.UInt8)
    return pl.when(pl.col("op") == "U").then(updated).otherwise(inserted) if "op" in schema else inserted


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
