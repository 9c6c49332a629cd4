"""Count the figures of a file from its judged rows: exact, in one pass, in memory that does not grow."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import polars as pl
from contract.control_totals import SUM_MODULUS
from contract.items import FileKpis
from contract.rules import rules_of
from contract.subjects import TRANSACTIONS, Subject
from contract.vocabulary import CHANNELS, OPERATION_NAMES, UNKNOWN

from judging.distinct_keys import DistinctKeys
from judging.rows import DELETE, UNKNOWN_CHANNEL, names_of
from judging.rules import Limits
from judging.usual_forms import judge
from judging.writing import Writings

LONG_KEY = 10**15
"""Floating point, and so a spreadsheet, holds no larger numbers exactly."""
_BEYOND_63_BITS = 1 << 63
_PART = 1 << 30
"""Cents are cut in two below it, so that no sum of products with ids of 64 bits leaves 128 bits."""
CHANNEL_NAMES = (*CHANNELS, UNKNOWN)
"""In the order of the codes of judged rows."""


@dataclass
class Kpis:
    """The figures of a file as the data contract names them; instants in microseconds since 1970, UTC."""

    row_count: int = 0
    distinct_keys: int = 0
    duplicate_keys: int = 0
    unreadable_keys: int = 0
    unreadable_amounts: int = 0
    unreadable_dates: int = 0
    negative_amounts: int = 0
    zero_amounts: int = 0
    bad_rows: int = 0
    broken_rules: Counter[str] = field(default_factory=Counter)
    """Rule, in the contract's order → rows that break it; a row counts for each rule that it breaks."""
    total_cents: int = 0
    positive_cents: int = 0
    key_sum: int = 0
    """Of the readable keys; the whole sum, as the hash total is."""
    hash_total: int = 0
    """Of key times cents, over the rows where both are readable."""
    first_us: int | None = None
    last_us: int | None = None
    channels: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANNEL_NAMES, 0))
    operations: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OPERATION_NAMES, 0))
    has_operations: bool = False
    largest_key: int = 0
    """Of the readable ones, without its sign; not in the ledger."""
    bare_deletes: int = 0
    """Good deletes that carry no value; not in the ledger."""
    deletes_without_amount: int = 0
    """Deletes whose amount is missing or unreadable; not in the ledger."""

    @property
    def has_long_keys(self) -> bool:
        """Whether a key is so long that a spreadsheet rounds it."""
        return self.largest_key >= LONG_KEY

    @property
    def mean_cents(self) -> int | None:
        """The mean of the readable amounts, rounded half up; None if there are none."""
        readable = self.row_count - self.unreadable_amounts - self.deletes_without_amount
        return (2 * self.total_cents + readable) // (2 * readable) if readable else None

    def add(self, judged: pl.DataFrame, subject: Subject) -> None:
        """Count some rows, all but their distinct keys."""
        seen = judged.select(_figures()).row(0, named=True)
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + (seen[name] or 0))
        largest_key, largest_cents = (
            max(map(abs, _known(seen[f"lowest_{name}"], seen[f"highest_{name}"])), default=0)
            for name in ("key", "cents")
        )
        self._add_sums(judged["key"], judged["cents"], largest_key, largest_cents)
        if seen["bad_rows"]:
            self._add_broken(judged["rules"], subject)
        for name in self.channels:
            self.channels[name] += seen[f"channel_{name}"]
        for name in self.operations:
            self.operations[name] += seen[f"operation_{name}"]
        self.first_us = min(_known(self.first_us, seen["first_us"]), default=None)
        self.largest_key = max(self.largest_key, largest_key)
        self.last_us = max(_known(self.last_us, seen["last_us"]), default=None)

    def _add_sums(self, keys: pl.Series, cents: pl.Series, largest_key: int, largest_cents: int) -> None:
        self.total_cents += _sum(cents, largest_cents)
        self.positive_cents += _sum(cents.filter(cents > 0), largest_cents)
        self.key_sum += _sum(keys, largest_key)
        self.hash_total += _sum_of_products(keys, cents, largest_key * largest_cents)

    def control_figures(self) -> Mapping[str, int]:
        """Return what control totals are compared with, by their names; money in cents."""
        return {
            "row_count": self.row_count,
            "total_amount": self.total_cents,
            "positive_total": self.positive_cents,
            "negative_total": self.total_cents - self.positive_cents,
            "key_sum": self.key_sum % SUM_MODULUS,
            "hash_total": self.hash_total % SUM_MODULUS,
        }

    def _add_broken(self, rules: pl.Series, subject: Subject) -> None:
        counts = self.broken_rules
        for bits, rows in rules.value_counts().iter_rows():
            counts.update(dict.fromkeys(names_of(bits, subject), rows))
        self.broken_rules = Counter({rule.name: counts[rule.name] for rule in rules_of(subject) if counts[rule.name]})

    def as_item(self) -> FileKpis:
        """Return the ledger's map: numbers, money as text, instants as text."""
        figures = self.control_figures()
        item = FileKpis(
            row_count=self.row_count,
            distinct_keys=self.distinct_keys,
            duplicate_keys=self.duplicate_keys,
            unreadable_keys=self.unreadable_keys,
            unreadable_amounts=self.unreadable_amounts,
            unreadable_dates=self.unreadable_dates,
            negative_amounts=self.negative_amounts,
            zero_amounts=self.zero_amounts,
            bad_rows=self.bad_rows,
            broken_rules=dict(self.broken_rules),
            total_amount=money_text(self.total_cents),
            positive_total=money_text(figures["positive_total"]),
            negative_total=money_text(figures["negative_total"]),
            key_sum=figures["key_sum"],
            hash_total=figures["hash_total"],
            channels=dict(self.channels),
        )
        if self.has_operations:
            item["operations"] = dict(self.operations)
        if self.first_us is not None:
            item["first_at"] = instant_text(self.first_us)
        if self.last_us is not None:
            item["last_at"] = instant_text(self.last_us)
        return item

    def without_money(self) -> "Kpis":
        """Return the figures of a file that has neither amounts nor dates."""
        return replace(self, unreadable_amounts=0, unreadable_dates=0)


