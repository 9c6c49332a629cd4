"""The columns of the files of each subject: one line is all that a column takes.

A new column goes to the end of its list. Both engines read it and try the rules of its kind, and Silver has it at the
end of its image; a file without it is as good as before.
"""

from dataclasses import dataclass

from contract.kinds import (
    AMOUNT,
    AS_SENT,
    CARD_NUMBER,
    CHANNEL,
    INSTANT,
    INTEGER,
    MCC,
    NAMES,
    OPERATION,
    SECURITY_CODE,
    TEXT,
    ZIP,
    Fault,
    Kind,
)


@dataclass(frozen=True)
class SourceColumn:
    """A column that files may have; names match case-insensitively.

    `image` names what it becomes in Silver: one column of the same name by default, several or none for secrets.
    `faults` are those that have rules, the kind's usual ones by default.
    """

    name: str
    kind: Kind
    description: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    image: tuple[str, ...] | None = None
    faults: tuple[Fault, ...] | None = None

    @property
    def image_names(self) -> tuple[str, ...]:
        """The columns of Silver that hold its values."""
        return (self.name,) if self.image is None else self.image

    @property
    def tested_faults(self) -> tuple[Fault, ...]:
        """The faults that have rules, in the order of the rules."""
        of_kind = self.kind.usual_faults if self.faults is None else self.faults
        return (Fault.MISSING, *of_kind) if self.required else of_kind


COMMIT_NAMES = (
    "commit_ts",
    "commit_timestamp",
    "cdc_timestamp",
    "dms_timestamp",
    "dms_commit_timestamp",
    "transact_ts",
    "update_ts_dms",
)
CHANGE_COLUMNS = (
    SourceColumn("op", OPERATION, "The operation of a change.", faults=(Fault.NOT_GIVEN,)),
    SourceColumn(
        *("commit_at", INSTANT, "The commit timestamp of a change."),
        aliases=COMMIT_NAMES,
        faults=(Fault.NOT_GIVEN, Fault.IN_FUTURE),
    ),
)
"""The columns that files of changes have beside those of their subject."""

MEASURE_FAULTS = (Fault.MALFORMED, Fault.TOO_PRECISE, Fault.TOO_LARGE)
DATE_FAULTS = (Fault.UNREADABLE, Fault.IN_FUTURE)
TRANSACTION_COLUMNS = (
    SourceColumn("dms_id", INTEGER, "The transaction's key.", aliases=("id",), required=True),
    SourceColumn("amount", AMOUNT, "The money of the transaction.", required=True, faults=MEASURE_FAULTS),
    SourceColumn("date", INSTANT, "When it happened.", required=True, image=("transacted_at",), faults=DATE_FAULTS),
    SourceColumn("use_chip", CHANNEL, "How the card was used.", image=("channel",)),
    SourceColumn("zip", ZIP, "The merchant's zip code."),
    SourceColumn("client_id", INTEGER, "The client, a row of `users`."),
    SourceColumn("card_id", INTEGER, "The card, a row of `cards`."),
    SourceColumn("merchant_id", INTEGER, "The merchant."),
    SourceColumn("merchant_city", TEXT, "The merchant's city."),
    SourceColumn("merchant_state", TEXT, "The merchant's state or country."),
    SourceColumn("mcc", MCC, "The merchant category code, a row of `mcc_codes`."),
    SourceColumn("errors", NAMES, "What went wrong at the terminal."),
)
REPAIRED_ROW = SourceColumn(
    *("repaired_row", INTEGER, "The number of the quarantined row that a row of a repair stands for."),
    aliases=("row",),
    required=True,
)
SECURITY_CODE_NAMES = ("cvc", "cvv2", "cvc2", "security_code", "card_security_code")
CARD_COLUMNS = (
    SourceColumn("card_id", INTEGER, "The card's key.", aliases=("id",), required=True),
    SourceColumn("client_id", INTEGER, "The client who holds it."),
    SourceColumn("card_brand", AS_SENT, "The brand."),
    SourceColumn("card_type", AS_SENT, "Debit, credit or prepaid."),
    SourceColumn("card_number", CARD_NUMBER, "The card's number.", image=("card_last_four", "card_number_hash")),
    SourceColumn("expires", AS_SENT, "The month of its expiry."),
    SourceColumn("cvv", SECURITY_CODE, "The card's security code.", aliases=SECURITY_CODE_NAMES, image=()),
    SourceColumn("has_chip", AS_SENT, "Whether it has a chip."),
    SourceColumn("num_cards_issued", AS_SENT, "How many cards were issued."),
    SourceColumn("credit_limit", AMOUNT, "The credit limit."),
    SourceColumn("acct_open_date", AS_SENT, "The month in which the account was opened."),
    SourceColumn("year_pin_last_changed", AS_SENT, "The year in which the PIN was last changed."),
    SourceColumn("card_on_dark_web", AS_SENT, "Whether its number was found on the dark web."),
)
USER_COLUMNS = (
    SourceColumn("client_id", INTEGER, "The client's key.", aliases=("id",), required=True),
    SourceColumn("current_age", AS_SENT, "The age in years."),
    SourceColumn("retirement_age", AS_SENT, "The age of retirement in years."),
    SourceColumn("birth_year", AS_SENT, "The year of birth."),
    SourceColumn("birth_month", AS_SENT, "The month of birth."),
    SourceColumn("gender", AS_SENT, "The gender."),
    SourceColumn("address", AS_SENT, "The street and number."),
    SourceColumn("latitude", AS_SENT, "The latitude of the address."),
    SourceColumn("longitude", AS_SENT, "The longitude of the address."),
    SourceColumn("per_capita_income", AMOUNT, "The income per head where the client lives."),
    SourceColumn("yearly_income", AMOUNT, "The yearly income."),
    SourceColumn("total_debt", AMOUNT, "All debts."),
    SourceColumn("credit_score", AS_SENT, "The credit score."),
    SourceColumn("num_credit_cards", AS_SENT, "How many credit cards the client has."),
)
CODE_COLUMNS = (
    SourceColumn("mcc", MCC, "The merchant category code.", required=True),
    SourceColumn("description", AS_SENT, "What merchants of this category do."),
)
