"""Read the values of columns: one reader per kind, exact for every form of the data contract (section 3).

A reader takes the trimmed text of a column NAME and gives `NAME_value`: integers and codes as Int64, amounts in cents,
instants in microseconds since 1970, UTC; null where the text cannot be read. What several expressions need of a text is
cut out of it once, into columns `NAME_…` of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
from contract.columns import CHANGE_COLUMNS
from contract.kinds import AMOUNT, CHANNEL, INSTANT, INTEGER, MCC, OPERATION, ZIP, Kind
from contract.limits import AMOUNT_DECIMALS, AMOUNT_DIGITS, EARLIEST_YEAR
from contract.patterns import (
    AMOUNT_FORM,
    CARD_NUMBER_IN_TEXT,
    CHANNEL_FORM,
    INTEGER_FORM,
    ISO_FORM,
    MONTH_FIRST_FORM,
    NEGATIVE_MARK,
    NO_BREAK,
)
from contract.subjects import Subject
from contract.vocabulary import OPERATION_SPELLINGS
from reading.card_numbers import masked

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us_of(at: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


DAY_US = 86_400_000_000
EARLIEST_US = us_of(datetime(EARLIEST_YEAR, 1, 1, tzinfo=UTC))
CHANGE_NAMES = tuple(column.name for column in CHANGE_COLUMNS)


@dataclass(frozen=True)
class ValueReader:
    """Gives the value of a column by its name, over the parts that are cut out of its text first."""

    value: Callable[[str], pl.Expr]
    parts: Callable[[str], Mapping[str, pl.Expr]] = lambda _: {}


def whole(pattern: str) -> str:
    """Return a pattern of the contract with the anchors of polars."""
    return f"^(?:{pattern})$"


def columns_to_read(subject: Subject) -> tuple[str, ...]:
    """Return the columns that a rule or a figure needs; any text is good in the others, so they are not read."""
    return (*subject.ruled, *CHANGE_NAMES)


def known_columns(subject: Subject) -> tuple[str, ...]:
    """Return the columns that are looked at, though some only for how they are written: all but secret ones."""
    return tuple(name for name in subject.known if name not in subject.secret)


def read_values(records: pl.DataFrame, subject: Subject) -> pl.DataFrame:
    """Trim the texts of all columns that are read, and add their values; columns that the file lacks become null.

    `has_NAME` says of the columns of changes whether the file has them; without operations every row is an insert.
    Instants may come as timestamps in microseconds, UTC.
    """
    names = columns_to_read(subject)
    kinds = {name: subject.known[name].kind for name in names}
    # Timestamps, where there may be some: to find that nothing is written in them costs least.
    absent = [
        pl.lit(None, pl.Datetime("us") if kinds[name] is INSTANT else pl.String).alias(name)
        for name in names
        if name not in records.columns
    ]
    whole_records = records.with_columns(absent)
    written = [name for name in names if whole_records.schema[name] == pl.String]
    texts = whole_records.with_columns(_trimmed(name) for name in written)
    texts = _without_card_numbers(texts, [name for name in written if name in subject.masked])
    readers = {name: _reader(kinds[name], texts.schema[name]) for name in names}
    parts = {part: expr for name, reader in readers.items() for part, expr in reader.parts(name).items()}
    present = {f"has_{name}": pl.lit(value=name in records.columns) for name in CHANGE_NAMES}
    values = {f"{name}_value": reader.value(name) for name, reader in readers.items()}
    if "op" not in records.columns:
        values["op_value"] = pl.lit("I")
    return texts.with_columns(**parts, **present).with_columns(**values)


def _without_card_numbers(texts: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Mask what may be card numbers: hardly a text is so long, so few are looked at."""
    for name in names:
        found = texts[name].str.contains(CARD_NUMBER_IN_TEXT).fill_null(value=False)
        if found.any():
            changed = pl.col(name).map_elements(masked, pl.String)
            texts = texts.with_columns(pl.when(found).then(changed).otherwise(pl.col(name)))
    return texts


def _reader(kind: Kind, sql_type: pl.DataType) -> ValueReader:
    return _TIMESTAMPS if isinstance(sql_type, pl.Datetime) else READERS[kind.name]


