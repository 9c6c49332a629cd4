"""The kinds of values: which texts are read, what they become in Silver, and which Parquet types can hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contract.patterns import AMOUNT_FORM, INTEGER_FORM, MCC_FORM, ZIP_FORM
from contract.sql_types import MONEY


class Fault(StrEnum):
    """How a value can break the contract; the name of most faults ends the name of its rule."""

    STRUCTURE = "structure"
    """The record cannot be cut into the file's columns."""
    MISSING = "missing"
    """There is no text."""
    UNREADABLE = "unreadable"
    """There is a text but no value."""
    MALFORMED = "malformed"
    """There is a text, and it is not of the kind's form; one that is of it can still be too precise or too large."""
    TOO_PRECISE = "too_precise"
    TOO_LARGE = "too_large"
    IN_FUTURE = "in_future"
    """Later than the object's last-modified instant and `FUTURE_DAYS`."""
    UNKNOWN = "unknown"
    """There is a text, and it is none of the known words."""
    IMPOSSIBLE = "impossible"
    """There is a text but no value, or the value is all zeros."""
    NOT_GIVEN = "not_given"
    """The file has the column, and the row has no value in it."""
    ABOVE_LIMIT = "above_limit"
    """There is a value, and it is greater than the rule's limit."""
    BELOW_LIMIT = "below_limit"
    """There is a value, and it is less than the rule's limit."""


class ParquetType(StrEnum):
    """The groups of Parquet types that section 3.3 of the data contract tells apart."""

    TEXT = "text"
    INTEGER = "integers of up to 64 bits"
    DECIMAL = "decimals"
    WHOLE_BINARY = "floating point, whole values"
    TIMESTAMP = "timestamps"
    DATE = "dates"
    TEXT_LIST = "lists of text"


OF_TEXT = (ParquetType.TEXT,)
OF_EXACT = (ParquetType.TEXT, ParquetType.INTEGER, ParquetType.DECIMAL)
OF_NUMBERS = (*OF_EXACT, ParquetType.WHOLE_BINARY)


@dataclass(frozen=True)
class Kind:
    """A kind of values. `faults` says in words how they can break the contract; `usual_faults` have rules by default.

    `pattern` is the form of its texts where one regular expression tells it. `width` is the length to which a code is
    filled up with leading zeros. Values of a secret kind never leave Bronze.
    """

    name: str
    silver_type: str
    parquet: tuple[ParquetType, ...]
    forms: str
    becomes: str
    usual_faults: tuple[Fault, ...] = ()
    faults: Mapping[Fault, str] = field(default_factory=dict)
    pattern: str = ""
    width: int = 0
    is_secret: bool = False


