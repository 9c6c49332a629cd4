"""The rules of the data contract (section 3) as polars expressions: exact for every form, in the contract's order.

A rule is an expression over the columns that `parsed` gives; it is true where the row breaks it, never null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
from subjects import TRANSACTIONS, Subject

DAY_US = 86_400_000_000
EARLIEST_US = int((datetime(1900, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
IDS = ("client_id", "card_id", "merchant_id")
CHANNELS = ("swipe", "chip", "online")
STRUCTURE_RULES = ("malformed_quotes", "other_table", "too_few_fields", "too_many_fields")
OPERATIONS = {"i": "I", "insert": "I", "u": "U", "update": "U", "d": "D", "delete": "D"}

_INTEGER = r"^-?[0-9]{1,19}(?:\.0+)?$"
_PLAIN_AMOUNT = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?"
_AMOUNT = rf"^(?:(?:\$[-+]?|[-+]\$?)?{_PLAIN_AMOUNT}|\(\$?{_PLAIN_AMOUNT}\))$"
_TIME = r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]{1,9}))?)?"
_OFFSET = r"Z|[-+](?:0[0-9]|1[0-7]):?[0-5][0-9]|[-+]18:?00"
_ISO_DATE = rf"^([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?:[ T]{_TIME}({_OFFSET})?)?$"
_US_DATE = rf"^([0-9]{{1,2}})/([0-9]{{1,2}})/([0-9]{{4}})(?: {_TIME})?$"
_CHANNEL = r"^(swipe|chip|online)(?: transaction)?$"
_ZIP = r"^[0-9]{1,5}(?:\.0)?$"
_MCC = r"^[0-9]{1,4}(?:\.0)?$"


@dataclass(frozen=True)
class Limits:
    """What the rules know of the object: the instant beyond which a date lies in the future."""

    future_us: int

    @classmethod
    def of(cls, last_modified_at: datetime) -> "Limits":
        since_epoch = last_modified_at + timedelta(days=1) - datetime(1970, 1, 1, tzinfo=UTC)
        return cls(since_epoch // timedelta(microseconds=1))


def parsed(frame: pl.DataFrame) -> pl.DataFrame:
    """Add to each column's trimmed text what it says: keys and ids as integers, `cents`, `us`, `channel`, the change.

    Columns that the file lacks become null. `date` and `commit_at` may come as timestamps in microseconds, UTC.
    """
    read = _with_change(frame, ("dms_id", "amount", "date", "use_chip", "zip", "mcc", *IDS)).with_columns(
        key=_integer("dms_id"),
        client=_integer("client_id"),
        card=_integer("card_id"),
        merchant=_integer("merchant_id"),
        channel=pl.col("use_chip").str.to_lowercase().str.extract(_CHANNEL),
        **_parts_of_amount("amount"),
    )
    instants = _with_instant(read, "date").rename({"date_us": "us"})
    return instants.with_columns(cents=_cents())


def parsed_reference(frame: pl.DataFrame, subject: Subject) -> pl.DataFrame:
    """Add to the trimmed texts of a reference table its key as an integer, and whether each ruled value can be read."""
    amounts = [name for name in subject.ruled if subject.columns[name] == "amount"]
    read = _with_change(frame, subject.ruled)
    for name in amounts:
        parts = read.with_columns(**_parts_of_amount(name)).select(cents=_cents())
        read = read.with_columns(parts["cents"].alias(f"{name}_read"))
    numbers = {f"{name}_read": _integer(name) for name in subject.ruled if name not in amounts}
    if subject.key == "mcc":
        code = pl.col("mcc").str.replace(r"\.0$", "").cast(pl.Int64, strict=False)
        numbers["mcc_read"] = pl.when(pl.col("mcc").str.contains(_MCC)).then(code)
    return read.with_columns(**numbers).with_columns(key=pl.col(f"{subject.key}_read"))


def broken_rules(limits: Limits) -> dict[str, pl.Expr]:
    """Return the rules in the order of the contract, over what `parsed` gives."""
    amount, date = pl.col("amount"), pl.col("date")
    precise = pl.col("decimals").str.len_bytes() <= 2
    of_images = {
        "amount_missing": amount.is_null(),
        "amount_unreadable": amount.is_not_null() & ~pl.col("is_amount"),
        "amount_too_precise": pl.col("is_amount") & ~precise,
        "amount_too_large": pl.col("is_amount") & precise & pl.col("cents").is_null(),
        "date_missing": date.is_null(),
        "date_unreadable": date.is_not_null() & pl.col("us").is_null(),
        "date_in_future": pl.col("us") > limits.future_us,
        "use_chip_unknown": pl.col("use_chip").is_not_null() & pl.col("channel").is_null(),
        "zip_impossible": ~pl.col("zip").str.contains(_ZIP) | ~pl.col("zip").str.contains("[1-9]"),
        "client_id_unreadable": pl.col("client_id").is_not_null() & pl.col("client").is_null(),
        "card_id_unreadable": pl.col("card_id").is_not_null() & pl.col("card").is_null(),
        "merchant_id_unreadable": pl.col("merchant_id").is_not_null() & pl.col("merchant").is_null(),
        "mcc_unreadable": ~pl.col("mcc").str.contains(_MCC),
    }
    return _in_order(TRANSACTIONS, of_images)


def broken_reference_rules(subject: Subject) -> dict[str, pl.Expr]:
    """Return the rules of a reference table in the order of the contract, over what `parsed_reference` gives."""
    typed = [name for name in subject.ruled if name != subject.key]
    unread = {f"{name}_unreadable": pl.col(name).is_not_null() & pl.col(f"{name}_read").is_null() for name in typed}
    return _in_order(subject, unread)


def _in_order(subject: Subject, of_images: Mapping[str, pl.Expr]) -> dict[str, pl.Expr]:
    """Put the rules of every row before those of rows with an image; a row of broken structure is tried by none."""
    key = pl.col(subject.key)
    of_rows = {
        "op_unknown": pl.col("op").is_null(),
        "commit_at_unreadable": pl.col("has_commit_at") & pl.col("commit_us").is_null(),
        f"{subject.key}_missing": key.is_null(),
        f"{subject.key}_unreadable": key.is_not_null() & pl.col("key").is_null(),
    }
    has_image = pl.col("op").ne_missing("D")
    of_values = of_rows | {name: rule & has_image for name, rule in of_images.items()}
    rules = {name: pl.col("broken") == name for name in STRUCTURE_RULES}
    rules |= {name: rule & pl.col("broken").is_null() for name, rule in of_values.items()}
    return {name: rule.fill_null(value=False) for name, rule in rules.items()}


def _with_change(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """Trim the texts, and read operation (`I` without the column) and commit timestamp."""
    has_op, has_commit_at = "op" in frame.columns, "commit_at" in frame.columns
    wanted = (*names, "op", "commit_at")
    absent = [pl.lit(None, pl.String).alias(name) for name in wanted if name not in frame.columns]
    texts = frame.with_columns(absent).with_columns(_trimmed(name) for name in wanted if _is_text(frame.schema, name))
    op = pl.col("op").str.to_lowercase().replace_strict(OPERATIONS, default=None, return_dtype=pl.String)
    read = texts.with_columns(op=op if has_op else pl.lit("I"), has_commit_at=pl.lit(value=has_commit_at))
    return _with_instant(read, "commit_at").rename({"commit_at_us": "commit_us"})


def _is_text(schema: Mapping[str, pl.DataType], name: str) -> bool:
    return schema.get(name, pl.String()) == pl.String


def _trimmed(name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars(" \t")
    return pl.when(text != "").then(text).alias(name)


def _integer(name: str) -> pl.Expr:
    text = pl.col(name)
    return pl.when(text.str.contains(_INTEGER)).then(text.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False))


def _parts_of_amount(name: str) -> dict[str, pl.Expr]:
    text = pl.col(name)
    return {
        "is_amount": text.str.contains(_AMOUNT) & text.str.contains("[0-9]"),
        "whole": text.str.extract(r"^[^0-9.]*([0-9,]*)").str.replace_all(",", "").str.strip_chars_start("0"),
        "decimals": text.str.extract(r"\.([0-9]*)").str.strip_chars_end("0").fill_null(""),
        "minus": text.str.contains(r"[-(]"),
    }


def _cents() -> pl.Expr:
    """Return the amount in cents, null if it is not exactly representable in DECIMAL(18,2)."""
    exact = pl.col("is_amount") & (pl.col("decimals").str.len_bytes() <= 2) & (pl.col("whole").str.len_bytes() <= 16)
    digits = pl.concat_str(pl.col("whole"), pl.col("decimals").str.pad_end(2, "0"))
    size = pl.when(exact).then(digits).cast(pl.Int64)
    return pl.when(pl.col("minus")).then(-size).otherwise(size)


def _with_instant(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Add `<name>_us`: the instant in microseconds since 1970, UTC; null if it is none or lies before 1900."""
    if not _is_text(frame.schema, name):
        us = pl.col(name).cast(pl.Int64)
        return frame.with_columns(pl.when(us >= EARLIEST_US).then(us).alias(f"{name}_us"))
    # The parts are columns of their own: polars would match the pattern anew for each part that is taken from it.
    cut = frame.with_columns(_parts_of_instant(name))
    us = _instant_of_parts()
    return cut.with_columns(pl.when(us >= EARLIEST_US).then(us).alias(f"{name}_us")).drop("iso", "american")


