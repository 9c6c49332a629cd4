"""Files with broken rows: for each rule of the data contract, rows that break it and no other, among good ones.

Good rows may take on the forms that sources and spreadsheets write; their values stay what they were.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import polars as pl

from devcloud.sample.draws import below, draw, shuffled, stream
from devcloud.sample.writers import Totals, text_frame, text_sink

# Rule → column and values that break it.
VALUES: dict[str, tuple[str, tuple[str, ...]]] = {
    "dms_id_missing": ("id", ("", "  ")),
    "dms_id_unreadable": ("id", ("12a4", "1.5", "9223372036854775808")),
    "amount_missing": ("amount", ("", " ")),
    "amount_unreadable": ("amount", ("abc", "$12.", "$12,34.00", "--5.00", "$1.2.3", "(-5.00)")),
    "amount_too_precise": ("amount", ("$10.005", "0.001", "$-3.999")),
    "amount_too_large": ("amount", ("$10000000000000000.00", "-99999999999999999")),
    "date_missing": ("date", ("",)),
    "date_unreadable": (
        "date",
        ("2019-02-29 10:00:00", "31.12.2018 10:00", "2019-01-01 24:00:00", "1899-12-31", "soon"),
    ),
    "date_in_future": ("date", ("2999-01-01 00:00:00", "12/31/2998 23:59")),
    "use_chip_unknown": ("use_chip", ("Contactless Transaction", "1")),
    "zip_impossible": ("zip", ("123456.0", "0", "00000", "4101.5", "ABCDE")),
    "client_id_unreadable": ("client_id", ("unknown", "1e5")),
    "card_id_unreadable": ("card_id", ("n/a", "12.5")),
    "merchant_id_unreadable": ("merchant_id", ("#REF!", "99999999999999999999")),
    "mcc_unreadable": ("mcc", ("54111", "food")),
}


def _csv_line(fields: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _with_odd_quote(fields: list[str]) -> str:
    # A quote inside an unquoted field: no line that follows can make a record of it.
    return _csv_line(fields[:-1]) + ',Bad 3"2'


# Rule → the whole line.
LINES: dict[str, Callable[[list[str]], str]] = {
    "malformed_quotes": _with_odd_quote,
    "too_few_fields": lambda fields: _csv_line(fields[:-2]),
    "too_many_fields": lambda fields: _csv_line([*fields, "spill"]),
}
RULES = (*LINES, *VALUES)
_WITHOUT_AMOUNT = {*LINES, "amount_missing", "amount_unreadable", "amount_too_precise", "amount_too_large"}


def _wild_amount(text: str, style: int) -> str:
    dollars, cents = text.lstrip("$-").split(".")
    if text.startswith("$-"):
        return (f"(${dollars}.{cents})", f"-${dollars}.{cents}", f"-{dollars}.{cents} ")[style % 3]
    return (f"${int(dollars):,}.{cents} ", f"{dollars}.{cents}", f"${dollars}.{cents} ", f"${dollars}.{cents}00")[
        style % 4
    ]


def _wild_date(text: str, style: int) -> str:
    (year, month, day), clock = text[:10].split("-"), text[11:]
    hour_minute = clock[:5]
    american = f"{int(month)}/{int(day)}/{year} {int(hour_minute[:2])}:{hour_minute[3:]}"
    return (american, f"{text[:10]} {hour_minute}", f"{text[:10]}T{clock}Z", f"{text[:10]}T{clock}+00:00")[style % 4]


def _wild_zip(text: str, style: int) -> str:
    digits = text.removesuffix(".0")
    return (digits, digits.zfill(5) if digits else "", text)[style % 3]


def _wild_channel(text: str, style: int) -> str:
    return (text, text.split()[0].lower(), text.upper())[style % 3]


_WILD = {"amount": _wild_amount, "date": _wild_date, "zip": _wild_zip, "use_chip": _wild_channel}


def _break(fields: dict[str, str], rule: str, style: int) -> str:
    if rule in LINES:
        return LINES[rule](list(fields.values()))
    column, values = VALUES[rule]
    return _csv_line(list((fields | {column: values[style % len(values)]}).values()))


def _make_wild(fields: dict[str, str], style: int) -> str:
    wild = {column: form(fields[column], style >> (2 * place)) for place, (column, form) in enumerate(_WILD.items())}
    return _csv_line(list((fields | wild).values()))


def lines(frame: pl.DataFrame, *, bad: Mapping[str, int], seed: int, wild: bool = False) -> Iterator[tuple[str, int]]:
    """Yield each line, header first, with its readable cents; `bad` rows per rule replace rows of the frame."""
    rules = [rule for rule, count in bad.items() for _ in range(count)]
    if len(rules) > len(frame):
        raise ValueError(f"{len(rules)} broken rows do not fit into {len(frame)}")
    victims = dict(zip(shuffled(stream("victims", seed), len(frame)).tolist(), rules, strict=False))
    styles = below(draw(stream("styles", seed), len(frame)), 1 << 8).tolist()
    text = text_frame(frame).with_columns(pl.col("date").dt.strftime("%Y-%m-%d %H:%M:%S"))
    rows = text.select(pl.all().cast(pl.String).fill_null("")).iter_rows(named=True)
    yield ",".join(text.columns), 0
    for number, (fields, cents, style) in enumerate(zip(rows, frame["amount_cents"], styles, strict=True)):
        rule = victims.get(number)
        if rule:
            yield _break(fields, rule, style), 0 if rule in _WITHOUT_AMOUNT else cents
        else:
            yield _make_wild(fields, style) if wild else _csv_line(list(fields.values())), cents


def write_broken(
    frame: pl.DataFrame,
    path: Path,
    *,
    bad: Mapping[str, int],
    seed: int,
    wild: bool = False,
    bom: bool = False,
    crlf: bool = False,
) -> Totals:
    """Write a frame with `bad` rows per rule to a CSV; the total counts every readable amount, as the contract says."""
    end = "\r\n" if crlf else "\n"
    totals = Totals(rows=-1)  # the header is a line, but not a row
    with text_sink(path) as sink:
        sink.write(b"\xef\xbb\xbf" if bom else b"")
        for line, cents in lines(frame, bad=bad, seed=seed, wild=wild):
            sink.write((line + end).encode())
            totals = totals.plus(1, cents)
    return totals
