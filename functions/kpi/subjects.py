"""What the files of each subject consist of (data contract, sections 1 and 8): columns, keys, values with rules."""

from collections.abc import Mapping
from dataclasses import dataclass

CHANGE_COLUMNS: Mapping[str, str] = {"op": "text", "commit_at": "instant"}
COMMIT_NAMES = (
    "commit_ts",
    "commit_timestamp",
    "cdc_timestamp",
    "dms_timestamp",
    "dms_commit_timestamp",
    "transact_ts",
    "update_ts_dms",
)
LOAD = "load"
"""The subject of a marker, which has no columns."""


@dataclass(frozen=True)
class Subject:
    """The columns of a subject's files.

    `columns` gives them in the order of the contract's table, each with the kind of its values: `text`, `texts` (also
    as a list), `instant`, `amount`, or `number` (anything exact, and floating point where it is whole).
    """

    name: str
    key: str
    columns: Mapping[str, str]
    headerless: tuple[str, ...]
    required: tuple[str, ...]
    ruled: tuple[str, ...]
    has_money: bool = False
    has_alias: bool = True

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that a rule or a figure needs; any text is good in the others, so they are not read."""
        return (*self.ruled, *CHANGE_COLUMNS)

    @property
    def known(self) -> Mapping[str, str]:
        """All columns that a file may have, with their kinds."""
        return {**self.columns, **CHANGE_COLUMNS}

    def canonical_name(self, name: str) -> str:
        """Return the contract's name of a column, or the trimmed lower-case name if the contract has none."""
        plain = name.strip(" \t").lower()
        if plain in COMMIT_NAMES:
            return "commit_at"
        return self.key if plain == "id" and self.has_alias else plain


TRANSACTIONS = Subject(
    name="transactions",
    key="dms_id",
    columns={
        "dms_id": "number",
        "amount": "amount",
        "date": "instant",
        "use_chip": "text",
        "zip": "number",
        "client_id": "number",
        "card_id": "number",
        "merchant_id": "number",
        "merchant_city": "text",
        "merchant_state": "text",
        "mcc": "number",
        "errors": "texts",
    },
    headerless=(
        *("dms_id", "date", "client_id", "card_id", "amount", "use_chip"),
        *("merchant_id", "merchant_city", "merchant_state", "zip", "mcc", "errors"),
    ),
    required=("dms_id", "amount", "date"),
    ruled=("dms_id", "amount", "date", "use_chip", "zip", "client_id", "card_id", "merchant_id", "mcc"),
    has_money=True,
)

_CARDS = {
    "card_id": "number",
    "client_id": "number",
    "card_brand": "number",
    "card_type": "number",
    "card_number": "number",
    "expires": "number",
    "cvv": "number",
    "has_chip": "number",
    "num_cards_issued": "number",
    "credit_limit": "amount",
    "acct_open_date": "number",
    "year_pin_last_changed": "number",
    "card_on_dark_web": "number",
}
_USERS = {
    "client_id": "number",
    "current_age": "number",
    "retirement_age": "number",
    "birth_year": "number",
    "birth_month": "number",
    "gender": "number",
    "address": "number",
    "latitude": "number",
    "longitude": "number",
    "per_capita_income": "amount",
    "yearly_income": "amount",
    "total_debt": "amount",
    "credit_score": "number",
    "num_credit_cards": "number",
}
_MCC_CODES = {"mcc": "number", "description": "number"}
_REFERENCES = (
    Subject("cards", "card_id", _CARDS, tuple(_CARDS), ("card_id",), ("card_id", "client_id", "credit_limit")),
    Subject(
        *("users", "client_id", _USERS, tuple(_USERS), ("client_id",)),
        ruled=("client_id", "per_capita_income", "yearly_income", "total_debt"),
    ),
    Subject("mcc_codes", "mcc", _MCC_CODES, tuple(_MCC_CODES), ("mcc",), ("mcc",), has_alias=False),
)
_SUBJECTS = {subject.name: subject for subject in (TRANSACTIONS, *_REFERENCES)}
MARKER_NAME = "_load.json"


def subject_of(key: str) -> Subject:
    """Return the subject of a data file, told by the first folder of its key."""
    return _SUBJECTS.get(key.partition("/")[0], TRANSACTIONS)


def is_marker(key: str) -> bool:
    """Say whether an object declares a reload instead of holding data."""
    first, _, rest = key.partition("/")
    return first == TRANSACTIONS.name and rest.rpartition("/")[2] == MARKER_NAME
