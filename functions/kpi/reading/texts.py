"""Bring texts that mean null, and instants, to the form that the rules know."""

from collections.abc import Sequence

import polars as pl
from contract.kinds import INSTANT, WITH_DECIMAL_SIGN
from contract.subjects import Subject
from contract.writing import DAY_FIRST_START, DECIMAL_SIGNS, MONTH_FIRST

from reading.layout import Shape


def without_null_texts(records: pl.DataFrame, null_texts: Sequence[str]) -> pl.DataFrame:
    """Return records with null for the texts that mean null; instants of Parquet are compared as texts."""
    if not null_texts:
        return records
    kinds = {name: kind for name, kind in records.schema.items() if name not in ("broken", "raw")}
    plain = {name: pl.col(name).str.strip_chars(" \t") for name, kind in kinds.items() if kind == pl.String}
    plain |= {name: instants_as_text(pl.col(name)) for name, kind in kinds.items() if isinstance(kind, pl.Datetime)}
    return records.with_columns(
        pl.when(~text.is_in(null_texts).fill_null(value=False)).then(pl.col(name)) for name, text in plain.items()
    )


def in_usual_writing(records: pl.DataFrame, shape: Shape, subject: Subject, types: Sequence[str]) -> pl.DataFrame:
    """Return records with a decimal point, and the month first in dates, where the file has it otherwise.

    Only texts are written in a way: numbers and instants of Parquet (`types`) are not.
    """
    texts = {
        name: subject.known[name].kind
        for name, place in shape.layout.places.items()
        if name in records.columns and (not types or types[place] == "string")
    }
    changed = []
    if shape.decimal != DECIMAL_SIGNS[0]:
        numbers = (name for name, kind in texts.items() if kind in WITH_DECIMAL_SIGN)
        changed += [pl.col(name).str.replace_many([",", "."], [".", ","]) for name in numbers]
    if shape.date_order != MONTH_FIRST:
        instants = (name for name, kind in texts.items() if kind is INSTANT)
        changed += [pl.col(name).str.replace(DAY_FIRST_START, "${1}${3}/${2}/") for name in instants]
    return records.with_columns(changed)


def instants_as_text(us: pl.Expr) -> pl.Expr:
    """Return instants as text, with as many decimals as they need."""
    text = us.dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
    return pl.when(us.dt.microsecond() == 0).then(text.str.head(19)).otherwise(text.str.strip_chars_end("0"))
