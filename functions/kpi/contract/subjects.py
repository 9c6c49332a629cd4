"""The subjects of files: what a first folder stands for, its columns, their orders, and what they become in Silver."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from contract.columns import (
    CARD_COLUMNS,
    CHANGE_COLUMNS,
    CODE_COLUMNS,
    REPAIRED_ROW,
    TRANSACTION_COLUMNS,
    USER_COLUMNS,
    SourceColumn,
)
from contract.kinds import INTEGER, MAY_HOLD_NUMBERS


@dataclass(frozen=True)
class Subject:
    """What the files of one first folder are about; the first of its columns is the key.

    `headerless` is the order of the columns in files without a header. `first_version` names the columns of Silver's
    image as the first version had them, in its order: later ones follow, and the content hash of a row without them is
    what it was.
    """

    name: str
    description: str
    columns: tuple[SourceColumn, ...]
    headerless: tuple[str, ...]
    first_version: tuple[str, ...]
    has_money: bool = False

    @property
    def key(self) -> str:
        """The name of the key."""
        return self.columns[0].name

    @property
    def texts(self) -> tuple[str, ...]:
        """The names of all columns, without those of changes."""
        return tuple(column.name for column in self.columns)

    @property
    def known(self) -> Mapping[str, SourceColumn]:
        """All columns that a file may have, those of changes last."""
        return {column.name: column for column in (*self.columns, *CHANGE_COLUMNS)}

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    @property
    def ruled(self) -> tuple[str, ...]:
        """The columns that a rule is about; any text is good in the others."""
        return tuple(column.name for column in self.columns if column.tested_faults)

    @property
    def secret(self) -> tuple[str, ...]:
        """The columns whose values never leave Bronze."""
        return tuple(column.name for column in self.columns if column.kind.is_secret)

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns in which a number may end in its check digit by chance, and stays: none where cards are."""
        return () if self.secret else tuple(column.name for column in self.columns if column.kind is INTEGER)

    @property
    def masked(self) -> tuple[str, ...]:
        """The columns whose texts are masked before their values are read; no value of the others can hold a card's."""
        names = [column.name for column in self.columns if column.kind in MAY_HOLD_NUMBERS]
        return tuple(name for name in names if name not in self.ids)

    @property
    def image(self) -> Mapping[str, str]:
        """The columns of a row in Silver, the key first, with their types."""
        types = {name: column.kind.silver_type for column in self.columns for name in column.image_names}
        return {name: types[name] for name in (*self.first_version, *types)}

    @property
    def values(self) -> Mapping[str, str]:
        """The columns of the image but the key."""
        return {name: sql_type for name, sql_type in self.image.items() if name != self.key}

    @property
    def later_values(self) -> tuple[str, ...]:
        """The columns of the image that came after the first version."""
        return tuple(name for name in self.image if name not in self.first_version)

    def source_of(self, image_name: str) -> SourceColumn:
        """Return the column of the files that gives a column of the image."""
        return next(column for column in self.columns if image_name in column.image_names)

    def canonical_name(self, name: str) -> str:
        """Return the contract's name of a column, or the trimmed lower-case name if the contract has none."""
        plain = name.strip(" \t").lower()
        return next((column.name for column in self.known.values() if plain in column.aliases), plain)


TRANSACTIONS = Subject(
    name="transactions",
    description="Purchases and refunds; the only files with money.",
    columns=TRANSACTION_COLUMNS,
    headerless=(
        "dms_id",
        "date",
        "client_id",
        "card_id",
        "amount",
        "use_chip",
        "merchant_id",
        "merchant_city",
        "merchant_state",
        "zip",
        "mcc",
        "errors",
    ),
    first_version=(
        "dms_id",
        "transacted_at",
        "amount",
        "channel",
        "client_id",
        "card_id",
        "merchant_id",
        "merchant_city",
        "merchant_state",
        "zip",
        "mcc",
        "errors",
    ),
    has_money=True,
)

REPAIR = replace(TRANSACTIONS, columns=(*TRANSACTIONS.columns, REPAIRED_ROW))
"""What a repair is read as: rows of transactions, each with the number of the row that it repairs."""


def reference_subject(name: str, description: str, columns: tuple[SourceColumn, ...], first: int) -> Subject:
    """Return the subject of a reference table, whose first version had the first so many of its columns."""
    listed = columns[:first]
    names = tuple(column.name for column in listed)
    return Subject(name, description, columns, names, tuple(name for column in listed for name in column.image_names))


REFERENCES: Mapping[str, Subject] = {
    subject.name: subject
    for subject in (
        reference_subject("cards", "The cards that transactions were paid with.", CARD_COLUMNS, 13),
        reference_subject("users", "The clients who hold the cards.", USER_COLUMNS, 14),
        reference_subject("mcc_codes", "The meaning of merchant category codes.", CODE_COLUMNS, 2),
    )
}
SUBJECTS: Mapping[str, Subject] = {TRANSACTIONS.name: TRANSACTIONS, **REFERENCES}
LOAD = "load"
"""The subject of a marker, which has no columns."""
MARKER_NAME = "_load.json"
WAIVER = "waiver"
"""The subject of an object that closes quarantined rows of a file without values for them."""
REPAIRS_FOLDER = f"{TRANSACTIONS.name}/repairs/"
"""Below it each file that is repaired has a folder, which is called by its file id."""
WAIVER_ENDING = ".waiver.json"
_REPAIR = re.compile(rf"{REPAIRS_FOLDER}([0-9a-f]{{64}})/[^/]+(?:\.csv|{re.escape(WAIVER_ENDING)})")


def subject_of(key: str) -> Subject:
    """Return the subject of a data file, told by the first folder of its key; of a repair what it is read as."""
    if repaired_file(key) is not None:
        return REPAIR
    return SUBJECTS.get(key.partition("/")[0], TRANSACTIONS)


def is_marker(key: str) -> bool:
    """Return whether an object declares a reload instead of holding data."""
    first, _, rest = key.partition("/")
    return first == TRANSACTIONS.name and rest.rpartition("/")[2] == MARKER_NAME


def repaired_file(key: str) -> str | None:
    """Return the id of the file whose quarantined rows an object repairs or waives; None of any other object."""
    found = _REPAIR.fullmatch(key)
    return found[1] if found else None


def is_waiver(key: str) -> bool:
    """Return whether an object waives a rule for a file instead of holding data."""
    return repaired_file(key) is not None and key.endswith(WAIVER_ENDING)
