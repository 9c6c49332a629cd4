"""The reference tables: the columns of their files and of Silver's rows (section 8 of `docs/data-contract.md`)."""

from __future__ import annotations

from dataclasses import dataclass

from glue.shared.publication import MONEY


@dataclass(frozen=True)
class Reference:
    """A reference table: its key, the columns of its files in their usual order, and those that Silver keeps."""

    key: str
    texts: tuple[str, ...]
    image: dict[str, str]

    @property
    def values(self) -> tuple[str, ...]:
        """Return the columns of the image but the key."""
        return tuple(name for name in self.image if name != self.key)


CARDS = (
    "card_id", "client_id", "card_brand", "card_type", "card_number", "expires", "cvv", "has_chip", "num_cards_issued",
    "credit_limit", "acct_open_date", "year_pin_last_changed", "card_on_dark_web",
)  # fmt: skip
USERS = (
    "client_id", "current_age", "retirement_age", "birth_year", "birth_month", "gender", "address", "latitude",
    "longitude", "per_capita_income", "yearly_income", "total_debt", "credit_score", "num_credit_cards",
)  # fmt: skip
REFERENCES = {
    "cards": Reference(
        key="card_id",
        texts=CARDS,
        image={
            "card_id": "bigint",
            "client_id": "bigint",
            "card_brand": "string",
            "card_type": "string",
            "card_last_four": "string",
            "card_number_hash": "string",
            "expires": "string",
            "has_chip": "string",
            "num_cards_issued": "string",
            "credit_limit": MONEY,
            "acct_open_date": "string",
            "year_pin_last_changed": "string",
            "card_on_dark_web": "string",
        },
    ),
    "users": Reference(
        key="client_id",
        texts=USERS,
        image={
            name: "bigint"
            if name == "client_id"
            else MONEY
            if name in ("per_capita_income", "yearly_income", "total_debt")
            else "string"
            for name in USERS
        },
    ),
    "mcc_codes": Reference(key="mcc", texts=("mcc", "description"), image={"mcc": "string", "description": "string"}),
}
