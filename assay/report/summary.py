"""What a report says, as plain data: read once, and shown without asking anything more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from contract.runs import Cut

from assay.ledger import OUTCOMES
from assay.passport import Check
from assay.report.period import Period

NOTHING = Decimal("0.00")
LOAD = "load"
PUBLISHED, REJECTED, FAILED, UNDONE, WAITING = STATES = ("published", "rejected", "failed", "undone", "waiting")


@dataclass(frozen=True)
class Sum:
    """Files, their rows and their money together."""

    files: int = 0
    rows: int = 0
    amount: Decimal = NOTHING


@dataclass(frozen=True)
class File:
    """A file of the period as it was at the readers' cut.

    `outcomes` and `amounts` are empty, and `open_rows` and `effect` are zero, until Silver has taken it. `open_rows`
    are quarantined, and neither repaired nor waived. `reasons` say why it is not published, `proof` what its control
    totals are compared with.
    """

    file_id: str
    key: str
    version_id: str
    subject: str
    arrived_at: str
    state: str
    rows: int
    amount: Decimal
    outcomes: Mapping[str, int]
    amounts: Mapping[str, Decimal]
    open_rows: int
    effect: Decimal
    silver_run: int | None
    gold_run: int | None
    is_proven: bool
    proof: str
    reasons: Sequence[str]
    warnings: Sequence[str]
    decisions: Sequence[str]
    broken_rules: Mapping[str, int]
    changes: Sequence[tuple[str, str]]
    identity: Sequence[tuple[str, str]]
    checks: Sequence[Check]

    @property
    def anchor(self) -> str:
        return f"file-{self.file_id[:20]}"

    @property
    def is_green(self) -> bool:
        """Whether nothing about the file needs anybody."""
        return (
            self.state == PUBLISHED
            and not (self.warnings or self.open_rows)
            and all(check.good for check in self.checks)
        )


@dataclass(frozen=True)
class Action:
    """An undo or a redo that was decided in the period; `run` is none until Silver has carried it out."""

    what: str
    file_id: str
    key: str
    who: str
    at: str
    reason: str
    effect: Decimal
    run: int | None


@dataclass(frozen=True)
class GroupMoved:
    """A group of an aggregate whose money a run of Gold has moved."""

    run: int
    group: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class RowMoved:
    """A key whose money a run has moved, and the row that did it."""

    run: int
    cause: str
    file_id: str | None
    row: int | None
    key: int
    effect: Decimal


@dataclass(frozen=True)
class Broken:
    """Rows of a file in quarantine that break a rule, and how many of them are repaired."""

    file_id: str
    rule: str
    rows: int
    repaired: int


@dataclass(frozen=True)
class Example:
    """A quarantined row; `raw` has its card numbers masked."""

    file_id: str
    row: int
    line: int | None
    rules: Sequence[str]
    raw: str
    is_repaired: bool


@dataclass(frozen=True)
class GoldCell:
    """What Gold holds at the cut of an interval (a day, a month or a year, by its first day) and a channel."""

    interval: str
    channel: str
    rows: int
    amount: Decimal


@dataclass(frozen=True)
class Lake:
    """What the tables hold at the readers' cut.

    `effects` are of the period's files by outcome; `quarantined` is all of a file's rows there, and the repaired ones.
    """

    rows: int = 0
    amount: Decimal = NOTHING
    first_on: date | None = None
    last_on: date | None = None
    cells: Sequence[GoldCell] = ()
    effects: Mapping[str, Decimal] = field(default_factory=dict)
    quarantined: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    broken: Sequence[Broken] = ()
    examples: Sequence[Example] = ()
    rows_moved: Sequence[RowMoved] = ()


@dataclass(frozen=True)
class Expected:
    """A file that a calendar expects; `state` is `came`, `late` or `due`."""

    name: str
    due_at: str
    state: str
    came_at: str


@dataclass(frozen=True)
class MovedMonth:
    """A channel of a closed month that a run of Gold has moved; `closed` is the amount that it was closed with."""

    run: int
    month: str
    channel: str
    closed: Decimal
    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class Summary:
    """A period as a whole.

    `effects_before` and `effects_after` are the money that files and decisions moved which came before the period and
    after it. `expected` is none where the calendar could not be asked, `heads` the newest run in each layer's chain
    of run reports, with its hash.
    """

    stack: str
    made_at: str
    version: str
    period: Period
    cut: Cut | None
    lake: Lake | None
    files: Sequence[File] = ()
    actions: Sequence[Action] = ()
    effects_before: Decimal = NOTHING
    effects_after: Decimal = NOTHING
    groups_moved: Sequence[GroupMoved] = ()
    expected: Sequence[Expected] | None = None
    moved_months: Sequence[MovedMonth] = ()
    breakers: Mapping[str, str] = field(default_factory=dict)
    heads: Mapping[str, str] = field(default_factory=dict)
    totals_checks: Sequence[Check] = ()

    def of(self, *states: str) -> list[File]:
        return [file for file in self.files if file.state in states]

    @cached_property
    def taken(self) -> list[File]:
        """The files that are in Silver at the cut."""
        return [file for file in self.files if file.silver_run is not None]

    @property
    def effect_of_files(self) -> Decimal:
        return sum((file.effect for file in self.files), NOTHING)

    @property
    def effects(self) -> Mapping[str, Decimal]:
        """The effect of the files by outcome."""
        return self.lake.effects if self.lake and self._tells_these_runs else {}

    @property
    def rows_moved(self) -> Sequence[RowMoved]:
        """The transactions that moved most."""
        return self.lake.rows_moved if self.lake and self._tells_these_runs else ()

    @property
    def _tells_these_runs(self) -> bool:
        """Whether the tables tell the runs that the ledger tells, and not those of a replay that was put in place."""
        found = self.lake.effects if self.lake else {}
        return sum(found.values(), self.effect_of_loads) == self.effect_of_files

    @property
    def effect_of_loads(self) -> Decimal:
        """By how much reloads moved the money, beyond the rows of their files."""
        return sum((file.effect for file in self.files if file.subject == LOAD), NOTHING)

    @property
    def effect_of_actions(self) -> Decimal:
        return sum((action.effect for action in self.actions), NOTHING)

    @cached_property
    def outcomes(self) -> dict[str, tuple[int, Decimal]]:
        """Rows and money of each of the seven outcomes."""
        return {
            name: (
                sum(file.outcomes.get(name, 0) for file in self.taken),
                sum((file.amounts.get(name, NOTHING) for file in self.taken), NOTHING),
            )
            for name in OUTCOMES
        }

    @cached_property
    def quarantine(self) -> tuple[int, int, int]:
        """How many quarantined rows of the period are open, repaired, and of undone files."""
        held = self.lake.quarantined if self.lake else {}
        counted = [(file, *held.get(file.file_id, (0, 0))) for file in self.taken]
        undone = sum(rows - repaired for file, rows, repaired in counted if file.state == UNDONE)
        repaired_rows = sum(repaired for _, _, repaired in counted)
        return sum(rows for _, rows, _ in counted) - repaired_rows - undone, repaired_rows, undone


def add_up(files: Sequence[File]) -> Sum:
    return Sum(len(files), sum(file.rows for file in files), sum((file.amount for file in files), NOTHING))
