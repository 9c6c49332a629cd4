"""The dimensions of Gold: a new one is an entry; its key then stands in `fact_transactions`."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.sql_types import ROW_ORDER
from contract.subjects import REFERENCES, SUBJECTS, TRANSACTIONS


@dataclass(frozen=True)
class DimensionTable:
    """A dimension with a row per member, named by `natural`, columns of the image of transactions.

    Its `attributes` come from the newest row of the subject `described_by`, whose order is kept beside them.
    """

    name: str
    key: str
    natural: tuple[str, ...]
    description: str
    attributes: tuple[str, ...] = ()
    described_by: str = "transactions"

    @property
    def natural_types(self) -> Mapping[str, str]:
        return {name: TRANSACTIONS.image[name] for name in self.natural}

    @property
    def attribute_types(self) -> Mapping[str, str]:
        return {name: SUBJECTS[self.described_by].image[name] for name in self.attributes}

    @property
    def is_described_elsewhere(self) -> bool:
        """Whether a reference table describes the members, and not the transactions that name them."""
        return self.described_by != TRANSACTIONS.name

    @property
    def is_described_by_rows(self) -> bool:
        """Whether the transactions that name the members give them attributes, too."""
        return bool(self.attributes) and not self.is_described_elsewhere

    @property
    def schema(self) -> Mapping[str, str]:
        """The columns of the table with their types, the surrogate key first."""
        order = {"row_order": ROW_ORDER} if self.attributes else {}
        return {self.key: "bigint", **self.natural_types, **self.attribute_types, **order}


@dataclass(frozen=True)
class VersionedDimension:
    """A dimension of type 2: a row per version of a member, as the rows of a reference table tell them."""

    name: str
    key: str
    subject: str
    description: str

    @property
    def natural(self) -> str:
        """The natural key of its members, a column of the reference table and of the image of transactions."""
        return REFERENCES[self.subject].key

    @property
    def schema(self) -> Mapping[str, str]:
        """The columns of the table with their types, the surrogate key first."""
        validity = {"valid_from": "timestamp", "valid_to": "timestamp", "is_current": "boolean"}
        return {self.key: "bigint", **REFERENCES[self.subject].image, **validity}


DIMENSIONS: Mapping[str, DimensionTable] = {
    dimension.name: dimension
    for dimension in (
        DimensionTable("dim_channel", "channel_key", ("channel",), "How a card was used."),
        DimensionTable(
            "dim_location", "location_key", ("merchant_city", "merchant_state", "zip"), "Where a card was used."
        ),
        DimensionTable(
            *("dim_merchant", "merchant_key", ("merchant_id",), "Who was paid."),
            attributes=("mcc", "merchant_city", "merchant_state"),
        ),
        DimensionTable(
            *("dim_mcc", "mcc_key", ("mcc",), "The category of who was paid; `mcc_codes` describes it."),
            attributes=("description",),
            described_by="mcc_codes",
        ),
    )
}
VERSIONED_DIMENSIONS: Mapping[str, VersionedDimension] = {
    dimension.name: dimension
    for dimension in (
        VersionedDimension("dim_card", "card_key", "cards", "The card, by its versions."),
        VersionedDimension("dim_client", "client_key", "users", "The client, by its versions."),
    )
}
ALL_DIMENSIONS: Mapping[str, DimensionTable | VersionedDimension] = {**DIMENSIONS, **VERSIONED_DIMENSIONS}
CALENDAR: Mapping[str, str] = {
    "date_key": "int",
    "date": "date",
    "year": "int",
    "quarter": "int",
    "month": "int",
    "day": "int",
    "weekday": "int",
    "is_weekend": "boolean",
}
"""The columns of `dim_date`."""
