"""Look for card data in all rows of a file: ids that are card numbers as a whole, and security codes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl
from contract.kinds import SECURITY_CODE
from contract.subjects import Subject
from reading.card_numbers import FEWEST_DIGITS, is_card_number
from reading.card_secrets import LEAST_VALUES, is_most
from reading.rejection import Reason

_LONG_ID = r"^[ \t]*-?([0-9]{13,19})(?:\.0+)?[ \t]*$"
_LOOKED_AT = 1_000
"""So many long ids of a column are looked at in each block."""


@dataclass
class CardData:
    """What was seen of card data: by column, the ids as long as card numbers, those that are some, security codes."""

    subject: Subject
    long_ids: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    def watched(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Yield frames of records as they are, each looked at before."""
        for records in frames:
            for name in self.subject.ids:
                self._see_ids(records, name)
            for name in security_codes_of(self.subject):
                if name in records.columns:
                    texts = records[name].str.strip_chars(" \t")
                    self.codes[name] += int((texts != "").sum())
            yield records

    def _see_ids(self, records: pl.DataFrame, name: str) -> None:
        if name not in records.columns:
            return
        long = records[name].filter((records[name].str.len_bytes() >= FEWEST_DIGITS).fill_null(value=False))
        found = long.str.extract(_LONG_ID).drop_nulls().head(_LOOKED_AT)
        self.long_ids[name] += len(found)
        self.numbers[name] += sum(map(is_card_number, found))

    def reasons(self, *, empties_codes: bool) -> list[Reason]:
        """Return why the file is rejected."""
        told = [
            Reason(
                "card_numbers",
                f"The column {name!r} looks like card numbers: {self.numbers[name]:,} of {long:,} long values have "
                "their check digit. Send ids that are no card numbers.",
            )
            for name, long in self.long_ids.items()
            if long >= LEAST_VALUES and is_most(self.numbers[name], long)
        ]
        return told + [
            Reason(
                "card_security_codes",
                f"The column {name!r} has card security codes in {rows:,} {'row' if rows == 1 else 'rows'}: they may "
                "not be stored once a payment is authorised. Leave the column out, or empty.",
            )
            for name, rows in self.codes.items()
            if rows and not empties_codes
        ]


def security_codes_of(subject: Subject) -> tuple[str, ...]:
    """Return the columns of a subject that hold card security codes."""
    return tuple(column.name for column in subject.columns if column.kind is SECURITY_CODE)
