"""What must become of the demo's files: a model of keys and orders in plain Python, apart from all that it checks."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeVar

from assay.ledger import OUTCOMES
from devcloud.demo.files import DemoFile, Row

K = TypeVar("K")
Order = tuple[str, str, int, int]  # as-of, key, number of the upload, row


@dataclass
class Expected:
    """What must stand in the passport of a published file."""

    rows: int
    total_amount: Decimal
    bad_rows: int
    outcomes: dict[str, int]
    amounts: dict[str, Decimal]
    effect_amount: Decimal


@dataclass(frozen=True)
class Group:
    """Rows and cents of one group of an aggregate."""

    rows: int
    amount: Decimal


@dataclass
class Model:
    """Silver as it must be after the files that were taken, one at a time."""

    state: dict[int, tuple[Row, Order]] = field(default_factory=dict)
    uploads: int = 0

    def take(self, file: DemoFile) -> Expected:
        """Take a file as a run of its own, and tell what must become of its rows."""
        self.uploads += 1
        orders = {
            number: (file.as_of, file.key, self.uploads, number) for number, row in enumerate(file.rows) if row.good
        }
        newest = {file.rows[number].dms_id: number for number in orders}
        before = dict(self.state)
        outcomes: Counter[str] = Counter()
        cents: Counter[str] = Counter()
        effect = 0
        for number, row in enumerate(file.rows):
            known = before.get(row.dms_id)
            outcome = self._outcome(row, known, orders.get(number), is_newest=newest.get(row.dms_id) == number)
            outcomes[outcome] += 1
            cents[outcome] += row.cents
            if outcome in ("inserted", "updated"):
                effect += row.cents - (known[0].cents if known else 0)
            if row.good and (known is None or orders[number] > known[1]) and newest[row.dms_id] == number:
                self.state[row.dms_id] = row, orders[number]
        return Expected(
            rows=len(file.rows),
            total_amount=_amount(sum(cents.values())),
            bad_rows=outcomes["quarantined"],
            outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES},
            amounts={outcome: _amount(cents[outcome]) for outcome in OUTCOMES},
            effect_amount=_amount(effect),
        )

    @staticmethod
    def _outcome(row: Row, known: tuple[Row, Order] | None, order: Order | None, *, is_newest: bool) -> str:
        if order is None:
            return "quarantined"
        if known and known[0].values == row.values:
            return "unchanged"
        if known and order < known[1]:
            return "stale"
        if not is_newest:
            return "superseded"
        return "updated" if known else "inserted"

    @property
    def rows(self) -> Iterable[Row]:
        return (row for row, _ in self.state.values())

    def total(self) -> Group:
        return Group(len(self.state), _amount(sum(row.cents for row in self.rows)))

    def daily(self) -> dict[tuple[date, str], Group]:
        return _grouped(((row.day, row.channel), row.cents) for row in self.rows)

    def monthly_merchants(self) -> dict[tuple[date, int], Group]:
        return _grouped(((row.day.replace(day=1), row.merchant_id), row.cents) for row in self.rows)


def _grouped(pairs: Iterable[tuple[K, int]]) -> dict[K, Group]:
    groups: defaultdict[K, list[int]] = defaultdict(list)
    for key, cents in pairs:
        groups[key].append(cents)
    return {key: Group(len(cents), _amount(sum(cents))) for key, cents in groups.items()}


def _amount(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