INTEGER = Kind(
    name="integer",
    silver_type="bigint",
    parquet=OF_NUMBERS,
    forms="`-?[0-9]{1,19}` with an optional tail `.0`, `.00` …",
    becomes="`bigint`",
    usual_faults=(Fault.UNREADABLE,),
    faults={Fault.UNREADABLE: "not null and not an integer in 64 bits"},
    pattern=INTEGER_FORM,
)
AMOUNT = Kind(
    name="amount",
    silver_type=MONEY,
    parquet=OF_EXACT,
    forms=(
        "digits, plain or grouped in threes by commas, with or without decimals (`12`, `1,412.64`, `.5`, not `5.`); "
        "before them a sign, `$`, `$` and sign, or sign and `$`; or all of it without sign in parentheses, which mean "
        "negative: `($77.00)`, `$(77.00)`. Blanks may follow the `$` and the sign; `$ -`, with a dash for the digits, "
        "is zero. Zeros after the second decimal are allowed. A minus sign (U+2212) and a dash (U+2013) are read "
        "as `-`. No-break spaces (U+00A0, U+202F) are read as blanks, also around an amount, and may group "
        "digits in threes"
    ),
    becomes=f"`{MONEY}`",
    usual_faults=(Fault.UNREADABLE,),
    faults={
        Fault.UNREADABLE: f"not null and not an amount that `{MONEY}` holds exactly",
        Fault.MALFORMED: "not of the grammar below",
        Fault.TOO_PRECISE: "of the grammar, but not exact in two decimals",
        Fault.TOO_LARGE: "exact in two decimals, but beyond 16 digits before the point",
    },
    pattern=AMOUNT_FORM,
)
INSTANT = Kind(
    name="date",
    silver_type="timestamp",
    parquet=(ParquetType.TEXT, ParquetType.TIMESTAMP, ParquetType.DATE),
    forms=(
        "`YYYY-MM-DD`, then nothing or (blank or `T`) `H:MM`, `HH:MM`, `HH:MM:SS` with up to 9 decimals, then nothing, "
        "`Z`, ` UTC`, or `±HH:MM` / `±HHMM` / `±HH` with an optional blank before it; or `M/D/YYYY` (month first) with "
        "the same times of day, blank between. Behind the time of day may stand `AM` or `PM` in any case, with an "
        "optional blank before it; the hour is then 1 to 12, and `12:00 AM` is midnight. Without an offset it is UTC; "
        "a date alone is midnight; decimals beyond six are cut"
    ),
    becomes="`timestamp` in UTC",
    usual_faults=(Fault.UNREADABLE,),
    faults={
        Fault.UNREADABLE: "not of the forms below, not in the calendar, or before 1900-01-01",
        Fault.IN_FUTURE: "later than the object's last-modified instant plus one day",
        Fault.NOT_GIVEN: "the file has a commit timestamp, and the value is null, or not of the forms of a date",
    },
)
CHANNEL = Kind(
    name="channel",
    silver_type="string",
    parquet=OF_TEXT,
    forms="`swipe`, `chip`, `online`, each with an optional ` transaction`, in any case",
    becomes="`swipe`, `chip`, `online`",
    usual_faults=(Fault.UNKNOWN,),
    faults={
        Fault.UNKNOWN: (
            "not null and none of `Swipe Transaction`, `Chip Transaction`, `Online Transaction`, `swipe`, `chip`, "
            "`online`, in any case"
        )
    },
)
ZIP = Kind(
    name="zip",
    silver_type="string",
    parquet=OF_NUMBERS,
    forms="one to five digits with an optional tail `.0`, `.00` …; leading zeros are put back",
    becomes="five characters",
    usual_faults=(Fault.IMPOSSIBLE,),
    faults={Fault.IMPOSSIBLE: "not null and not one to five digits (with an optional tail of zeros, `.0`), or zero"},
    pattern=ZIP_FORM,
    width=5,
)
MCC = Kind(
    name="mcc",
    silver_type="string",
    parquet=OF_NUMBERS,
    forms="one to four digits with an optional tail `.0`, `.00` …; leading zeros are put back",
    becomes="four characters",
    usual_faults=(Fault.UNREADABLE,),
    faults={Fault.UNREADABLE: "not null and not one to four digits (with an optional tail of zeros, `.0`)"},
    pattern=MCC_FORM,
    width=4,
)
TEXT = Kind(name="text", silver_type="string", parquet=OF_TEXT, forms="any text", becomes="as it is")
NAMES = Kind(
    name="names",
    silver_type="array<string>",
    parquet=(ParquetType.TEXT, ParquetType.TEXT_LIST),
    forms="names separated by commas; empty names are dropped; a null word alone (*Ways of writing*) is none",
    becomes="array of text, null when empty",
)
AS_SENT = Kind(
    name="as sent",
    silver_type="string",
    parquet=OF_NUMBERS,
    forms="any text, and any number that is written exactly",
    becomes="text as sent",
)
CARD_NUMBER = Kind(
    name="card number",
    silver_type="string",
    parquet=OF_NUMBERS,
    forms="any text",
    becomes="the last four digits, and the HMAC-SHA256 under the stack's own secret key",
    is_secret=True,
)
SECURITY_CODE = Kind(
    name="security code", silver_type="string", parquet=OF_NUMBERS, forms="any text", becomes="nothing", is_secret=True
)
OPERATION = Kind(
    name="operation",
    silver_type="string",
    parquet=OF_TEXT,
    forms="`I`, `U`, `D` or `INSERT`, `UPDATE`, `DELETE`, in any case",
    becomes="`I`, `U`, `D`",
    faults={Fault.NOT_GIVEN: "the file has an `op` column, and the value is null or no operation"},
)
MAY_HOLD_NUMBERS = (INTEGER, AMOUNT, TEXT, NAMES, AS_SENT)
"""The kinds of which a value in Silver could hold a card number: of the others it is short, or one of a few words."""
WITH_DECIMAL_SIGN = (INTEGER, AMOUNT, ZIP, MCC)
"""The kinds in whose texts a decimal sign may stand; codes and ids have it before a tail of zeros."""