def _parts_of_instant(name: str) -> list[pl.Expr]:
    iso = pl.col(name).str.extract_groups(_ISO_DATE)
    american = pl.when(pl.col(name).str.contains("/", literal=True)).then(pl.col(name))
    return [iso.alias("iso"), american.str.extract_groups(_US_DATE).alias("american")]


def _instant_of_parts() -> pl.Expr:
    iso, american = pl.col("iso").struct, pl.col("american").struct
    iso_day = pl.concat_str(iso[0], pl.lit("-"), iso[1], pl.lit("-"), iso[2])
    us_day = pl.concat_str(american[2], pl.lit("-"), american[0].str.zfill(2), pl.lit("-"), american[1].str.zfill(2))
    day = pl.coalesce(iso_day, us_day).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int64)
    hours, minutes, seconds = (pl.coalesce(iso[n], american[n]).cast(pl.Int64).fill_null(0) for n in (3, 4, 5))
    fraction = pl.coalesce(iso[6], american[6]).str.pad_end(6, "0").str.head(6).cast(pl.Int64).fill_null(0)
    offset = _offset_minutes(iso[7])
    return day * DAY_US + (hours * 3600 + (minutes - offset) * 60 + seconds) * 1_000_000 + fraction


def _offset_minutes(text: pl.Expr) -> pl.Expr:
    digits = text.str.replace_all("[^0-9]", "")
    size = digits.str.head(2).cast(pl.Int64, strict=False) * 60 + digits.str.tail(2).cast(pl.Int64, strict=False)
    return pl.when(text.str.starts_with("-")).then(-size).otherwise(size).fill_null(0)