def _trimmed(name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars(" \t")
    return pl.when(text != "").then(text).alias(name)


def _integer(name: str) -> pl.Expr:
    text = pl.col(name)
    number = text.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
    return pl.when(text.str.contains(whole(INTEGER_FORM))).then(number)


def _code(kind: Kind) -> Callable[[str], pl.Expr]:
    def read(name: str) -> pl.Expr:
        text = pl.col(name)
        number = text.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
        return pl.when(text.str.contains(whole(kind.pattern))).then(number)

    return read


def _parts_of_amount(name: str) -> dict[str, pl.Expr]:
    text = pl.col(name)
    digits = text.str.extract(rf"^[^0-9.]*([0-9,{NO_BREAK}]*)").str.replace_all("[^0-9]", "")
    decimals = text.str.extract(r"\.([0-9]*)").str.strip_chars_end("0").fill_null("")
    return {
        f"{name}_has_form": text.str.contains(whole(AMOUNT_FORM)),
        f"{name}_digits": digits.str.strip_chars_start("0"),
        f"{name}_decimals": decimals,
        f"{name}_is_precise": decimals.str.len_bytes() <= AMOUNT_DECIMALS,
        f"{name}_is_negative": text.str.contains(NEGATIVE_MARK),
    }


def _cents(name: str) -> pl.Expr:
    """Return the amount in cents, null if it is not exactly representable in DECIMAL(18,2)."""
    digits, decimals = pl.col(f"{name}_digits"), pl.col(f"{name}_decimals")
    exact = pl.col(f"{name}_has_form") & pl.col(f"{name}_is_precise") & (digits.str.len_bytes() <= AMOUNT_DIGITS)
    cents = pl.when(exact).then(pl.concat_str(digits, decimals.str.pad_end(AMOUNT_DECIMALS, "0"))).cast(pl.Int64)
    return pl.when(pl.col(f"{name}_is_negative")).then(-cents).otherwise(cents)


def _parts_of_instant(name: str) -> dict[str, pl.Expr]:
    month_first = pl.when(pl.col(name).str.contains("/", literal=True)).then(pl.col(name))
    # Columns of their own: polars would match the pattern again for each part that is taken from it.
    return {
        f"{name}_iso": pl.col(name).str.extract_groups(whole(ISO_FORM)),
        f"{name}_month_first": month_first.str.extract_groups(whole(MONTH_FIRST_FORM)),
    }


def _microseconds(name: str) -> pl.Expr:
    """Return the instant; null if it is none or lies before the earliest one."""
    iso, month_first = pl.col(f"{name}_iso").struct, pl.col(f"{name}_month_first").struct
    iso_day = pl.concat_str(iso[0], pl.lit("-"), iso[1], pl.lit("-"), iso[2])
    month, day = month_first[0].str.zfill(2), month_first[1].str.zfill(2)
    other_day = pl.concat_str(month_first[2], pl.lit("-"), month, pl.lit("-"), day)
    days = pl.coalesce(iso_day, other_day).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int64)
    hour, minutes, seconds = (pl.coalesce(iso[n], month_first[n]).cast(pl.Int64).fill_null(0) for n in (3, 4, 5))
    fraction = pl.coalesce(iso[6], month_first[6]).str.pad_end(6, "0").str.head(6).cast(pl.Int64).fill_null(0)
    hours = _hours(hour, pl.coalesce(iso[7], month_first[7]))
    offset = _offset_minutes(iso[8])
    return _not_too_early(days * DAY_US + (hours * 3600 + (minutes - offset) * 60 + seconds) * 1_000_000 + fraction)


def _hours(hour: pl.Expr, half: pl.Expr) -> pl.Expr:
    """Return the hour of the day; of a clock of twelve hours null where it is none of them."""
    of_twelve = pl.when(hour.is_between(1, 12)).then(hour % 12 + 12 * half.is_in(["P", "p"]).cast(pl.Int64))
    return pl.when(half.is_null()).then(hour).otherwise(of_twelve)


def _offset_minutes(text: pl.Expr) -> pl.Expr:
    digits = text.str.replace_all("[^0-9]", "").str.pad_end(4, "0")
    size = digits.str.head(2).cast(pl.Int64, strict=False) * 60 + digits.str.tail(2).cast(pl.Int64, strict=False)
    return pl.when(text.str.contains("-", literal=True)).then(-size).otherwise(size).fill_null(0)


def _not_too_early(us: pl.Expr) -> pl.Expr:
    return pl.when(us >= EARLIEST_US).then(us)


def _channel(name: str) -> pl.Expr:
    return pl.col(name).str.to_lowercase().str.extract(whole(CHANNEL_FORM))


def _operation(name: str) -> pl.Expr:
    lower = pl.col(name).str.to_lowercase()
    return lower.replace_strict(OPERATION_SPELLINGS, default=None, return_dtype=pl.String)


READERS: Mapping[str, ValueReader] = {
    INTEGER.name: ValueReader(_integer),
    AMOUNT.name: ValueReader(_cents, _parts_of_amount),
    INSTANT.name: ValueReader(_microseconds, _parts_of_instant),
    CHANNEL.name: ValueReader(_channel),
    ZIP.name: ValueReader(_code(ZIP)),
    MCC.name: ValueReader(_code(MCC)),
    OPERATION.name: ValueReader(_operation),
}
"""By the name of the kind; texts without rules are not read."""
_TIMESTAMPS = ValueReader(lambda name: _not_too_early(pl.col(name).cast(pl.Int64)))
