"""Bring texts that mean null, and instants, to the form that the rules know."""

import polars as pl

from reading.visible import visible as visible


def without_null_text(records: pl.DataFrame, null_text: str | None) -> pl.DataFrame:
    """Return records with null for the text that means null; instants of Parquet are compared as texts."""
    if null_text is None:
        return records
    kinds = {name: kind for name, kind in records.schema.items() if name not in ("broken", "raw")}
    plain = {name: pl.col(name).str.strip_chars(" \t") for name, kind in kinds.items() if kind == pl.String}
    plain |= {name: instants_as_text(pl.col(name)) for name, kind in kinds.items() if isinstance(kind, pl.Datetime)}
    return records.with_columns(pl.when(text.ne_missing(null_text)).then(pl.col(name)) for name, text in plain.items())


def instants_as_text(us: pl.Expr) -> pl.Expr:
    """Return instants as text, with as many decimals as they need."""
    text = us.dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
    return pl.when(us.dt.microsecond() == 0).then(text.str.head(19)).otherwise(text.str.strip_chars_end("0"))
