"""The rules of the data contract (section 3) as polars expressions: exact for every form, in the contract's order.

A rule is an expression over the columns that `parsed` gives; it is true where the row breaks it, never null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

DAY_US = 86_400_000_000
EARLIEST_US = int((datetime(1900, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
IDS = ("client_id", "card_id", "merchant_id")
CHANNELS = ("swipe", "chip", "online")
STRUCTURE_RULES = ("malformed_quotes", "too_few_fields", "too_many_fields")

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
    """Add to each column's trimmed text what it says: keys and ids as integers, `cents`, `us`, `channel`.

    Columns that the file lacks become null. `date` may come as timestamps in microseconds, UTC.
    """
    names = ("dms_id", "amount", "date", "use_chip", "zip", "mcc", *IDS)
    absent = [pl.lit(None, pl.String).alias(name) for name in names if name not in frame.columns]
    texts = frame.with_columns(absent).with_columns(_trimmed(name) for name in names if _is_text(frame.schema, name))
    # The parts are columns of their own: polars would match the pattern anew for each part that is taken from it.
    cut = texts.with_columns(_parts_of_date()) if _is_text(frame.schema, "date") else texts
    read = cut.with_columns(
        key=_integer("dms_id"),
        client=_integer("client_id"),
        card=_integer("card_id"),
        merchant=_integer("merchant_id"),
        us=_instant(is_text=_is_text(frame.schema, "date")),
        channel=pl.col("use_chip").str.to_lowercase().str.extract(_CHANNEL),
        is_amount=pl.col("amount").str.contains(_AMOUNT) & pl.col("amount").str.contains("[0-9]"),
        whole=pl.col("amount").str.extract(r"^[^0-9.]*([0-9,]*)").str.replace_all(",", "").str.strip_chars_start("0"),
        decimals=pl.col("amount").str.extract(r"\.([0-9]*)").str.strip_chars_end("0").fill_null(""),
        minus=pl.col("amount").str.contains(r"[-(]"),
    )
    return read.with_columns(cents=_cents())


def broken_rules(limits: Limits) -> dict[str, pl.Expr]:
    """Return the rules in the order of the contract, over what `parsed` gives."""
    amount, date = pl.col("amount"), pl.col("date")
    precise = pl.col("decimals").str.len_bytes() <= 2
    rules = {name: pl.col("broken") == name for name in STRUCTURE_RULES}
    of_values = {
        "dms_id_missing": pl.col("dms_id").is_null(),
        "dms_id_unreadable": pl.col("dms_id").is_not_null() & pl.col("key").is_null(),
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
    rules |= {name: rule & pl.col("broken").is_null() for name, rule in of_values.items()}
    return {name: rule.fill_null(value=False) for name, rule in rules.items()}


def _is_text(schema: Mapping[str, pl.DataType], name: str) -> bool:
    return schema.get(name, pl.String()) == pl.String


def _trimmed(name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars(" \t")
    return pl.when(text != "").then(text).alias(name)


def _integer(name: str) -> pl.Expr:
    text = pl.col(name)
    return pl.when(text.str.contains(_INTEGER)).then(text.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False))


def _cents() -> pl.Expr:
    """Return the amount in cents, null if it is not exactly representable in DECIMAL(18,2)."""
    exact = pl.col("is_amount") & (pl.col("decimals").str.len_bytes() <= 2) & (pl.col("whole").str.len_bytes() <= 16)
    digits = pl.concat_str(pl.col("whole"), pl.col("decimals").str.pad_end(2, "0"))
    size = pl.when(exact).then(digits).cast(pl.Int64)
    return pl.when(pl.col("minus")).then(-size).otherwise(size)


def _instant(*, is_text: bool) -> pl.Expr:
    """Return the date in microseconds since 1970, UTC; null if it is none or lies before 1900."""
    us = _instant_of_text() if is_text else pl.col("date").cast(pl.Int64)
    return pl.when(us >= EARLIEST_US).then(us)


def _parts_of_date() -> list[pl.Expr]:
    iso = pl.col("date").str.extract_groups(_ISO_DATE)
    american = pl.when(pl.col("date").str.contains("/", literal=True)).then(pl.col("date"))
    return [iso.alias("iso"), american.str.extract_groups(_US_DATE).alias("american")]


def _instant_of_text() -> pl.Expr:
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
