"""What earlier accepted files of a prefix looked like, and how a file comes to belong to them.

A file inside of the range, or one that the sender vouches for, belongs to it at once. One outside of it is kept aside:
it widens the range once it has stayed accepted for a day, so that a mistake does not let the next one pass.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contract.items import PendingFigures, RangeItem
from contract.limits import PENDING_DAYS, PENDING_FILES

from judging.kpis import Kpis, instant_text, money_text
from judging.values import us_of


@dataclass(frozen=True)
class Pending:
    """The figures of an accepted file that is outside of the range."""

    file_id: str
    accepted_at: datetime
    rows: int
    mean_cents: int

    @classmethod
    def of_item(cls, item: PendingFigures) -> "Pending":
        """Read an entry of the ledger's item of a prefix."""
        accepted_at = datetime.fromisoformat(item["accepted_at"])
        return cls(item["file_id"], accepted_at, int(item["row_count"]), _cents(item["mean"]))

    def as_item(self) -> PendingFigures:
        """Return the entry of the ledger's item of a prefix."""
        return {
            "file_id": self.file_id,
            "accepted_at": instant_text(us_of(self.accepted_at)),
            "row_count": self.rows,
            "mean": money_text(self.mean_cents),
        }


@dataclass(frozen=True)
class LearnedRange:
    """What earlier accepted files of the same prefix looked like, and those that are kept aside."""

    files: int
    min_rows: int
    max_rows: int
    min_mean_cents: int
    max_mean_cents: int
    pending: tuple[Pending, ...] = ()

    @classmethod
    def of_item(cls, item: RangeItem) -> "LearnedRange":
        """Read the ledger's item of a prefix."""
        return cls(
            files=int(item["files"]),
            min_rows=int(item["min_rows"]),
            max_rows=int(item["max_rows"]),
            min_mean_cents=_cents(item["min_mean"]),
            max_mean_cents=_cents(item["max_mean"]),
            pending=tuple(map(Pending.of_item, item.get("pending", []))),
        )

    def as_item(self, first_folder: str) -> RangeItem:
        """Return the ledger's item of a prefix."""
        item: RangeItem = {
            "file_id": f"range#{first_folder}",
            "kind": "range",
            "files": self.files,
            "min_rows": self.min_rows,
            "max_rows": self.max_rows,
            "min_mean": money_text(self.min_mean_cents),
            "max_mean": money_text(self.max_mean_cents),
        }
        if self.pending:
            item["pending"] = [pending.as_item() for pending in self.pending]
        return item

    def widened(self, rows: int, mean_cents: int) -> "LearnedRange":
        """Return the range with a file in it."""
        return replace(
            self,
            files=self.files + 1,
            min_rows=min(self.min_rows, rows),
            max_rows=max(self.max_rows, rows),
            min_mean_cents=min(self.min_mean_cents, mean_cents),
            max_mean_cents=max(self.max_mean_cents, mean_cents),
        )

    def settled(self, now: datetime, stays: Callable[[str], bool]) -> "LearnedRange":
        """Return the range with the files that were kept aside for a day; those that did not stay are forgotten."""
        old = [pending for pending in self.pending if now - pending.accepted_at >= timedelta(days=PENDING_DAYS)]
        settled = replace(self, pending=tuple(pending for pending in self.pending if pending not in old))
        for pending in old:
            if stays(pending.file_id):
                settled = settled.widened(pending.rows, pending.mean_cents)
        return settled


def range_warnings(kpis: Kpis, learned: LearnedRange) -> list[str]:
    """Return a warning for each figure that is outside of the range."""
    warnings = []
    earlier = f"{learned.files} earlier file{'' if learned.files == 1 else 's'}"
    if not learned.min_rows <= kpis.row_count <= learned.max_rows:
        warnings.append(
            f"Its {kpis.row_count} rows are outside of the range of {earlier}, "
            f"{learned.min_rows} to {learned.max_rows}."
        )
    mean = kpis.mean_cents
    if mean is not None and not learned.min_mean_cents <= mean <= learned.max_mean_cents:
        warnings.append(
            f"Its mean amount {money_text(mean)} is outside of the range of {earlier}, "
            f"{money_text(learned.min_mean_cents)} to {money_text(learned.max_mean_cents)}."
        )
    return warnings


def learned_with(
    learned: LearnedRange | None, kpis: Kpis, file_id: str, now: datetime, *, belongs: bool
) -> LearnedRange:
    """Return the range after an accepted file: widened if the file belongs to it, else with the file kept aside."""
    rows, mean = kpis.row_count, kpis.mean_cents or 0
    if learned is None:
        return LearnedRange(1, rows, rows, mean, mean)
    if belongs:
        return learned.widened(rows, mean)
    aside = Pending(file_id, now, rows, mean)
    return replace(learned, pending=(*learned.pending, aside)[:PENDING_FILES])


def _cents(money: str) -> int:
    return int(money.replace(".", ""))