_SUMS = (
    *("row_count", "unreadable_keys", "unreadable_amounts", "unreadable_dates", "negative_amounts", "zero_amounts"),
    *("bad_rows", "bare_deletes", "deletes_without_amount"),
)


def count_kpis(
    frames: Iterable[pl.DataFrame],
    limits: Limits,
    subject: Subject = TRANSACTIONS,
    writings: Writings | None = None,
) -> Kpis:
    """Return the figures of all records of a file; `writings` sees how they are written."""
    kpis = Kpis()
    with DistinctKeys() as keys:
        for records in _read_ahead(frames):
            kpis.has_operations = "op" in records.columns
            for judged in judge(records, subject, limits, writings):
                kpis.add(judged, subject)
                keys.add(judged["key"].drop_nulls())
        kpis.distinct_keys = keys.count()
    kpis.duplicate_keys = kpis.row_count - kpis.unreadable_keys - kpis.distinct_keys
    return kpis if subject.has_money else kpis.without_money()


def money_text(cents: int) -> str:
    """Return cents as text with two decimals."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}"


def instant_text(us: int) -> str:
    """Return microseconds since 1970 as the ledger's text; the last instant of 9999 stands for all later ones."""
    since_epoch = min(timedelta(microseconds=us), datetime.max - datetime(1970, 1, 1))
    return (datetime(1970, 1, 1, tzinfo=UTC) + since_epoch).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _read_ahead(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Fetch and split the next block while the last one is judged: a quarter less time, one block more of memory."""
    waiting = iter(frames)
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(next, waiting, None)
        while (records := coming.result()) is not None:
            coming = reader.submit(next, waiting, None)
            yield records


def _figures() -> list[pl.Expr]:
    cents, channel, op = pl.col("cents"), pl.col("channel"), pl.col("op_code")
    is_delete = op.eq_missing(DELETE)
    us, good = pl.when(~is_delete).then(pl.col("us")), pl.col("rules") == 0
    return [
        pl.len().alias("row_count"),
        pl.col("key").null_count().alias("unreadable_keys"),
        (cents.is_null() & ~is_delete).sum().alias("unreadable_amounts"),
        (pl.col("us").is_null() & ~is_delete).sum().alias("unreadable_dates"),
        (cents.is_null() & is_delete).sum().alias("deletes_without_amount"),
        (pl.col("bare") & good).sum().alias("bare_deletes"),
        (cents < 0).sum().alias("negative_amounts"),
        (cents == 0).sum().alias("zero_amounts"),
        (~good).sum().alias("bad_rows"),
        *(pl.col(name).min().alias(f"lowest_{name}") for name in ("key", "cents")),
        *(pl.col(name).max().alias(f"highest_{name}") for name in ("key", "cents")),
        us.min().alias("first_us"),
        us.max().alias("last_us"),
        *((good & (op == code)).sum().alias(f"operation_{name}") for code, name in enumerate(OPERATION_NAMES)),
        *((channel == code).sum().alias(f"channel_{CHANNEL_NAMES[code]}") for code in range(UNKNOWN_CHANNEL + 1)),
    ]


def _sum(values: pl.Series, largest: int) -> int:
    """Return the exact sum of integers of which none is larger; wide ones where it may have more than 63 bits."""
    narrow = largest * len(values) < _BEYOND_63_BITS
    return int((values if narrow else values.cast(pl.Int128)).sum() or 0)


def _sum_of_products(keys: pl.Series, cents: pl.Series, largest: int) -> int:
    """Return the exact sum of key times cents where both are known; `largest` is no smaller than any product."""
    if largest < _BEYOND_63_BITS:
        return _sum(keys * cents, largest)
    high, wide = cents // _PART, keys.cast(pl.Int128)
    return _sum(wide * high, largest) * _PART + _sum(wide * (cents - high * _PART), largest)


def _known(*values: int | None) -> list[int]:
    return [value for value in values if value is not None]
