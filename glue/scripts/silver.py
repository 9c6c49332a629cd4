"""Silver: cleansed transactions, incremental by `dms_id`

Exported from glue/notebooks/silver.ipynb by tools/export_notebooks.py; edit the notebook, not this file.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import hmac
import io
import json
import re
import sys
import tempfile
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache, cached_property, partial, reduce
from itertools import accumulate, pairwise
from math import trunc
from numbers import Real
from operator import and_, itemgetter, or_
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar, cast, get_args

import boto3
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from py4j.protocol import Py4JError
from pyspark.sql import Column, DataFrame, Row, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.types import StructType

# From functions/kpi/contract/patterns.py

INTEGER_FORM = r"-?[0-9]{1,19}(?:\.0+)?"

NO_BREAK = r"\u00a0\u202f"
"""No-break spaces, which spreadsheets and locales write for blanks; for use inside of brackets."""
BLANKS = rf"[ {NO_BREAK}]*"
MINUS = r"[-\u2212\u2013]"
"""A hyphen, the minus sign, and the dash that word processors put for it."""
GROUPED_DIGITS = rf"(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]{{1,3}}(?:[{NO_BREAK}][0-9]{{3}})+|[0-9]+)"
UNSIGNED_AMOUNT = rf"(?:{GROUPED_DIGITS}(?:\.[0-9]+)?|\.[0-9]+)"
DOLLAR = rf"\${BLANKS}"
SIGN = rf"(?:{MINUS}|\+){BLANKS}"
SIGNED_AMOUNT = rf"(?:{DOLLAR}(?:{SIGN})?|{SIGN}(?:{DOLLAR})?)?{UNSIGNED_AMOUNT}"
AMOUNT_IN_PARENTHESES = rf"(?:{DOLLAR}\({UNSIGNED_AMOUNT}\)|\((?:{DOLLAR})?{UNSIGNED_AMOUNT}\))"
AMOUNT_FORM = rf"{BLANKS}(?:{SIGNED_AMOUNT}|{AMOUNT_IN_PARENTHESES}|{DOLLAR}{MINUS}){BLANKS}"
"""The last of the three is how spreadsheets write zero in books of account: a dash behind the currency."""
NEGATIVE_MARK = rf"(?:{MINUS}|\()"
"""What an amount below zero holds, and no other."""
EXACT_DECIMALS = r"[0-9]*(?:\.[0-9]{0,2}0*)?"
"""An amount's digits and point alone, of an amount that is exact in two decimals."""
STORABLE_DIGITS = r"0*[0-9]{0,16}(?:\.[0-9]{0,2}0*)?"
"""The same, of an amount that DECIMAL(18,2) holds."""

HOUR = r"(?:[01]?[0-9]|2[0-3])"
SIXTIETH = r"[0-5][0-9]"
CLOCK = rf"({HOUR}):({SIXTIETH})(?::({SIXTIETH})(?:\.([0-9]{{1,9}}))?)?"
HALF_OF_DAY = rf"[ {NO_BREAK}]?([AaPp])[Mm]"
TIME_OF_DAY = rf"{CLOCK}(?:{HALF_OF_DAY})?"
"""With a half of the day only the hours 1 to 12 are any: that is for the readers to see."""
UTC_OFFSET = r"(?:Z| UTC| ?[-+](?:(?:0[0-9]|1[0-7])(?::?[0-5][0-9])?|18(?::?00)?))"
ISO_DAY = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
ISO_FORM = rf"{ISO_DAY}(?:[ T]{TIME_OF_DAY}({UTC_OFFSET})?)?"
"""Groups: year, month, day, hour, minute, second, fraction, half of the day, offset."""
MONTH_FIRST_FORM = rf"([0-9]{{1,2}})/([0-9]{{1,2}})/([0-9]{{4}})(?: {TIME_OF_DAY})?"
"""Groups: month, day, year, hour, minute, second, fraction, half of the day."""
COMMIT_FORM = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}"
"""A commit timestamp as AWS DMS writes it, by which its column is found."""

ZIP_FORM = r"[0-9]{1,5}(?:\.0+)?"
MCC_FORM = r"[0-9]{1,4}(?:\.0+)?"
CHANNEL_FORM = r"(swipe|chip|online)(?: transaction)?"
"""Of the text in lower case. Group: the channel."""

CARD_NUMBER_FORM = r"[0-9]{13,19}"
"""A card number, its last digit being the check digit of ISO/IEC 7812-1, annex B."""
CARD_NUMBER_IN_TEXT = rf"[0-9](?:[ {NO_BREAK}\u2010\u2011\u2013\u2212-]{{0,3}}[0-9]){{12,}}"
"""A run of digits in other text that may hold a card number: blanks, hyphens and dashes may stand between them."""
CARD_NUMBER_RUN = 200
"""A longer run is nothing that a person writes: it is masked without a look at what is in it."""
DATE_AHEAD = r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
"""How the digits of a timestamp begin, and those of no card: no issuer has these numbers."""
GIVEN_NAME = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|tid-[0-9]+|[0-9a-f]{64}"
"""What programs call files by: a UUID, the id of a transaction of Databricks, and a SHA-256, as the ledger has."""
SECURITY_CODE_FORM = r"[0-9]{3,4}(?:\.0)?"

CSV_FIELD = r'(?:"[^"]*(?:""[^"]*)*"|[^",]*)'
"""A field of a record: without any quote, or in quotes as a whole, where `""` means one. Java needs its repetitions
possessive (`.replace("*", "*+")`), or long records exhaust its stack."""
EMPTY_FIELD = r'(?:"[ \t]*"|[ \t]*)'
EMPTY_RECORD = rf"{EMPTY_FIELD}(?:,{EMPTY_FIELD})*"
"""A line that holds nothing but empty fields: a blank line. Java needs its repetitions possessive, too."""
LINE_END_SIGN = r"[\r\x1a\x00]"
"""What belongs to the end of a line, however often it stands before the line feed or at the end of the file: the CR of
Windows, the Ctrl-Z of DOS, NULs that fill a file up."""


def csv_field(delimiter: str) -> str:
    """Return the field of a record whose fields another sign separates."""
    return CSV_FIELD.replace(",", delimiter)


def empty_record(delimiter: str) -> str:
    """Return the blank line of a file whose fields another sign separates."""
    return EMPTY_RECORD.replace(",", f"[{delimiter}]")


# From functions/kpi/contract/sql_types.py

MONEY = "decimal(18,2)"
EFFECT = "decimal(19,2)"
"""New minus before may need a digit more than either."""
TOTAL = "decimal(38,2)"
REPAIR_FIELDS: Mapping[str, str] = {
    "file_id": "string",
    "instant": "timestamp",
    "object_key": "string",
    "sequencer": "string",
    "version_id": "string",
    "row": "bigint",
}
"""The order of a repair's own object and row; before it the file that it repairs, which is the same for all rivals."""


def struct_of(fields: Mapping[str, str]) -> str:
    """Return the type of a struct with these fields."""
    return "struct<" + ", ".join(f"{name}: {sql_type}" for name, sql_type in fields.items()) + ">"


ORDER_FIELDS: Mapping[str, str] = {
    "position": "timestamp",
    "phase": "int",
    "instant": "timestamp",
    "object_key": "string",
    "sequencer": "string",
    "version_id": "string",
    "row": "bigint",
    "repair": struct_of(REPAIR_FIELDS),
}
ROW_ORDER = struct_of(ORDER_FIELDS)
"""The order of a row (section 4 of the data contract), compared field by field from the left."""


# From functions/kpi/contract/kinds.py


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


# From functions/kpi/contract/columns.py


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


# From functions/kpi/contract/closings.py

CLOSED_MONTHS = "closed"
CLOSED = "closed#"
"""What the ledger's keys of closed months begin with; the month follows, as `2026-06`."""
TOTALS_TABLE = "daily_totals"
"""The aggregate of Gold by day and channel, from which months are added up."""


class ChannelTotals(TypedDict):
    """Facts and money of a channel in a month."""

    row_count: int
    total_amount: str


class Closing(TypedDict):
    """With what a month was closed, at which cut, by whom."""

    run_seq: Annotated[int, "Gold's, which the totals show"]
    silver_run_seq: Annotated[int, "of that Gold run"]
    channels: Annotated[dict[str, ChannelTotals], "channel → `row_count` N, `total_amount` S; those with facts"]
    who: Annotated[str, "who closed it"]
    at: Annotated[str, "when it was closed"]
    reason: Annotated[str, "may be empty where it was closed for the first time"]


class ClosedItem(Closing):
    """An item per closed month (UTC)."""

    file_id: Annotated[str, "`closed#<month>`"]
    kind: Annotated[Literal["closed"], "`closed`"]
    month: Annotated[str, "`2026-06`"]
    snapshots: Annotated[dict[str, dict[str, int]], "the cut: layer → table → snapshot id; the totals outlive it"]
    earlier: NotRequired[Annotated[list[Closing], "with what it was closed before, the first first"]]


class ClosedMonthsItem(TypedDict):
    """The item that names the closed months: one look tells which of those that a run touches have an item."""

    file_id: Annotated[str, "`closed`"]
    kind: Annotated[Literal["closed months"], "`closed months`"]
    months: Annotated[set[str], "those that were ever closed"]


class MonthMoved(TypedDict):
    """A channel of a closed month that a Gold run has changed."""

    month: str
    channel: str
    closed: Annotated[ChannelTotals, "as it was closed"]
    before: ChannelTotals
    after: ChannelTotals


# From functions/kpi/contract/partitions.py


class PartitionOffsets(TypedDict):
    """The offsets of a Kafka partition that a file holds."""

    folder: Annotated[str, "of the topic, in Bronze: equal names in two folders are two topics"]
    topic: str
    partition: int
    first: int
    last: int


class OffsetSpan(TypedDict):
    """A span of offsets, both ends included."""

    first: int
    last: int


class KnownSpan(OffsetSpan):
    """A span of offsets that has come."""

    since: Annotated[str, "when it came, or the first that lies behind it"]


class PartitionItem(TypedDict):
    """An item per partition of a Kafka topic, which offsets of it have come in accepted files."""

    file_id: Annotated[str, "`offsets#`, and the hex SHA-256 of the topic's folder and the partition"]
    kind: Annotated[Literal["offsets"], "`offsets`"]
    folder: Annotated[str, "of the topic, in Bronze"]
    topic: str
    partition: int
    spans: Annotated[dict[str, KnownSpan], "by first and last offset; those that touch are joined now and then"]
    watched: Annotated[list[OffsetSpan], "gaps that a sweep has mailed or is mailing, until it has mailed their end"]
    places: NotRequired[
        Annotated[
            dict[str, str],
            "last offset of an accepted file without an `as-of` → the instant that orders it; the 500 that go furthest",
        ]
    ]
    placed: NotRequired[Annotated[int, "how often `places` was changed"]]


class PartitionsItem(TypedDict):
    """The item that lists the partitions."""

    file_id: Annotated[str, "`partitions`"]
    kind: Annotated[Literal["partitions"], "`partitions`"]
    ids: Annotated[set[str], "file ids of their items"]


# From functions/kpi/contract/items.py

StatusName = Literal["received", "accepted", "in_silver", "published", "rejected"]
LayerName = Literal["silver", "gold"]
ControlSource = Literal["metadata", "side-car", "trailer", "metadata and trailer", "side-car and trailer", "none"]


class StatusChange(TypedDict):
    """A change of a file's status."""

    status: StatusName
    at: str


class Checksum(TypedDict):
    """What S3 has computed over the bytes of an object."""

    algorithm: Annotated[str, "`SHA256`, `SHA1`, `CRC64NVME`, `CRC32C` or `CRC32`: the first of these that S3 knows"]
    value: Annotated[
        str, "base64; of an object sent in parts that ends in `-` and their number it is over the checksums of these"
    ]


class RejectionReason(TypedDict):
    """Why a file is rejected: a code of the data contract and a sentence with the figures."""

    code: str
    text: str


class RejectionMail(TypedDict):
    """Who sends the mail about a rejected file, since when, and when it was sent."""

    claimant: NotRequired[str]
    claimed_at: NotRequired[str]
    sent_at: NotRequired[str]


class FileFailure(TypedDict):
    """Why a file does not go on until it is resumed."""

    stage: Annotated[Literal["kpi", "silver", "gold"], "`kpi`: it was received, and no attempt could examine it"]
    reason: str
    attempts: Annotated[int, "calls of the function, or runs that took it"]
    at: str


class RunError(TypedDict):
    """Why a run for a file failed as a whole; the file waits on, and its workflow tries again."""

    stage: LayerName
    reason: str
    at: str


class FileFormat(TypedDict):
    """How a file is written: all that a reader must know before its first row. A marker has its kind alone."""

    kind: NotRequired[
        Annotated[
            str,
            "`csv`, `csv.gz`, `parquet`, `jsonl`, `jsonl.gz`, `json` (of `mcc_codes`); `load` of a marker; absent when "
            "the file was rejected before it was looked at, or is of another format",
        ]
    ]
    dialect: NotRequired[Annotated[str, "see *Dialects*"]]
    has_header: NotRequired[bool]
    columns: NotRequired[
        Annotated[list[str], "names as in the file, in order; without a header those of the contract; 200 at the most"]
    ]
    column_count: NotRequired[Annotated[int, "only where there are more columns than names"]]
    places: NotRequired[
        Annotated[
            dict[str, int],
            "known column, by its name in the contract → place in `columns` from 0; also `op`, `commit_at`",
        ]
    ]
    is_full_load: NotRequired[bool]
    null_text: NotRequired[Annotated[str, "only where a text means null"]]
    more_null_texts: NotRequired[Annotated[list[str], "only where the pin names several"]]
    delimiter: NotRequired[Annotated[str, "what separates fields; only where it is no comma"]]
    decimal: NotRequired[Annotated[str, "the decimal sign; only where it is no point"]]
    date_order: NotRequired[Annotated[str, "`day-first`; only where the month is not first"]]
    encodings: NotRequired[
        Annotated[
            dict[str, str],
            "column → `decimal` and the scale of its bytes, or the unit in which it counts instants since 1970; only "
            "`debezium`, where a schema says so",
        ]
    ]
    ordered_by: NotRequired[Annotated[str, "the name in the file of the commit timestamp; only where it has one"]]
    table: NotRequired[Annotated[str, "in lower case; only `dms cdc transactions`"]]
    table_places: NotRequired[
        Annotated[list[int], "a row that names `table` at none of these places is of another table"]
    ]
    types: NotRequired[Annotated[list[str], "Parquet only: type names, of `columns`"]]
    blank_lines_before_header: NotRequired[Annotated[int, "those that say `sep=` included"]]
    trailer_line: NotRequired[Annotated[int, "the line of the trailer record; only where there is one"]]
    odd_quote_lines: NotRequired[int]
    tombstones: NotRequired[Annotated[int, "records of Kafka that are no rows; only `debezium`, where it has some"]]


class DeclaredLoad(TypedDict):
    """What a marker declares."""

    name: str
    start_at: str
    files: Annotated[list[str], "file ids"]


class Waiver(TypedDict):
    """What a waiver says: rows of its file that break a rule need no repair."""

    rule: str
    who: str
    reason: str


class RepairsOfFile(TypedDict):
    """What became of a file's quarantined rows; those that are neither repaired nor waived are open."""

    by: Annotated[list[str], "file ids of the repairs and waivers that Silver has taken, in effect or not"]
    repaired: int
    waived: int


class FileKpis(TypedDict):
    """The figures of a file."""

    row_count: int
    distinct_keys: int
    duplicate_keys: int
    unreadable_keys: Annotated[int, "null or unreadable"]
    unreadable_amounts: int
    unreadable_dates: int
    negative_amounts: int
    zero_amounts: int
    bad_rows: Annotated[int, "rows that break a rule"]
    broken_rules: Annotated[dict[str, int], "rule → rows that break it, each row under every rule that it breaks"]
    total_amount: str
    positive_total: Annotated[str, "sum of the amounts above zero"]
    negative_total: Annotated[str, "sum of the amounts below zero"]
    key_sum: Annotated[int, "sum of the readable keys, modulo 10^16"]
    hash_total: Annotated[int, "sum of key times cents over the rows where both are readable, modulo 10^16"]
    first_at: NotRequired[Annotated[str, "readable dates; absent when none"]]
    last_at: NotRequired[Annotated[str, "readable dates; absent when none"]]
    operations: NotRequired[
        Annotated[dict[str, int], "`insert`, `update`, `delete`; good rows; only with an `op` column"]
    ]
    channels: Annotated[dict[str, int], "`swipe`, `chip`, `online`, `unknown`; broken rows excluded"]


class ControlTotals(TypedDict):
    """What a file's figures were compared with."""

    source: ControlSource
    row_count: NotRequired[int]
    total_amount: NotRequired[str]
    positive_total: NotRequired[str]
    negative_total: NotRequired[str]
    key_sum: NotRequired[int]
    hash_total: NotRequired[int]
    proven: bool


class Notice(TypedDict):
    """What the mails of the workflow say of a file, in words that can be sent as they are."""

    name: Annotated[str, "the key, with `<U+XXXX>` for what cannot be seen"]
    ending: Annotated[
        Literal["published", "published with warnings", "undone", "redone"], "for the subject; the last two of actions"
    ]
    text: Annotated[str, "warnings, and broken rows by rule with the command that shows them; may be empty"]


class SilverOfFile(TypedDict):
    """What Silver did with a file."""

    run_seq: int
    outcomes: Annotated[dict[str, int], "all seven"]
    amounts: Annotated[dict[str, str], "sum of the rows' amounts per outcome that occurs"]
    effect_amount: str
    missing: NotRequired[Annotated[int, "markers and repairs: living keys that they deleted, as nothing names them"]]
    moved: NotRequired[Annotated[int, "markers and repairs: keys whose value another row now gives"]]
    settled: NotRequired[
        Annotated[
            dict[str, int],
            "actions: keys `inserted`, `updated` and `deleted`, and those of the file whose value is `unchanged`",
        ]
    ]
    snapshots: Annotated[dict[str, int], "table → snapshot id"]
    report_sha256: NotRequired[Annotated[str, "of the run's report"]]


class GroupMovement(TypedDict):
    """A group of an aggregate whose money a run has moved."""

    group: Annotated[str, "its key, as in the table"]
    before: Annotated[str, "total amount"]
    after: Annotated[str, "total amount"]


class GoldChanges(TypedDict):
    """What a Gold run changed."""

    facts: Annotated[dict[str, int], "`inserted`, `updated`, `deleted`"]
    members: Annotated[dict[str, int], "dimension → members added"]
    days: Annotated[int, "days on which changed facts lie or lay"]
    groups: Annotated[dict[str, int], "aggregate → groups touched"]
    table: NotRequired[Annotated[str, "the aggregate of `largest`; absent when no group moved"]]
    largest: Annotated[list[GroupMovement], "the ten largest movements of one aggregate"]


class GoldNotice(TypedDict):
    """What the mails say of the Gold run that published a file, in words that can be sent as they are."""

    ending: Annotated[str, "for the subject; empty, or that a closed month was changed"]
    text: str


class GoldOfFile(TypedDict):
    """Which Gold run published a file."""

    run_seq: int
    snapshots: Annotated[dict[str, int], "table → snapshot id"]
    report_sha256: NotRequired[Annotated[str, "of the run's report"]]
    changes: NotRequired[Annotated[GoldChanges, "of the whole run, its other files included"]]
    closed: NotRequired[
        Annotated[list[MonthMoved], "closed months that the run has changed, by channel: the 20 largest movements"]
    ]
    notice: NotRequired[GoldNotice]


class Decision(TypedDict):
    """What an action decides: whether a file is in effect."""

    file_id: Annotated[str, "of the file"]
    in_effect: Annotated[bool, "false to undo it, true to redo it"]
    who: str
    at: str
    reason: Annotated[str, "may be empty"]
    number: Annotated[int, "how many decisions on the file there were before"]


class DecisionOfFile(TypedDict):
    """A decision on a file, once a Silver run has carried it out."""

    action: Annotated[str, "file id of the action"]
    in_effect: bool
    who: str
    at: str
    reason: str
    run_seq: Annotated[int, "Silver's"]


class FileItem(TypedDict):
    """An item per object version; and one per action, which has bucket to size of the file that it decides on."""

    file_id: Annotated[
        str,
        "hex SHA-256 of bucket, key and version id, joined by NUL characters; of an action, of `action`, the file's id "
        "and the decision's number",
    ]
    kind: Annotated[Literal["file", "action"], "`file`, `action`; hash key of the index `arrivals`"]
    subject: Annotated[
        str,
        "`transactions`, `cards`, `users`, `mcc_codes`, `load` for a marker, `waiver`; `undo` or `redo` for an action",
    ]
    bucket: Annotated[str, "of the object"]
    key: Annotated[str, "of the object"]
    version_id: Annotated[str, "of the object"]
    sequencer: Annotated[str, "of the object's event, padded with zeros on the right"]
    etag: Annotated[str, "of the object"]
    checksum: NotRequired[Annotated[Checksum, "of the object; only when S3 knows one"]]
    size: Annotated[int, "bytes"]
    last_modified_at: Annotated[
        str,
        "when the object was written: S3's second, the milliseconds of its event; range key of the index `arrivals`",
    ]
    as_of_at: NotRequired[
        Annotated[
            str,
            "when the extract was taken; only when given, or where offsets of Kafka order the file otherwise than that",
        ]
    ]
    status: Annotated[StatusName, "`received → accepted → in_silver → published`, or `rejected`; only forward"]
    in_effect: Annotated[bool, "false until accepted, then true, unless the newest decision says otherwise"]
    decisions: NotRequired[Annotated[list[DecisionOfFile], "each undo and redo of the file, in order"]]
    decides: NotRequired[Annotated[Decision, "actions only"]]
    repairs: NotRequired[Annotated[str, "repairs and waivers only: the file whose rows they close"]]
    waives: NotRequired[Annotated[Waiver, "waivers only"]]
    repaired: NotRequired[Annotated[RepairsOfFile, "only once a repair or a waiver of its rows was taken"]]
    waiting_for: NotRequired[
        Annotated[
            LayerName,
            "`silver` when accepted, `gold` when in Silver, absent otherwise and while `failed`; hash key of the "
            "sparse index `waiting`",
        ]
    ]
    waiting_since: NotRequired[Annotated[str, "instant of that status; range key of the index `waiting`"]]
    format: NotRequired[Annotated[FileFormat, "how the file is written"]]
    load: NotRequired[Annotated[DeclaredLoad, "markers only"]]
    offsets: NotRequired[Annotated[PartitionOffsets, "only where the key names offsets of Kafka"]]
    kpis: NotRequired[Annotated[FileKpis, "the figures of the file"]]
    control: NotRequired[Annotated[ControlTotals, "what was compared"]]
    warnings: NotRequired[Annotated[list[str], "sentences"]]
    notice: NotRequired[Annotated[Notice, "accepted files only"]]
    reasons: NotRequired[Annotated[list[RejectionReason], "only when rejected"]]
    rejection_mail: NotRequired[
        Annotated[
            RejectionMail,
            "only when rejected: who sends the mail, since when, and `sent_at` once it is sent; `sent_at` alone when "
            "Silver rejected the file, whose workflow sends it",
        ]
    ]
    failed: NotRequired[Annotated[FileFailure, "only while failed"]]
    last_error: NotRequired[Annotated[RunError, "only while it waits, after a run that its workflow started failed"]]
    silver: NotRequired[Annotated[SilverOfFile, "what Silver did with it"]]
    gold: NotRequired[Annotated[GoldOfFile, "which Gold run published it"]]
    execution_arn: NotRequired[Annotated[str, "of the workflow, the last one"]]
    parked: NotRequired[
        Annotated[str, "ARN of the execution that met an open breaker last; where it is the last one, no mail was sent"]
    ]
    resumes: NotRequired[Annotated[int, "how often it was resumed; its execution is then `<name>-r<resumes>`"]]
    changes: Annotated[list[StatusChange], "each status change"]


class InspectedFile(TypedDict):
    """What the inspection of a file adds to its item."""

    format: FileFormat
    control: ControlTotals
    warnings: list[str]
    load: NotRequired[DeclaredLoad]
    waives: NotRequired[Waiver]
    as_of_at: NotRequired[str]
    offsets: NotRequired[PartitionOffsets]
    kpis: NotRequired[FileKpis]
    reasons: NotRequired[list[RejectionReason]]


class AcceptedFile(InspectedFile):
    """What the acceptance of a file adds to its item."""

    notice: Notice


class PendingFigures(TypedDict):
    """The figures of an accepted file that is outside of the range."""

    file_id: str
    accepted_at: str
    row_count: int
    mean: Annotated[str, "mean amount"]


class RangeItem(TypedDict):
    """An item per prefix, what earlier accepted files looked like."""

    file_id: Annotated[str, "`range#<first folder>`"]
    kind: Annotated[Literal["range"], "`range`"]
    files: Annotated[int, "how many"]
    min_rows: Annotated[int, "the fewest rows"]
    max_rows: Annotated[int, "the most rows"]
    min_mean: Annotated[str, "the smallest mean amount"]
    max_mean: Annotated[str, "the largest mean amount"]
    pending: NotRequired[
        Annotated[list[PendingFigures], "files outside of the range, at most 20; each widens it after a day"]
    ]


# From functions/kpi/contract/runs.py


class PublishedRun(TypedDict):
    """What a layer shows its readers."""

    run_seq: int
    snapshots: Annotated[dict[str, int], "table → snapshot id"]
    report_sha256: NotRequired[Annotated[str, "of the run's report; absent of runs before the chain began"]]
    row_count: int
    total_amount: str
    floor: NotRequired[Annotated[str, "Silver: start of the newest complete load, absent when none"]]
    loads: NotRequired[Annotated[dict[str, str], "Silver: complete loads, marker's file id → start"]]
    incomplete_loads: NotRequired[
        Annotated[dict[str, str], "Silver: the same of markers that are undone, or list a file that is"]
    ]
    last_repair: NotRequired[Annotated[int, "Silver: the last run that took a repair, absent when none"]]
    silver_run_seq: NotRequired[Annotated[int, "Gold: the Silver run that it shows"]]
    silver_snapshots: NotRequired[Annotated[dict[str, int], "Gold: of that Silver run"]]
    silver_report_sha256: NotRequired[Annotated[str, "Gold: of that Silver run"]]


class Signature(TypedDict):
    """Who vouches for the head of a chain."""

    key: Annotated[str, "ARN of the KMS key"]
    algorithm: Annotated[str, "`RSASSA_PKCS1_V1_5_SHA_256`"]
    value: Annotated[str, "base64"]


class ChainHead(TypedDict):
    """The newest run of a layer in its chain of evidence: whoever knows it can check all runs before it."""

    run_seq: int
    sha256: Annotated[str, "of the run's report"]
    signature: NotRequired[Annotated[Signature, "over layer, run and hash; only with the parameter `SigningKeyArn`"]]


class RunInProgress(TypedDict):
    """What a run recorded before its first write."""

    run_seq: int
    token: Annotated[str, "fences out a second writer"]
    files: list[str]
    started_at: str
    attempts: NotRequired[Annotated[int, "Silver: runs that took these files, this one among them"]]
    start: NotRequired[Annotated[str, "which start of the job by the workflow it was; else it had none"]]
    silver: NotRequired[Annotated[PublishedRun, "Gold: `published` of the Silver run that it brings over"]]


class SuspectFiles(TypedDict):
    """Files of a run that failed: they are taken again, in a run of their own."""

    files: list[str]
    attempts: Annotated[int, "runs that took all of them, and failed"]
    run_seq: Annotated[int, "last committed run when the first of these failed"]


class RunIntent(TypedDict):
    """The commit of a run: what is left to be carried out."""

    run_seq: int
    branch: str
    snapshots: Annotated[dict[str, int], "table → snapshot id"]
    report: Annotated[str, "object key in the lake"]
    head: NotRequired[Annotated[ChainHead, "absent of a run that an earlier version committed"]]


class Cut(TypedDict):
    """What `current.json` in the lake names: the snapshots that belong together after a Gold run."""

    run_seq: Annotated[int, "Gold's"]
    silver_run_seq: int
    at: str
    snapshots: Annotated[dict[LayerName, dict[str, int]], "layer → table → snapshot id"]


class LayerItem(TypedDict):
    """An item per layer."""

    file_id: Annotated[str, "`layer#silver` or `layer#gold`"]
    kind: Annotated[Literal["layer"], "`layer`"]
    run_seq: Annotated[int, "last run that reached its commit point"]
    head: NotRequired[Annotated[ChainHead, "that run in the chain of evidence; absent until the chain begins"]]
    in_progress: NotRequired[Annotated[RunInProgress, "while a run works"]]
    suspects: NotRequired[Annotated[list[SuspectFiles], "Silver: files of failed runs, a run's in halves"]]
    intent: NotRequired[Annotated[RunIntent, "from the commit point until all is published"]]
    published: NotRequired[Annotated[PublishedRun, "what readers are shown"]]


class BreakerItem(TypedDict):
    """An item per layer: whether its runs succeed."""

    file_id: Annotated[str, "`breaker#silver` or `breaker#gold`"]
    kind: Annotated[Literal["breaker"], "`breaker`"]
    succeeded_at: NotRequired[Annotated[str, "when a run of the job last reached its end, or published something"]]
    starts: NotRequired[
        Annotated[set[str], "starts of the job since, each named by its execution: of runs that failed, or go on"]
    ]
    failures: NotRequired[Annotated[set[str], "starts since whose executions have seen them fail"]]
    opened_at: NotRequired[Annotated[str, "only while it is open: no run starts but the probes"]]
    prober: NotRequired[Annotated[str, "only while it is open: ARN of the execution that makes the probes"]]


class FileReport(TypedDict):
    """What a Silver run did with one file, as its report in the lake says."""

    outcomes: dict[str, int]
    amounts: dict[str, str]
    effect: str
    missing: NotRequired[int]
    moved: NotRequired[int]
    settled: NotRequired[dict[str, int]]
    decides: NotRequired[Decision]
    repairs: NotRequired[Annotated[dict[str, RepairsOfFile], "file id → its quarantined rows after the run"]]


class LayerTotals(TypedDict):
    """The totals of a layer after a run."""

    row_count: int
    total_amount: str
    floor: NotRequired[str]
    loads: NotRequired[dict[str, str]]
    incomplete_loads: NotRequired[dict[str, str]]
    last_repair: NotRequired[int]
    silver_run_seq: NotRequired[int]
    silver_snapshots: NotRequired[dict[str, int]]
    silver_report_sha256: NotRequired[str]


class SilverReport(TypedDict):
    """A Silver run's report."""

    files: dict[str, FileReport]
    totals: LayerTotals


class GoldReport(TypedDict):
    """A Gold run's report."""

    files: list[str]
    totals: LayerTotals
    changes: NotRequired[GoldChanges]
    months: NotRequired[Annotated[list[str], "in which changed facts lie or lay"]]


class TakenFile(TypedDict):
    """What the report of a run says of a file or an action that it took, so that it can be held to Bronze."""

    bucket: str
    key: str
    version_id: str
    etag: str
    checksum: NotRequired[Checksum]
    size: int
    came_at: Annotated[str, "when the object was written, or the action decided"]
    item_sha256: Annotated[str, "of what of its ledger item never changes"]


class Link(TypedDict):
    """What makes a run's report a link of the chain; the report of its layer stands beside it."""

    layer: LayerName
    run_seq: int
    previous: NotRequired[Annotated[ChainHead, "the run before; absent where the chain begins"]]
    taken: Annotated[dict[str, TakenFile], "file id → what was taken"]


# From functions/kpi/contract/limits.py

EARLIEST_YEAR = 1900
EARLIEST_INSTANT = "1900-01-01 00:00:00"
"""No date, commit timestamp, `as-of` or start of a load may lie before it."""
EARLIEST_US, LAST_US = -2_208_988_800_000_000, 253_402_300_799_999_999
"""The first instant that is read, and the last one of 9999, in microseconds since 1970."""
BEGINNING_OF_TIME = "1800-01-01 00:00:00"
"""Minus infinity as the tables write it: the position of an undeclared full load, the start of a first version."""
END_OF_TIME = "9999-12-31 00:00:00"
"""The end of a version that no later one ends."""
FUTURE_DAYS = 1
"""A date may be so many days later than its object's last-modified instant."""

RECORD_LINES = 64
"""A record of a CSV file has at most so many lines."""
LINE_BYTES = 64 << 20
"""A line of a CSV file, or what may become one record of several lines, has at most so many bytes."""
JSON_LINE_BYTES = 16 << 20
"""A line of JSON has at most so many bytes: Jackson, by which Spark decodes texts, takes none above 20 MB."""
JSON_LEVELS = 16
"""Objects and arrays of a line stand in each other at most so deep, the line's own object included."""
BLANK_LINES = 100_000
"""A file of text has at most so many lines without content, or as many as it has rows where that is more."""
INFLATION = 200
INFLATED_BYTES = 64 << 20
"""A gzip stream holds at most so many times its own bytes, once it has held this many: exports stay below fifty."""
SAMPLE_RECORDS = 1_000
"""The first block: so many records are looked at to tell how a file is written."""
CODES_BYTES = 16 << 20
"""A JSON file of `mcc_codes` has at most so many bytes."""
OBJECT_BYTES: Mapping[str, int] = {
    "csv": 8 << 30,
    "csv.gz": 2 << 30,
    "jsonl": 4 << 30,
    "jsonl.gz": 512 << 20,
    "json": CODES_BYTES,
    "parquet": 2 << 30,
}
"""A file has at most so many bytes, by its kind: each a quarter of what the KPI function reads in its 15 minutes on one
processor (42 MB of CSV a second, 10 MB of gzip, 13 MB of Parquet, 20 MB of JSON lines). A Parquet file is copied to
the function's 4 GB of disk, and the keys of so many rows need another gigabyte there."""
FILE_ROWS = 100_000_000
"""A file has at most so many rows, and at most what a run of Silver takes: `docs/limits.md` has the arithmetic."""
COLUMNS = 1_000
"""A file has at most so many columns."""
NAME_CHARACTERS = 300
"""The name of a column, or a text of a pin, has at most so many characters."""
COMPANION_BYTES = 256 << 10
"""A pin or a side-car has at most so many bytes."""
MARKER_BYTES = 4 << 20
MARKER_FILES = 2_000
"""A marker lists at most so many files."""
RUN_FILES = 2_000
"""A run takes at most so many files: its list lies in one DynamoDB item, which ends at 400 KB."""
WORKER_ROWS = 40_000_000
"""A run of Silver takes so many rows for each G.1X worker but the driver: two thirds of what its disk holds
(`docs/limits.md`)."""

AMOUNT_DIGITS = 16
"""An amount has at most so many significant digits before its point."""
AMOUNT_DECIMALS = 2
SEQUENCER_CHARACTERS = 32
"""Sequencers are padded on the right with zeros to so many characters."""
OFFSET_DIGITS = 20
"""An offset of Kafka has at most so many digits, which is how the names of Kafka's own segments are written. Card
numbers have fewer: with all its zeros no offset is one."""
SPANS = 500
"""So many spans of a partition's offsets are known apart: those of a partition with more gaps have none to be told."""
FAILURE_CHARACTERS = 2_000
"""The reason of a failure is cut to so many: the mail that carries it must stay below 8 KB."""
REASON_CHARACTERS = 300
"""A reason of a rejection, and a warning, has at most so many characters; longer ones are cut."""
STORED_REASONS = 10
STORED_WARNINGS = 20
STORED_NAMES = 200
"""The ledger keeps so many names of a file's columns, with their types, and counts the rest: an item ends at 400 KB."""
NOTICE_WARNINGS = 10
"""The mail about a published file lists so many of its warnings."""
PENDING_DAYS = 1
"""A file outside of the learned range widens it once it has stayed accepted for so many days."""
PENDING_FILES = 20
"""So many files outside of the learned range are kept aside at a time; later ones never widen it."""
EXAMPLE_RULES = 3
"""A file with too many broken rows shows the first row of so many rules, the most frequent ones."""
TOLD_RULES = 5
"""So many rules are named with the number of their rows; the others are counted."""
EXAMPLE_BLOCKS = 16
"""So many blocks of a rejected file are read again for its examples."""


# From functions/kpi/contract/subjects.py


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


# From functions/kpi/contract/rules.py


@dataclass(frozen=True)
class Rule:
    """A rule: its name, the fault of which column it finds, and when it is broken, in words.

    `limit` is what a comparison compares with, written as the texts of the column's kind are. Deletes carry no more
    than their key: they are tried by the rules that are `on_deletes` alone.
    """

    name: str
    column: str
    fault: Fault
    description: str = ""
    limit: str = ""
    on_deletes: bool = False


OTHER_TABLE = "other_table"
"""Its rows may be of any table, that of cards too: nothing of their text leaves Bronze."""
STRUCTURE_RULES = (
    Rule("malformed_quotes", "", Fault.STRUCTURE, "a quote is misused (section 2)", on_deletes=True),
    Rule(OTHER_TABLE, "", Fault.STRUCTURE, "the row is of another table (*Dialects*)", on_deletes=True),
    Rule("too_few_fields", "", Fault.STRUCTURE, "it has fewer fields than the header", on_deletes=True),
    Rule("too_many_fields", "", Fault.STRUCTURE, "it has more fields than the header", on_deletes=True),
    Rule("malformed_json", "", Fault.STRUCTURE, "the line is no JSON object (section 2.1)", on_deletes=True),
    Rule("repeated_name", "", Fault.STRUCTURE, "a name occurs twice in its JSON object", on_deletes=True),
    Rule(
        *("value_of_other_type", "", Fault.STRUCTURE),
        "a known column holds `true`, `false`, an object or an array of JSON",
        on_deletes=True,
    ),
)
"""Only the first of them that is broken is named, and no other rule is tried then."""

# Rule("amount_above_limit", "amount", Fault.ABOVE_LIMIT, "more than 10,000", limit="10000.00") is such a rule.
COMPARISONS: Mapping[str, tuple[Rule, ...]] = {
    "transactions": (),
    "cards": (),
    "users": (),
    "mcc_codes": (),
}
"""Per subject the rules that compare a column's value with a limit; they come after all others."""

ENDINGS: Mapping[Fault, str] = {Fault.MALFORMED: "unreadable"}
"""How a rule's name ends where it does not end with its fault."""
CHANGE_ENDINGS: Mapping[str, str] = {"op": "unknown", "commit_at": "unreadable"}
"""The same of the columns of changes, for a value that is not given."""
CHANGE_RULES = tuple(
    Rule(
        f"{column.name}_{CHANGE_ENDINGS[column.name] if fault is Fault.NOT_GIVEN else fault}",
        *(column.name, fault, column.kind.faults[fault]),
        on_deletes=True,
    )
    for column in CHANGE_COLUMNS
    for fault in column.tested_faults
)
"""The rules of the columns that tell a change, each tried in files that have the column."""


def column_rules(column: SourceColumn, *, is_key: bool) -> tuple[Rule, ...]:
    """Return the rules that follow from a column's kind."""
    texts = {Fault.MISSING: "null", **column.kind.faults}
    return tuple(
        Rule(f"{column.name}_{ENDINGS.get(fault, fault)}", column.name, fault, texts[fault], on_deletes=is_key)
        for fault in column.tested_faults
    )


def value_rules(subject: Subject) -> tuple[Rule, ...]:
    """Return the rules that are tried on rows of sound structure, in their order."""
    of_columns = [column_rules(column, is_key=column.name == subject.key) for column in subject.columns]
    compared = COMPARISONS.get(subject.name, ())
    return (*CHANGE_RULES, *(rule for rules in of_columns for rule in rules), *compared)


def rules_of(subject: Subject) -> tuple[Rule, ...]:
    """Return all rules of a subject's rows, in their order."""
    return (*STRUCTURE_RULES, *value_rules(subject))


# From functions/kpi/contract/dimensions.py


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


# From functions/kpi/contract/aggregates.py


class Period(StrEnum):
    """The time over which an aggregate sums; its value is the name of the column with the period's first day."""

    DAY = "transacted_on"
    WEEK = "week"
    """From Monday, also where it lies in two months."""
    MONTH = "month"
    QUARTER = "quarter"
    ALL_TIME = ""
    """No column: one sum over all facts of a group."""


@dataclass(frozen=True)
class Grouping:
    """What an aggregate may tell apart: its columns, the first being the group's key, and the fact's column behind it.

    A client's or a card's sums do not fall apart where a new version begins: all versions count under the key of the
    first one, so the fact's natural key is what they are grouped by.
    """

    columns: Mapping[str, str]
    of_fact: str

    @property
    def key(self) -> str:
        return next(iter(self.columns))


GROUPINGS: Mapping[str, Grouping] = {
    **{name.removeprefix("dim_"): Grouping({each.key: "bigint"}, each.key) for name, each in DIMENSIONS.items()},
    **{
        name.removeprefix("dim_"): Grouping({each.key: "bigint", each.natural: "bigint"}, each.natural)
        for name, each in VERSIONED_DIMENSIONS.items()
    },
    "channel": Grouping({"channel": "string"}, "channel_key"),
}
"""By dimension, without `dim_`; of a channel the name is shown, `unknown` when it is null."""
MEASURES: Mapping[str, str] = {"row_count": "bigint", "total_amount": TOTAL}
"""What each aggregate holds of a group: how many facts, and their money."""


@dataclass(frozen=True)
class AggregateTable:
    """An aggregate of the facts by period and by dimensions, the names of `GROUPINGS`."""

    name: str
    period: Period
    dimensions: tuple[str, ...]
    description: str

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        return tuple(GROUPINGS[name] for name in self.dimensions)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart; they are in this order, too."""
        period = (str(self.period),) if self.period else ()
        return (*period, *(grouping.key for grouping in self.groupings))

    @property
    def schema(self) -> Mapping[str, str]:
        """The columns of the table with their types."""
        period = {str(self.period): "date"} if self.period else {}
        groups = {name: sql_type for grouping in self.groupings for name, sql_type in grouping.columns.items()}
        return {**period, **groups, **MEASURES}


AGGREGATES: Mapping[str, AggregateTable] = {
    aggregate.name: aggregate
    for aggregate in (
        AggregateTable("daily_totals", Period.DAY, ("channel",), "Each day by channel."),
        AggregateTable("monthly_merchant_totals", Period.MONTH, ("merchant",), "Each month by merchant."),
        AggregateTable("monthly_client_totals", Period.MONTH, ("client",), "Each month by client."),
    )
}


# From functions/kpi/contract/tables.py


@dataclass(frozen=True)
class LakeTable:
    """A table: its columns with their types, and how its files are laid out.

    `key` tells its rows apart. A replay compares all columns but `of_the_run`, which tell of the run that wrote a row
    and not of the row; a table that is only what runs changed is not compared at all. Of a table that keeps each
    accepted or rejected row of a file, `amount_of_file` gives the money that counts for the file, `0` for none.
    """

    name: str
    layer: str
    schema: Mapping[str, str]
    description: str
    key: tuple[str, ...]
    partitioning: str = ""
    sort_order: str = ""
    of_the_run: frozenset[str] = frozenset()
    is_compared: bool = True
    amount_of_file: str | None = None

    @property
    def column_list(self) -> str:
        """The columns as a CREATE TABLE lists them."""
        return ", ".join(f"{name} {sql_type}" for name, sql_type in self.schema.items())


IMAGE = TRANSACTIONS.image
VALUES = TRANSACTIONS.values
WRITER = {"file_id": "string", "row": "bigint"}
STATE = {**IMAGE, "content_hash": "bigint", "row_order": ROW_ORDER, **WRITER}
HISTORY = {
    **STATE,
    "op": "string",
    "line": "bigint",
    "outcome": "string",
    "effect_amount": EFFECT,
    "run_seq": "bigint",
    "repairs": "string",
}
BEFORE_AFTER = struct_of(VALUES)
EFFECTS = {
    "run_seq": "bigint",
    "cause": "string",
    "dms_id": "bigint",
    "before": BEFORE_AFTER,
    "after": BEFORE_AFTER,
    "effect_amount": EFFECT,
    **WRITER,
}
QUARANTINE = {
    **WRITER,
    "line": "bigint",
    "raw": "string",
    "rules": "array<string>",
    "amount": MONEY,
    "row_order": ROW_ORDER,
    "run_seq": "bigint",
    "repaired_by": "string",
}
DECISIONS = {
    "run_seq": "bigint",
    "file_id": "string",
    "in_effect": "boolean",
    "who": "string",
    "at": "timestamp",
    "reason": "string",
}
TOMBSTONES = {"dms_id": "bigint", "row_order": ROW_ORDER, **WRITER}
OF_A_REFERENCE_ROW = {
    "op": "string",
    "content_hash": "bigint",
    "row_order": ROW_ORDER,
    **WRITER,
    "line": "bigint",
    "outcome": "string",
    "run_seq": "bigint",
}
"""What a row of a reference table has beside its image."""
BY_RUN = "PARTITIONED BY (truncate(1000, run_seq))"
OF_ITS_TAKING = frozenset({"outcome", "effect_amount", "run_seq"})
PLACE_IN_FILE = ("file_id", "row")

SILVER_TABLES: Mapping[str, LakeTable] = {
    table.name: table
    for table in (
        LakeTable(
            *("transaction_history", "silver", HISTORY),
            "One row per accepted input row, append-only: the image after it, its order and its outcome.",
            key=PLACE_IN_FILE,
            partitioning=BY_RUN,
            of_the_run=OF_ITS_TAKING,
            amount_of_file="amount",
        ),
        LakeTable(
            *("quarantine", "silver", QUARANTINE),
            "One row per rejected input row: its place, its raw text, and the names of all broken rules.",
            key=PLACE_IN_FILE,
            partitioning=BY_RUN,
            of_the_run=frozenset({"run_seq"}),
            amount_of_file="amount",
        ),
        LakeTable(
            *("decisions", "silver", DECISIONS),
            "One row per undo or redo, append-only: the newest of a file says whether it is in effect.",
            key=("file_id", "at"),
            of_the_run=frozenset({"run_seq"}),
        ),
        LakeTable(
            *("transaction_effects", "silver", EFFECTS),
            "One row per key that a run changed, append-only: its image before and after.",
            key=("run_seq", "dms_id"),
            partitioning=BY_RUN,
            is_compared=False,
        ),
        *(
            LakeTable(
                *(name, "silver", {**reference.image, **OF_A_REFERENCE_ROW}),
                "One row per accepted input row, append-only: the newest one of files in effect is its key's state.",
                key=PLACE_IN_FILE,
                of_the_run=frozenset({"outcome", "run_seq"}),
                amount_of_file="0",
            )
            for name, reference in REFERENCES.items()
        ),
        LakeTable(
            *("tombstones", "silver", TOMBSTONES), "One row per deleted key: the order of its delete.", key=("dms_id",)
        ),
        LakeTable(
            *("transactions", "silver", STATE),
            "One row per living `dms_id`: its values, its order and its last writer.",
            key=("dms_id",),
            sort_order="dms_id",
        ),
    )
}
"""History goes first when a run is published: a reader never sees a state whose cause is missing."""

FACT_IMAGE: tuple[str, ...] = ("card_id", "client_id", "amount")
"""The columns of Silver's image that a fact has as they are."""
LATER_FACT_IMAGE: tuple[str, ...] = ()
"""The same, of those that came after the first version."""
FACT = {
    "dms_id": "bigint",
    "transacted_at": "timestamp",
    "transacted_on": "date",
    "date_key": "int",
    **{dimension.key: "bigint" for dimension in ALL_DIMENSIONS.values()},
    **{name: IMAGE[name] for name in FACT_IMAGE},
    "has_error": "boolean",
    **{name: IMAGE[name] for name in LATER_FACT_IMAGE},
}

GOLD_TABLES: Mapping[str, LakeTable] = {
    table.name: table
    for table in (
        LakeTable("dim_date", "gold", CALENDAR, "The calendar.", key=("date_key",), sort_order="date_key"),
        *(
            LakeTable(
                name, "gold", dimension.schema, dimension.description, key=(dimension.key,), sort_order=dimension.key
            )
            for name, dimension in ALL_DIMENSIONS.items()
        ),
        LakeTable(
            *("fact_transactions", "gold", FACT),
            "One row per living `dms_id`: its measures and the keys of all dimensions.",
            key=("dms_id",),
            sort_order="transacted_on, dms_id",
        ),
        *(
            LakeTable(
                *(name, "gold", aggregate.schema, aggregate.description),
                key=aggregate.key,
                sort_order=", ".join(aggregate.key),
            )
            for name, aggregate in AGGREGATES.items()
        ),
    )
}
"""Dimensions go first when a run is published: a fact never points to a member that readers do not see yet."""
TABLES: Mapping[str, LakeTable] = {
    f"{table.layer}.{table.name}": table for table in (*SILVER_TABLES.values(), *GOLD_TABLES.values())
}


# From functions/kpi/contract/vocabulary.py

CHANNELS = ("swipe", "chip", "online")
UNKNOWN = "unknown"
"""A channel that is null, and the member of each dimension that a fact without a value points to."""
CHANNEL_SPELLINGS: Mapping[str, str] = {
    f"{channel}{tail}": channel for channel in CHANNELS for tail in ("", " transaction")
}
"""The texts of `use_chip`, in lower case, with the channel that each means."""

OPERATIONS = ("I", "U", "D")
OPERATION_NAMES = ("insert", "update", "delete")
OPERATION_SPELLINGS: Mapping[str, str] = {
    spelling: operation
    for operation, name in zip(OPERATIONS, OPERATION_NAMES, strict=True)
    for spelling in (operation.lower(), name)
}
"""The texts of an operation, in lower case, with the letter that stands in the tables."""

OUTCOMES: Mapping[str, str] = {
    "quarantined": "breaks a rule of section 3.1",
    "unchanged": (
        "identical to the key's state before the run, whatever its order; a delete of a key that is not there"
    ),
    "stale": "older than the key's stored order: of its living row, its tombstone, or the floor",
    "superseded": "not the newest row of its key in this run",
    "inserted": "the newest, and its key was not there",
    "updated": "the newest, and it changes the values of its key",
    "deleted": "the newest, and it deletes its key",
}
"""What becomes of a row: exactly one of these, the first that applies."""
STATUSES = ("received", "accepted", "in_silver", "published")
"""A file's status moves along these and never back; or it ends `rejected`."""
ACCEPTED, IN_SILVER = STATUSES[1:], STATUSES[2:]
"""Those of a file that was accepted, and of one whose rows Silver has."""
REJECTED = "rejected"
LAYERS = ("silver", "gold")
CURRENT_CUT, KEPT_CUTS = "current.json", "cuts.json"
"""The objects of the lake bucket that name the newest readers' cut, and those that are kept."""
REPORT_PAGES = "reports/"
"""Where the pages of the months lie in the lake bucket, each named like `2026-06.html`."""
CAUSES: Mapping[str, str] = {
    "file": "a row of a file",
    "load": "the reload that a marker declares",
    "undo": "a file that an operator has undone",
    "redo": "an undone file that is in effect again",
    "repair": "a repair of quarantined rows",
}
"""Why a key changed, as `transaction_effects` tells it."""

UPLOAD = "upload"
FULL_LOAD = "dms full load"
CHANGES = "dms cdc"
ORDERED_CHANGES = "dms cdc transactions"
DEBEZIUM = "debezium"
DIALECTS: Mapping[str, str] = {
    UPLOAD: "none of the names below, and no `op` column",
    FULL_LOAD: (
        "the last part of the key is `LOAD`, eight hexadecimal digits and the ending, with an optional `…_` before "
        "`LOAD`; its rows have phase 0 (section 4)"
    ),
    CHANGES: (
        "the last part of the key is `YYYYMMDD-`, nine or more digits and the ending; or there is an `op` column and "
        "none of the other names"
    ),
    ORDERED_CHANGES: (
        "the last part of the key begins with `CDC_TXN-`: operation, and two columns with table and schema (in either "
        "order) before the values"
    ),
    DEBEZIUM: (
        "the objects of a JSON lines file, or what they have as `payload` beside `schema`, have `op`, and `after` or "
        "`before`; rows of snapshot reads (`r`) have phase 0 (section 4)"
    ),
}
"""How a file is written, and by what it is told."""
NULL_OF_DMS = "NULL"
"""The text that means null in the three dialects of AWS DMS."""

REASON_CODES: Mapping[str, str] = {
    "object_gone": "the object version was deleted before it was read",
    "empty_file": "zero bytes (or nothing inside the gzip)",
    "no_rows": (
        "a header and nothing else, nothing but tombstones under a key that names no offsets of Kafka, or fewer rows "
        "than the parameter `MinimumRows`"
    ),
    "missing_column": "a required column is missing",
    "duplicate_column": "a column occurs twice",
    "unsupported_format": (
        "the file is neither CSV, JSON lines, gzip of one of them, nor Parquet: see *Formats that are not read*"
    ),
    "file_too_large": (
        "it has more than 8 GiB of CSV, 4 GiB of JSON lines, 2 GiB of Parquet or gzip CSV, or 512 MiB of gzip JSON"
    ),
    "too_many_rows": (
        f"it has more rows than a run of Silver takes, {WORKER_ROWS // 10**6} million for each worker of `GlueWorkers` "
        f"but the first, or more than {FILE_ROWS // 10**6} million"
    ),
    "too_many_columns": "it has more than 1,000 columns",
    "long_column_name": "the name of a column has more than 300 characters",
    "not_utf8": "the text is not UTF-8; UTF-16 and UTF-32 are named",
    "truncated_gzip": "the gzip stream ends early, is damaged, or is followed by zeros",
    "suspicious_compression": "a gzip stream holds more than 200 times its own bytes, beyond the first 64 MB",
    "too_many_blank_lines": "a file of text has more than 100,000 lines without content, and more of them than rows",
    "endless_line": (
        "a line of a CSV file, or what may become one record of several lines, is longer than 64 MB; or a JSON line is "
        "longer than 16 MB"
    ),
    "unreadable_parquet": (
        "the Parquet footer or a page cannot be read, by one of the engines, or does not match its checksum"
    ),
    "unreadable_json": "a file of `mcc_codes` is not one JSON object, code → description, or has a code twice",
    "unsupported_column_type": (
        "a Parquet column that is read has a type that section 3.3 does not list (money as floating point is one), or "
        "any column has one with which Spark cannot open a file"
    ),
    "row_count_mismatch": "the control total of rows differs",
    "total_amount_mismatch": "the control total of money differs",
    "positive_total_mismatch": "the control total of the amounts above zero differs",
    "negative_total_mismatch": "the control total of the amounts below zero differs",
    "key_sum_mismatch": "the control total of the ids differs",
    "hash_total_mismatch": "the control total of ids times cents differs: an amount stands at another id",
    "missing_trailer": "the pin requires a trailer record, and the file does not end in one",
    "unreadable_control": "the control totals or `as-of` cannot be read",
    "ambiguous_dialect": "what the file holds can be read in two ways: see *Dialects*",
    "unreadable_dialect": "the pin of the file's folder cannot be used: see *Dialects*",
    "day_first_dates": "dates can only be read with the day first, and no pin says so: see *Ways of writing*",
    "decimal_commas": "amounts can only be read with a decimal comma, and no pin says so: see *Ways of writing*",
    "values_without_name": "values stand under a column that has no name",
    "card_numbers": (
        "the key holds a card number (section 3.4); a column of a transactions file looks like card numbers, in "
        "nine of ten of at least five values of the first block; or a column of ids does, in nine of ten of at least "
        "five values as long as card numbers"
    ),
    "card_security_codes": (
        "a file of cards has security codes, and the parameter `CardSecurityCodes` is `refuse`; or a column of a "
        "transactions file is named like one (`cvv`, `cvc`, `cvv2`, `cvc2`, `cid`, `security_code`, "
        "`card_security_code`) and holds three or four digits; customers in `cid` need another name"
    ),
    "multi_line_records": (
        "a file of cards has odd quotes: its records must be single lines, so that card numbers can be taken out of "
        "each"
    ),
    "unreadable_load": "a marker is not JSON, or not of the form of section 9",
    "load_file_missing": "a marker lists an object version that is not in Bronze, that was rejected, or that failed",
    "unknown_original": "a repair or a waiver is of a file that was not accepted, or that cannot be repaired",
    "broken_repair": "a row of a repair breaks a rule: a repair is taken whole or not at all",
    "unreadable_waiver": "a waiver is not JSON, or not of the form of section 11",
    "not_in_quarantine": (
        "a repair names a row twice, or one that is not in quarantine; or a waiver a rule that no row of its file "
        "breaks; Silver decides this"
    ),
    "would_delete": (
        "a reload would delete a larger share of the living rows than the parameter `MaximumMissingShare`; Silver "
        "decides this"
    ),
    "held_warnings": "the file has warnings, and the parameter `HoldWarnings` is true",
    "too_many_bad_rows": "the share of rows to be quarantined is above the parameter `MaximumBadShare`",
}
"""Why a file is rejected: each code with when it is given."""


# From functions/kpi/contract/writing.py

COMMA = ","
DELIMITERS: Mapping[str, str] = {COMMA: "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may separate the fields of a CSV file, each with its name."""
DECIMAL_SIGNS = (".", ",")
"""Of the two one is the decimal sign, the other groups digits in threes."""
MONTH_FIRST, DAY_FIRST = "month-first", "day-first"
DATE_ORDERS = (MONTH_FIRST, DAY_FIRST)
"""How dates with slashes are read."""
DAY_FIRST_START = "^([ \\t]*)([0-9]{1,2})/([0-9]{1,2})/"
"""How a date with the day first begins: blanks, day, month."""
NULL_WORDS = ("nan", "none", "null", "<na>", "\\n", "n/a", "#n/a", "na", "nat")
"""What other programs write where nothing is, in lower case. In a list of names such a word is null; elsewhere it is a
text like any other, with a warning."""

_DAY = "(?:1[3-9]|2[0-9]|3[01])"
_DAY_OR_MONTH = "(?:0?[1-9]|1[0-2])"
_YEAR = "/[0-9]{4}(?:[^0-9].*)?"
DATE_ORDER_PROOFS: Mapping[str, str] = {
    MONTH_FIRST: f"{_DAY_OR_MONTH}/{_DAY}{_YEAR}",
    DAY_FIRST: f"{_DAY}/{_DAY_OR_MONTH}{_YEAR}",
}
"""Dates that are in the calendar in one order alone."""
DATE_IN_EITHER_ORDER = f"({_DAY_OR_MONTH})/({_DAY_OR_MONTH}){_YEAR}"
"""Dates that are in the calendar in both; they are two different ones where the groups are."""


def _decimals_after(sign: str, grouping: str) -> str:
    """Return the form of numbers that can only be read with this decimal sign, between anything but digits."""
    number = (
        f"(?:[0-9]{{1,3}}(?:[{grouping}][0-9]{{3}})+[{sign}][0-9]+|[0-9]{{1,3}}(?:[{grouping}][0-9]{{3}}){{2,}}|"
        f"[0-9]*[{sign}](?:[0-9]{{1,2}}|[0-9]{{4,}})|(?:[0-9]{{4,}}|0[0-9]*|)[{sign}][0-9]{{3}})"
    )
    return f"[^0-9.,]*{number}[^0-9.,]*"


DECIMAL_SIGN_PROOFS: Mapping[str, str] = {".": _decimals_after(".", ","), ",": _decimals_after(",", ".")}
"""Amounts that are none with the other sign: two decimals, or both signs in one amount."""
THREE_DIGITS_BEHIND: Mapping[str, str] = {
    sign: f"[^0-9.,]*[1-9][0-9]{{0,2}}[{sign}][0-9]{{3}}[^0-9.,]*" for sign in DECIMAL_SIGNS
}
"""Amounts whose only sign may be the decimal sign, or group digits: `1.500`, `173,900`."""


def delimiter_text(delimiter: str) -> str:
    """Return what separates fields as a sentence says it."""
    return f"{DELIMITERS[delimiter]} ({delimiter!r})"


# From glue/lake/spark.py

ROWS_A_PARTITION = 250_000  # about 50 MB of rows with their images and orders
ROWS_A_BLOCK = 1_000_000  # of a file, as Spark cuts CSV
HASHES_A_PARTITION = 32  # so many that one leads to each of thousands of partitions
SCAN_BYTES = 64 << 20  # a file of a first load has 30 to 40 MB; half of Spark's own setting
BROADCAST_KEYS = 1_000_000  # some 100 MB of hash table
ALWAYS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "false"}
LOOKED_UP_ONCE = {"functions": ("col", "lit", "when", "coalesce"), "PythonUtils": ("toSeq",), "org": (), "py4j": ()}
"""Names of the JVM that PySpark asks for with each column, and members of these."""
Result = TypeVar("Result")


def session(name: str, settings: Mapping[str, str]) -> SparkSession:
    """Return the session of a job, with the settings that its layer needs."""
    builder = SparkSession.builder.appName(name)
    for setting, value in {**ALWAYS, **settings}.items():
        builder = builder.config(setting, value)
    made = builder.getOrCreate()
    _remember_names(jvm(made))
    return made


def jvm(spark: SparkSession) -> Any:
    """Return the JVM behind a session."""
    return spark._jvm


def is_at_work(spark: SparkSession) -> bool:
    """Tell whether a session can still do anything: its JVM may have been killed, or its context stopped."""
    try:
        return not spark.sparkContext._jsc.sc().isStopped()
    except (Py4JError, OSError):
        return False


def _remember_names(view: Any) -> None:
    """Keep what py4j would else ask for anew each time; the JVM seeks a name in the jars of every imported package."""
    for name, members in LOOKED_UP_ONCE.items():
        setattr(view, name, found := getattr(view, name))
        for member in members:
            setattr(found, member, getattr(found, member))


def in_parallel(tasks: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
    """Return the results of independent tasks, carried out side by side; the first error is raised.

    For small ones the driver mostly plans, and waits for storage.
    """
    with ThreadPoolExecutor(4) as pool:
        begun = {name: pool.submit(task) for name, task in tasks.items()}
        return {name: task.result() for name, task in begun.items()}


def checkpointed(rows: DataFrame) -> DataFrame:
    """Return rows that are computed once, by the first use; later plans begin at the result and stay small.

    They are kept as bytes: a large run has more rows than memory holds as objects.
    """
    kept = rows.localCheckpoint(eager=False)
    levels = jvm(rows.sparkSession).org.apache.spark.storage.StorageLevel
    kept._jdf.logicalPlan().rdd().persist(levels.MEMORY_AND_DISK_SER())
    return kept


def once(value: Column, function: Callable[[Column], Column]) -> Column:
    """Return what a function makes of a value that it names several times: Spark would compute it at each place."""
    return F.transform(F.array(value), function)[0]


def united(parts: Sequence[DataFrame]) -> DataFrame:
    """Return the rows of all parts, computed once if there are several: what follows is planned and compiled once."""
    return parts[0] if len(parts) == 1 else checkpointed(reduce(DataFrame.unionByName, parts))


def forget(spark: SparkSession) -> None:
    """Free the memory and the disk of what earlier runs of this process have computed."""
    for kept in spark.sparkContext._jsc.getPersistentRDDs().values():
        kept.unpersist()


def broadcast_if_small(keys: DataFrame, most: int) -> DataFrame:
    """Return at most `most` keys, to be joined by a lookup in each task if they are few."""
    return F.broadcast(keys) if most <= BROADCAST_KEYS else keys


def laid_out(rows: DataFrame, count: int, *by: str) -> DataFrame:
    """Return about `count` rows as files shall hold them: few in one; many by an order over all files, if one is given.

    Within a file the table's own order rules.
    """
    if count <= ROWS_A_PARTITION:
        return rows.coalesce(1)
    return rows.orderBy(*by) if by else rows


def partitions_for(rows: int, cores: int) -> int:
    """Return into how many partitions rows are brought: few for an increment, for more whole rounds of the cores."""
    wanted = 2 + rows // ROWS_A_PARTITION
    return wanted if wanted <= cores else -(-wanted // cores) * cores


def size_shuffles(spark: SparkSession, rows: int) -> None:
    """Set the shuffle partitions by the rows of a run: each costs a task, and its rows must fit into one's memory."""
    partitions = partitions_for(rows, spark.sparkContext.defaultParallelism)
    spark.conf.set("spark.sql.shuffle.partitions", str(partitions))


def in_partitions(rows: DataFrame, count: int, number: Column) -> DataFrame:
    """Return rows in `count` partitions, each row in the one that `number` says, from 0.

    Spark places a row by a hash: of each partition's number stands an integer whose hash leads there.
    """
    drawn = rows.sparkSession.range(HASHES_A_PARTITION * count)
    leading = drawn.groupBy(F.pmod(F.hash("id"), F.lit(count)).alias("to")).agg(F.min("id").alias("id")).collect()
    found = {row["to"]: row["id"] for row in leading}
    numbers = F.array(*[F.lit(found.get(to, 0)).cast("bigint") for to in range(count)])
    return rows.repartition(count, F.get(numbers, number))


def size_scans(spark: SparkSession) -> None:
    """Let each task read one of a table's usual files: the last one of a few long tasks leaves cores idle.

    To be called once the run's input is read, whose tasks each become a file of the tables.
    """
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(SCAN_BYTES))


def local_rows(spark: SparkSession, rows: Sequence[Mapping[str, object]], schema: str) -> DataFrame:
    """Return a few rows of the driver as a DataFrame that Spark can broadcast without a Python worker."""
    rows_of = T.ArrayType(T._parse_datatype_string(schema))
    return spark.range(1).select(F.inline(F.from_json(F.lit(json.dumps(rows)), rows_of)))


# From glue/lake/positions.py

POSITION_DELETES = "file_path string, pos bigint"
PLACE = f"struct<{POSITION_DELETES}>"
DELETES_BY_DRIVER = 1_000  # 0.2 s
FIELD_IDS = {"file_path": 2147483546, "pos": 2147483545}  # reserved by Iceberg's specification


def loaded_table(spark: SparkSession, name: str) -> Any:
    """Return a table as Iceberg's Java API has it, at the state at which this session has loaded it."""
    return jvm(spark).org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, name)


def iceberg_table(spark: SparkSession, name: str) -> Any:
    """Return a table as Iceberg's Java API has it, at its newest state: a request to the catalog."""
    iceberg = loaded_table(spark, name)
    iceberg.refresh()
    return iceberg


def place_of_row() -> Column:
    """Return the place of a row that Iceberg has read."""
    return F.struct(F.col("_file").alias("file_path"), F.col("_pos").alias("pos")).alias("place")


def ancestry(iceberg: Any, snapshot: Any) -> Iterator[Any]:
    """Yield a snapshot and those before it, as far as they have not expired; none for a table without snapshots."""
    while snapshot is not None:
        yield snapshot
        snapshot = iceberg.snapshot(snapshot.parentId()) if snapshot.parentId() is not None else None


def planned_files(scan: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data files of a scan, and their files of position deletes, as Iceberg describes them, by path."""
    planned = scan.planFiles()
    tasks = planned.iterator()
    files: dict[str, Any] = {}
    deletes: dict[str, Any] = {}
    while tasks.hasNext():
        task = tasks.next()
        files[str(task.file().location())] = task.file()
        deletes |= {str(delete.location()): delete for delete in task.deletes()}
    planned.close()
    return files, deletes


def read_files(spark: SparkSession, schema: str | StructType, paths: Iterable[str]) -> DataFrame:
    """Read files of a table without Iceberg, which counts days before 1582 as Spark does since version 3."""
    return spark.read.schema(schema).option("datetimeRebaseMode", "CORRECTED").parquet(*paths)


def rows_of_keys(
    spark: SparkSession,
    iceberg: Any,
    name: str,
    keys: DataFrame,
    names: Iterable[str],
    *,
    between: tuple[int, int],
    most: int,
) -> DataFrame:
    """Return columns of a table's rows under the keys of another one, and the `place` of each row.

    `keys` has one column and at most `most` rows, in a range. Iceberg reads structs and lists row by row, and keys may
    lie in all files. So it only tells which files may hold the keys and which of their rows are dead; Spark's own
    reader, which takes columns, reads them. A MERGE would join all the table holds.
    """
    (key,), (low, high), as_seen = keys.columns, between, spark.table(name)
    files, deletes, is_wide = _files_between(spark, iceberg, key, low, high)
    if not files:
        return as_seen.where(F.lit(False)).select(*names, F.lit(None).cast(PLACE).alias("place"))
    rows = read_files(spark, as_seen.schema, files)
    if not is_wide:
        # A reader passes over pages by the range. But its limits stand in the code that Spark generates, and a
        # loop that is new with each run has read millions of rows before the JVM has compiled it.
        rows = rows.where(F.col(key).between(low, high))
    places = {"file_name": F.col("_metadata.file_name"), "pos": F.col("_metadata.row_index")}
    found = rows.withColumns(places).join(broadcast_if_small(keys, most), on=key, how="left_semi")
    if deletes:
        dead = read_files(spark, POSITION_DELETES, deletes)
        dead = dead.select(F.substring_index("file_path", "/", -1).alias("file_name"), "pos")
        found = found.join(dead, on=["file_name", "pos"], how="left_anti")
    # One literal: two for each file would be as many calls of the JVM.
    paths = json.dumps({path.rpartition("/")[2]: path for path in files})
    path_of = F.from_json(F.lit(paths), "map<string, string>")
    place = F.struct(path_of[F.col("file_name")].alias("file_path"), "pos")
    return found.select(*names, place.alias("place"))


def _files_between(
    spark: SparkSession, iceberg: Any, key: str, low: int, high: int
) -> tuple[list[str], dict[str, Any], bool]:
    """Return the published data files that may hold keys of a range, and their files of deletes by path.

    The third part tells whether most of the rows are in files all of whose keys lie in the range.
    """
    expressions = jvm(spark).org.apache.iceberg.expressions
    within = getattr(expressions.Expressions, "and")(
        expressions.Expressions.greaterThanOrEqual(key, low), expressions.Expressions.lessThanOrEqual(key, high)
    )
    files, deletes = planned_files(iceberg.newScan().filter(within).includeColumnStats([key]))
    lies_within = expressions.StrictMetricsEvaluator(iceberg.schema(), within)
    rows = {path: file.recordCount() for path, file in files.items()}
    rows_within = sum(rows[path] for path, file in files.items() if lies_within.eval(file))
    return list(files), deletes, 2 * rows_within > sum(rows.values())


def start_branch(spark: SparkSession, iceberg: Any, branch: str) -> int | None:
    """Start a branch at the state of a table that a transaction holds; return the snapshot there, if there is one.

    A transaction refuses `ManageSnapshots`, and a write by Spark wants a branch that is there.
    """
    if (main := iceberg.currentSnapshot()) is None:
        iceberg.newFastAppend().toBranch(branch).commit()
        return None
    packages, operations = jvm(spark).org.apache.iceberg, iceberg.operations()
    reference = packages.SnapshotRef.branchBuilder(main.snapshotId()).build()
    before = operations.current()
    operations.commit(before, packages.TableMetadata.buildFrom(before).setRef(branch, reference).build())
    return int(main.snapshotId())


def append_rows(spark: SparkSession, iceberg: Any, rows: DataFrame, *, branch: str) -> None:
    """Append rows to a branch of a table that a transaction holds, which no identifier of SQL names."""
    plans = jvm(spark).org.apache.spark.sql.catalyst.plans.logical
    _carry_out(spark, plans.AppendData.byName(*_write(spark, iceberg, rows, branch), _options(spark)))


def replace_rows(spark: SparkSession, iceberg: Any, rows: DataFrame, *, branch: str) -> None:
    """Put rows in the place of all on a branch of a table that a transaction holds."""
    sql = jvm(spark).org.apache.spark.sql.catalyst
    every, plan = sql.expressions.Literal.TrueLiteral(), sql.plans.logical.OverwriteByExpression
    _carry_out(spark, plan.byName(*_write(spark, iceberg, rows, branch), every, _options(spark)))


def _write(spark: SparkSession, iceberg: Any, rows: DataFrame, branch: str) -> tuple[Any, Any]:
    """Return the branch as the target of a plan that writes, and the plan of the rows."""
    table = jvm(spark).org.apache.iceberg.spark.source.SparkTable(iceberg, branch, False)
    nothing = getattr(jvm(spark).scala, "None$").__getattr__("MODULE$")
    relation = jvm(spark).org.apache.spark.sql.execution.datasources.v2.DataSourceV2Relation
    return relation.create(table, nothing, nothing), rows._jdf.logicalPlan()


def _options(spark: SparkSession) -> Any:
    """Have each task write files of its own, as the rows come: to bring partitions together takes a catalog."""
    return jvm(spark).PythonUtils.toScalaMap({"distribution-mode": "none", "fanout-enabled": "true"})


def _carry_out(spark: SparkSession, plan: Any) -> None:
    jvm(spark).org.apache.spark.sql.Dataset.ofRows(spark._jsparkSession, plan)


def delete_rows(spark: SparkSession, iceberg: Any, places: DataFrame, count: int, *, branch: str) -> None:
    """Delete the rows at these `count` places (`file_path, pos`) from a branch.

    A MERGE would look for the rows a second time, and one that also inserts sorts all that the table holds.
    """
    few = count <= DELETES_BY_DRIVER
    files = [put_few_deletes(spark, iceberg, places)] if few else put_deletes(spark, iceberg, laid_out(places, count))
    delta = iceberg.newRowDelta().toBranch(branch)
    for file in files:
        delta = delta.addDeletes(file)
    delta.commit()


def put_few_deletes(spark: SparkSession, iceberg: Any, places: DataFrame) -> Any:
    """Write position deletes from the driver, row by row; return the file as Iceberg describes it.

    It is one request to S3. What Spark writes goes by way of folders that are listed, renamed and removed: some 35.
    """
    packages = jvm(spark).org.apache.iceberg
    parquet, factory = packages.FileFormat.PARQUET, packages.data.GenericAppenderFactory(iceberg.schema())
    factory.setAll(iceberg.properties())
    target = packages.io.OutputFileFactory.builderFor(iceberg, 0, 0).format(parquet).build().newOutputFile()
    writer, delete = factory.newPosDeleteWriter(target, parquet, None), packages.deletes.PositionDelete.create()
    for path, position in sorted(tuple(row) for row in places.select("file_path", "pos").collect()):
        writer.write(delete.set(path, position, None))
    writer.close()
    return writer.toDeleteFile()


def put_deletes(spark: SparkSession, iceberg: Any, places: DataFrame) -> list[Any]:
    """Write position deletes, a file for each partition; return the files as Iceberg describes them."""
    with_ids = [F.col(name).alias(name, metadata={"parquet.field.id": number}) for name, number in FIELD_IDS.items()]
    folder = f"{iceberg.location()}/data/deletes-{uuid.uuid4().hex}/"
    ordered = places.sortWithinPartitions("file_path", "pos").select(*with_ids)
    # Nobody knows of the folder yet, so its files need no second renaming.
    committer = {"marksuccessfuljobs": "false", "algorithm.version": "2"}
    settings = {f"mapreduce.fileoutputcommitter.{name}": value for name, value in committer.items()}
    ordered.write.options(**settings).parquet(folder)
    return _described_deletes(spark, iceberg, folder)


def _described_deletes(spark: SparkSession, iceberg: Any, folder: str) -> list[Any]:
    """Return the files of position deletes in a folder as Iceberg describes them."""
    packages, described = jvm(spark).org.apache.iceberg, []
    config = packages.MetricsConfig.forPositionDelete(iceberg)
    found = iceberg.io().listPrefix(folder).iterator()
    while found.hasNext():
        listed = found.next()
        if not listed.location().endswith(".parquet"):
            continue
        written = iceberg.io().newInputFile(listed.location(), listed.size())
        metrics = packages.parquet.ParquetUtil.fileMetrics(written, config)
        if metrics.recordCount():
            file = packages.FileMetadata.deleteFileBuilder(iceberg.spec()).ofPositionDeletes()
            file = file.withPath(listed.location()).withFormat("parquet").withFileSizeInBytes(listed.size())
            described.append(file.withMetrics(metrics).build())
    return described


def delete_files(spark: SparkSession, iceberg: Any) -> dict[str, Any]:
    """Return all delete files of a table by path; a scan does not name those whose data files are gone."""
    manifests = jvm(spark).org.apache.iceberg.ManifestFiles
    found: dict[str, Any] = {}
    for manifest in iceberg.currentSnapshot().deleteManifests(iceberg.io()):
        reader = manifests.readDeleteManifest(manifest, iceberg.io(), iceberg.specs())
        entries = reader.iterator()
        while entries.hasNext():
            delete = entries.next().copyWithoutStats()
            found[str(delete.location())] = delete
        reader.close()
    return found


def merge_deletes(spark: SparkSession, iceberg: Any) -> None:
    """Put one file with the deletes of present data files in the place of all delete files of a table.

    Iceberg 1.10 has `rewrite_position_delete_files` for this, but for a table with a list among its columns that fails
    ("Invalid partition field parent"): it takes the list's elements for a partition field. Until it does not.
    """
    deletes = delete_files(spark, iceberg)
    if not deletes:
        return
    files, _ = planned_files(iceberg.newScan())
    living = read_files(spark, POSITION_DELETES, deletes).where(F.col("file_path").isin(list(files)))
    rewrite = iceberg.newRewrite().validateFromSnapshot(iceberg.currentSnapshot().snapshotId())
    for delete in deletes.values():
        rewrite.deleteFile(delete)
    for file in put_deletes(spark, iceberg, living.coalesce(1)):
        rewrite.addFile(file)
    rewrite.commit()


# From functions/kpi/contract/descriptions.py

TABLE_COLUMNS: Mapping[str, str] = {
    "content_hash": "xxHash64 of all values but the key, and of which of them are null.",
    "row_order": "The order of the row (section 4).",
    "file_id": (
        "The file of the row, in `decisions` the one decided on; in `transactions` and `tombstones` the one that wrote "
        "it last."
    ),
    "row": "The record's number in that file, from 1.",
    "line": "The physical line on which the record begins; null in Parquet, and in codes as one JSON object.",
    "op": "`I` (also for rows of files without operations), `U` or `D`.",
    "outcome": "What became of the row in the run that took it.",
    "effect_amount": "By how much the run changed the money of the key: new minus before.",
    "run_seq": "The run that wrote the row.",
    "cause": "Why the key changed: `file`, `load`, `undo`, `redo` or `repair`.",
    "before": "The image before the run without the key; null where the key was not there.",
    "after": "The image after the run without the key; null where it is deleted.",
    "in_effect": "Whether the file is in effect from then on: `false` of an undo, `true` of a redo.",
    "who": "Who decided it.",
    "at": "When it was decided.",
    "reason": "Why; may be empty.",
    "raw": "The record's text (section 2), of Parquet a JSON object of its known columns.",
    "rules": "The names of all broken rules, in the order of section 3.1.",
    "repaired_by": (
        "The newest repair in effect that names the row, else the newest waiver in effect of one of its rules; null of "
        "an open row."
    ),
    "repairs": (
        "Of a row of a repair the file of the row that it repairs, whose number there is `row_order.row`; else null."
    ),
    "card_key": "Key of the version in `dim_card`; 0 is `unknown`.",
    "client_key": "Key of the version in `dim_client`, in an aggregate of the client's first version; 0 is `unknown`.",
    "date_key": "The day as the number `yyyymmdd`; 0 is unknown.",
    "date": "The day.",
    "year": "Its year.",
    "quarter": "Its quarter; in an aggregate the quarter's first day.",
    "month": "Its month; in an aggregate the month's first day.",
    "week": "The week's Monday.",
    "day": "Its day of the month.",
    "weekday": "Its day of the week, 1 being Monday.",
    "is_weekend": "Whether it is a Saturday or a Sunday.",
    "transacted_on": "The day of the transaction in UTC.",
    "has_error": "Whether the transaction has any `errors`.",
    "valid_from": "The instant from which the version is valid; `1800-01-01` of a member's first version.",
    "valid_to": "The instant at which it ends; `9999-12-31` where nothing ends it.",
    "is_current": "Whether nothing ends it.",
    "row_count": "How many facts the group has.",
    "total_amount": "The sum of their amounts.",
    "card_last_four": "The last four digits of the card's number.",
    "card_number_hash": "HMAC-SHA256 of the card's number under the stack's own secret key.",
}


def column_description(name: str) -> str:
    """Return what a column of a table means; raise KeyError for one that nothing describes."""
    if name in TABLE_COLUMNS:
        return TABLE_COLUMNS[name]
    of_keys = {each.key: f"Key of `{each.name}`; 0 is `unknown`." for each in DIMENSIONS.values()}
    of_images = {
        image: column.description
        for subject in SUBJECTS.values()
        for column in subject.columns
        for image in column.image_names
    }
    return {**of_images, **of_keys}[name]


# From glue/lake/tables.py

CATALOG = "glue_catalog"
PROPERTIES = {
    "write.delete.mode": "merge-on-read",
    "write.update.mode": "merge-on-read",
    "write.merge.mode": "merge-on-read",
    "write.parquet.compression-codec": "zstd",
    # One delete file a commit. By data file, each commit would write the deletes of earlier ones again.
    "write.delete.granularity": "partition",
    # Each commit writes a metadata file; of the earlier ones, those of the last 100 commits stay.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


def columns(schema: Mapping[str, str]) -> str:
    """Return a schema as the column list of a CREATE TABLE."""
    return ", ".join(f"{name} {kind}" for name, kind in schema.items())


def conform(rows: DataFrame, schema: Mapping[str, str]) -> DataFrame:
    """Select exactly the schema's columns, cast to its types: the contract on leaving a step."""
    return rows.select(*[F.col(name).cast(kind).alias(name) for name, kind in schema.items()])


def columns_or_null(rows: DataFrame, schema: Mapping[str, str]) -> DataFrame:
    """Select the schema's columns, cast to its types; those that the rows lack are null."""
    values = {name: F.col(name) if name in rows.columns else F.lit(None) for name in schema}
    return rows.select(*[values[name].cast(kind).alias(name) for name, kind in schema.items()])


def create_tables(
    spark: SparkSession, database: str, tables: Mapping[str, LakeTable], *, row_group_bytes: int = 128 << 20
) -> None:
    """Create the tables that do not exist yet; give the others the columns and properties that have come since.

    Columns are null in old rows. A reader passes over row groups that cannot hold what it looks for. Their bytes are
    those of compressed pages, and of the last pages, of up to 20,000 rows, as they are.
    """
    existing = {row.tableName for row in spark.sql(f"SHOW TABLES IN {CATALOG}.{database}").collect()}
    in_parallel({name: partial(_bring_up, spark, database, tables[name]) for name in tables if name in existing})
    properties = PROPERTIES | {"write.parquet.row-group-size-bytes": str(row_group_bytes)}
    for table in tables.values():
        if table.name in existing:
            continue
        name = f"{CATALOG}.{database}.{table.name}"
        spark.sql(
            f"CREATE TABLE IF NOT EXISTS {name} ({_described(table)}) USING iceberg {table.partitioning} "
            f"COMMENT {_quoted(table.description)} TBLPROPERTIES ('format-version'='2', {_sql(properties)})"
        )
        if table.sort_order:
            spark.sql(f"ALTER TABLE {name} WRITE LOCALLY ORDERED BY {table.sort_order}")


def _described(table: LakeTable) -> str:
    """Return the columns as a CREATE TABLE lists them, each with what it means."""
    told = {name: _quoted(column_description(name)) for name in table.schema}
    return ", ".join(f"{name} {kind} COMMENT {told[name]}" for name, kind in table.schema.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _sql(properties: Mapping[str, str]) -> str:
    return ", ".join(f"'{name}'={_quoted(value)}" for name, value in properties.items())


def _bring_up(spark: SparkSession, database: str, table: LakeTable) -> None:
    """Add the columns and properties that a table lacks; Iceberg writes its metadata alone, no file and no snapshot."""
    name, wanted = f"{CATALOG}.{database}.{table.name}", T._parse_datatype_string(table.column_list)
    added = [f"{path} {sql_type}" for path, sql_type in missing_columns(spark.table(name).schema, wanted)]
    if added:
        spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({', '.join(added)})")
    properties = PROPERTIES | {"comment": table.description}
    today = jvm(spark).java.util.HashMap(properties)
    if not loaded_table(spark, name).properties().entrySet().containsAll(today.entrySet()):
        spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({_sql(properties)})")
    _describe(spark, name, table)


def _describe(spark: SparkSession, name: str, table: LakeTable) -> None:
    """Say of each column what it means, in one commit of the metadata alone, where that is not what the table says."""
    iceberg = loaded_table(spark, name)
    held = {str(column.name()): column.doc() for column in iceberg.schema().columns()}
    wanted = {column: column_description(column) for column in table.schema}
    update = iceberg.updateSchema()
    for column, said in wanted.items():
        if held[column] != said:
            update = update.updateColumnDoc(column, said)
    if any(held[column] != said for column, said in wanted.items()):
        update.commit()


def missing_columns(held: T.DataType, wanted: T.DataType, within: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and type of the columns that a table lacks; those within a struct have its name before theirs."""
    if isinstance(held, T.StructType) and isinstance(wanted, T.StructType):
        for column in wanted.fields:
            path = f"{within}{column.name}"
            if column.name not in held.names:
                yield path, column.dataType.simpleString()
            else:
                yield from missing_columns(held[column.name].dataType, column.dataType, f"{path}.")


def widened(rows: DataFrame, wanted: T.StructType) -> DataFrame:
    """Return rows with the columns and fields that they lack, null: those of a snapshot from before these came."""
    for path, sql_type in missing_columns(rows.schema, wanted):
        column, _, within = path.partition(".")
        nothing = F.lit(None).cast(sql_type)
        rows = rows.withColumn(column, F.col(column).withField(within, nothing) if within else nothing)
    return rows.select(*wanted.names)


def total(amount: str) -> Column:
    """Return the exact sum of a money column, 0 for no rows."""
    return F.coalesce(F.sum(F.col(amount).cast(TOTAL)), F.lit(Decimal(0))).cast(TOTAL)


def cents(amount: Decimal | None) -> str:
    """Return an exact amount as the ledger writes it: text with two decimals."""
    return f"{(amount or Decimal(0)).quantize(Decimal('0.01'))}"


# From glue/lake/branches.py


class Branches:
    """The branches of one run: one for each table that the run writes to, all of the same name.

    What a run does to a table is one transaction of Iceberg's, that is one commit: each costs a write to S3 and a call
    to the catalog. The table is looked up in the catalog once. References are set through Iceberg's own API
    (`ManageSnapshots`): its SQL form costs a Spark job each time.
    """

    def __init__(self, spark: SparkSession, database: str, name: str) -> None:
        self._spark = spark
        self._database = database
        self.name = name
        self._tables: dict[str, Any] = {}  # table to what the catalog said of it
        self._pending: dict[str, Any] = {}  # table to the transaction that is not committed yet
        self._locks: dict[str, Lock] = {}  # table to what one thread holds while it commits
        self._opened: dict[str, int | None] = {}  # table to the snapshot from which the branch started, if there is one
        self._seen: dict[str, int | None] = {}  # table to the published snapshot whose files hold what this run found

    @staticmethod
    def name_of_run(run_seq: int, token: str) -> str:
        """Return a name that no other process has, also not one that does the same run after this one was given up."""
        return f"run_{run_seq:08d}_{token[:12]}"

    def table(self, table: str) -> str:
        """Return the identifier under which readers see a table."""
        return f"{CATALOG}.{self._database}.{table}"

    def open(self, table: str) -> Any:
        """Start a transaction on a table, if none has begun; return the table as the transaction holds it.

        The first one starts the run's branch from `main`. Nobody sees it before `commit`, nor do this run's queries.
        """
        if table not in self._pending:
            self._pending[table] = self._iceberg(table).newTransaction()
            if table not in self._opened:
                self._opened[table] = start_branch(self._spark, self._pending[table].table(), self.name)
        return self._pending[table].table()

    def commit(self, table: str) -> None:
        """Commit what this run has done to a table, if it is not committed yet; of several threads only one does."""
        with self._locks.setdefault(table, Lock()):
            if table not in self._pending:
                return
            done = [snapshot.snapshotId() for snapshot in self._commits(table)]
            self._pending.pop(table).commitTransaction()
            if done != [snapshot.snapshotId() for snapshot in self._commits(table)]:
                # Iceberg has put the run's work on top of a compaction, which has replaced the files of its deletes.
                raise RuntimeError(f"{table} was compacted by another job while this run wrote it: run it again")

    def is_open(self, table: str) -> bool:
        """Tell whether this run has a branch of a table, that is, writes to it."""
        return table in self._opened

    def current(self, table: str) -> str:
        """Return the identifier of a table as this run sees it: its branch if there is one, else what readers see."""
        self.commit(table)
        return f"{self.table(table)}.branch_{self.name}" if self.is_open(table) else self.table(table)

    def append(self, table: str, rows: DataFrame) -> None:
        """Append rows to the run's branch, each task to files of its own: the rows of one run share a partition."""
        append_rows(self._spark, self.open(table), rows, branch=self.name)

    def replace(self, table: str, rows: DataFrame) -> None:
        """Put rows in the place of all that the table holds, on the run's branch."""
        replace_rows(self._spark, self.open(table), rows, branch=self.name)

    def note(self, table: str, properties: Mapping[str, str]) -> None:
        """Put a snapshot without rows on the run's branch, with these properties in its summary."""
        noted = self.open(table).newFastAppend().toBranch(self.name)
        for name, value in properties.items():
            noted = noted.set(name, value)
        noted.commit()

    def merge(self, table: str, rows: DataFrame, *, on: str, clauses: str) -> None:
        """Merge rows (alias `s`) into the run's branch of a table (alias `t`), for one that is partitioned.

        A merge reads the table, which Iceberg's transactions refuse: it commits by itself, to a branch that is there.
        """
        source = f"merge_into_{table}"
        rows.createOrReplaceTempView(source)
        self.open(table)
        self._spark.sql(f"MERGE INTO {self.current(table)} t USING {source} s ON {on} {clauses}")
        self._iceberg(table).refresh()

    def published_rows(self, table: str) -> DataFrame:
        """Return all rows that readers see, and the `place` of each, for `remove`."""
        snapshot, rows = self._iceberg(table).currentSnapshot(), self._spark.read
        if snapshot is not None:
            self._seen[table] = snapshot.snapshotId()
            rows = rows.option("snapshot-id", self._seen[table])
        held = rows.table(self.table(table)).select("*", place_of_row())
        return widened(held, T.StructType([*self._spark.table(self.table(table)).schema, held.schema["place"]]))

    def current_rows(self, table: str) -> DataFrame:
        """Return all rows as this run sees them, and the `place` of each, for `remove`."""
        if not self.is_open(table):
            return self.published_rows(table)
        self._seen[table] = self._opened[table]  # the run's own commits replace no file
        return self._spark.table(self.current(table)).select("*", place_of_row())

    def published_rows_of(
        self, table: str, keys: DataFrame, names: Iterable[str], *, between: tuple[int, int], most: int
    ) -> DataFrame:
        """Return columns of the rows that readers see under keys, and the `place` of each, for `remove`."""
        iceberg = self._iceberg(table)
        self._seen[table] = iceberg.currentSnapshot().snapshotId()
        return rows_of_keys(self._spark, iceberg, self.table(table), keys, names, between=between, most=most)

    def remove(self, table: str, places: DataFrame, count: int) -> None:
        """Delete the rows at these `count` places (`file_path, pos`) from the run's branch."""
        iceberg = self.open(table)
        if iceberg.spec().isPartitioned():
            raise RuntimeError(f"{table} is partitioned: Iceberg would look for these deletes in no partition of it")
        if self._opened[table] != self._seen[table]:
            # The places are those of files that a compaction has replaced.
            raise RuntimeError(f"{table} was compacted by another job while this run read it: run it again")
        delete_rows(self._spark, iceberg, places, count, branch=self.name)

    def take_over(self, tables: Iterable[str], database: str, *, last_run: int) -> None:
        """Put the rows of another database's tables in the place of these; runs count as no later than `last_run`."""
        for table in tables:
            rows = self._spark.table(f"{CATALOG}.{database}.{table}")
            if "run_seq" in rows.columns:
                rows = rows.withColumn("run_seq", F.least("run_seq", F.lit(last_run)))
            self.replace(table, rows)

    def snapshots(self) -> dict[str, int]:
        """Commit all branches; return the head of each: what the intent promises to publish."""
        in_parallel({table: partial(self.commit, table) for table in self._opened})
        return {table: self._head(table).snapshotId() for table in self._opened}

    def rows_at_most(self, table: str) -> int:
        """Return an upper bound of the rows that this run sees in a table: the dead are among them, 0 means none."""
        snapshot = self._head(table) if self.is_open(table) else self._iceberg(table).currentSnapshot()
        return int(snapshot.summary().get("total-records") or 0) if snapshot is not None else 0

    def rows_moved(self, table: str) -> int:
        """Return by how many rows this run's commits have changed a table, from what each of them says that it did.

        The difference of totals would not do: where data files were rewritten, Iceberg still counts their deletes.
        """
        moved = 0
        for snapshot in self._commits(table):
            summary = snapshot.summary()
            moved += int(summary.get("added-records") or 0) - int(summary.get("added-position-deletes") or 0)
        return moved

    def _commits(self, table: str) -> Iterator[Any]:
        """Yield the snapshots that this run has put on its branch of a table, the newest first."""
        for snapshot in ancestry(self._written(table), self._head(table)):
            if snapshot.snapshotId() == self._opened[table]:
                return
            yield snapshot

    def columns_since(self, table: str, snapshot_id: int) -> set[str]:
        """Return the columns that a table has got since a snapshot was written; none of its rows has a value there."""
        iceberg = self._iceberg(table)
        schemas = (iceberg.schema(), iceberg.schemas()[iceberg.snapshot(snapshot_id).schemaId()])
        now, then = ({str(column.name()) for column in schema.columns()} for schema in schemas)
        return now - then

    def added_rows(self, table: str) -> int:
        """Return how many rows the branch's newest snapshot added, from its own summary."""
        return int(self._head(table).summary().get("added-records") or 0)

    def added(self, table: str, money: str) -> tuple[int, Decimal]:
        """Return count and money of the rows that this run's commits added to a table."""
        count = F.count(F.lit(1)).alias("row_count")
        ((row_count, amount),) = self.new_rows(table).agg(count, total(money).alias("amount")).collect()
        return row_count, amount

    def new_rows(self, table: str) -> DataFrame:
        """Return the rows that this run's commits added to a table, from the data files that they name.

        To have the table look for the run's number would plan a scan, and make code for this number alone.
        """
        io, schema = self._iceberg(table).io(), self._spark.table(self.table(table)).schema
        added = [snapshot.addedDataFiles(io) for snapshot in self._commits(table)]
        paths = [str(file.location()) for files in added for file in files]
        return read_files(self._spark, schema, paths) if paths else self._spark.createDataFrame([], schema)

    def fast_forward(self, table: str, snapshot_id: int) -> None:
        """Let readers see a promised snapshot, and drop the branches of earlier runs and tries, in one commit.

        This run's own stays: it keeps its snapshot and totals from expiry. Doing it twice is harmless.
        """
        iceberg, number = self._iceberg(table), len("run_00000000")
        main, references, head = iceberg.currentSnapshot(), iceberg.manageSnapshots(), iceberg.snapshot(self.name)
        if main is not None and main.snapshotId() == snapshot_id:
            return
        if head is None or head.snapshotId() != snapshot_id:
            raise RuntimeError(
                f"branch {self.name} of {table} is not at the snapshot {snapshot_id} that its run committed"
            )
        if self._is_behind(iceberg):
            references = references.fastForwardBranch("main", self.name)
        else:
            references = references.replaceBranch("main", self.name)
        for name in iceberg.refs():
            if name.startswith("run_") and name[:number] <= self.name[:number] and name != self.name:
                references = references.removeBranch(name)
        references.commit()

    def _is_behind(self, iceberg: Any) -> bool:
        """Tell whether `main` is where the run began; else only compactions may have come since, and they are given up.

        A second job that ran at the same time may have compacted: that changes files, never rows.
        """
        begun = {snapshot.snapshotId() for snapshot in ancestry(iceberg, iceberg.snapshot(self.name))}
        main = iceberg.currentSnapshot()
        if main is None or main.snapshotId() in begun:
            return True
        for snapshot in ancestry(iceberg, main):
            if snapshot.snapshotId() in begun:
                break
            if snapshot.operation() != "replace":
                raise RuntimeError(f"somebody else has committed to {iceberg.name()} since run {self.name} began")
        return False

    def _iceberg(self, table: str) -> Any:
        """Return a table as the catalog had it when this run first asked."""
        if table not in self._tables:
            self._tables[table] = iceberg_table(self._spark, self.table(table))
        return self._tables[table]

    def _written(self, table: str) -> Any:
        """Return a table with all that this run has done to it."""
        return self._pending[table].table() if table in self._pending else self._iceberg(table)

    def _head(self, table: str) -> Any:
        return self._written(table).snapshot(self.name)


# From glue/lake/decisions.py

SEARCHED_ROWS = 1_000_000  # that are looked at before all others
SEARCHED_DAYS = 30  # whose facts name most members of the dimensions
FEW_MEMBERS = 100
CALENDAR_TABLE = "dim_date"


@dataclass(frozen=True)
class Source:
    """Rows that name members: the key of each dimension in them, and the column that says when."""

    rows: DataFrame
    keys: Mapping[str, Column]
    at: str

    def near(self, asked: Sequence[Row]) -> DataFrame:
        """Return the rows that name one of few members; where these are days, Iceberg passes over files of others."""
        rows = self.rows.where(reduce(or_, [self.keys[row.dimension].isin(row["keys"]) for row in asked]))
        if [row.dimension for row in asked] != [CALENDAR_TABLE]:
            return rows
        (first, last) = asked[0][-2:]
        return rows.where((F.col(self.at) >= first) & (F.col(self.at) < last + timedelta(days=1)))


def files_and_actions(waiting: Sequence[FileItem]) -> tuple[list[FileItem], list[FileItem]]:
    """Tell files from actions, repairs and waivers: each of these has a run of its own."""
    found: tuple[list[FileItem], list[FileItem]] = [], []
    for item in waiting:
        found[has_own_run(item)].append(item)
    return found


def has_own_run(item: FileItem) -> bool:
    return "decides" in item or "repairs" in item


def undone_files(decisions: DataFrame) -> DataFrame:
    """Return `file_id` of the files that are not in effect, by rows of `decisions`.

    A replay that was put in place may have several decisions on a file under one run.
    """
    newest = F.max_by("in_effect", F.struct("run_seq", "at")).alias("in_effect")
    return decisions.groupBy("file_id").agg(newest).where(~F.col("in_effect")).select("file_id")


def without(rows: DataFrame, undone: DataFrame) -> DataFrame:
    """Return the rows of files in effect."""
    return rows.join(F.broadcast(undone), on="file_id", how="left_anti")


def in_effect(rows: DataFrame, undone: DataFrame, repairs: DataFrame) -> DataFrame:
    """Return the rows that count: of files in effect, of repairs with their originals, and the newest one of each row.

    `repairs` are all rows of the history: which repair of a row is the newest, some of them alone do not tell. Hardly a
    file of the table has a row of a repair, and its statistics say so.
    """
    originals = undone.withColumnRenamed("file_id", "repairs")
    there = without(repairs.where("repairs IS NOT NULL"), undone)
    there = there.join(F.broadcast(originals), on="repairs", how="left_anti")
    newest = F.max_by(F.struct("file_id", "row"), "row_order.repair").alias("newest")
    named = there.groupBy("repairs", F.col("row_order.row").alias("of")).agg(newest).select("newest.*")
    kept = rows.where("repairs IS NOT NULL").join(named, on=["file_id", "row"], how="left_semi").select(*rows.columns)
    return without(rows.where("repairs IS NULL"), undone).select(*rows.columns).unionByName(kept)


def decision_row(spark: SparkSession, decision: Decision, run_seq: int) -> DataFrame:
    """Return the row of `decisions` that a run appends."""
    as_text = {name: "string" if sql_type == "timestamp" else sql_type for name, sql_type in DECISIONS.items()}
    columns = ", ".join(f"{name} {sql_type}" for name, sql_type in as_text.items())
    return conform(local_rows(spark, [{**decision, "run_seq": run_seq}], columns), DECISIONS)


def counted_changes(moved: DataFrame, keys: DataFrame, named: int) -> dict[str, int]:
    """Return how many keys an action inserts, updates and deletes, and of how many of its file's the value stays."""
    changes = moved.where(F.col("change").isNotNull()).join(
        keys.withColumn("is_named", F.lit(True)), on="dms_id", how="left"
    )
    found = changes.groupBy("change").agg(F.count(F.lit(1)).alias("keys"), F.count("is_named").alias("named")).collect()
    settled = dict.fromkeys(("inserted", "updated", "deleted"), 0) | {row.change: row["keys"] for row in found}
    return {**settled, "unchanged": named - sum(row.named for row in found)}


def member_id(name: str, key: Column) -> Column:
    """Return one number for a member of any dimension: looked up and grouped by for each row that is searched."""
    return F.xxhash64(F.lit(name), key.cast("bigint")).alias("id")


def members_named(members: Mapping[str, DataFrame], *sources: Source) -> dict[str, DataFrame]:
    """Return those members of dimensions, each with its key as first column, that rows of one of the sources name.

    A source is searched for what all sources before it lack.
    """
    with_ids = {name: rows.withColumn("id", member_id(name, F.col(rows.columns[0]))) for name, rows in members.items()}
    days = {name: F.col("date") if name == CALENDAR_TABLE else F.lit(None).cast("date") for name in members}
    wanted = [
        rows.select(F.lit(name).alias("dimension"), "id", F.col(rows.columns[0]).alias("key"), days[name].alias("date"))
        for name, rows in with_ids.items()
    ]
    left = checkpointed(reduce(DataFrame.unionByName, wanted))
    found = [left.select("id").limit(0)]  # a file without rows names no member
    few = F.slice(F.collect_list("key"), 1, FEW_MEMBERS).alias("keys")
    for source in sources:
        asked = (
            left.groupBy("dimension").agg(F.count("key").alias("count"), few, F.min("date"), F.max("date")).collect()
        )
        if not asked:
            break
        sought = broadcast_if_small(left.select("id"), count := sum(row["count"] for row in asked))
        rows = source.near(asked) if count <= FEW_MEMBERS else source.rows
        ids = F.explode(F.array(*[member_id(row.dimension, source.keys[row.dimension]) for row in asked])).alias("id")
        found.append(checkpointed(rows.select(ids).join(sought, on="id", how="left_semi").distinct()))
        left = checkpointed(left.join(found[-1], on="id", how="left_anti"))
    named = reduce(DataFrame.unionByName, found)
    return {name: rows.join(named, on="id", how="left_semi").drop("id") for name, rows in with_ids.items()}


def may_be_newest(rows: DataFrame, some: DataFrame, keys: DataFrame, most: int) -> DataFrame:
    """Return of the rows under at most so many keys those that may be a key's newest by `row_order`, few of each.

    `some` of the rows, best the newest ones, tell of most keys what is too old. Of rows of a file that are else equal
    only the last counts: a maximum of structs would sort all rows, one of numbers takes a single look at each.
    """
    (key,), position = keys.columns, F.col("row_order.position")
    last = F.max("row_order.row").alias("row")
    of_files = some.join(keys, on=key, how="left_semi").groupBy(key, position.alias("position"), "file_id").agg(last)
    floors = of_files.groupBy(key).agg(F.max(F.struct("position", "file_id", "row")).alias("floor"))
    sought = broadcast_if_small(checkpointed(keys.join(floors, on=key, how="left")), most)
    is_older = (F.col("file_id") == F.col("floor.file_id")) & (F.col("row_order.row") < F.col("floor.row"))
    beside = (position == F.col("floor.position")) & ~is_older
    found = rows.join(sought, on=key).where(F.col("floor").isNull() | (position > F.col("floor.position")) | beside)
    of_file = F.col("row_order").withField("row", F.lit(None).cast("bigint")).alias("row_order")
    names = [name for name in rows.columns if name != "row_order"]
    newest = found.groupBy(*names, of_file).agg(last)
    return newest.select(*names, F.col("row_order").withField("row", F.col("row")).alias("row_order"))


DIFFERS = "NOT (held <=> fresh)"
IS_NEWER = "held IS NULL OR held.row_order IS NULL OR fresh.row_order > held.row_order"


def settle_members(
    branches: Branches, table: str, schema: Mapping[str, str], fresh: DataFrame, keys: DataFrame | None = None
) -> None:
    """Put fresh members of a dimension in the place of those under some keys; others under them go.

    Where no keys are given none goes, and of a member's two descriptions the one of the newer row stays. Members that
    stay as they are are not written again: a MERGE would write all of them.
    """
    own, *others = schema
    held = branches.current_rows(table)
    held = held if keys is None else held.join(keys, on=keys.columns, how="left_semi")
    held = held.select(own, F.struct(*others).alias("held"), "place")
    fresh = fresh.select(own, F.struct(*others).alias("fresh"))
    found = held.join(fresh, on=own, how="right" if keys is None else "full")
    moved = checkpointed(found.where(IS_NEWER if keys is None else DIFFERS))
    ((replaced, written),) = moved.agg(F.count("held"), F.count("fresh")).collect()
    if replaced:
        branches.remove(table, moved.where(F.col("held").isNotNull()).select("place.*"), replaced)
    if written:
        rows = moved.where(F.col("fresh").isNotNull()).select(own, "fresh.*")
        branches.append(table, laid_out(rows, written))


# From glue/reading/card_numbers.py

FEWEST_DIGITS, MOST_DIGITS, LAST_DIGITS = 13, 19, 4
DIGITS_TWICE = str.maketrans("0123456789", "0246813579")  # the digit sum of twice the digit
# Possessive, or long runs exhaust Java's stack.
RUN = r"(?<![0-9])(?<![0-9]\.)" + CARD_NUMBER_IN_TEXT.replace("{0,3}", "{0,3}+").replace("{12,}", "{12,}+")
RUN_AHEAD = RUN.replace("{12,}+", "{12}")
PIECE = rf"{RUN}|(?:[^0-9]++|(?!{RUN_AHEAD})[0-9]++)++"


def has_card_number(digits: str) -> bool:
    """Tell whether digits are as many as those of a card, end in their check digit, and are no timestamp."""
    if not FEWEST_DIGITS <= len(digits) <= MOST_DIGITS or re.match(DATE_AHEAD, digits):
        return False
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(DIGITS_TWICE))) % 10 == 0


def masked_text(text: str) -> str:
    """Return a text in which no card number is left but for its last four digits."""
    return re.sub(RUN, lambda run: masked_run(run[0]), text)


def masked_run(run: str) -> str:
    """Return a run of digits with its card numbers masked; of a digit in several of them none may be shown by one."""
    groups = re.findall("[0-9]+", run)
    digits, ends = "".join(groups), [0]
    for group in groups:
        ends.append(ends[-1] + len(group))
    is_long = len(run) > CARD_NUMBER_RUN
    pairs = [(first, end) for place, first in enumerate(ends) for end in ends[place + 1 : place + 1 + MOST_DIGITS]]
    spans = [(0, len(digits))] if is_long else [span for span in pairs if has_card_number(digits[slice(*span)])]
    shown = list(digits)
    for first, end in spans:
        shown[first : end - LAST_DIGITS] = "*" * (end - LAST_DIGITS - first)
    left = iter(shown)
    return re.sub("[0-9]", lambda _: next(left), run)


def with_masked(rows: DataFrame, names: Sequence[str]) -> DataFrame:
    """Mask columns of text; by one expression for all, since describing it to Spark takes a fifth of a second."""
    if not names:
        return rows
    both = rows.withColumn("masked", F.transform(F.array(*names), masked))
    return both.withColumns({name: F.col("masked")[place] for place, name in enumerate(names)}).drop("masked")


def masked(text: Column) -> Column:
    """Return a text in which no card number is left but for its last four digits; most texts take one look."""
    pieces = F.regexp_extract_all(text, F.lit(PIECE), F.lit(0))
    shown = F.transform(pieces, lambda piece: F.when(piece.rlike(rf"^{RUN}\z"), shown_run(piece)).otherwise(piece))
    may_hold = (F.length(text) >= FEWEST_DIGITS) & text.rlike(RUN_AHEAD)
    return F.when(may_hold, F.concat_ws("", shown)).otherwise(text)


def shown_run(run: Column) -> Column:
    """Return a run of digits as `masked_run` does: taken apart into groups, each with what stands behind it."""
    groups = F.regexp_extract_all(run, F.lit("[0-9]++[^0-9]*+"), F.lit(0))
    shown = once(groups, lambda found: F.concat_ws("", shown_groups(found, spans_of(found))))
    whole = F.regexp_replace(run, "[0-9](?=(?:[^0-9]*+[0-9]){4})", "*")
    return F.when(F.length(run) > CARD_NUMBER_RUN, whole).otherwise(shown)


def digits_of(groups: Column) -> Column:
    return F.regexp_replace(F.concat_ws("", groups), "[^0-9]", "")


def spans_of(groups: Column) -> Column:
    """Return the card numbers in groups of digits: the first and the last group of each, and its digits' end."""

    def spans_from(first: Column) -> Column:
        counts = F.sequence(F.lit(1), F.least(F.size(groups) - first, F.lit(MOST_DIGITS)))
        spans = F.transform(
            counts,
            lambda count: F.struct(
                first.alias("first"),
                (first + count - 1).alias("last"),
                digits_of(F.slice(groups, first + 1, count)).alias("digits"),
                F.length(digits_of(F.slice(groups, F.lit(1), first + count))).alias("end"),
            ),
        )
        return F.filter(spans, lambda span: is_card_number(span["digits"]))

    return F.flatten(F.transform(groups, lambda _, first: spans_from(first)))


def is_card_number(digits: Column) -> Column:
    """Tell of digits what `has_card_number` tells; zeros in front do not change the sum."""
    pairs = F.lpad(digits, MOST_DIGITS + 1, "0")
    twice = F.translate(F.regexp_replace(pairs, "(.)(.)", "$1"), "0123456789", "0246813579")
    signs = F.regexp_extract_all(F.concat(twice, F.regexp_replace(pairs, "(.)(.)", "$2")), F.lit("."), F.lit(0))
    total = F.aggregate(signs, F.lit(0), lambda before, sign: before + F.ascii(sign) - ord("0"))
    is_long = F.length(digits).between(FEWEST_DIGITS, MOST_DIGITS)
    return F.when(is_long, (total % 10 == 0) & ~digits.rlike(f"^{DATE_AHEAD}")).otherwise(F.lit(False))


def shown_groups(groups: Column, spans: Column) -> Column:
    """Return groups of digits with those of card numbers masked, but for the last four of each."""

    def shown(group: Column, at: Column, found: Column) -> Column:
        around = F.filter(found, lambda span: (span["first"] <= at) & (at <= span["last"]))
        own = F.length(F.regexp_replace(group, "[^0-9]", ""))
        until = F.length(digits_of(F.slice(groups, F.lit(1), at + 1)))
        behind = F.array_max(F.transform(around, lambda span: span["end"])) - until
        hidden = F.least(own, own + behind - LAST_DIGITS)
        masks = F.regexp_replace(group.substr(F.lit(1), hidden), ".", "*")
        is_masked = (F.size(around) > 0) & (hidden > 0)
        return F.when(is_masked, F.concat(masks, group.substr(hidden + 1, F.length(group)))).otherwise(group)

    return once(spans, lambda found: F.transform(groups, lambda group, at: shown(group, at, found)))


# From glue/lake/failures.py


class AuditFailed(Exception):  # noqa: N818 - the audit did
    """Rows or cents do not add up; nothing of the run is published."""


class FencedOut(RuntimeError):  # noqa: N818 - it is a state, reported as such
    """Another run has taken over this layer; nothing of the present run may be published."""


class Unfinished(RuntimeError):  # noqa: N818 - it is a state, reported as such
    """A run is committed and could not be carried out to its end: no file is to blame, and the next run finishes it."""


class Withdrawn(Exception):  # noqa: N818 - a decision, not an error of the program
    """Files of a run that has just begun wait no more: they were given up while it began."""

    def __init__(self, file_ids: set[str]) -> None:
        super().__init__(f"given up: {', '.join(sorted(file_ids))}")
        self.file_ids = file_ids


class JobFailed(Exception):  # noqa: N818 - the job did
    """A job ends by an error that quoted what may be a card number; this is what may be told of it."""


class FileBroken(Exception):  # noqa: N818 - the file is, not the program
    """One file cannot be processed; the others of its run can."""

    def __init__(self, broken_file_id: str, reason: str) -> None:
        super().__init__(f"file {broken_file_id}: {reason}")
        self.file_id = broken_file_id
        self.reason = reason


def require(what: str, *, found: object, expected: object) -> None:
    """Raise `AuditFailed` with both figures unless they are equal."""
    if found != expected:
        raise AuditFailed(f"{what}: found {found}, expected {expected}")


def root_cause(error: BaseException) -> str:
    """Return the innermost message of an error, through Java's causes; it may have quoted a row, so it is masked."""
    cause = getattr(error, "java_exception", None)
    if cause is None:
        return masked_text(f"{type(error).__name__}: {error}")
    while cause.getCause() is not None:
        cause = cause.getCause()
    return masked_text(str(cause.toString()))


def require_no_card_number(error: Exception) -> None:
    """Raise `JobFailed` in the place of an error that quotes what may be a card number.

    Glue puts the error that ends a job into its log and into the run's message, from where the workflow mails it.
    """
    told = "".join(traceback.format_exception(error))
    if (shown := masked_text(told)) != told:
        print(shown, file=sys.stderr, flush=True)
        raise JobFailed(root_cause(error)) from None


# From glue/lake/ledger.py


def instant_text(instant: datetime) -> str:
    """Return a UTC instant in the ledger's form, which sorts as text."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now_text() -> str:
    return instant_text(datetime.now(UTC))


def plain(value: Any) -> Any:
    """Return a DynamoDB value with numbers as `int`: the ledger holds counts as numbers and money as text."""
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def is_refused(error: ClientError) -> bool:
    """Tell whether a conditional write failed because its condition does not hold."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def up_to_rows(files: Iterable[FileItem], rows: int) -> list[FileItem]:
    """Return files from the first on, as many as have so many rows together; the first with rows in any case."""
    taken, held = [], 0
    for file in files:
        of_file = file["kpis"]["row_count"]
        if held and held + of_file > rows:
            break
        taken.append(file)
        held += of_file
    return taken


class Ledger:
    """The ledger table, seen from one layer."""

    def __init__(self, table_name: str, layer: LayerName) -> None:
        self.layer = layer
        self._layer_key = {"file_id": f"layer#{layer}"}
        self._breaker_key = {"file_id": f"breaker#{layer}"}
        self._resource = boto3.resource("dynamodb")
        self._table = self._resource.Table(table_name)
        self._token: str | None = None  # of the run that this process has begun last
        self._has_succeeded = False  # this process, in a run at least

    def state(self, layer: LayerName | None = None) -> LayerItem:
        """Return a layer's item, read consistently; an empty layer has run 0."""
        file_id = f"layer#{layer or self.layer}"
        item = self._table.get_item(Key={"file_id": file_id}, ConsistentRead=True).get("Item", {})
        return cast(LayerItem, {"file_id": file_id, "kind": "layer", "run_seq": 0, **plain(item)})

    def files(self, file_ids: Iterable[str]) -> list[FileItem]:
        """Return the items of these files, read consistently, in the order given."""

        def read(file_id: str) -> FileItem | None:
            item = self._table.get_item(Key={"file_id": file_id}, ConsistentRead=True).get("Item")
            return cast(FileItem, plain(item)) if item else None

        with ThreadPoolExecutor(16) as pool:
            return [item for item in pool.map(read, dict.fromkeys(file_ids)) if item]

    def closings(self, months: Iterable[str]) -> list[ClosedItem]:
        """Return the items of those of some months that are closed, read consistently."""
        item = self._table.get_item(Key={"file_id": CLOSED_MONTHS}, ConsistentRead=True).get("Item", {})
        closed = cast(set[str], item.get("months", set())).intersection(months)
        return cast(list[ClosedItem], self.files(f"{CLOSED}{month}" for month in sorted(closed)))

    def waiting(self, also: str | None) -> list[FileItem]:
        """Return the files that wait for this layer, those first that have waited longest.

        The index lags behind the table, so each item is read again, and `also` (the file of the execution that
        started this job) is looked up even when the index does not know it yet.
        """
        mine = Key("waiting_for").eq(self.layer)
        page = self._table.query(IndexName="waiting", KeyConditionExpression=mine)
        file_ids = [str(item["file_id"]) for item in page["Items"]]
        while "LastEvaluatedKey" in page and len(file_ids) < RUN_FILES:
            after = page["LastEvaluatedKey"]
            page = self._table.query(IndexName="waiting", KeyConditionExpression=mine, ExclusiveStartKey=after)
            file_ids += [str(item["file_id"]) for item in page["Items"]]
        file_ids = ([also] if also else []) + file_ids[: RUN_FILES - 1]
        waiting = [item for item in self.files(file_ids) if item.get("waiting_for") == self.layer]
        return sorted(waiting, key=lambda item: (item.get("waiting_since", ""), item["file_id"]))

    def begin(self, run: RunInProgress, *, after: int) -> None:
        """Record the run in progress; `after` is the number of the last committed run."""
        self._conditional(
            "SET kind = :kind, in_progress = :run, run_seq = if_not_exists(run_seq, :zero)",
            "attribute_not_exists(intent) AND (attribute_not_exists(run_seq) OR run_seq = :after)",
            {":kind": "layer", ":run": run, ":zero": 0, ":after": after},
        )
        self._token = run["token"]

    def commit(self, intent: RunIntent, *, token: str) -> None:
        """Put the one intent item: the commit point, and with it the head of the chain of evidence.

        Fails when another run has begun since.
        """
        self._conditional(
            "SET intent = :intent, run_seq = :run_seq, head = :head",
            Attr("intent").not_exists() & Attr("in_progress.token").eq(token),
            {":intent": intent, ":run_seq": intent["run_seq"], ":head": intent["head"]},
        )

    def finish(self, published: PublishedRun) -> None:
        """Clear the intent once all its tables and files are published."""
        self._conditional(
            "SET published = :published REMOVE intent, in_progress",
            "intent.run_seq = :run_seq",
            {":published": published, ":run_seq": published["run_seq"]},
        )

    def abandon(self) -> None:
        """Forget a run in progress that has nothing to commit."""
        self._table.update_item(Key=self._layer_key, UpdateExpression="REMOVE in_progress")

    def set_aside(self, failed: RunInProgress, suspects: list[SuspectFiles]) -> None:
        """Forget a run in progress that was seen to fail; its files are among the suspects."""
        self._conditional(
            "SET suspects = :suspects REMOVE in_progress",
            Attr("intent").not_exists() & Attr("in_progress.token").eq(failed["token"]),
            {":suspects": suspects},
        )

    def keep_suspects(self, suspects: list[SuspectFiles]) -> None:
        """Note which suspects are left, once the others were taken again."""
        self._table.update_item(
            Key=self._layer_key,
            UpdateExpression="SET suspects = :suspects",
            ExpressionAttributeValues={":suspects": cast(Any, suspects)},
        )

    def count_start(self, start: str) -> None:
        """Count a start of this layer's job until one succeeds: after three, the workflow starts no more.

        While the breaker is open, nothing is left to count for.
        """
        try:
            self._table.update_item(
                Key=self._breaker_key,
                UpdateExpression="SET kind = :kind ADD starts :start",
                ConditionExpression="attribute_not_exists(prober)",
                ExpressionAttributeValues={":kind": "breaker", ":start": {start}},
            )
        except ClientError as error:
            if not is_refused(error):
                raise

    def count_success(self) -> None:
        """Forget what has failed, and close the breaker: the layer's job works. Once a process is enough."""
        if not self._has_succeeded:
            self._table.update_item(
                Key=self._breaker_key,
                UpdateExpression="SET kind = :kind, succeeded_at = :now REMOVE starts, failures, opened_at, prober",
                ExpressionAttributeValues={":kind": "breaker", ":now": now_text()},
            )
        self._has_succeeded = True

    def advance(
        self, file_id: str, *, status: StatusName, waiting_for: LayerName | None, found: SilverOfFile | GoldOfFile
    ) -> bool:
        """Move one file to `status` with what this layer found; moving it there twice does nothing, and tells so."""
        at = now_text()
        wait = "waiting_for = :next, waiting_since = :at, " if waiting_for else ""
        values: dict[str, Any] = {":status": status, ":found": found, ":change": [{"status": status, "at": at}]}
        values |= {":next": waiting_for, ":at": at} if waiting_for else {}
        before = "accepted" if status == "in_silver" else "in_silver"
        try:
            self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression=(
                    f"SET {wait}#status = :status, {self.layer} = :found, changes = list_append(changes, :change)"
                    " REMOVE failed, last_error" + ("" if waiting_for else ", waiting_for, waiting_since")
                ),
                ConditionExpression="#status = :before",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={**values, ":before": before},
            )
        except ClientError as error:
            if not is_refused(error):
                raise
            return False
        return True

    def decide(self, action_id: str, decision: Decision, *, run_seq: int) -> None:
        """Set whether a file is in effect, and keep who decided it; doing it twice does nothing."""
        said: DecisionOfFile = {
            "action": action_id,
            "in_effect": decision["in_effect"],
            "who": decision["who"],
            "at": decision["at"],
            "reason": decision["reason"],
            "run_seq": run_seq,
        }
        number, held = decision["number"], Attr("decisions")
        try:
            self._table.update_item(
                Key={"file_id": decision["file_id"]},
                UpdateExpression="SET in_effect = :is, decisions = list_append(if_not_exists(decisions, :none), :said)",
                ConditionExpression=held.size().eq(number) if number else held.not_exists(),
                ExpressionAttributeValues={":is": decision["in_effect"], ":none": [], ":said": [said]},
            )
        except ClientError as error:
            if not is_refused(error):
                raise

    def note_repairs(self, file_id: str, found: RepairsOfFile) -> None:
        """Keep what became of a file's quarantined rows; doing it twice does nothing."""
        self._table.update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET repaired = :found",
            ExpressionAttributeValues={":found": cast(dict[str, Any], found)},
        )

    def reject(self, file_id: str, reasons: list[RejectionReason]) -> None:
        """Reject a file that was accepted and is not in Silver: a declared reload, a repair or a waiver."""
        at, found = now_text(), self.files([file_id])
        change = [{"status": "rejected", "at": at}]
        # Its workflow, if it has one, mails it: the function, should its event come again, need not.
        mail: dict[str, Any] = {":mail": {"sent_at": at}} if found and "execution_arn" in found[0] else {}
        self._table.update_item(
            Key={"file_id": file_id},
            UpdateExpression=(
                "SET #status = :rejected, in_effect = :no, reasons = :reasons, "
                + ("rejection_mail = :mail, " if mail else "")
                + "changes = list_append(changes, :change) REMOVE waiting_for, waiting_since"
            ),
            ConditionExpression="#status = :accepted",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":rejected": "rejected",
                ":accepted": "accepted",
                ":no": False,
                ":reasons": reasons,
                ":change": change,
                **mail,
            },
        )

    def fail(self, file_id: str, reason: str, *, attempts: int = 1) -> None:
        """Take a file out of the queue until it is resumed, and say why; one that waits here no more stays as it is.

        `attempts` counts the runs that took it. What is committed is published, and what another run has taken is that
        run's to judge.
        """
        state = self.state()
        if "intent" in state or self._token not in (None, state.get("in_progress", {}).get("token")):
            raise FencedOut(f"a run that is committed, or another one, holds the files of layer {self.layer}")
        told = masked_text(reason)[:FAILURE_CHARACTERS]
        failed = {"stage": self.layer, "reason": told, "attempts": attempts, "at": now_text()}
        self._where_waiting(
            file_id, "SET failed = :failed REMOVE waiting_for, waiting_since, last_error", {":failed": failed}
        )

    def note_error(self, file_id: str, reason: str) -> None:
        """Leave the reason of a run that failed on the file whose execution started it, as long as it waits here.

        The file keeps its place in the queue: the fault need not be its own, and its execution tries again.
        """
        error = {"stage": self.layer, "reason": masked_text(reason)[:FAILURE_CHARACTERS], "at": now_text()}
        self._where_waiting(file_id, "SET last_error = :error", {":error": error})

    def _where_waiting(self, file_id: str, update: str, values: dict[str, Any]) -> None:
        """Update the item of a file that waits for this layer; leave any other alone."""
        try:
            self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression=update,
                ConditionExpression="waiting_for = :layer",
                ExpressionAttributeValues={**values, ":layer": self.layer},
            )
        except ClientError as refusal:
            if not is_refused(refusal):
                raise

    def _conditional(self, update: str, condition: str | ConditionBase, values: dict[str, Any]) -> None:
        try:
            self._table.update_item(
                Key=self._layer_key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if is_refused(error):
                raise FencedOut(f"another run works on layer {self.layer}; this one publishes nothing") from error
            raise


# From glue/lake/loads.py


class Refused(Exception):  # noqa: N818 - a decision, not an error of the program
    """A reload that would delete too much, or lists a file that was rejected; a repair of what is not in quarantine."""

    def __init__(self, file_id: str, reason: str, code: str = "would_delete") -> None:
        super().__init__(reason)
        self.file_id = file_id
        self.reason: RejectionReason = {"code": code, "text": reason}


@dataclass(frozen=True)
class Loads:
    """The markers that were taken, each with its load's start: of complete loads, and of the others."""

    complete: Mapping[str, str]
    incomplete: Mapping[str, str]

    @classmethod
    def of(cls, totals: LayerTotals) -> Loads:
        return cls(totals.get("loads", {}), totals.get("incomplete_loads", {}))

    @property
    def floor(self) -> str | None:
        """Return the start of the newest complete load."""
        return max(self.complete.values(), default=None)

    def starts(self, ledger: Ledger) -> dict[str, str]:
        """Return where the files of complete loads begin: with the newest load that lists them."""
        return starts_of(ledger.files(self.complete))

    def having(self, marker: FileItem, *, is_complete: bool) -> Loads:
        """Return these loads and one more, or one of them as it is now."""
        file_id, start = marker["file_id"], marker["load"]["start_at"]
        others = [
            {key: each for key, each in kind.items() if key != file_id} for kind in (self.complete, self.incomplete)
        ]
        others[0 if is_complete else 1][file_id] = start
        return Loads(*others)

    def in_totals(self, totals: LayerTotals) -> LayerTotals:
        """Add the loads to a layer's totals."""
        found: LayerTotals = {**totals}
        if self.floor is not None:
            found["floor"] = self.floor
        if self.complete:
            found["loads"] = dict(self.complete)
        if self.incomplete:
            found["incomplete_loads"] = dict(self.incomplete)
        return found


@dataclass(frozen=True)
class Reload:
    """A declared reload that this run completes: its marker, the floor after it, and where its files now begin."""

    marker: FileItem
    floor: str
    starts: dict[str, str]
    cause = "load"
    moves_loads = True

    @property
    def owner_id(self) -> str:
        """Return the item to whose account its effects go."""
        return self.marker["file_id"]

    @property
    def file_id(self) -> str:
        """Return the file that takes away the keys which nothing names any more."""
        return self.owner_id

    @property
    def load_starts(self) -> dict[str, str]:
        """Return where the files begin that the run reads."""
        return self.starts


@dataclass(frozen=True)
class Action:
    """An undo or redo: its item, what it decides, and where loads stand after it."""

    item: FileItem
    decision: Decision
    loads: Loads
    starts: dict[str, str]
    moves_loads: bool

    @property
    def cause(self) -> str:
        return "redo" if self.decision["in_effect"] else "undo"

    @property
    def floor(self) -> str | None:
        return self.loads.floor

    @property
    def owner_id(self) -> str:
        """Return the item to whose account its effects go."""
        return self.item["file_id"]

    @property
    def file_id(self) -> str:
        """Return the file that it decides on."""
        return self.decision["file_id"]


def starts_of(markers: Iterable[FileItem]) -> dict[str, str]:
    starts: dict[str, str] = {}
    for marker in markers:
        for listed in marker["load"]["files"]:
            starts[listed] = max(starts.get(listed, ""), marker["load"]["start_at"])
    return starts


def with_ready_marker(ledger: Ledger, files: Sequence[FileItem], run_rows: int) -> list[FileItem]:
    """Return the files of the next run: all but the markers, and the oldest marker whose files are all there.

    Listed files that the index of waiting files does not show yet come along, as far as the rows of a run allow. A
    repair comes once its original is in Silver.
    """
    originals = ledger.files(file["repairs"] for file in files if "repairs" in file)
    known = {file["file_id"] for file in originals if file["status"] in IN_SILVER}
    files = [file for file in files if "repairs" not in file or file["repairs"] in known]
    markers = [file for file in files if file["subject"] == "load"]
    others = {file["file_id"]: file for file in files if file["subject"] != "load"}
    for marker in markers:
        listed = {file["file_id"]: file for file in ledger.files(marker["load"]["files"])}
        refuse_broken(marker, listed.values())
        arriving = {file_id: file for file_id, file in listed.items() if file.get("waiting_for") == "silver"}
        there = [file for file in listed.values() if file["status"] in IN_SILVER]
        run = [*{**others, **arriving}.values()]
        fits = len(run) == len(others) or up_to_rows(run, run_rows) == run
        if fits and len(arriving) + len(there) == len(set(marker["load"]["files"])):
            return [*run, marker]
    return list(others.values())


def refuse_broken(marker: FileItem, listed: Iterable[FileItem]) -> None:
    """Refuse a marker that lists a file which will never be in Silver as it is."""
    for file in listed:
        is_failed = file["status"] == "accepted" and "failed" in file
        if file["status"] == "rejected" or is_failed:
            reason = f"The reload lists {file['key']}, which {'failed' if is_failed else 'was rejected'}."
            raise Refused(marker["file_id"], reason, "load_file_missing")


def loads_after(ledger: Ledger, files: Sequence[FileItem], before: Loads) -> Loads:
    """Return the loads after a run takes these files; one that lists an undone file is taken, and not complete."""
    marker = next((file for file in files if file["subject"] == "load"), None)
    if marker is None:
        return before
    return before.having(marker, is_complete=all(file["in_effect"] for file in ledger.files(marker["load"]["files"])))


def reload_of(ledger: Ledger, files: Sequence[FileItem], after: Loads) -> Reload | None:
    """Return the reload that this run completes; a file that several loads list begins with the newest of them."""
    marker = next((file for file in files if file["file_id"] in after.complete), None)
    if marker is None or after.floor is None:
        return None
    starts = after.starts(ledger)
    return Reload(marker, after.floor, {file: starts[file] for file in marker["load"]["files"]})


def action_of(ledger: Ledger, item: FileItem, before: Loads) -> Action:
    """Return what an action decides, and where loads stand after it; raise FileBroken if it comes too late."""
    decision = item["decides"]
    (file,) = ledger.files([decision["file_id"]])
    place = file["status"] in IN_SILVER, file["in_effect"], len(file.get("decisions", []))
    if place != (True, not decision["in_effect"], decision["number"]):
        raise FileBroken(item["file_id"], f"{file['key']} is not in Silver, or somebody else has decided on it")
    after = before
    for marker in ledger.files([*before.complete, *before.incomplete]):
        members = {marker["file_id"], *marker["load"]["files"]}
        if decision["file_id"] in members:
            others = ledger.files(members - {decision["file_id"]})
            is_complete = decision["in_effect"] and all(file["in_effect"] for file in others)
            after = after.having(marker, is_complete=is_complete)
    starts = after.starts(ledger)
    moves_loads = (after.floor, starts) != (before.floor, before.starts(ledger))
    return Action(item, decision, after, starts, moves_loads)


def limit_missing(reload: Reload, missing_rows: int, living: int, maximum_share: Decimal) -> None:
    """Refuse a reload that would delete too large a share of the living rows."""
    if missing_rows > maximum_share * living:
        raise Refused(
            reload.owner_id,
            f"The reload would delete {missing_rows:,} rows of {living:,} "
            f"({100 * Decimal(missing_rows) / living:.1f} %), the maximum is {100 * maximum_share:f} %.",
        )


# From functions/kpi/contract/evidence.py

FIXED = (
    "file_id",
    "kind",
    "subject",
    "bucket",
    "key",
    "version_id",
    "sequencer",
    "etag",
    "checksum",
    "size",
    "last_modified_at",
    "as_of_at",
    "format",
    "load",
    "kpis",
    "control",
    "warnings",
    "notice",
    "decides",
    "repairs",
    "waives",
)
"""The attributes of a file's or an action's item that stay as they are once it is accepted."""

IDENTITY = ("bucket", "key", "version_id", "etag", "checksum", "size")
"""Those of them that a run's report repeats, so that they are known without the ledger."""

SIGNING_ALGORITHM = "RSASSA_PKCS1_V1_5_SHA_256"
"""How KMS signs a head; anybody can check it with the public key and a few lines of arithmetic."""


def sha256(data: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: object) -> bytes:
    """Return the one form in which a value is hashed or signed: JSON with sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def item_sha256(item: Mapping[str, object]) -> str:
    """Return the hash of what of an item never changes."""
    return sha256(canonical({name: item[name] for name in FIXED if name in item}))


def passport_of(item: Mapping[str, object]) -> bytes:
    """Return the passport that a job leaves in the lake of a ledger item."""
    return json.dumps(item, sort_keys=True, indent=1).encode()


def came_at(item: Mapping[str, Any]) -> str:
    """Return when a file's object was written, or an action was decided."""
    return str(item["decides"]["at"] if "decides" in item else item["last_modified_at"])


def signed_text(layer: str, run_seq: int, report_sha256: str) -> bytes:
    """Return what the signature of a head is made over."""
    return canonical({"layer": layer, "run_seq": run_seq, "sha256": report_sha256})


# From functions/kpi/contract/views.py

FACTS, DATES = "fact_transactions", "dim_date"
OF_THE_VERSION = ("valid_from", "valid_to", "is_current")
PERSONAL = "dim_client"
"""What stays in a table of its own: a view for everybody tells of a client the id alone."""
JOINED = {name: dimension for name, dimension in ALL_DIMENSIONS.items() if name != PERSONAL}


@dataclass(frozen=True)
class ViewColumn:
    """A column of the view: the table and the column that it comes from."""

    name: str
    table: str
    column: str
    sql_type: str

    @property
    def expression(self) -> str:
        """The column as a SELECT names it; a view of Athena has no instants with a zone, so these are UTC without.

        Athena's have milliseconds, and would be rounded: to the next day, too.
        """
        source = f'{self.table}."{self.column}"'
        return f"CAST(date_trunc('millisecond', {source}) AS timestamp)" if self.sql_type == "timestamp" else source

    @property
    def description(self) -> str:
        return column_description(self.column)


def _columns() -> Iterator[ViewColumn]:
    """Yield what a fact says itself, the names behind its keys, then what else is known of these."""
    keys = {"date_key", *(dimension.key for dimension in ALL_DIMENSIONS.values())}
    yield from (ViewColumn(name, FACTS, name, kind) for name, kind in FACT.items() if name not in keys)
    for table, dimension in DIMENSIONS.items():
        yield from (ViewColumn(name, table, name, kind) for name, kind in dimension.natural_types.items())
    yield from (
        ViewColumn(name, DATES, name, kind) for name, kind in CALENDAR.items() if name not in ("date_key", "date")
    )
    for table, dimension in DIMENSIONS.items():
        yield from (
            ViewColumn(_named(name, table), table, name, kind) for name, kind in dimension.attribute_types.items()
        )
    for table, versions in VERSIONED_DIMENSIONS.items():
        own = {name: kind for name, kind in versions.schema.items() if name not in (versions.key, *OF_THE_VERSION)}
        yield from (ViewColumn(_named(name, table), table, name, kind) for name, kind in own.items())


def _named(attribute: str, table: str) -> str:
    """Say of what a description is."""
    return f"{table.removeprefix('dim_')}_{attribute}" if attribute == "description" else attribute


def _first_of_each() -> Mapping[str, ViewColumn]:
    """Return the columns by name; what was said before, of the fact or of the place, is not said again of another."""
    found: dict[str, ViewColumn] = {}
    for column in _columns():
        if column.table != PERSONAL:
            found.setdefault(column.name, column)
    return found


@dataclass(frozen=True)
class FlatView:
    """A view over the facts and the dimensions, that of clients left out."""

    name: str
    description: str
    columns: Mapping[str, ViewColumn]

    @property
    def tables(self) -> tuple[str, ...]:
        return (FACTS, DATES, *JOINED)

    def sql(self, database: str) -> str:
        """Return the view's statement over the tables of a database."""
        shown = ", ".join(f'{column.expression} AS "{name}"' for name, column in self.columns.items())
        keys = {DATES: "date_key", **{name: dimension.key for name, dimension in JOINED.items()}}
        joins = [
            f'LEFT JOIN "{database}"."{table}" AS {table} ON {table}."{key}" = {FACTS}."{key}"'
            for table, key in keys.items()
        ]
        return " ".join(["SELECT", shown, "FROM", f'"{database}"."{FACTS}" AS {FACTS}', *joins])


TRANSACTIONS_FLAT = FlatView(
    "transactions_flat",
    "One row per living `dms_id` with names in place of keys; instants are UTC.",
    _first_of_each(),
)
VIEWS: Mapping[str, FlatView] = {view.name: view for view in (TRANSACTIONS_FLAT,)}


# From glue/lake/compaction.py

CROWD = 10  # small data files, or delete files; each costs a reader some requests
SMALL_FILE_BYTES = 4 << 20
DEAD_SHARE = 10  # percent of the rows; until then a reader is quicker in passing over them than a job in rewriting
KEPT_SNAPSHOTS = 100
ORPHAN_DAYS = 3
Snapshots = Callable[[], set[int]]
# Files that are well sized stay as they are, so the cost follows what has come since.
OF_SIZE = (
    f"'min-input-files', '2', 'min-file-size-bytes', '{SMALL_FILE_BYTES}', 'target-file-size-bytes', '{128 << 20}'"
)
SMALL_FILES = f"map({OF_SIZE})"
FILES_WITH_DEAD_ROWS = f"map('delete-file-threshold', '1', {OF_SIZE})"


def compact(spark: SparkSession, database: str, tables: Iterable[str], *, named: Snapshots) -> list[str]:
    """Rewrite the small files and the deletes of tables that have gathered too many; return their names.

    Snapshots that are `named` elsewhere do not expire.
    """
    return _compact_each(spark, database, tables, CROWD, DEAD_SHARE, named)


def compact_all(spark: SparkSession, database: str, tables: Iterable[str], *, named: Snapshots) -> list[str]:
    """Merge the small files of tables and free their dead rows, however few there are; return their names."""
    return _compact_each(spark, database, tables, 1, 0, named)


def _compact_each(
    spark: SparkSession, database: str, tables: Iterable[str], crowd: int, dead_share: int, named: Snapshots
) -> list[str]:
    names = {table: f"{CATALOG}.{database}.{table}" for table in tables}
    tasks = {table: partial(_compact_one, spark, name, crowd, dead_share, named) for table, name in names.items()}
    return [table for table, is_compacted in in_parallel(tasks).items() if is_compacted]


def _compact_one(spark: SparkSession, name: str, crowd: int, dead_share: int, named: Snapshots) -> bool:
    iceberg = loaded_table(spark, name)  # after a run, that is what it has published
    if iceberg.currentSnapshot() is None:
        return False
    summary = iceberg.currentSnapshot().summary()
    rows, dead, deletes = (
        int(summary.get(f"total-{kind}") or 0) for kind in ("records", "position-deletes", "delete-files")
    )
    if not rows:
        return False
    if deletes >= crowd and 100 * dead > dead_share * rows:
        _rewrite_data_files(spark, name, FILES_WITH_DEAD_ROWS)
    elif small_files(iceberg) >= max(crowd, 2):
        _rewrite_data_files(spark, name, SMALL_FILES)
    elif deletes < crowd:
        return False
    if deletes:
        merge_deletes(spark, iceberg_table(spark, name))
    expire(iceberg_table(spark, name), named)
    return True


def small_files(iceberg: Any) -> int:
    """Return how many small files have come since data files were last rewritten, from the snapshots' summaries.

    A compaction of delete files alone replaces no data file, so it does not end the count.
    """
    files = 0
    for snapshot in ancestry(iceberg, iceberg.currentSnapshot()):
        summary = snapshot.summary()
        if int(summary.get("deleted-data-files") or 0):
            break
        added = int(summary.get("added-data-files") or 0)
        if int(summary.get("added-files-size") or 0) < added * SMALL_FILE_BYTES:
            files += added
    return files


def _rewrite_data_files(spark: SparkSession, name: str, options: str) -> None:
    spark.sql(f"CALL {CATALOG}.system.rewrite_data_files(table => '{name}', options => {options})")


def expire(iceberg: Any, named: Snapshots) -> None:
    """Forget old snapshots, but for those that are named: by a branch, as the last run's, or by a cut."""
    snapshots = sorted((snapshot.timestampMillis(), snapshot.snapshotId()) for snapshot in iceberg.snapshots())
    if len(snapshots) <= 2 * KEPT_SNAPSHOTS:
        return
    kept = {*named(), *(iceberg.refs()[name].snapshotId() for name in iceberg.refs())}
    # By its own rule, Iceberg would forget all that is older than five days.
    forgotten = iceberg.expireSnapshots().expireOlderThan(0)
    for _, snapshot_id in snapshots[:-KEPT_SNAPSHOTS]:
        if snapshot_id not in kept:
            forgotten = forgotten.expireSnapshotId(snapshot_id)
    forgotten.commit()


def remove_orphans(spark: SparkSession, database: str, tables: Iterable[str], *, now: datetime) -> dict[str, int]:
    """Remove the files of tables that no snapshot names: of killed runs. Return how many, by table.

    A run that is at work writes files before it names them, so younger ones stay.
    """
    before, found = f"{now - timedelta(days=ORPHAN_DAYS):%Y-%m-%d %H:%M:%S}", {}
    for table in tables:
        # Listed by Iceberg's own access to S3, as the files were written.
        arguments = f"table => '{database}.{table}', older_than => TIMESTAMP '{before}', prefix_listing => true"
        found[table] = spark.sql(f"CALL {CATALOG}.system.remove_orphan_files({arguments})").count()
    return {table: count for table, count in found.items() if count}


# From glue/lake/cuts.py

MOST_CUTS = 100
KEPT_DAYS = 7
CHANGED = ("PreconditionFailed", "ConditionalRequestConflict")


def put_cut(bucket: str, prefix: str, cut: Cut) -> None:
    """Name a cut as the current one, unless a later one is there; a run that is finished by the next names it again."""
    if not _replace(bucket, f"{prefix}{CURRENT_CUT}", lambda before: _newer(before, cut)):
        return
    _replace(bucket, f"{prefix}{KEPT_CUTS}", lambda before: kept([*(before or []), cut]))


def kept(cuts: Sequence[Cut]) -> list[Cut]:
    """Return the cuts that readers may still ask for: the last 100, and the last one of each hour of seven days."""
    by_run = sorted({cut["run_seq"]: cut for cut in cuts}.values(), key=lambda cut: cut["run_seq"])
    oldest = datetime.fromisoformat(by_run[-1]["at"]) - timedelta(days=KEPT_DAYS)
    last_of_hour = {cut["at"][:13]: cut["run_seq"] for cut in by_run if datetime.fromisoformat(cut["at"]) >= oldest}
    wanted = {*last_of_hour.values(), *(cut["run_seq"] for cut in by_run[-MOST_CUTS:])}
    return [cut for cut in by_run if cut["run_seq"] in wanted]


def snapshots_named(bucket: str, prefix: str, layer: LayerName) -> set[int]:
    """Return the snapshots of a layer's tables that kept cuts name."""
    cuts, _ = _read(bucket, f"{prefix}{KEPT_CUTS}")
    return {snapshot_id for cut in cuts or [] for snapshot_id in cut["snapshots"][layer].values()}


def _newer(before: Cut | None, cut: Cut) -> Cut | None:
    return None if before is not None and before["run_seq"] > cut["run_seq"] else cut


def _replace(bucket: str, key: str, change: Callable[[Any], Any]) -> bool:
    """Write what `change` makes of an object's content, unless it is nothing; again if somebody else was quicker."""
    while True:
        before, etag = _read(bucket, key)
        if (after := change(before)) is None:
            return False
        s3 = boto3.client("s3")
        # As a header: the boto3 of a Glue job may be older than the parameters IfMatch and IfNoneMatch (1.35.69).
        condition = {"If-Match": etag} if etag else {"If-None-Match": "*"}
        s3.meta.events.register("before-call.s3.PutObject", partial(_add_headers, condition))
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(after, sort_keys=True).encode())
        except ClientError as error:
            if error.response["Error"]["Code"] not in CHANGED:
                raise
        else:
            return True


def _add_headers(headers: dict[str, str], params: dict[str, Any], **_: object) -> None:
    params["headers"] |= headers


def _read(bucket: str, key: str) -> tuple[Any, str]:
    """Return the content of an object and its ETag; nothing if there is none."""
    try:
        found = boto3.client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None, ""
    return json.loads(found["Body"].read()), found["ETag"]


# From glue/lake/evidence.py

UNSIGNED = "none"  # Glue refuses an argument without a value


class ReportHash(TypedDict, total=False):
    """The hash of a run's report; nothing if an earlier version committed the run."""

    report_sha256: str


def taken(file: FileItem) -> TakenFile:
    """Return what the report of a run says of a file that it takes."""
    known = {name: value for name, value in file.items() if name in IDENTITY}
    return cast(TakenFile, {**known, "came_at": came_at(file), "item_sha256": item_sha256(file)})


def chained(
    layer: LayerName, run_seq: int, before: LayerItem, files: Iterable[FileItem], report: SilverReport | GoldReport
) -> bytes:
    """Return the report of a run as a link of the layer's chain, whose head is in the layer's item from `before` it."""
    link: Link = {"layer": layer, "run_seq": run_seq, "taken": {file["file_id"]: taken(file) for file in files}}
    if "head" in before:
        link["previous"] = before["head"]
    return json.dumps({**link, **report}, sort_keys=True).encode()


def head_of(layer: LayerName, run_seq: int, report: bytes, *, signing_key: str) -> ChainHead:
    """Return the head that a run's report makes, signed if there is a key for it."""
    head: ChainHead = {"run_seq": run_seq, "sha256": sha256(report)}
    if signing_key != UNSIGNED:
        signed = boto3.client("kms").sign(
            KeyId=signing_key,
            Message=signed_text(layer, run_seq, head["sha256"]),
            MessageType="RAW",
            SigningAlgorithm=SIGNING_ALGORITHM,
        )
        value = base64.b64encode(signed["Signature"]).decode()
        head["signature"] = {"key": signing_key, "algorithm": SIGNING_ALGORITHM, "value": value}
    return head


def report_hash(intent: RunIntent) -> ReportHash:
    """Return what items say of the report of a committed run."""
    return {"report_sha256": intent["head"]["sha256"]} if "head" in intent else {}


# From glue/lake/views.py

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableInputTypeDef

PRESTO_TYPES = {"int": "integer", "string": "varchar"}
LONGEST_COMMENT = 255


def put_view(database: str, view: FlatView) -> None:
    """Make a view, or make it anew where its statement is another than the catalog has."""
    glue, wanted = boto3.client("glue"), view_input(database, view)
    try:
        held: Any = glue.get_table(DatabaseName=database, Name=view.name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        glue.create_table(DatabaseName=database, TableInput=wanted)
        return
    if _told(held) != _told(wanted):
        glue.update_table(DatabaseName=database, TableInput=wanted)


def _told(view: Any) -> list[Any]:
    """Return what is compared of a view: Glue adds attributes of its own."""
    comments = [column.get("Comment") for column in view.get("StorageDescriptor", {}).get("Columns", [])]
    return [view.get("ViewOriginalText"), view.get("Description"), comments]


def view_input(database: str, view: FlatView) -> TableInputTypeDef:
    """Return a view as the catalog holds those of Athena: its statement as JSON in base64, in a comment."""
    types = {name: PRESTO_TYPES.get(column.sql_type, column.sql_type) for name, column in view.columns.items()}
    statement = {
        "originalSql": view.sql(database),
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": name, "type": kind} for name, kind in types.items()],
    }
    text = base64.b64encode(json.dumps(statement).encode()).decode()
    columns = {name: (column.sql_type, column.description[:LONGEST_COMMENT]) for name, column in view.columns.items()}
    return {
        "Name": view.name,
        "Description": view.description,
        "TableType": "VIRTUAL_VIEW",
        "ViewOriginalText": f"/* Presto View: {text} */",
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind, "Comment": told} for name, (kind, told) in columns.items()],
            "Location": "",
            "SerdeInfo": {},
        },
    }


# From glue/lake/run.py

Written = TypeVar("Written")
Report = TypeVar("Report", SilverReport, GoldReport)
LEAST_WORKERS = 2
COMMON_ARGUMENTS = ("lake_bucket", "ledger_table", "silver_database")


@dataclass(frozen=True)
class Layer(Generic[Written, Report]):
    """What tells one layer from the other.

    `state_table` holds its current rows. `take` starts a run over what waits, `repeat` one that was killed before its
    commit point; both by `process`. `write` puts a run's rows into its branches, `prove` holds them to what was decided
    and returns the run's report, `advance` moves the files of a published report. Of a rebuild, `expected_totals` says
    what the tables must hold (and refuses one that comes too late), `report_of_rebuild` what is noted of it.
    `options` are the layer's own arguments with their defaults, `numbers` those that are whole numbers.
    """

    name: LayerName
    tables: Mapping[str, LakeTable]
    state_table: str
    take: Callable[[Job], None]
    repeat: Callable[[Job, RunInProgress], None]
    write: Callable[[Run], Written]
    prove: Callable[[Run, Written], Report]
    advance: Callable[[Job, RunIntent, Report], None]
    expected_totals: Callable[[Job], Mapping[str, object]]
    report_of_rebuild: Callable[[Job, LayerItem, LayerTotals], Report]
    required: tuple[str, ...] = COMMON_ARGUMENTS
    options: Mapping[str, str | None] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, FlatView] = field(default_factory=dict)
    row_group_bytes: int = 128 << 20


@dataclass(frozen=True)
class Job:
    """A layer's job: its session, its ledger, and what it was asked to do."""

    layer: Layer[Any, Any]
    spark: SparkSession
    ledger: Ledger
    arguments: argparse.Namespace

    @property
    def database(self) -> str:
        """Return the database of the layer's tables."""
        return str(getattr(self.arguments, f"{self.layer.name}_database"))

    @property
    def run_rows(self) -> int:
        """Return how many rows a run takes at the most, unless one file has more: given, or what the workers hold.

        One of the workers is the driver.
        """
        given = self.arguments
        return int(given.run_rows or WORKER_ROWS * ((given.workers or LEAST_WORKERS) - 1))

    def branches(self, name: str) -> Branches:
        return Branches(self.spark, self.database, name)

    def step(self, name: str, **found: object) -> None:
        """Log one step as a line of JSON; never row contents, card or client ids."""
        line = {"layer": self.layer.name, "step": name, "at": now_text(), **found}
        print(json.dumps(line, default=str), flush=True)


@dataclass(frozen=True)
class Run:
    """A run that has begun: what the ledger recorded of it, the layer's item before it, its files, its branches."""

    job: Job
    record: RunInProgress
    before: LayerItem
    files: Sequence[FileItem]
    branches: Branches

    @property
    def run_seq(self) -> int:
        return self.record["run_seq"]

    @property
    def spark(self) -> SparkSession:
        return self.job.spark

    @property
    def totals_before(self) -> LayerTotals:
        """Return the totals of the layer before the run."""
        if "published" in self.before:
            return cast(LayerTotals, self.before["published"])
        return {"row_count": 0, "total_amount": "0.00"}

    def never_written(self, tables: Iterable[str]) -> list[str]:
        """Return the tables that the contract got after the layer's first run: no run has published rows of them."""
        published = self.before.get("published")
        return [] if published is None else [name for name in tables if name not in published["snapshots"]]

    def gained_columns(self, table: str) -> bool:
        """Tell whether a table got columns after its published rows were written: they are null in all of these."""
        published = self.before.get("published")
        snapshot_id = published["snapshots"].get(table) if published else None
        return snapshot_id is not None and bool(self.branches.columns_since(table, snapshot_id))


def begin(job: Job, files: Sequence[FileItem], before: LayerItem, **note: object) -> Run:
    """Record the run that follows the last committed one; `note` is what its layer needs to do it again.

    A file that was given up before the run was recorded is none of its files: nobody would see that the run holds it.
    """
    run_seq, token = before["run_seq"] + 1, uuid.uuid4().hex
    file_ids = [file["file_id"] for file in files]
    begun = {"run_seq": run_seq, "token": token, "files": file_ids, "started_at": now_text(), **note}
    begun |= {"start": job.arguments.start} if job.arguments.start else {}
    record = cast(RunInProgress, begun)
    job.ledger.begin(record, after=before["run_seq"])
    job.step("begun", run_seq=run_seq, files=len(files))
    waiting = {file["file_id"] for file in job.ledger.files(file_ids) if file.get("waiting_for") == job.layer.name}
    if withdrawn := set(file_ids) - waiting:
        raise Withdrawn(withdrawn)
    return Run(job, record, before, files, job.branches(Branches.name_of_run(run_seq, token)))


def process(job: Job, files: Sequence[FileItem], **note: object) -> None:
    """Do one run; leave the readers' tables alone on any error."""
    run = begin(job, files, job.ledger.state(), **note)
    report = job.layer.prove(run, job.layer.write(run))
    job.step("proved", **totals_of(report))
    commit(run, report)


def process_waiting(job: Job, files: Sequence[FileItem], **note: object) -> None:
    """Do one run over those of the files that still wait once it has begun."""
    try:
        process(job, files, **note)
    except Withdrawn as gone:
        process_waiting(job, [file for file in files if file["file_id"] not in gone.file_ids], **note)


def commit(run: Run, report: SilverReport | GoldReport) -> None:
    """Put the intent, the commit point, and carry it out."""
    job, snapshots = run.job, run.branches.snapshots()
    body = chained(job.layer.name, run.run_seq, run.before, run.files, report)
    intent: RunIntent = {
        "run_seq": run.run_seq,
        "branch": run.branches.name,
        "snapshots": snapshots,
        "report": put_report(run, body),
        "head": head_of(job.layer.name, run.run_seq, body, signing_key=job.arguments.signing_key),
    }
    job.step("before_intent")
    job.ledger.commit(intent, token=run.record["token"])
    try:
        job.step("after_intent")
        published = publish(job, intent)
    except Exception as error:
        raise Unfinished(f"run {run.run_seq} is committed, the next one finishes it: {root_cause(error)}") from error
    compact_published(job, published)


def put_report(run: Run, body: bytes) -> str:
    """Keep what a run did, for its publication and as a link of the chain, under the name of its branches."""
    job = run.job
    key = f"{job.arguments.prefix}reports/{job.layer.name}/{run.branches.name}.json"
    boto3.client("s3").put_object(Bucket=job.arguments.lake_bucket, Key=key, Body=body)
    return key


def read_report(job: Job, intent: RunIntent) -> SilverReport | GoldReport:
    """Read what a committed run did; refuse what is not what it wrote."""
    body = boto3.client("s3").get_object(Bucket=job.arguments.lake_bucket, Key=intent["report"])["Body"].read()
    if "head" in intent:
        require(f"SHA-256 of {intent['report']}", found=sha256(body), expected=intent["head"]["sha256"])
    return cast(SilverReport | GoldReport, json.loads(body))


def publish(job: Job, intent: RunIntent) -> list[str]:
    """Carry out a committed intent; return its tables. Each step may be done twice: the next run finishes a kill's."""
    branches, ledger = job.branches(intent["branch"]), job.ledger
    promised = {table: intent["snapshots"][table] for table in job.layer.tables if table in intent["snapshots"]}
    report, state = read_report(job, intent), ledger.state()
    snapshots = {**(state["published"]["snapshots"] if "published" in state else {}), **promised}
    totals: LayerTotals = report["totals"]
    if "silver_snapshots" in totals:
        name_cut(job, intent["run_seq"], snapshots, totals)
    for table, snapshot_id in promised.items():
        branches.fast_forward(table, snapshot_id)
        job.step("fast_forwarded", table=table)
    job.layer.advance(job, {**intent, "snapshots": promised}, report)
    job.step("files_advanced")
    of_run = {"run_seq": intent["run_seq"], "snapshots": snapshots, **report_hash(intent)}
    published = cast(PublishedRun, {**of_run, **totals})
    ledger.finish(published)
    ledger.count_success()
    job.step("published", run_seq=intent["run_seq"], **totals_of(report))
    return list(promised)


def name_cut(job: Job, run_seq: int, snapshots: dict[str, int], totals: LayerTotals) -> None:
    """Tell readers which snapshots of Gold and of the Silver that it shows belong together."""
    together: dict[LayerName, dict[str, int]] = {"silver": totals["silver_snapshots"], "gold": snapshots}
    silver_run_seq, at = totals["silver_run_seq"], now_text()
    cut: Cut = {"run_seq": run_seq, "silver_run_seq": silver_run_seq, "at": at, "snapshots": together}
    put_cut(job.arguments.lake_bucket, job.arguments.prefix, cut)
    job.step("cut_named")


def compact_published(job: Job, tables: Iterable[str]) -> None:
    """Compact the tables of a run whose rows readers see: if that fails, the run has ended all the same."""
    job.step("compacted", tables=compact(job.spark, job.database, tables, named=partial(named_by_cuts, job)))


def named_by_cuts(job: Job) -> set[int]:
    """Return the snapshots of the layer that must not expire."""
    return snapshots_named(job.arguments.lake_bucket, job.arguments.prefix, job.layer.name)


def totals_of(report: SilverReport | GoldReport) -> dict[str, object]:
    """Return rows and money of a layer after a run."""
    return {name: report["totals"][name] for name in ("row_count", "total_amount")}


def put_passport(job: Job, item: FileItem) -> None:
    """Leave the ledger item of a file at its end in the lake."""
    key = f"{job.arguments.prefix}passports/{item['file_id']}.json"
    boto3.client("s3").put_object(Bucket=job.arguments.lake_bucket, Key=key, Body=passport_of(item))


def recover(job: Job) -> None:
    """Finish what a killed run left: roll forward after its commit point, else leave it to the layer to repeat it."""
    state = job.ledger.state()
    if "intent" in state:
        job.step("rolling_forward", run_seq=state["intent"]["run_seq"])
        compact_published(job, publish(job, state["intent"]))
    elif job.arguments.rebuild_from:
        job.ledger.abandon()  # a rebuild mends what a failed run has left
    elif "in_progress" in state:
        job.step("running_again", run_seq=state["in_progress"]["run_seq"])
        job.layer.repeat(job, state["in_progress"])


def rebuild(job: Job) -> None:
    """Publish the tables of another database as this layer's, in one commit.

    A replay has rebuilt them from Bronze. They are refused unless they hold all runs that are published.
    """
    layer, before, contained = job.layer, job.ledger.state(), job.arguments.expected_run_seq
    expected = layer.expected_totals(job)
    if before["run_seq"] != contained or "published" not in before:
        raise FencedOut(
            f"{job.arguments.rebuild_from} holds the runs up to {contained}, "
            f"but run {before['run_seq']} is published: rebuild it again"
        )
    run = begin(job, [], before, attempts=1)
    run.branches.take_over(layer.tables, job.arguments.rebuild_from, last_run=before["run_seq"])
    rows = job.spark.table(run.branches.current(layer.state_table))
    ((row_count, amount),) = rows.agg(F.count(F.lit(1)), total("amount")).collect()
    totals: LayerTotals = {"row_count": row_count, "total_amount": cents(amount)}
    require("rows and money taken over", found=totals, expected={**totals, **expected})
    job.step("proved", **totals)
    commit(run, layer.report_of_rebuild(job, before, totals))


def arguments(layer: Layer[Any, Any], argv: Sequence[str]) -> argparse.Namespace:
    """Read a job's arguments; Glue adds some of its own, which are passed over."""
    parser = argparse.ArgumentParser(prog=layer.name, allow_abbrev=False)
    common = {**dict.fromkeys(layer.required, ""), "prefix": "", "signing_key": UNSIGNED}
    options: dict[str, str | None] = {**common, **layer.options}
    for name, default in options.items():
        parser.add_argument(f"--{name}", default=default)
    for name in ("expected_run_seq", *layer.numbers):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--file_id", default="", help="the file whose execution started this run")
    parser.add_argument("--start", default="", help="which start of this job by the workflow this is")
    parser.add_argument("--rebuild_from", default="", help="a database whose tables take the place of this layer's")
    parser.add_argument("--maintain", choices=["true", "orphans"], help="compact all tables, and take no file")
    parsed, _ = parser.parse_known_args(argv)
    for name in layer.required:
        if not getattr(parsed, name):
            parser.error(f"--{name} is required")
    return parsed


def maintain(job: Job) -> None:
    """Compact all tables; if asked for, remove the files that killed runs have left."""
    tables, named = job.layer.tables, partial(named_by_cuts, job)
    job.step("compacted", tables=compact_all(job.spark, job.database, tables, named=named))
    if job.arguments.maintain == "orphans":
        removed = remove_orphans(job.spark, job.database, tables, now=datetime.now(UTC))
        job.step("orphans_removed", **removed)


def work(job: Job) -> None:
    """Finish what was left, then do what was asked: rebuild, compact, or take what waits."""
    recover(job)
    if job.arguments.rebuild_from:
        rebuild(job)
    elif job.arguments.maintain:
        maintain(job)
    else:
        job.layer.take(job)
        job.ledger.count_success()


def main(layer: Layer[Any, Any], given: argparse.Namespace) -> None:
    """Run a layer's job; leave the reason of a failure on the file whose execution started it."""
    ledger = Ledger(given.ledger_table, layer.name)
    if given.start:
        ledger.count_start(given.start)
    spark = session(layer.name, layer.settings)
    job = Job(layer, spark, ledger, given)
    try:
        create_tables(spark, job.database, layer.tables, row_group_bytes=layer.row_group_bytes)
        for view in layer.views.values():
            put_view(job.database, view)
        job.step("started")
        work(job)
    except Exception as error:
        if given.file_id:
            job.ledger.note_error(given.file_id, root_cause(error))
        require_no_card_number(error)
        raise
    job.step("done")
    spark.stop()


# From glue/lake/isolation.py

ATTEMPTS = 3  # a file is given up once so many runs that took it failed, the last of them with no other
Probe = Callable[[Job, FileItem], None]
"""Reads one file alone, wholly, and raises what is wrong with it."""


def process_all(job: Job, files: Sequence[FileItem], probe: Probe, *, attempts: int = 1) -> None:
    """Process the files in one run, leaving out those that break it."""
    left = list(files)
    while left:
        try:
            if not (ready := with_ready_marker(job.ledger, left, job.run_rows)):
                break
            return process(job, ready, attempts=attempts)
        except (FencedOut, Unfinished):
            raise
        except Withdrawn as gone:
            out = gone.file_ids
        except Refused as refusal:
            reject(job, refusal)
            out = {refusal.file_id}
        except Exception as error:
            out = fail_broken(job, left, error, probe, attempts)
        left = [file for file in left if file["file_id"] not in out]
    return job.ledger.abandon()


def reject(job: Job, refusal: Refused) -> None:
    job.ledger.reject(refusal.file_id, [refusal.reason])
    put_passport(job, job.ledger.files([refusal.file_id])[0])
    job.step("refused", file_id=refusal.file_id, **refusal.reason)


def fail_broken(job: Job, files: Sequence[FileItem], error: Exception, probe: Probe, attempts: int) -> set[str]:
    """Mark the files that broke a run as failed, and return them; raise the error if no file is to blame.

    None is, where the session is gone: nothing can be read then, and the run has died as if it had been killed.
    """
    if isinstance(error, FileBroken):
        broken = {error.file_id: error.reason}
    else:
        job.step("run_failed", error=root_cause(error)[:500])
        broken = broken_files(job, files, error, probe)
        if not broken or not is_at_work(job.spark):
            raise error
    for broken_id, reason in broken.items():
        job.ledger.fail(broken_id, reason, attempts=attempts)
        job.step("file_failed", file_id=broken_id)
    return set(broken)


def broken_files(job: Job, files: Sequence[FileItem], error: Exception, probe: Probe) -> dict[str, str]:
    """Return the files that broke a run, each with its reason; nothing when all of them, or none, can be read.

    When no file at all can be read, the fault lies with the storage and not with the files.
    """
    named = set(re.findall("[0-9a-f]{64}", str(error)))
    suspects = [file for file in files if file["file_id"] in named] or files
    found = {file["file_id"]: why_unreadable(job, file, probe) for file in suspects}
    reasons = {broken_id: reason for broken_id, reason in found.items() if reason}
    return {} if len(reasons) == len(files) > 1 else reasons


def why_unreadable(job: Job, file: FileItem, probe: Probe) -> str | None:
    """Return why a file cannot be read, or nothing."""
    try:
        probe(job, file)
    except FileBroken as error:
        return error.reason
    except Exception as error:  # whatever breaks the reading of this one file is its reason
        return root_cause(error)
    return None


def take_all(job: Job, probe: Probe) -> None:
    """Process what waits: first the files that are under no suspicion, then the suspects, a list in a run of its own.

    A reload would bring suspects together again, so it comes last.
    """
    suspects = [(each, still_waiting(job, each["files"])) for each in job.ledger.state().get("suspects", [])]
    suspects.sort(key=lambda suspect: any(map(is_load, suspect[1])))
    take_fresh(job, {file_id for each, _ in suspects for file_id in each["files"]}, probe)
    for place, (suspect, files) in enumerate(suspects, start=1):
        process_all(job, files, probe, attempts=suspect["attempts"] + 1)
        job.ledger.keep_suspects([each for each, _ in suspects[place:]])


def take_fresh(job: Job, held: set[str], probe: Probe) -> None:
    """Process the files that have waited longest, as many as a run takes; then the job's own, if it is left.

    So nothing is overtaken for long, for every job takes what is oldest; and an execution that starts a job sees its
    file taken. Actions and repairs have a run each.
    """
    own_id = job.arguments.file_id
    waiting, actions = files_and_actions(fresh_files(job, held))
    first = up_to_rows(waiting, job.run_rows)
    for taken in (first, *([action] for action in actions)):
        process_all(job, taken, probe)
    if own_id and own_id not in {file["file_id"] for file in (*first, *actions)}:
        left, _ = files_and_actions(fresh_files(job, held))
        own, others = ([file for file in left if (file["file_id"] == own_id) == is_own] for is_own in (True, False))
        if own:
            process_all(job, up_to_rows([*own, *others], job.run_rows), probe)


def fresh_files(job: Job, held: set[str]) -> list[FileItem]:
    """Return what waits, those first that have waited longest, without suspects and what would bring these together."""
    waiting = job.ledger.waiting(job.arguments.file_id or None)
    return [file for file in waiting if file["file_id"] not in held and not (held and is_load(file))]


def run_again(job: Job, killed: RunInProgress, probe: Probe) -> None:
    """Do a killed run again with the same files; set those of a run of the workflow's aside, which may die of them."""
    files = still_waiting(job, killed["files"])
    if "start" in killed:
        set_aside(job, killed, files)
    else:
        process_all(job, files, probe, attempts=killed["attempts"] + 1)


def set_aside(job: Job, failed: RunInProgress, files: Sequence[FileItem]) -> None:
    """Make the files of a failed run suspects; give a single one up if it is to blame.

    It is, if others went well since its first failure. While all runs fail, no file is told from the others.
    """
    state = job.ledger.state()
    taken = {file["file_id"] for file in files}
    earlier = [each for each in state.get("suspects", []) if taken.intersection(each["files"])]
    others = [each for each in state.get("suspects", []) if each not in earlier]
    since = min((each["run_seq"] for each in earlier), default=state["run_seq"])
    parts = halves(files)
    if len(files) == 1 and failed["attempts"] >= ATTEMPTS and since < state["run_seq"]:
        parts = []
        fail_alone(job, files[0]["file_id"], failed["attempts"])
    found = SuspectFiles(files=[], attempts=failed["attempts"], run_seq=since)
    job.ledger.set_aside(failed, [*others, *[SuspectFiles({**found, "files": part}) for part in parts]])
    job.step("set_aside", lists=[len(part) for part in parts])


def fail_alone(job: Job, file_id: str, attempts: int) -> None:
    runs = f"{attempts} runs of the {job.layer.name.title()} job that took this file failed"
    job.ledger.fail(file_id, f"{runs}, the last of them with this file alone", attempts=attempts)
    job.step("file_failed", file_id=file_id)


def halves(files: Sequence[FileItem]) -> list[list[str]]:
    """Return the ids of files in two lists, and each reload in one of its own."""
    loads = [[file["file_id"]] for file in files if is_load(file)]
    others = [file["file_id"] for file in files if not is_load(file)]
    middle = (len(others) + 1) // 2
    return [part for part in (others[:middle], others[middle:], *loads) if part]


def still_waiting(job: Job, file_ids: Sequence[str]) -> list[FileItem]:
    return [file for file in job.ledger.files(file_ids) if file.get("waiting_for") == job.layer.name]


def is_load(file: FileItem) -> bool:
    return file["subject"] == "load"


# From glue/lake/repairs.py

PLACE_OF_OBJECT = ("last_modified_at", "as_of_at", "key", "sequencer", "version_id")


@dataclass(frozen=True)
class Repair:
    """A repair or a waiver that a run takes: its item, the file that it repairs, and where loads stand."""

    item: FileItem
    original: FileItem
    loads: Loads
    starts: dict[str, str]
    cause = "repair"
    moves_loads = False

    @property
    def floor(self) -> str | None:
        return self.loads.floor

    @property
    def owner_id(self) -> str:
        """Return the item to whose account its effects go."""
        return self.item["file_id"]

    @property
    def file_id(self) -> str:
        return self.owner_id

    @property
    def load_starts(self) -> dict[str, str]:
        """Return where its rows begin: with the file that it repairs."""
        start = self.starts.get(self.item["repairs"])
        return {} if start is None else {self.file_id: start}

    @property
    def placed(self) -> FileItem:
        """Return its item with the original's place in the order: as which its rows are read."""
        place = {name: value for name, value in self.original.items() if name in PLACE_OF_OBJECT}
        kept = {name: value for name, value in self.item.items() if name not in PLACE_OF_OBJECT}
        return cast(FileItem, {**kept, **place})

    def order(self, row: Column) -> Column:
        """Return the last field of the order of its rows, of which `row` is the number in its own object."""
        item = self.item
        own = {
            "file_id": item["repairs"],
            "instant": own_instant(item),
            "object_key": item["key"],
            "sequencer": item["sequencer"].ljust(32, "0"),
            "version_id": item["version_id"],
        }
        values = {**{name: F.lit(value) for name, value in own.items()}, "row": row}
        return F.struct(*[values[name].cast(kind).alias(name) for name, kind in REPAIR_FIELDS.items()])


Mover = Reload | Action | Repair
"""What may change keys that no row of a run's files names."""


def own_instant(item: FileItem) -> str:
    """Return when a repair or a waiver was made, which tells the newest of several of a row."""
    return item.get("as_of_at", item["last_modified_at"])


def moved_up(spark: SparkSession, rows: DataFrame, mover: Mover) -> DataFrame:
    """Give the rows (`file_id`, `row_order`) of files of complete loads, and of their repairs, their position."""
    starts = [{"listed_id": file, "start": start} for file, start in mover.starts.items()]
    listed = F.broadcast(local_rows(spark, starts, "listed_id string, start timestamp"))
    rows = rows.withColumn("listed_id", F.coalesce("row_order.repair.file_id", "file_id"))
    # A file that is no full load keeps its own instants, wherever it is listed.
    is_full_load, own = F.col("row_order.phase") == 0, F.col("row_order.position")
    position = F.when(is_full_load, F.greatest(own, "start")).otherwise(own)
    moved = F.col("row_order").withField("position", position)
    return rows.join(listed, on="listed_id", how="left").withColumn("row_order", moved).drop("start", "listed_id")


def repair_of(ledger: Ledger, item: FileItem, loads: Loads) -> Repair:
    """Return what a run needs to know of a repair."""
    (original,) = ledger.files([item["repairs"]])
    return Repair(item, original, loads, loads.starts(ledger))


def has_repairs(totals: LayerTotals | PublishedRun) -> bool:
    """Tell whether rows of the history may repair others."""
    return "last_repair" in totals


def with_last_repair(totals: LayerTotals, before: LayerTotals, run_seq: int, files: Sequence[FileItem]) -> LayerTotals:
    """Add to the totals of a run which run has taken a repair last."""
    last = run_seq if any("repairs" in file for file in files) else before.get("last_repair")
    return totals if last is None else {**totals, "last_repair": last}


@dataclass(frozen=True)
class Marks:
    """The quarantined rows of a file, what closes each after a run, and what the ledger keeps of that."""

    file_id: str
    rows: DataFrame
    found: RepairsOfFile


def mark(
    spark: SparkSession, branches: Branches, ledger: Ledger, mover: Repair | Action, own: DataFrame | None = None
) -> Marks | None:
    """Return what closes the rows in quarantine after a run that takes a repair (`own` rows), or decides on one.

    Nothing for a decision on another file. The newest repair in effect that names a row closes it, else the newest
    waiver. Raises Refused for one that closes nothing, or names rows that are not there.
    """
    item = mover.item if isinstance(mover, Repair) else ledger.files([mover.file_id])[0]
    if "repairs" not in item:
        return None
    (original,) = ledger.files([item["repairs"]])
    by = [*original.get("repaired", {}).get("by", []), *([item["file_id"]] if isinstance(mover, Repair) else [])]
    decided = {} if isinstance(mover, Repair) else {mover.file_id: mover.decision["in_effect"]}
    counting = [each for each in ledger.files(by) if decided.get(each["file_id"], each["in_effect"])]
    quarantined = spark.table(branches.table("quarantine")).where(F.col("file_id") == original["file_id"])
    if isinstance(mover, Repair):
        refuse_strangers(mover, quarantined, own)
    history = spark.table(branches.table("transaction_history")).where(F.col("repairs") == original["file_id"])
    named = history.select("file_id", "row_order")
    named = named if own is None else named.unionByName(own.select("file_id", "row_order"))
    newest = F.max_by("file_id", "row_order.repair").alias("repair")
    repaired = (
        named.where(F.col("file_id").isin([each["file_id"] for each in counting]))
        .groupBy(F.col("row_order.row").alias("row"))
        .agg(newest)
    )
    marked = quarantined.select("row", "rules", F.col("repaired_by").alias("held")).join(repaired, on="row", how="left")
    rows = checkpointed(marked.withColumn("closed_by", F.coalesce("repair", waived_by(counting))))
    ((closed, of_repairs),) = rows.agg(F.count("closed_by"), F.count("repair")).collect()
    return Marks(original["file_id"], rows, {"by": by, "repaired": of_repairs, "waived": closed - of_repairs})


def waived_by(items: Sequence[FileItem]) -> Column:
    """Return the newest waiver of one of a row's rules, null where there is none."""
    waivers = [item for item in items if "waives" in item]
    waivers.sort(key=lambda item: (own_instant(item), item["key"], item["sequencer"]), reverse=True)
    found = [F.when(F.array_contains("rules", each["waives"]["rule"]), F.lit(each["file_id"])) for each in waivers]
    return F.coalesce(*found, F.lit(None).cast("string"))


def refuse_strangers(repair: Repair, quarantined: DataFrame, own: DataFrame | None) -> None:
    """Raise Refused for a repair that names a row twice, or one that is not in quarantine; or a waiver of no row."""
    if "waives" in repair.item:
        rule = repair.item["waives"]["rule"]
        if quarantined.where(F.array_contains("rules", rule)).isEmpty():
            text = f"No quarantined row of {repair.original['key']} breaks the rule {rule}."
            raise Refused(repair.owner_id, text, "not_in_quarantine")
    elif own is not None:
        named = own.select(F.col("row_order.row").alias("row"))
        known = named.distinct().join(quarantined.select("row"), on="row", how="left_semi")
        ((rows,),), ((there,),) = (found.agg(F.count(F.lit(1))).collect() for found in (named, known))
        if rows != there:
            text = f"{rows - there:,} rows of the repair are named twice, or are no quarantined rows of its original."
            raise Refused(repair.owner_id, text, "not_in_quarantine")


def write_marks(branches: Branches, marks: Marks | None) -> dict[str, RepairsOfFile]:
    """Mark the quarantined rows that something else closes than before; return what the ledger keeps."""
    if marks is None:
        return {}
    changed = marks.rows.where(~F.col("closed_by").eqNullSafe(F.col("held"))).select("row", "closed_by")
    if not changed.isEmpty():
        same_row = f"t.file_id = '{marks.file_id}' AND t.row = s.row"
        set_it = "WHEN MATCHED THEN UPDATE SET t.repaired_by = s.closed_by"
        branches.merge("quarantine", changed, on=same_row, clauses=set_it)
        require("quarantined rows", found=branches.rows_moved("quarantine"), expected=0)
    return {marks.file_id: marks.found}


def repaired_keys(history: DataFrame, file: FileItem) -> DataFrame:
    """Return the keys of the repairs of a file's rows; of a repair those of others of the same rows."""
    of_file = history.where(F.col("repairs") == file["file_id"])
    if "repairs" not in file:
        return of_file.select("dms_id")
    own = history.where(F.col("file_id") == file["file_id"])
    return own.select("dms_id").unionByName(outdated_keys(history, file["repairs"], own))


def outdated_keys(history: DataFrame, original_id: str, own: DataFrame) -> DataFrame:
    """Return the keys that repairs in the history give to the rows that some rows repair."""
    named = own.select(F.col("row_order.row").alias("of")).distinct()
    same = history.where(F.col("repairs") == original_id).select("dms_id", F.col("row_order.row").alias("of"))
    return same.join(named, on="of", how="left_semi").select("dms_id")


# From glue/lake/outcomes.py


class Sums(TypedDict):
    """What the tables of state must show after a run."""

    changes: int
    state_rows: int
    state_amount: Decimal
    state_known: int
    deletions: int
    tombstones: int
    tombstones_known: int
    revived: int


class OutcomeCount(Sums):
    """What a run decided of one outcome of one file; the outcome of rows that are moved is null."""

    file_id: str
    outcome: str | None
    row_count: int
    amount: Decimal | None
    effect: Decimal


def summed(counted: Sequence[OutcomeCount]) -> Sums:
    """Return the sums over all files and outcomes."""
    whole = {name: sum(cast(Mapping[str, int], row)[name] for row in counted) for name in Sums.__annotations__}
    return cast(Sums, {**whole, "state_amount": sum((row["state_amount"] for row in counted), Decimal(0))})


def no_rows() -> FileReport:
    return {"outcomes": dict.fromkeys(OUTCOMES, 0), "amounts": {}, "effect": cents(None)}


def of_files(counted: Iterable[OutcomeCount]) -> dict[str, FileReport]:
    """Return per file the count and the amounts of each outcome, and the sum of the effects."""
    report: dict[str, FileReport] = {}
    for row in counted:
        found = report.setdefault(row["file_id"], no_rows())
        found["effect"] = cents(Decimal(found["effect"]) + row["effect"])
        if row["outcome"] is not None:
            found["outcomes"][row["outcome"]] = row["row_count"]
            found["amounts"][row["outcome"]] = cents(row["amount"])
    return report


COUNTED = {
    "file_id": "string", "outcome": "string", "amount": MONEY, "effect_amount": EFFECT, "change": "string",
    "had": "boolean", "had_tombstone": "boolean", "is_newest": "boolean", "op": "string",
}  # fmt: skip


def decisions(classified: DataFrame, mover: Mover | None) -> DataFrame:
    """Return what a run decided over its rows, in the form that is counted."""
    is_input, owner = F.col("is_input"), F.lit(mover.owner_id if mover else None)
    whose = F.when(is_input, F.col("file_id")).otherwise(owner)
    known = {"file_id": whose, "outcome": F.when(is_input, F.col("outcome")), "had_tombstone": ~F.col("stored.living")}
    return conform(classified.withColumns(known), COUNTED)


def reference_decisions(classified: DataFrame) -> DataFrame:
    """Return the outcomes of rows without money."""
    return columns_or_null(classified.select("file_id", "outcome"), COUNTED)


def quarantined(rows: DataFrame) -> DataFrame:
    """Return quarantine rows in the form that is counted."""
    found = columns_or_null(rows, {"file_id": "string", "amount": MONEY})
    return columns_or_null(found.withColumn("outcome", F.lit("quarantined")), COUNTED)


def by_outcome(rows: DataFrame) -> list[OutcomeCount]:
    """Count what was decided, by file and outcome."""
    living, deleted = F.col("is_newest") & (F.col("op") != "D"), F.col("is_newest") & (F.col("op") == "D")

    def number(condition: Column) -> Column:
        return F.count(F.when(condition, 1))

    counted = rows.groupBy("file_id", "outcome").agg(
        F.count(F.lit(1)).alias("row_count"),
        F.sum(F.col("amount").cast(TOTAL)).alias("amount"),
        total("effect_amount").alias("effect"),
        number(F.col("change").isNotNull()).alias("changes"),
        number(living).alias("state_rows"),
        F.coalesce(F.sum(F.when(living, F.col("amount")).cast(TOTAL)), F.lit(Decimal(0))).alias("state_amount"),
        number(living & F.col("had")).alias("state_known"),
        number(F.col("change") == "deleted").alias("deletions"),
        number(deleted).alias("tombstones"),
        number(deleted & F.col("had_tombstone")).alias("tombstones_known"),
        number(living & F.col("had_tombstone")).alias("revived"),
    )
    return [cast(OutcomeCount, row.asDict()) for row in counted.collect()]


def read_back(branches: Branches, written: Sequence[str]) -> dict[str, FileReport]:
    """Count rows, amounts and effects of the run in its branches."""
    forms: dict[str, Callable[[DataFrame], DataFrame]] = {
        "transaction_history": lambda rows: columns_or_null(rows, COUNTED),
        "quarantine": quarantined,
        **dict.fromkeys(REFERENCES, reference_decisions),
    }
    parts = [forms[table](branches.new_rows(table)) for table in written if table in forms]
    return of_files(by_outcome(reduce(DataFrame.unionByName, parts))) if parts else {}


@dataclass(frozen=True)
class EffectsFound:
    """What the written effects say: keys that came and went, money, and the sum by file where there is one."""

    had: int = 0
    have: int = 0
    effect: Decimal = Decimal(0)
    files: Mapping[str, str] = field(default_factory=dict)


def prove_effects(branches: Branches, owner_id: str | None) -> EffectsFound:
    """Prove that the written effects add up; return what they say."""
    written = branches.new_rows("transaction_effects")
    whose = F.when(F.col("cause") == "file", F.col("file_id")).otherwise(F.lit(owner_id))
    money = {"before": total("before.amount"), "after": total("after.amount"), "effect": total("effect_amount")}
    counts = [F.count("before").alias("had"), F.count("after").alias("have")]
    found = written.groupBy(whose.alias("file_id")).agg(*counts, *[value.alias(name) for name, value in money.items()])
    rows = found.collect()
    sums = {name: sum((row[name] for row in rows), Decimal(0)) for name in money}
    require("sum of effects", found=sums["effect"], expected=sums["after"] - sums["before"])
    had, have = (sum(row[name] for row in rows) for name in ("had", "have"))
    return EffectsFound(had, have, sums["effect"], {row.file_id: cents(row.effect) for row in rows if row.effect})


def advance(job: Job, intent: RunIntent, report: SilverReport) -> None:
    """Mark the files of a run as in Silver, each with what became of its rows."""

    def advance_one(file: tuple[str, FileReport]) -> None:
        file_id, of_file = file
        if "decides" in of_file:
            job.ledger.decide(file_id, of_file["decides"], run_seq=intent["run_seq"])
        for original_id, repaired in of_file.get("repairs", {}).items():
            job.ledger.note_repairs(original_id, repaired)
        counted = {name: value for name, value in of_file.items() if name not in ("effect", "decides", "repairs")}
        of_run = {"run_seq": intent["run_seq"], "snapshots": intent["snapshots"], **report_hash(intent)}
        found = cast(SilverOfFile, {**of_run, "effect_amount": of_file["effect"], **counted})
        job.ledger.advance(file_id, status="in_silver", waiting_for="gold", found=found)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(advance_one, report["files"].items()))


def expected_totals(job: Job) -> dict[str, object]:
    """Return what rebuilt transactions must hold, as far as it was given."""
    given = {"row_count": job.arguments.expected_row_count, "total_amount": job.arguments.expected_total_amount}
    return {name: value for name, value in given.items() if value is not None}


# From glue/reading/figures.py

CountName = Literal[
    "row_count", "bad_rows", "unreadable_keys", "unreadable_amounts", "unreadable_dates", "negative_amounts",
    "zero_amounts",
]  # fmt: skip
COUNTS: tuple[CountName, ...] = get_args(CountName)


class FileFigures(TypedDict):
    """What one partition of the rows holds of a file: what the KPI function counts too, and the range of good keys."""

    file_id: str
    partition: int
    row_count: int
    bad_rows: int
    unreadable_keys: int
    unreadable_amounts: int
    unreadable_dates: int
    negative_amounts: int
    zero_amounts: int
    total_amount: Decimal | None
    first_us: int | None
    last_us: int | None
    low: int | None
    high: int | None


def figures_of(subjects: Iterable[DataFrame]) -> list[FileFigures]:
    """Return the figures of the normalised rows of each subject."""
    found = [_by_partition(rows) for rows in subjects]
    return [cast(FileFigures, row.asDict()) for row in reduce(DataFrame.unionByName, found).collect()] if found else []


def _by_partition(rows: DataFrame) -> DataFrame:
    good = F.size("rules") == 0
    is_delete = F.coalesce(F.col("op") == "D", F.lit(False))
    has_money = "amount" in rows.columns
    value = F.col("amount") if has_money else F.lit(None).cast(MONEY)
    at = F.when(~is_delete, F.unix_micros("transacted_at")) if has_money else F.lit(None).cast("bigint")
    key = F.col(rows.columns[0])  # the image begins with it
    sortable = key if has_money else F.lit(None).cast("bigint")

    def number(condition: Column) -> Column:
        return F.count(F.when(condition, 1))

    counted = F.lit(has_money) & ~is_delete
    return rows.groupBy("file_id", F.spark_partition_id().alias("partition")).agg(
        F.count(F.lit(1)).alias("row_count"),
        number(~good).alias("bad_rows"),
        number(key.isNull()).alias("unreadable_keys"),
        number(counted & value.isNull()).alias("unreadable_amounts"),
        number(counted & at.isNull()).alias("unreadable_dates"),
        number(value < 0).alias("negative_amounts"),
        number(value == 0).alias("zero_amounts"),
        F.sum(value.cast(TOTAL)).alias("total_amount"),
        F.min(at).alias("first_us"),
        F.max(at).alias("last_us"),
        F.min(F.when(good, sortable)).alias("low"),
        F.max(F.when(good, sortable)).alias("high"),
    )


def check_against_kpis(files: Iterable[FileItem], figures: Sequence[FileFigures]) -> None:
    """Raise `FileBroken` for a file whose rows, money or dates differ from what the KPI function found."""
    of_file: dict[str, list[FileFigures]] = {}
    for found in figures:
        of_file.setdefault(found["file_id"], []).append(found)
    for file in files:
        parts = of_file.get(file["file_id"], [])
        amounts = [part["total_amount"] for part in parts if part["total_amount"] is not None]
        kpis = file["kpis"]
        pairs: dict[str, tuple[object, object]] = {
            name: (sum(part[name] for part in parts), kpis[name]) for name in COUNTS
        }
        pairs["total_amount"] = (cents(sum(amounts, Decimal(0))), kpis["total_amount"])
        instants = [us for part in parts for us in (part["first_us"], part["last_us"]) if us is not None]
        pairs["first_at"] = (instant_of(min(instants)) if instants else None, kpis.get("first_at"))
        pairs["last_at"] = (instant_of(max(instants)) if instants else None, kpis.get("last_at"))
        for name, (value, expected) in pairs.items():
            if value != expected:
                reason = f"{name} is {value} in Silver but {expected} in the KPI function"
                raise FileBroken(file["file_id"], reason)


def instant_of(us: int) -> str:
    """Return microseconds since 1970 in the ledger's form; the last instant of 9999 stands for all later ones."""
    return instant_text(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=min(us, LAST_US)))


def key_range(figures: Iterable[FileFigures]) -> tuple[int, int]:
    """Return the lowest and the highest good key of a run; an empty range when there is none."""
    known = [(found["low"], found["high"]) for found in figures if found["low"] is not None]
    highs = [high for _, high in known if high is not None]
    return min((low for low, _ in known), default=0), max(highs, default=-1)


def in_key_order(figures: Iterable[FileFigures]) -> bool:
    """Tell whether the partitions of a run's rows hold keys of one range each, as a table exported by key has them."""
    of_partition: dict[int, list[FileFigures]] = {}
    for found in figures:
        if found["low"] is not None:
            of_partition.setdefault(found["partition"], []).append(found)
    ranges = sorted(map(key_range, of_partition.values()))
    return all(high < next_low for (_, high), (next_low, _) in pairwise(ranges))


# From glue/reading/fields.py


def column_count(shape: FileFormat) -> int:
    """Return how many columns a file has: the ledger does not keep the names of all."""
    return shape.get("column_count", len(shape["columns"]))


@cache
def field_form(delimiter: str) -> str:
    """Return the form of a field as Java takes it: possessive, or long records exhaust its stack."""
    return csv_field(delimiter).replace("*", "*+")


@cache
def record_form(delimiter: str) -> str:
    """Return the form of a record whose quotes are all in their places."""
    field = field_form(delimiter)
    return f"{field}(?:[{delimiter}]{field})*+"


def split_line(text: str, delimiter: str = COMMA) -> list[str] | None:
    """Return the fields of a record on one line, without the quotes around them; None if a quote is misused."""
    if not re.fullmatch(record_form(delimiter), text):
        return None
    fields = [match[1] for match in re.finditer(rf"(?:^|[{delimiter}])({field_form(delimiter)})", text)]
    return [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in fields]


def join_line(fields: list[str], delimiter: str = COMMA) -> str:
    """Return a record on one line, quoted where it must be."""
    return delimiter.join(
        '"' + field.replace('"', '""') + '"' if re.search(f'["{delimiter}]', field) else field for field in fields
    )


# From glue/reading/masking.py

SECRET_COLUMNS = REFERENCES["cards"].secret
SECURITY_CODES = tuple(column.name for column in CARD_COLUMNS if column.kind is SECURITY_CODE)
# Rules read them: their types stay as they are.
CHECKED_COLUMNS = (*REFERENCES["cards"].ruled, *(column.name for column in CHANGE_COLUMNS))
WITHHELD = "withheld: a broken record of cards"
_END = re.compile(rf"(?<!{LINE_END_SIGN}){LINE_END_SIGN}*+\n?\Z")


class CardKey:
    """The secret key of a stack, fetched when it is first needed."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id

    @cached_property
    def _key(self) -> bytes:
        if not self._secret_id:
            raise RuntimeError("a file of cards needs the job's argument --card_key_secret")
        return str(boto3.client("secretsmanager").get_secret_value(SecretId=self._secret_id)["SecretString"]).encode()

    def masked(self, name: str | None, text: str | None) -> str:
        """Return what may leave Bronze of a value in the column of this name; None is one that the contract lacks."""
        if name not in (*SECRET_COLUMNS, None):
            return masked_text(text or "")
        digits = re.sub("[^0-9]", "", re.sub(r"\.0+$", "", text or ""))
        if name is None or name in SECURITY_CODES or not digits:
            return ""
        return f"{digits[-LAST_DIGITS:]}:{hmac.new(self._key, digits.encode(), hashlib.sha256).hexdigest()}"


def names_of(shape: FileFormat) -> list[str | None]:
    """Return the contract's name of each of a file's columns, None for unknown ones."""
    names = {place: name for name, place in shape["places"].items()}
    tables = shape.get("table_places", [])
    return [names.get(place, "op" if place in tables else None) for place in range(column_count(shape))]


def copy_masked(file: FileItem, body: Any, lake: str, path: str, key: CardKey) -> None:
    """Write the masked copy of a file of cards (`body`: its bytes as a stream) to a path of the lake bucket."""
    with tempfile.TemporaryFile() as copy:
        if file["format"]["kind"] == "parquet":
            _copy_parquet(file, body, copy, key)
        else:
            _copy_csv(file, body, copy, key)
        copy.seek(0)
        boto3.client("s3").upload_fileobj(copy, lake, path)


def _copy_csv(file: FileItem, body: Any, copy: Any, key: CardKey) -> None:
    zipped = file["format"]["kind"] == "csv.gz"
    source = gzip.GzipFile(fileobj=body) if zipped else body
    text = io.TextIOWrapper(io.BufferedReader(_Readable(source)), encoding="utf-8", newline="\n")
    target = gzip.GzipFile(fileobj=copy, mode="wb", mtime=0) if zipped else copy
    for line in masked_lines(file, text, key):
        target.write(line.encode())
    if zipped:
        target.close()


class _Readable(io.RawIOBase):
    """Gives a stream that only knows `read` the interface that text needs."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._source.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def masked_lines(file: FileItem, lines: Iterable[str], key: CardKey) -> Iterator[str]:
    """Yield the lines of a CSV file with its secret columns masked; line breaks and blank lines stay."""
    shape = file["format"]
    names, tables, delimiter = names_of(shape), shape.get("table_places", []), shape.get("delimiter", COMMA)
    header = shape.get("blank_lines_before_header", 0) if shape["has_header"] else -1
    for number, line in enumerate(lines):
        text = _END.sub("", line).lstrip("\ufeff")
        is_kept = number <= header or re.fullmatch(empty_record(delimiter), text)
        yield line if is_kept else _masked_line(line, names, tables, delimiter, key)


def _masked_line(line: str, names: list[str | None], tables: list[int], delimiter: str, key: CardKey) -> str:
    text = _END.sub("", line)
    end = line[len(text) :]
    fields = split_line(text, delimiter)
    if fields is None:
        return f'"{WITHHELD}"!{end}'  # still breaks the rule of quotes
    if len(fields) != len(names):
        # Still too few or too many, and still of the table that it names.
        kept = [field if place in tables else "" for place, field in enumerate(fields)]
        return join_line([WITHHELD, *kept[1:]], delimiter) + end
    return join_line([key.masked(name, field) for name, field in zip(names, fields, strict=True)], delimiter) + end


def _copy_parquet(file: FileItem, body: Any, copy: Any, key: CardKey) -> None:
    shape = file["format"]
    names = names_of(shape)
    with tempfile.TemporaryFile() as whole:
        while piece := body.read(1 << 20):
            whole.write(piece)
        source = pq.ParquetFile(whole)
        # All but the columns that rules read become text, and of those the ones that hold a card number.
        typed = [name in CHECKED_COLUMNS and _is_free(source, place) for place, name in enumerate(names)]
        fields = zip(typed, source.schema_arrow, strict=True)
        schema = pa.schema([field if is_typed else pa.field(field.name, pa.string()) for is_typed, field in fields])
        point = shape.get("decimal", ".")
        with pq.ParquetWriter(copy, schema) as writer:
            for batch in source.iter_batches():
                columns = [
                    column
                    if is_typed
                    else pa.array([key.masked(name, _text(value, point)) for value in column.to_pylist()], pa.string())
                    for is_typed, name, column in zip(typed, names, batch.columns, strict=True)
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))


def _is_free(source: pq.ParquetFile, place: int) -> bool:
    """Tell whether no value of a column holds a card number: instants hold none."""
    field = source.schema_arrow.field(place)
    if pa.types.is_temporal(field.type):
        return True
    batches = source.iter_batches(columns=[field.name])
    texts = (_text(value) or "" for batch in batches for value in batch.columns[0].to_pylist())
    return all(masked_text(text) == text for text in texts)


def _text(value: Any, point: str = ".") -> str | None:
    """Return a value as text, a decimal with the file's own sign."""
    if isinstance(value, Real) and value == value // 1:
        return str(trunc(value))
    if isinstance(value, Decimal):
        return format(value, "f").replace(".", point)
    return None if value is None else str(value)


# From glue/reading/staging.py

# S3 copies up to 5 GB in one request; boto3 by itself would send hundreds for such an object.
WHOLE_COPIES = TransferConfig(multipart_threshold=5 << 30, multipart_chunksize=1 << 30)
DELETED_AT_ONCE = 1_000


@dataclass(frozen=True)
class Staging:
    """Where a run's copies lie in the lake bucket, and what is needed to read them.

    That is the key under which card numbers are hashed on the way there, and the starts of the loads that list a file.
    Files that nobody copies, those of a sample, lie in a `folder` of their own.
    """

    lake: str
    prefix: str = ""
    card_key: CardKey = field(default_factory=lambda: CardKey(""))
    load_starts: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    def name(self, file: FileItem) -> str:
        return f"{file['file_id']}.{file['format']['kind']}"

    def key(self, file: FileItem) -> str:
        return f"{self.prefix}staging/{self.name(file)}"

    def path(self, file: FileItem) -> str:
        return f"{self.folder}/{self.name(file)}" if self.folder else f"s3://{self.lake}/{self.key(file)}"


def stage(files: Sequence[FileItem], staging: Staging) -> None:
    """Copy the exact version of each file to staging; copying again gives the same bytes."""
    s3 = boto3.client("s3")

    def copy(file: FileItem) -> None:
        bucket, key, version_id = file["bucket"], file["key"], file["version_id"]
        try:
            if file["subject"] == "cards":
                body = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"]
                copy_masked(file, body, staging.lake, staging.key(file), staging.card_key)
            elif file["format"]["kind"] == "json":
                body = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"]
                s3.put_object(Bucket=staging.lake, Key=staging.key(file), Body=csv_of_codes(json.loads(body.read())))
            else:
                s3.copy(
                    {"Bucket": bucket, "Key": key, "VersionId": version_id},
                    staging.lake,
                    staging.key(file),
                    Config=WHOLE_COPIES,
                )
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchVersion", "405"):
                raise FileBroken(
                    file["file_id"], "the object version was deleted from Bronze after it was accepted"
                ) from error
            raise

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(copy, [file for file in files if file["subject"] != "load"]))


@contextmanager
def staged(files: Sequence[FileItem], staging: Staging) -> Iterator[None]:
    """Have copies of files in staging for as long as they are read; those of a killed run expire after a day."""
    try:
        stage(files, staging)
        yield
    finally:
        s3, keys = boto3.client("s3"), [staging.key(file) for file in files if file["subject"] != "load"]
        for first in range(0, len(keys), DELETED_AT_ONCE):
            some = keys[first : first + DELETED_AT_ONCE]
            s3.delete_objects(Bucket=staging.lake, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True})


def csv_of_codes(codes: dict[str, str]) -> bytes:
    """Write the JSON object of `mcc_codes` as the CSV file that it stands for."""
    # A line break may stand in a description; in a code it stays a fault.
    rows = [[re.sub(r"[\r\n]", "?", code), " ".join(str(name).splitlines())] for code, name in codes.items()]
    return "".join(f"{join_line(row)}\n" for row in (["mcc", "description"], *rows)).encode()


# From glue/reading/origin.py

ORIGIN = {
    "file_id": "string", "last_modified_at": "timestamp", "object_at": "timestamp", "object_key": "string",
    "sequencer": "string", "version_id": "string", "is_full_load": "boolean", "load_start": "timestamp",
    "has_op": "boolean", "has_commit_at": "boolean",
}  # fmt: skip
WRITING = {
    "null_text": "string", "more_null_texts": "array<string>", "decimal": "string", "date_order": "string",
    "typed": "array<string>",
}  # fmt: skip
"""How the texts of a file are written; `typed` are the columns that are no text there, so in no way of writing."""
LAYOUT = (
    "file_name string, header_line bigint, trailer_line bigint, field_count int, commit_name string, "
    "other_table struct<name: string, places: array<int>>"
)


def read_as(file: FileItem) -> Subject:
    """Return what a file is read as: a repair has a column more than others of its subject."""
    return REPAIR if "repairs" in file else SUBJECTS[file["subject"]]


def texts_of(file: FileItem) -> tuple[str, ...]:
    """Return the columns that are read of a file, as text."""
    return tuple(read_as(file).known)


def commit_name(shape: FileFormat) -> str | None:
    """Return the name of a file's commit timestamp as names of JSON are compared, None where it has none."""
    return shape["ordered_by"].strip(" \t").lower() if "ordered_by" in shape else None


def origin_of(
    file: FileItem, staging: Staging, texts: Sequence[str], typed: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return what the rows of a file need to know of it, in the form `origin_schema`."""
    shape = file["format"]
    return {
        "file_id": file["file_id"],
        "last_modified_at": file["last_modified_at"],
        "object_at": file.get("as_of_at", file["last_modified_at"]),
        "object_key": file["key"],
        "sequencer": file["sequencer"].ljust(32, "0"),
        "version_id": file["version_id"],
        "is_full_load": shape["is_full_load"],
        "load_start": staging.load_starts.get(file["file_id"]),
        "has_op": "op" in shape["places"],
        "has_commit_at": "commit_at" in shape["places"],
        "file_name": staging.name(file),
        "header_line": shape.get("blank_lines_before_header", 0) + 1 if shape["has_header"] else 0,
        "trailer_line": shape.get("trailer_line"),
        "field_count": column_count(shape),
        "null_text": shape.get("null_text"),
        "more_null_texts": shape.get("more_null_texts"),
        "decimal": shape.get("decimal"),
        "date_order": shape.get("date_order"),
        "typed": typed,
        "commit_name": commit_name(shape),
        "other_table": {"name": shape["table"], "places": shape["table_places"]} if "table" in shape else None,
        "positions": {name: place for name, place in shape["places"].items() if name in texts},
    }


def origin_schema(texts: Sequence[str]) -> str:
    positions = "positions struct<" + ", ".join(f"{name}: int" for name in texts) + ">"
    return f"{columns(ORIGIN)}, {columns(WRITING)}, {LAYOUT}, {positions}"


def positions_of(files: Sequence[FileItem], texts: Sequence[str]) -> dict[str, Column]:
    """Return where each known column stands: a constant where all files agree, that is twice as fast."""
    places = [{name: file["format"]["places"].get(name) for name in texts} for file in files]
    if all(each == places[0] for each in places):
        return {name: F.lit(place).cast("int") for name, place in places[0].items()}
    return {name: F.col("positions")[name] for name in texts}


# From functions/kpi/contract/envelopes.py

WITH_SCHEMA = ("payload", "schema")
"""The names of an object that carries its envelope beside the schema, and no others."""
OPERATION_COLUMN, COMMIT_COLUMN = "op", "source.ts"
"""What the two columns of changes are called in a file of envelopes."""
SNAPSHOT_READ = "r"
OPERATIONS_OF_DEBEZIUM: Mapping[str, str] = {"c": "I", SNAPSHOT_READ: "I", "u": "U", "d": "D"}
"""The operations whose rows are read; others (`t`, `m`) break the rule of unknown operations."""
UNREAD = "(not read)"
"""What stands for an operation, or a value, that is there and none."""

TENS: Mapping[str, int] = {"nanoseconds": 9, "microseconds": 6, "milliseconds": 3}
"""Decimals of a second, by the unit in which instants are counted since 1970."""
SOURCE_INSTANTS: Mapping[str, str] = {"ts_ns": "nanoseconds", "ts_us": "microseconds", "ts_ms": "milliseconds"}
"""The members of `source` that tell the instant of a change; the first that is there counts."""
DAYS = "days"
UNIT_DIGITS: Mapping[str, int] = {"nanoseconds": 19, "microseconds": 18, "milliseconds": 15, DAYS: 7}
"""A number of units with more digits is no instant that is read."""
UNITS_OF_SCHEMAS: Mapping[str, str] = {
    "io.debezium.time.Timestamp": "milliseconds",
    "io.debezium.time.MicroTimestamp": "microseconds",
    "io.debezium.time.NanoTimestamp": "nanoseconds",
    "io.debezium.time.Date": DAYS,
    "org.apache.kafka.connect.data.Timestamp": "milliseconds",
    "org.apache.kafka.connect.data.Date": DAYS,
}
"""The names of schemas by which an integer is an instant."""
DECIMAL_SCHEMA = "org.apache.kafka.connect.data.Decimal"
"""The name of the schema of a decimal in bytes; its parameter `scale` says how many decimals it has."""
DECIMAL = "decimal"
"""How such a column is called in `encodings`, with the scale behind a blank."""
BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"
DECIMAL_CHARACTERS = 20
"""Longer ones have more than 15 bytes, or 36 digits, and are no money."""
MOST_SCALE = 18
EXACT_TYPES = ("string", "bytes", "int8", "int16", "int32", "int64")
"""The types of a schema from which money is read."""
JSON_BLANKS = r"[ \t\r]*"
TOMBSTONE = (
    rf"{JSON_BLANKS}(?:null|\{{{JSON_BLANKS}(?:"
    + "|".join(
        rf'"{one}"{JSON_BLANKS}:{JSON_BLANKS}null{JSON_BLANKS},{JSON_BLANKS}"{other}"{JSON_BLANKS}:{JSON_BLANKS}null'
        for one, other in (("schema", "payload"), ("payload", "schema"))
    )
    + rf"){JSON_BLANKS}\}}){JSON_BLANKS}"
)
"""A line of nothing, which Kafka keeps behind a delete: `null`, or an envelope of null."""


# From glue/reading/lines.py

QUOTE = '"'
PARTITION_BITS = 33  # of Spark's increasing ids: the partition stands above them, the place in it below


FIRST_OF_OTHERS = "-"  # blanks, tabs, quotes and commas sort before all that records usually begin with
ENDS = ("\r\r", "\x1a", "\0", "\x1a\r", "\0\r")


def without_end(value: Column) -> Column:
    """Return a line without what belongs to its end; more than a CR is rare."""
    more = F.regexp_replace(value, rf"(?<!{LINE_END_SIGN}){LINE_END_SIGN}++\z", "")
    usual = F.when(value.endswith("\r"), F.expr("left(value, length(value) - 1)")).otherwise(value)
    return F.when(reduce(or_, [value.endswith(end) for end in ENDS]), more).otherwise(usual)


def is_blank(text: Column, delimiter: str) -> Column:
    """Tell whether a line holds nothing but empty fields; that most do not is seen by how they begin."""
    may_be = (text < FIRST_OF_OTHERS) | text.startswith(delimiter)
    return may_be & text.rlike(rf"^(?:{empty_record(delimiter).replace('*', '*+')})\z")


def has_odd_quotes(text: Column) -> Column:
    without = F.replace(text, F.lit(QUOTE), F.lit(""))
    return text.contains(QUOTE) & ((F.length(text) - F.length(without)) % 2 == 1)


def spread(text: DataFrame, blocks: Sequence[Mapping[str, Any]], unsplit: set[str]) -> DataFrame:
    """Return lines in partitions of the usual size, in their order, where one task reads more than that of a file.

    Such a file is one of `unsplit`, those that Spark cannot read in parts: without this, all work on it is one task's.
    """
    longest = max((block["lines"] for block in blocks if block["file_name"] in unsplit), default=0)
    if longest <= ROWS_A_PARTITION:
        return text
    read: Counter[int] = Counter()
    for block in blocks:
        read[block["first_id"] >> PARTITION_BITS] += block["lines"]
    starts = accumulate((read[partition] for partition in range(max(read))), initial=0)
    start = F.get(F.array(*map(F.lit, starts)), F.shiftright("id", PARTITION_BITS).cast("int"))
    place = start + F.col("id").bitwiseAND((1 << PARTITION_BITS) - 1)
    lines = sum(read.values())
    count = partitions_for(lines, text.sparkSession.sparkContext.defaultParallelism)
    return in_partitions(text, count, F.floor(place / -(-lines // count)).cast("int"))


def read_lines(
    spark: SparkSession,
    files: Sequence[FileItem],
    staging: Staging,
    texts: Sequence[str],
    is_untidy: Callable[[Column], Column],
) -> tuple[DataFrame, int]:
    """Return `line, text, untidy` of all lines of files of text beside what their file tells.

    And the most lines that an untidy file has, one with an untidy line; 0 if there is none.
    """
    # The name of the only file need not be looked up for every line.
    origin = {"block": "file_block_start"} | ({"file_name": "file_name"} if len(files) > 1 else {})
    text = spark.read.text([staging.path(file) for file in files], lineSep="\n").select(
        *[F.col(f"_metadata.{field}").alias(name) for name, field in origin.items()],
        F.monotonically_increasing_id().alias("id"),
        without_end(F.col("value")).alias("text"),
    )
    blocks = text.groupBy(*origin).agg(
        F.count(F.lit(1)).alias("lines"),
        F.min("id").alias("first_id"),
        F.max(is_untidy(F.col("text"))).alias("untidy"),
    )
    origins = {staging.name(file): origin_of(file, staging, texts) for file in files}
    found = [{"file_name": staging.name(files[0]), **block.asDict()} for block in blocks.collect()]
    text = spread(text, found, {staging.name(file) for file in files if file["format"]["kind"].endswith(".gz")})
    untidy = {block["file_name"] for block in found if block["untidy"]}
    rows, next_line = [], dict.fromkeys(origins, 1)
    for block in sorted(found, key=itemgetter("file_name", "block")):
        name = block["file_name"]
        shift = next_line[name] - block["first_id"]
        rows.append({**origins[name], "block": block["block"], "shift": shift, "untidy": name in untidy})
        next_line[name] += block["lines"]
    numbered = local_rows(spark, rows, f"{origin_schema(texts)}, block bigint, shift bigint, untidy boolean")
    lines = text.join(F.broadcast(numbered), on=[*origin], how="inner")
    lines = lines.withColumn("line", F.col("id") + F.col("shift")).drop("file_name", "block", "id", "shift")
    return lines, max((next_line[name] - 1 for name in untidy), default=0)


# From glue/reading/texts.py


def without_blanks(text: Column) -> Column:
    """Return a text without blanks and tabs around it."""
    # Trimming a set of characters costs ten times as much as trimming blanks, and tabs are rare.
    return F.when(text.contains("\t"), F.btrim(text, F.lit(" \t"))).otherwise(F.trim(text))


def trimmed(text: Column) -> Column:
    """Return a text without blanks and tabs around it; null when nothing is left."""
    short = without_blanks(text)
    return F.when(short != "", short)


def without_null_texts(text: Column) -> Column:
    """Return null for a text that its file writes for null."""
    is_null = text.eqNullSafe(F.col("null_text")) | F.coalesce(F.array_contains("more_null_texts", text), F.lit(False))
    return F.when(~is_null, text)


def with_point(text: Column) -> Column:
    """Return a number with a decimal point, also of a file whose decimal sign is a comma."""
    return F.when(F.col("decimal") == ",", F.translate(text, ",.", ".,")).otherwise(text)


def with_month_first(text: Column) -> Column:
    """Return a date with the month before the day, also of a file that has it the other way round."""
    swapped = F.regexp_replace(text, DAY_FIRST_START, "$1$3/$2/")
    return F.when(F.col("date_order") == DAY_FIRST, swapped).otherwise(text)


def of_text(step: Callable[[Column], Column], name: str) -> Column:
    """Return a column after a step that concerns texts alone: in some files it holds numbers or instants."""
    return F.when(F.coalesce(F.array_contains("typed", name), F.lit(False)), F.col(name)).otherwise(step(F.col(name)))


def with_texts(rows: DataFrame, files: Sequence[FileItem]) -> DataFrame:
    """Bring the known columns to trimmed text in the usual way of writing; what a file writes for null is null.

    What may be a card number is masked, but in the columns of ids. The columns of `WRITING` go.
    Spark computes an expression anew wherever another one names it, unless it is a column of an earlier step.
    """
    subject = read_as(files[0])
    kinds = {name: column.kind for name, column in subject.known.items()}
    steps: list[Callable[[Column], Column]] = [without_blanks, lambda text: F.when(text != "", text)]
    if any("null_text" in file["format"] for file in files):
        steps.append(without_null_texts)
    for step in steps:
        rows = rows.withColumns({name: step(F.col(name)) for name in kinds})
    if any("decimal" in file["format"] for file in files):
        amounts = [name for name, kind in kinds.items() if kind in WITH_DECIMAL_SIGN]
        rows = rows.withColumns({name: of_text(with_point, name) for name in amounts})
    if any("date_order" in file["format"] for file in files):
        instants = [name for name, kind in kinds.items() if kind is INSTANT]
        rows = rows.withColumns({name: of_text(with_month_first, name) for name in instants})
    # Staging has masked files of cards.
    return (rows if subject.secret else with_masked(rows, subject.masked)).drop(*WRITING)


# From glue/reading/records.py


def well_quoted(text: Column, delimiter: str) -> Column:
    return text.rlike(rf"^{record_form(delimiter)}\z")


def by_line() -> WindowSpec:
    return Window.partitionBy("file_id").orderBy("line")


def unquoted(field: Column) -> Column:
    """Return a field without the quotes around it."""
    inner = F.regexp_replace(field.substr(F.lit(2), F.length(field) - 2), '""', QUOTE)
    return F.when(field.startswith(QUOTE), inner).otherwise(field)


def fields_of(text: Column, delimiter: str) -> Column:
    """Return a well-quoted record's fields, some still within quotes: a lambda here would slow down all records."""
    form = F.lit(f"[{delimiter}]({field_form(delimiter)})")
    quoted = F.regexp_extract_all(F.concat(F.lit(delimiter), text), form, F.lit(1))
    # A single sign that means itself is split at without a regular expression.
    return F.when(text.contains(QUOTE), quoted).otherwise(F.split(text, rf"\{delimiter}", -1))


def spans(lines: DataFrame, delimiter: str) -> DataFrame:
    """Return `file_id, line, close, record` for each odd line that begins a record of several lines."""
    odd = lines.where(has_odd_quotes(F.col("text"))).select(
        "file_id", "line", "field_count", F.lead("line").over(by_line()).alias("close")
    )
    near = odd.where(F.col("close") - F.col("line") < RECORD_LINES)
    parts = near.select("file_id", F.col("line").alias("open"), F.explode(F.sequence("line", "close")).alias("line"))
    filled = lines.where(F.col("text") != "").select("file_id", "line", "text")
    joined = (
        parts.join(filled, on=["file_id", "line"], how="left")
        .groupBy("file_id", F.col("open").alias("line"))
        .agg(F.array_sort(F.collect_list(F.struct("line", F.coalesce("text", F.lit("")).alias("text")))).alias("parts"))
        .select("file_id", "line", F.concat_ws("\n", F.col("parts.text")).alias("record"))
    )
    fits = F.coalesce(
        well_quoted(F.col("record"), delimiter)
        & (F.size(fields_of(F.col("record"), delimiter)) == F.col("field_count")),
        F.lit(False),
    )
    chained = odd.join(joined, on=["file_id", "line"], how="left").select(
        "file_id", "line", "close", "record", fits.alias("fits"), F.row_number().over(by_line()).alias("place")
    )
    last_miss = F.max(F.when(~F.col("fits"), F.col("place"))).over(by_line().rowsBetween(Window.unboundedPreceding, -1))
    run_length = F.col("place") - 1 - F.coalesce(last_miss, F.lit(0))
    return (
        chained.withColumn("run_length", run_length)
        .where(F.col("fits") & (F.col("run_length") % 2 == 0))
        .select("file_id", "line", "close", "record")
    )


def with_row(records: DataFrame, most_lines: int) -> DataFrame:
    """Number the records of each file, of which none has more than `most_lines` lines.

    A large file is numbered in parts, which begin where the records before them end: else it would be one task's.
    """
    if most_lines <= ROWS_A_PARTITION:
        return records.withColumn("row", F.row_number().over(by_line()))
    parted = records.withColumn("part", F.floor(F.col("line") / ROWS_A_PARTITION))
    counted = parted.groupBy("file_id", "part").agg(F.count(F.lit(1)).alias("held"))
    earlier = Window.partitionBy("file_id").orderBy("part").rowsBetween(Window.unboundedPreceding, -1)
    starts = counted.select("file_id", "part", F.coalesce(F.sum("held").over(earlier), F.lit(0)).alias("start"))
    within = F.row_number().over(Window.partitionBy("file_id", "part").orderBy("line"))
    joined = parted.join(F.broadcast(starts), on=["file_id", "part"], how="inner")
    return joined.withColumn("row", F.col("start") + within).drop("part", "start")


def join_spans(lines: DataFrame, delimiter: str, most_lines: int = 0) -> DataFrame:
    """Return the records of untidy files: spans joined, blank lines left out, rows numbered.

    A file may hold millions of blank lines, which go before anything is joined or numbered, and a span many lines: only
    the first of them carries the record.
    """
    covered = spans(lines, delimiter).select(
        "file_id", F.explode(F.sequence("line", "close")).alias("line"), F.col("line").alias("open"), "record"
    )
    opens = F.col("open") == F.col("line")
    return (
        lines.where(~is_blank(F.col("text"), delimiter))
        .join(covered.withColumn("record", F.when(opens, F.col("record"))), on=["file_id", "line"], how="left")
        .where(F.col("open").isNull() | opens)
        .withColumn("text", F.coalesce("record", "text"))
        .transform(with_row, most_lines)
    )


def of_other_table(fields: Column) -> Column:
    """Tell whether a record of a file of several tables names another one than the file's."""
    expected, places = F.col("other_table.name"), F.col("other_table.places")
    named = [F.lower(trimmed(unquoted(F.get(fields, F.get(places, F.lit(place)))))) for place in (0, 1)]
    found = reduce(or_, [F.coalesce(name == F.lower(expected), F.lit(False)) for name in named])
    return F.col("other_table").isNotNull() & ~found


def line_of(files: Sequence[FileItem]) -> Column:
    """Return the physical line of a record; a JSON object has none."""
    of_json = [file["file_id"] for file in files if file["format"]["kind"] == "json"]
    return (F.when(~F.col("file_id").isin(of_json), F.col("line")) if of_json else F.col("line")).alias("line")


def read_csv(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return one row per record of files of one separator: origin, `row`, `line`, `raw`, `broken`, known columns.

    `broken` is the rule of structure that the record breaks, or null.
    """
    texts, delimiter = texts_of(files[0]), files[0]["format"].get("delimiter", COMMA)
    lines, most_untidy = read_lines(
        spark, files, staging, texts, lambda text: is_blank(text, delimiter) | has_odd_quotes(text)
    )
    below = lines.where("line > header_line")
    if any("trailer_line" in file["format"] for file in files):
        # Behind it nothing but blank lines follows.
        below = below.where("trailer_line IS NULL OR line < trailer_line")
    if not all(file["format"]["has_header"] for file in files):
        # Byte order marks before the first record are no part of it.
        first = F.regexp_replace("text", "^\ufeff+", "")
        below = below.withColumn("text", F.when(F.col("line") == 1, first).otherwise(F.col("text")))
    kept = [name for name in below.columns if name not in ("line", "text", "untidy")]
    records = below.where(~F.col("untidy")).select(
        *kept, "line", "text", (F.col("line") - F.col("header_line")).alias("row")
    )
    if most_untidy:
        untidy = join_spans(below.where("untidy"), delimiter, most_untidy)
        records = records.unionByName(untidy.select(*records.columns))
    text, fields, expected = F.col("text"), F.col("fields"), F.col("field_count")
    broken = F.when(text.contains(QUOTE) & ~well_quoted(text, delimiter), F.lit("malformed_quotes"))
    if any("table" in file["format"] for file in files):
        broken = broken.when(of_other_table(fields), F.lit("other_table"))
    broken = broken.when(F.size(fields) < expected, F.lit("too_few_fields")).when(
        F.size(fields) > expected, F.lit("too_many_fields")
    )
    values = [
        F.when(F.col("broken").isNull(), unquoted(F.get(fields, position))).alias(name)
        for name, position in positions_of(files, texts).items()
    ]
    return (
        records.withColumn("fields", fields_of(text, delimiter))
        .withColumn("broken", broken)
        .select(*ORIGIN, *WRITING, "row", line_of(files), F.col("text").alias("raw"), "broken", *values)
    )


# From glue/reading/json_lines.py

JSON_KINDS = ("jsonl", "jsonl.gz")
SPACE = r"[ \t\r]*+"
CODE_UNIT = "[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
JSON_TEXT = rf'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u(?:{CODE_UNIT})))*+"'
NUMBER_OR_WORD = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+|true|false|null"
ONE_TEXT, ONE_VALUE = "\x01", "0"
"""What texts and other values become: no JSON has the first, and all digits outside of texts become the other."""
ONE = f"[{ONE_TEXT}{ONE_VALUE}]"
JSON_ARRAY_FORM = rf"\[{SPACE}(?:{ONE}{SPACE}(?:,{SPACE}(?={ONE})|(?=\])))*+\]"
JSON_OBJECT_FORM = rf"\{{{SPACE}(?:{ONE_TEXT}{SPACE}:{SPACE}{ONE}{SPACE}(?:,{SPACE}(?={ONE_TEXT})|(?=\}})))*+\}}"
FLAT_LINE = rf"^{SPACE}{JSON_OBJECT_FORM}{SPACE}\z"
INNERMOST = f"{JSON_ARRAY_FORM}|{JSON_OBJECT_FORM}"

ANY_TEXT = r'"(?:[^"\\]++|\\.)*+"'


def nested(levels: int) -> str:
    """Return the form of objects and arrays with so many of them in each other, in a line that is known to be JSON."""
    return rf'[\[{{](?:[^"\[\]{{}}]++|{ANY_TEXT}|{nested(levels - 1)})*+[\]}}]' if levels else "(?!)"


NESTED = nested(JSON_LEVELS - 1)
PAIR = rf'({ANY_TEXT}){SPACE}:{SPACE}({ANY_TEXT}|{NESTED}|[^,"\[\]{{}} \t\r]++)'
"""A name and its value, in a line that is known to be JSON: what is nested in the value is passed over with it."""
OTHER_TYPES = ("t", "f", "{", "[")
"""How true, false, objects and arrays begin."""


def is_json_object(text: Column) -> Column:
    """Tell whether a line is one JSON object (RFC 8259), not nested too deep and without halves of surrogate pairs."""
    short = F.regexp_replace(F.regexp_replace(text, JSON_TEXT, ONE_TEXT), NUMBER_OR_WORD, ONE_VALUE)

    def judged(line: Column) -> Column:
        steps = F.sequence(F.lit(1), F.lit(JSON_LEVELS))
        left = F.aggregate(steps, line, lambda before, _: F.regexp_replace(before, INNERMOST, ONE_VALUE))
        is_one = left.rlike(rf"^{SPACE}{ONE_VALUE}{SPACE}\z") & line.rlike(rf"^{SPACE}\{{")
        return F.when(line.rlike(FLAT_LINE), F.lit(True)).otherwise(is_one)

    return ~text.contains(ONE_TEXT) & once(short, judged)


def decoded(texts: Column) -> Column:
    """Return what JSON texts mean, an array of them, by Jackson: of texts that are known to be JSON."""
    return F.from_json(F.concat(F.lit("["), F.concat_ws(",", texts), F.lit("]")), "array<string>")


def plain_names(names: Column) -> Column:
    """Return what names are compared by: without quotes and blanks around them, in lower case."""
    together = F.lower(F.concat_ws(ONE_TEXT, names))
    without = F.when(together.rlike("[ \t]"), F.regexp_replace(together, '[ \t]*+"[ \t]*+', "")).otherwise(
        F.replace(together, F.lit('"'), F.lit(""))
    )
    escaped = F.transform(decoded(names), lambda name: F.lower(F.btrim(name, F.lit(" \t"))))
    return F.when(together.contains("\\"), escaped).otherwise(F.split(without, ONE_TEXT, -1))


def with_members(rows: DataFrame, part: str, text: Column) -> DataFrame:
    """Add the names and values of an object's members, `part` before the names of the columns; null where it is none.

    A text is decoded, beside its value, where there are escapes in the line.
    """
    names, values = F.col(f"{part}_names"), F.col(f"{part}_values")
    texts = F.transform(values, lambda value: F.when(value.startswith('"'), value).otherwise(ONE_VALUE))
    cut = {
        f"{part}_{what}": F.regexp_extract_all(F.col(f"{part}_text"), F.lit(PAIR), F.lit(group))
        for what, group in (("names", 1), ("values", 2))
    }
    known = {f"{part}_names": plain_names(names), f"{part}_decoded": F.when(F.col("has_escapes"), decoded(texts))}
    return rows.withColumn(f"{part}_text", text).withColumns(cut).withColumns(known)


def is_repeated(part: str) -> Column:
    """Tell whether an object has a name twice; false where there is no object."""
    names = F.col(f"{part}_names")
    return F.coalesce(F.size(F.array_distinct(names)) < F.size(names), F.lit(False))


def place_of(part: str, *spellings: str) -> Column:
    """Return where the members of an object have one of these names, from 0; a number below it where none has."""
    places = [F.coalesce(F.array_position(f"{part}_names", spelling), F.lit(0)) for spelling in spellings]
    return (F.greatest(*places, F.lit(0), F.lit(0)) - 1).cast("int")


def value_at(part: str, place: Column) -> Column:
    """Return a value as it is written, null where it is absent."""
    return F.get(f"{part}_values", place)


def text_at(part: str, place: Column) -> Column:
    """Return the text of a value that is a text or a number; null where it is absent or null."""
    value = value_at(part, place)
    inner = value.substr(F.lit(2), F.length(value) - 2)
    text = F.when(F.col("has_escapes"), F.get(f"{part}_decoded", place)).otherwise(inner)
    return F.when(value.startswith('"'), text).when(value != "null", value)


def records_of(
    spark: SparkSession, files: Sequence[FileItem], staging: Staging, texts: Sequence[str], *no_rows: str
) -> DataFrame:
    """Return `row`, `line`, `text` of the lines that are neither blank nor of one of these forms."""
    left_out = "|".join(("[ \t]*+", *no_rows))
    # A byte order mark may stand before the first of them.
    untidy_form = f"^\ufeff*+(?:{left_out})\\z"
    lines, most_untidy = read_lines(spark, files, staging, texts, lambda text: text.rlike(untidy_form))
    first = F.regexp_replace("text", "^\ufeff+", "")
    lines = lines.withColumn("text", F.when(F.col("line") == 1, first).otherwise(F.col("text")))
    records = lines.where(~F.col("untidy")).withColumn("row", F.col("line"))
    if most_untidy:
        untidy = lines.where(F.col("untidy") & ~F.col("text").rlike(f"^(?:{left_out})\\z"))
        records = records.unionByName(untidy.transform(with_row, most_untidy).select(*records.columns))
    judged = records.withColumn("is_object", is_json_object(F.col("text")))
    return judged.withColumn("has_escapes", F.col("text").contains("\\"))


def spellings_of(name: str, files: Sequence[FileItem]) -> list[str]:
    """Return the plain names that a column may have; the commit timestamp is the one that orders the files."""
    if name == "commit_at":
        return sorted({plain for file in files if (plain := commit_name(file["format"]))})
    return list(dict.fromkeys((name, *read_as(files[0]).known[name].aliases)))


def written_text(part: str, place: Column, kind: Kind) -> Column:
    """Return the text of a value; where texts have the decimal sign of their file, a number has it, too."""
    text = text_at(part, place)
    if kind not in WITH_DECIMAL_SIGN:
        return text
    is_exchanged = (F.col("decimal") == ",") & ~value_at(part, place).startswith('"')
    return F.when(is_exchanged, F.translate(text, ".", ",")).otherwise(text)


def with_known(
    rows: DataFrame, part: str, places: dict[str, Column], files: Sequence[FileItem], told: dict[str, Column]
) -> DataFrame:
    """Add the known columns from the members of an object at their places, but those that are `told`, and `broken`.

    Of that column a rule stays; it is null in the rows that are good so far.
    """
    texts = texts_of(files[0])
    placed = rows.withColumns({f"at_{name}": place for name, place in places.items()})
    others = [F.substring(value_at(part, F.col(f"at_{name}")), 1, 1).isin(*OTHER_TYPES) for name in places]
    is_other = reduce(or_, [F.coalesce(other, F.lit(False)) for other in others])
    broken = F.coalesce(F.col("broken"), F.when(is_other, F.lit("value_of_other_type")))
    kinds = {name: column.kind for name, column in read_as(files[0]).known.items()}
    values = {name: written_text(part, F.col(f"at_{name}"), kinds[name]) for name in places} | told
    good = {name: F.when(F.col("broken").isNull(), values[name]) for name in texts}
    return placed.withColumn("broken", broken).withColumns(good)


def read_json(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return one row per line of files of JSON lines that is not blank, in the form of `read_csv`."""
    texts = texts_of(files[0])
    records = records_of(spark, files, staging, texts)
    rows = with_members(records, "own", F.when(F.col("is_object"), F.col("text")))
    broken = F.when(~F.col("is_object"), F.lit("malformed_json")).when(is_repeated("own"), F.lit("repeated_name"))
    places = {name: place_of("own", *spellings_of(name, files)) for name in texts}
    ordering = spellings_of("commit_at", files)
    named = [F.when(F.col("commit_name") == each, place_of("own", each)) for each in ordering]
    places["commit_at"] = F.coalesce(*named, F.lit(-1))
    return with_known(rows.withColumn("broken", broken), "own", places, files, {}).select(
        *ORIGIN, *WRITING, "row", "line", F.col("text").alias("raw"), "broken", *texts
    )


# From glue/reading/envelopes.py

HEX_DIGITS = 30
"""Of 15 bytes, in two halves that fit into 64 bits."""
HALF, WHOLE = 2**60, 2**120
EXACT = "decimal(38,0)"


def instant_of_units(value: Column, unit: str) -> Column:
    """Return the instant that a number of units since 1970 is, to the microsecond."""
    number = value.cast("bigint")
    if unit == DAYS:
        us = number * 86_400_000_000
    elif unit == "nanoseconds":
        us = F.floor(number.cast("decimal(20,0)") / 1000).cast("bigint")
    else:
        us = number * 10 ** (6 - TENS[unit])
    text = F.date_format(F.timestamp_micros(us), "yyyy-MM-dd HH:mm:ss.SSSSSS")
    is_read = value.rlike(rf"^-?[0-9]{{1,{UNIT_DIGITS[unit]}}}\z") & us.between(EARLIEST_US, LAST_US)
    return F.when(is_read, text).otherwise(F.lit(UNREAD))


def decimal_of_bytes(text: Column, scale: int) -> Column:
    """Return the decimal that bytes in base64 are: a signed big-endian number of so many decimals."""
    is_read = (F.length(text) <= DECIMAL_CHARACTERS) & text.rlike(rf"^{BASE64}\z")
    shown = once(F.hex(F.unbase64(text)), lambda digits: decimal_of_digits(digits, scale))
    return F.when(is_read, shown).otherwise(F.lit(UNREAD))


def decimal_of_digits(digits: Column, scale: int) -> Column:
    """Return the decimal that the hexadecimal digits of bytes are."""
    is_negative = digits >= "8"
    ahead = F.when(is_negative, F.lit("F" * HEX_DIGITS)).otherwise(F.lit("0" * HEX_DIGITS))
    padded = F.substring(F.concat(ahead, digits), -HEX_DIGITS, HEX_DIGITS)
    halves = [F.conv(F.substring(padded, first, HEX_DIGITS // 2), 16, 10) for first in (1, HEX_DIGITS // 2 + 1)]
    high, low = (half.cast("decimal(19,0)") for half in halves)
    unsigned = (high * F.lit(HALF).cast("decimal(19,0)") + low).cast(EXACT)
    complement = F.lit(str(WHOLE)).cast(EXACT)
    size = once(unsigned, lambda number: F.when(is_negative, complement - number).otherwise(number).cast(EXACT))
    shown = once(
        size.cast("string"),
        lambda text: F.when(F.length(text) > scale, text).otherwise(F.lpad(text, scale + 1, "0")),
    )
    minus = F.when(is_negative, F.lit("-")).otherwise(F.lit(""))
    return F.concat(minus, once(shown, lambda text: with_decimals(text, scale)))


def with_decimals(digits: Column, scale: int) -> Column:
    """Return digits, more than the decimals, with the point before so many of them."""
    whole = F.length(digits) - scale
    behind = F.concat(F.lit("."), digits.substr(whole + 1, F.lit(scale))) if scale else F.lit("")
    return F.concat(digits.substr(F.lit(1), whole), behind)


def decoded_value(value: Column, text: Column, encoding: str) -> Column:
    """Return the text of a value that is written as a schema says; null stays null."""
    name, _, scale = encoding.partition(" ")
    if name == DECIMAL:
        return F.when(value.startswith('"'), decimal_of_bytes(text, int(scale))).otherwise(text)
    return F.when(text.isNotNull(), instant_of_units(value, name))


def committed_at() -> Column:
    """Return the instant of a change, in the finest unit that its source tells."""
    told = []
    for name, unit in SOURCE_INSTANTS.items():
        value = value_at("source", place_of("source", name))
        told.append(F.when(value != "null", instant_of_units(value, unit)))
    return F.coalesce(*told)


def operation_of(text: Column) -> Column:
    """Return the operation that Debezium means by a letter; null where there is none."""
    known = [F.when(text == letter, F.lit(operation)) for letter, operation in OPERATIONS_OF_DEBEZIUM.items()]
    return F.coalesce(*known, F.when(text.isNotNull(), F.lit(UNREAD)))


def is_no_object(value: Column) -> Column:
    """Tell whether a part of an envelope is neither an object, null, nor absent."""
    return F.coalesce(~value.startswith("{") & (value != "null"), F.lit(False))


def with_parts(rows: DataFrame) -> DataFrame:
    """Add the members of the envelopes' parts, the `operation`, and the rule of structure that a line breaks."""
    rows = with_members(rows, "top", F.when(F.col("is_object"), F.col("text")))
    payload = value_at("top", place_of("top", "payload"))
    is_packed = (F.array_sort("top_names") == F.array(*map(F.lit, WITH_SCHEMA))) & payload.startswith("{")
    rows = with_members(rows, "payload", F.when(is_packed, payload).otherwise(F.col("top_text")))
    rows = rows.withColumn("operation", text_at("payload", place_of("payload", "op")))
    before, after, source = (value_at("payload", place_of("payload", name)) for name in ("before", "after", "source"))
    image = F.when(F.col("operation") == "d", before).otherwise(after)
    rows = rows.withColumns({"image": image, "source": source})
    for part, name in (("row", "image"), ("source", "source")):
        rows = with_members(rows, part, F.when(F.col(name).startswith("{"), F.col(name)))
    repeated, of_other_type = F.lit("repeated_name"), F.lit("value_of_other_type")
    broken = (
        F.when(~F.col("is_object"), F.lit("malformed_json"))
        .when(is_repeated("top") | is_repeated("payload"), repeated)
        .when(is_no_object(F.col("image")), of_other_type)
        .when(is_repeated("row"), repeated)
        .when(is_no_object(F.col("source")), of_other_type)
        .when(is_repeated("source"), repeated)
    )
    return rows.withColumn("broken", broken)


def read_envelopes(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return one row per envelope of files whose values are written alike, in the form of `read_csv`."""
    texts, encodings = texts_of(files[0]), files[0]["format"].get("encodings", {})
    rows = with_parts(records_of(spark, files, staging, texts, TOMBSTONE))
    told = {"op": operation_of(F.col("operation")), "commit_at": committed_at()}
    places = {name: place_of("row", *spellings_of(name, files)) for name in texts if name not in told}
    for name, encoding in encodings.items():
        at = F.col(f"at_{name}")
        told[name] = decoded_value(value_at("row", at), text_at("row", at), encoding)
    is_first = F.col("is_full_load") | F.coalesce(F.col("operation") == SNAPSHOT_READ, F.lit(False))
    return (
        with_known(rows, "row", places, files, told)
        .withColumn("is_full_load", is_first)
        .select(*ORIGIN, *WRITING, "row", "line", F.col("text").alias("raw"), "broken", *texts)
    )


# From glue/reading/parquet.py

AS_INT96 = ("timestamp[ns", "timestamp[us]")
"""How the KPI function calls INT96: it depends on the version of polars that has read the file."""


def parquet_text(name: str, field: T.StructField) -> Column:
    """Return a Parquet column, `name` in the contract, in the text form of the contract."""
    value = F.col(f"`{field.name}`")
    kind = field.dataType
    if isinstance(kind, T.DecimalType):
        return plain_decimal(value, kind)
    if isinstance(kind, T.DoubleType | T.FloatType):
        whole = (value == F.floor(value)) & (value >= -(2.0**63)) & (value < 2.0**63)
        return F.when(whole, value.cast("bigint").cast("string")).otherwise(value.cast("string"))
    if isinstance(kind, T.ArrayType):
        return F.when(value.isNotNull(), F.concat_ws(",", value))
    if isinstance(kind, T.LongType) and name in ("date", "commit_at"):
        # Spark 3.5 reads nanoseconds as plain numbers (nanosAsLong); other integers were rejected before.
        return F.timestamp_micros(
            ((value - F.pmod(value, F.lit(1000))) / 1000).cast("decimal(20,0)").cast("bigint")
        ).cast("string")
    return value.cast("string")


def plain_decimal(value: Column, kind: T.DecimalType) -> Column:
    """Return a decimal as digits at its full scale; Spark's cast writes small values of large scales with exponents."""
    if kind.scale <= 6:
        return value.cast("string")
    return F.regexp_replace(F.format_number(value, kind.scale), ",", "")


def known_places(file: FileItem) -> dict[str, int]:
    """Return where a file has the columns that are read of it."""
    names = texts_of(file)
    return {name: place for name, place in file["format"]["places"].items() if name in names}


def parquet_fields(spark: SparkSession, path: str, places: Iterable[int]) -> T.StructType:
    """Return the columns at these places of a Parquet file as Spark reads them, by its own rules.

    What Spark infers by itself is the schema of the whole file: it refuses a file for a column that nobody reads.
    """
    parquet, state = jvm(spark).org.apache.parquet, spark._jsparkSession.sessionState()
    source = jvm(spark).org.apache.hadoop.fs.Path(path)
    file = parquet.hadoop.util.HadoopInputFile.fromPath(source, state.newHadoopConf())
    reader = parquet.hadoop.ParquetFileReader.open(file)
    try:
        whole = reader.getFileMetaData().getSchema()
    finally:
        reader.close()
    kept = jvm(spark).java.util.ArrayList()
    for place in places:
        kept.add(whole.getType(place))
    datasources = jvm(spark).org.apache.spark.sql.execution.datasources
    converter = datasources.parquet.ParquetToSparkSchemaConverter(state.conf())
    fields = converter.convert(parquet.schema.MessageType("known", kept))
    return T.StructType.fromJson(json.loads(fields.json()))


def footers(spark: SparkSession, files: Iterable[FileItem], staging: Staging) -> dict[str, T.StructType]:
    """Return the columns that are read of each file, as Spark has them, by the file's id."""
    reads = {
        file["file_id"]: partial(parquet_fields, spark, staging.path(file), known_places(file).values())
        for file in files
    }
    return in_parallel(reads)


def is_untold(shape: FileFormat) -> bool:
    """Tell whether only the footer tells all types: the ledger has one name for INT96 and for another type of instants.

    Of many columns it has the first types.
    """
    return "column_count" in shape or any(kind.startswith(AS_INT96) for kind in shape.get("types", []))


def shapes(
    spark: SparkSession, files: Sequence[FileItem], staging: Staging
) -> Iterator[tuple[list[FileItem], dict[str, T.StructField]]]:
    """Yield files that have the same columns and types, and the columns that are read of them, as Spark has them."""
    told = footers(spark, (file for file in files if is_untold(file["format"])), staging)
    found: dict[str, list[FileItem]] = {}
    for file in files:
        shape, file_id = file["format"], file["file_id"]
        footer = told[file_id].json() if file_id in told else None
        parts = [shape["columns"], shape.get("types"), shape["places"], footer]
        found.setdefault(json.dumps(parts, sort_keys=True), []).append(file)
    told |= footers(spark, (alike[0] for alike in found.values() if alike[0]["file_id"] not in told), staging)
    for alike in found.values():
        first = alike[0]
        yield alike, dict(zip(known_places(first), told[first["file_id"]], strict=True))


def read_shape(
    spark: SparkSession, paths: Sequence[str], found: Mapping[str, T.StructField], names: Sequence[str]
) -> DataFrame:
    """Return `file_name, row, raw` and the columns of these names, as text, of files that all have the same columns."""
    texts = {name: parquet_text(name, found[name]) for name in names if name in found}
    raw = F.to_json(F.struct(*[text.alias(name) for name, text in texts.items()]), {"ignoreNullFields": "false"})
    return (
        spark.read.schema(T.StructType(list(found.values())))
        .parquet(*paths)
        .select(
            F.col("_metadata.file_name").alias("file_name"),
            (F.col("_metadata.row_index") + 1).alias("row"),
            raw.alias("raw"),
            F.struct(*[texts.get(name, F.lit(None).cast("string")).alias(name) for name in names]).alias("values"),
        )
    )


def read_parquet(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return the rows of Parquet files in the form of `read_csv`; each shape is a read of its own."""
    names = texts_of(files[0])
    parts, origins = [], []
    for alike, found in shapes(spark, files, staging):
        parts.append(read_shape(spark, [staging.path(file) for file in alike], found, names))
        typed = [name for name, field in found.items() if not isinstance(field.dataType, T.StringType)]
        origins += [origin_of(file, staging, names, typed) for file in alike]
    origin = F.broadcast(local_rows(spark, origins, origin_schema(names)))
    return (
        united(parts)
        .join(origin, on="file_name", how="inner")
        .select(
            *ORIGIN,
            *WRITING,
            "row",
            F.lit(None).cast("bigint").alias("line"),
            "raw",
            F.lit(None).cast("string").alias("broken"),
            *[F.col("values")[name].alias(name) for name in names],
        )
    )


# From glue/reading/rows.py

READER_SETTINGS = {
    # User files may hold columns that differ in case only.
    "spark.sql.caseSensitive": "true",
    # Nanosecond timestamps are read as numbers and cut to microseconds here; Spark 3.5 refuses them otherwise.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # Instants before 1900 mean what they say, unless an old Spark has signed the file.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}
"""Settings of the session, without which files are not read as the contract says."""

FILE_READERS: Mapping[str, Callable[[SparkSession, Sequence[FileItem], Staging], DataFrame]] = {
    "csv": read_csv,
    "json": read_json,
    "envelopes": read_envelopes,
    "parquet": read_parquet,
}


def reader_of(shape: FileFormat) -> tuple[str, str]:
    """Name the reader of a file, and what all files of one read of its have in common."""
    if shape["kind"] == "parquet":
        return "parquet", ""
    if shape["kind"] in JSON_KINDS:
        return ("envelopes", str(shape.get("encodings", {}))) if shape["dialect"] == DEBEZIUM else ("json", "")
    return "csv", shape.get("delimiter", COMMA)


def read(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return the rows of one subject's files as text: one read per separator of CSV and encoding of envelopes."""
    reads: dict[tuple[str, str], list[FileItem]] = {}
    for file in files:
        reads.setdefault(reader_of(file["format"]), []).append(file)
    parts = [FILE_READERS[name](spark, members, staging) for (name, _), members in reads.items()]
    return united(parts).transform(with_texts, files)


# ## Reading
# User keys never reach Spark's path resolution, and Spark cannot read a version: each exact object version is first
# copied, server-side,
# to `staging/`, read from there as rows of text, and deleted after the run. `glue/reading/` does this for each kind of
# file. In texts what may
# be a card number shows its last four digits alone.


def staging_of(job: Job, mover: Reload | Repair | None = None) -> Staging:
    """Return where a job's files are copied to; the files of a reload know where it begins."""
    given, starts = job.arguments, mover.load_starts if mover else {}
    return Staging(given.lake_bucket, given.prefix, CardKey(given.card_key_secret), starts)


# ## Values
# Each column has a kind, and each kind one reader: an expression that gives null where a text cannot be read, whatever
# Spark's ANSI
# setting. Nothing is invented for it. The forms are the contract's patterns; they must match the whole text. In Java
# `$` also matches
# before a final line end, `\z` does not.


def anchored(pattern: str) -> str:
    return rf"^(?:{pattern})\z"


def integer(text: Column, kind: Kind) -> Column:
    """Return a whole number in 64 bits, else null."""
    number = text.cast("bigint")
    return F.when(number.cast("string") == text, number).otherwise(F.when(text.rlike(anchored(kind.pattern)), number))


# A code is digits of a width, from which numeric tools have taken leading zeros: `4101.0` is the zip code `04101`.


def code(text: Column, kind: Kind) -> Column:
    """Return a code of digits with its leading zeros, else null."""
    width = kind.width
    as_it_is = F.lpad(text.cast("int").cast("string"), width, "0")
    other = F.when(text.rlike(anchored(kind.pattern)), F.lpad(F.regexp_replace(text, r"\.0+\z", ""), width, "0"))
    return F.when((F.length(text) == width) & (as_it_is == text) & (text >= "0"), as_it_is).otherwise(other)


# Most amounts are plain, or plain behind a `$`: those are cast as they are. The others go by their digits, and their
# sign apart.


def digits(text: Column) -> Column:
    return F.regexp_replace(text, r"[^0-9.]", "")


def amount(text: Column, kind: Kind) -> Column:
    """Return an amount that `decimal(18,2)` holds exactly, else null."""
    plain = F.when(text.startswith("$"), text.substr(2, 40)).otherwise(text)
    value = plain.cast(kind.silver_type)
    sign = F.when(text.rlike(NEGATIVE_MARK), F.lit("-0")).otherwise(F.lit("0"))
    is_stored = text.rlike(anchored(kind.pattern)) & digits(text).rlike(anchored(STORABLE_DIGITS))
    other = F.when(is_stored, F.concat(sign, digits(text)).cast(kind.silver_type))
    return F.when(value.cast("string") == plain, value).otherwise(other)


# An instant is UTC unless it has an offset; decimals beyond microseconds are cut. Spark wants the year first, seconds
# before an offset, no
# blank between them, and 24 hours.


PLAIN_INSTANT = rf"{ISO_DAY}(?:[ T]{CLOCK})?"


def for_spark(text: Column) -> Column:
    """Return an instant as Spark reads it, but for the half of the day."""
    year_first = F.regexp_replace(text, r"^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", "$3-$1-$2")
    of_day = F.regexp_replace(F.regexp_replace(year_first, HALF_OF_DAY, ""), " UTC", "Z")
    return F.regexp_replace(F.regexp_replace(of_day, " ([+-])", "$1"), r"([ T][0-9]{1,2}:[0-9]{2})(Z|[+-])", "$1:00$2")


def half_of_day(text: Column) -> Column:
    """Return how far a clock of twelve hours is behind, null for an hour that it does not have; zero of any other."""
    hour = F.regexp_extract(text, r"[ T]([0-9]{1,2}):", 1).cast("int")
    behind = F.when(text.rlike("[Pp][Mm]"), 12).otherwise(0) - F.when(hour == 12, 12).otherwise(0)
    is_of_twelve = text.rlike("[AaPp][Mm]")
    return F.make_dt_interval(hours=F.when(~is_of_twelve, 0).when(hour.between(1, 12), behind))


def instant(text: Column, kind: Kind) -> Column:
    """Return the instant of a text in UTC, else null."""
    has_form = text.rlike(anchored(ISO_FORM)) | text.rlike(anchored(MONTH_FIRST_FORM))
    other = for_spark(text).cast(kind.silver_type) + half_of_day(text)
    return F.when(text.rlike(anchored(PLAIN_INSTANT)), text.cast(kind.silver_type)).when(has_form, other)


def not_before_1900(at: Column) -> Column:
    return F.when(at >= F.lit(EARLIEST_INSTANT).cast("timestamp"), at)


# Words stand for one of a few values, in any case; names are a list.


def one_of(spellings: Mapping[str, str], text: Column) -> Column:
    """Return what a text stands for; null when it stands for nothing."""
    return F.create_map(*[F.lit(part) for pair in spellings.items() for part in pair])[F.lower(text)]


def names(text: Column, kind: Kind) -> Column:
    """Return the names in a text that separates them by commas; null when there is none, or a word for it."""
    is_word = F.lower(text).isin(*NULL_WORDS)
    found = F.filter(F.transform(F.split(text, ","), trimmed), lambda name: name.isNotNull())
    return F.when(text.rlike(r"[^, \t]") & ~is_word, found)


# A new column of one of these kinds needs no line here: the contract's entry is all that it takes.


READERS: Mapping[str, Callable[[Column, Kind], Column]] = {
    INTEGER.name: integer,
    AMOUNT.name: amount,
    INSTANT.name: instant,
    NAMES.name: names,
    CHANNEL.name: lambda text, _: one_of(CHANNEL_SPELLINGS, text),
    OPERATION.name: lambda text, _: one_of(OPERATION_SPELLINGS, text),
}


def value_of(text: Column, kind: Kind) -> Column:
    """Return the value of a text of a kind, null if it cannot be read; texts of other kinds stay as they are."""
    if kind.width:
        return code(text, kind)
    return READERS[kind.name](text, kind) if kind.name in READERS else text


# A card number leaves Bronze masked, as its last four digits and a hash: two columns of the image. A security code
# becomes none.


def values_of(column: SourceColumn) -> dict[str, Column]:
    """Return the columns of the image that a column of the files becomes."""
    text = F.col(f"text.{column.name}")
    if column.kind is CARD_NUMBER:
        parts = F.split(text, ":")
        return {name: F.get(parts, F.lit(place)) for place, name in enumerate(column.image_names)}
    return {name: value_of(text, column.kind) for name in column.image_names}


def with_values(rows: DataFrame, subject: Subject) -> DataFrame:
    """Gather a row's texts in one struct `text`, and add the values; `op` is `I` where the file has no operations.

    Spark computes an expression anew wherever another one names it, unless it is a column of an earlier step.
    """
    columns = subject.known.values()
    instants = [name for column in columns if column.kind is INSTANT for name in column.image_names]
    operation = F.when(F.col("has_op"), F.col("op")).otherwise(F.lit("I"))
    return (
        rows.select(*ORIGIN, "row", "line", "raw", "broken", F.struct(*subject.known).alias("text"))
        .withColumns({name: value for column in columns for name, value in values_of(column).items()})
        .withColumns({"op": operation, **{name: not_before_1900(F.col(name)) for name in instants}})
    )


# ## Rules
# A rule is data too: a name, a column and a fault. Each fault is a predicate over the text and the value of a column,
# true when the row
# breaks the rule. An amount can fail in three ways, of which only one is broken at a time; good rows take no second
# look.


def text_of(column: SourceColumn) -> Column:
    return F.col(f"text.{column.name}")


def value_in(column: SourceColumn) -> Column:
    return F.col(column.image_names[0])


def has_no_value(column: SourceColumn) -> Column:
    """Break when there is a text but no value."""
    return text_of(column).isNotNull() & value_in(column).isNull()


def has_form(column: SourceColumn) -> Column:
    return text_of(column).rlike(anchored(column.kind.pattern))


def is_exact(column: SourceColumn) -> Column:
    return digits(text_of(column)).rlike(anchored(EXACT_DECIMALS))


def is_in_future(column: SourceColumn) -> Column:
    return value_in(column) > F.col("last_modified_at") + F.expr(f"INTERVAL {FUTURE_DAYS} DAY")


def is_impossible(column: SourceColumn) -> Column:
    return has_no_value(column) | (value_in(column) == "0" * column.kind.width)


FAULTS: Mapping[Fault, Callable[[SourceColumn], Column]] = {
    Fault.MISSING: lambda column: text_of(column).isNull(),
    Fault.UNREADABLE: has_no_value,
    Fault.UNKNOWN: has_no_value,
    Fault.MALFORMED: lambda column: has_no_value(column) & ~has_form(column),
    Fault.TOO_PRECISE: lambda column: has_no_value(column) & has_form(column) & ~is_exact(column),
    Fault.TOO_LARGE: lambda column: has_no_value(column) & has_form(column) & is_exact(column),
    Fault.IN_FUTURE: is_in_future,
    Fault.IMPOSSIBLE: is_impossible,
    Fault.NOT_GIVEN: lambda column: F.col(f"has_{column.name}") & value_in(column).isNull(),
}


# A comparison with a limit reads the limit as it reads the column. A delete may carry no more than its key: most rules
# pass over it.


def is_broken(rule: Rule, column: SourceColumn) -> Column:
    """Return the predicate of a rule."""
    if rule.fault in (Fault.ABOVE_LIMIT, Fault.BELOW_LIMIT):
        limit = value_of(F.lit(rule.limit), column.kind)
        broken = value_in(column) > limit if rule.fault is Fault.ABOVE_LIMIT else value_in(column) < limit
    else:
        broken = FAULTS[rule.fault](column)
    return broken if rule.on_deletes else F.coalesce(F.col("op") != "D", F.lit(True)) & broken


def rules_of_values(subject: Subject) -> dict[str, Column]:
    """Return the rules of a subject in the contract's order: name to a predicate that is true when a row breaks it."""
    return {rule.name: is_broken(rule, subject.known[rule.column]) for rule in value_rules(subject)}


def with_rules(rows: DataFrame, predicates: Mapping[str, Column]) -> DataFrame:
    """Add `rules`: the names of all rules that a row breaks, in the contract's order; empty for a good row."""
    named = [F.when(broken, F.lit(name)) for name, broken in predicates.items()]
    broken_names = F.filter(F.array(*named), lambda name: name.isNotNull())
    # Most rows are good; the disjunction is compiled, the filter over names is not.
    any_broken = reduce(or_, [F.coalesce(broken, F.lit(False)) for broken in predicates.values()])
    found = (
        F.when(F.col("broken").isNotNull(), F.array("broken"))
        .when(any_broken, broken_names)
        .otherwise(F.array().cast("array<string>"))
    )
    return rows.withColumn("rules", found)


# ## Order and content
# Which row of a key wins is fixed by the row and its object alone, never by the time of processing: `row_order` is
# compared field by
# field, from the left.


def row_order() -> Column:
    row_at = F.coalesce("commit_at", "object_at")
    load_start = F.coalesce("load_start", F.lit(BEGINNING_OF_TIME).cast("timestamp"))
    return F.struct(
        F.when(F.col("is_full_load"), load_start).otherwise(row_at).alias("position"),
        F.when(F.col("is_full_load"), 0).otherwise(1).alias("phase"),
        row_at.alias("instant"),
        *[F.col(name) for name in ("object_key", "sequencer", "version_id", "row")],
        F.lit(None).cast(ORDER_FIELDS["repair"]).alias("repair"),
    )


# A hash over all values but the key lets readers tell quickly which rows differ; no outcome rests on it. xxHash64
# passes over nulls, so
# their places are hashed too: those of the columns of the first version. A later column counts by its value and, when
# it has one, its name;
# so the hash of a row without it is what it was.


def content_hash(subject: Subject) -> Column:
    """Return a hash over the values of a subject's image."""
    first = [name for name in subject.values if name not in subject.later_values]
    nulls = F.concat(*[F.col(name).isNull().cast("int").cast("string") for name in first])
    later = [[F.col(name), F.when(F.col(name).isNotNull(), F.lit(name))] for name in subject.later_values]
    return F.xxhash64(*first, nulls, *[part for parts in later for part in parts])


OF_STATE = {name: sql_type for name, sql_type in STATE.items() if name not in IMAGE}
OF_INPUT = {"op": "string", "line": "bigint", "raw": "string", "rules": "array<string>"}


def normalised_schema(subject: Subject) -> dict[str, str]:
    return {**subject.image, **OF_STATE, **OF_INPUT}


def normalise(rows: DataFrame, subject: Subject) -> DataFrame:
    """Turn rows of text into typed rows with their broken rules, order and hash; good ones need no raw text.

    Nor is any kept of a row of another table, which may be a card.
    """
    judged = rows.transform(with_values, subject).transform(with_rules, rules_of_values(subject))
    is_kept = (F.size("rules") > 0) & ~F.col("broken").eqNullSafe(OTHER_TABLE)
    raw = F.when(is_kept, masked(F.col("raw")))
    whole = judged.withColumns(
        {"row_order": row_order(), "content_hash": content_hash(SUBJECTS[subject.name]), "raw": raw}
    )
    return conform(whole, normalised_schema(subject))


def read_subjects(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> dict[str, DataFrame]:
    """Return the normalised rows of a run, by subject; each is computed once."""
    # The lines of a file are counted by one scan and read by another: both must cut it into the same blocks, also when
    # executors come in between. A block of Parquet would hold more rows than a task should.
    rows, cores = sum(file["kpis"]["row_count"] for file in files), spark.sparkContext.defaultParallelism
    spark.conf.set("spark.sql.files.minPartitionNum", str(max(cores, rows // ROWS_A_BLOCK)))
    of_subject = {name: [file for file in files if file["subject"] == name] for name in SUBJECTS}
    return {
        name: checkpointed(read(spark, members, staging).transform(normalise, SUBJECTS[name]))
        for name, members in of_subject.items()
        if members
    }


# ## Outcomes
# Each good row is held against its key's state before the run, and against the other rows of its key in this run. It is
# `same` when it
# would change nothing, `newer` when nothing stored outdates it, and `is_newest` when no other row of the run does
# either.


def below(floor: str | None) -> Column:
    """Tell whether a row is older than a complete reload."""
    return F.lit(False) if floor is None else F.col("row_order.position") < F.lit(floor).cast("timestamp")


def is_same(subject: Subject, had: Column) -> Column:
    """Tell whether a row would leave its key as it is: every value the same, no value where there is none.

    The hash does not vouch for it: rows of equal hash are easily made.
    """
    identical = reduce(and_, [F.col(name).eqNullSafe(F.col(f"stored.{name}")) for name in subject.values])
    return F.when(F.col("op") == "D", ~had).otherwise(had & identical)


def change() -> Column:
    return F.when(F.col("op") == "D", "deleted").when(F.col("had"), "updated").otherwise("inserted")


def outcome() -> Column:
    """Return the first that applies."""
    return (
        F.when(F.col("same"), "unchanged")
        .when(~F.col("newer"), "stale")
        .when(~F.col("is_newest"), "superseded")
        .otherwise(change())
    )


# `stored` has the key and a struct `stored`: the state of the key, `living` or deleted. `newest_of` has the newest
# order of the keys that
# stand in several rows; without it the rows are brought together by key.


def classify(
    rows: DataFrame,
    stored: DataFrame,
    *,
    subject: Subject = TRANSACTIONS,
    floor: str | None = None,
    newest_of: DataFrame | None = None,
) -> DataFrame:
    """Give each row its `outcome`, and the `change` that it makes, if any."""
    key, had = subject.key, F.coalesce(F.col("stored.living"), F.lit(False))
    # Equal is only the stored row itself, where a reload gives it its place.
    newer = ~below(floor) & F.coalesce(F.col("row_order") >= F.col("stored.row_order"), F.lit(True))
    newer = newer & F.col("counts") if "counts" in rows.columns else newer
    if newest_of is None:
        newest = F.max(F.when(F.col("newer"), F.col("row_order"))).over(Window.partitionBy(key))
    else:
        rows = rows.join(F.broadcast(newest_of), on=key, how="left")
        newest = F.coalesce("newest_order", "row_order")
    return (
        rows.join(stored, on=key, how="left")
        .withColumns({"same": is_same(subject, had), "newer": newer, "had": had})
        .withColumn("is_newest", F.col("newer") & (F.col("row_order") == newest))
        .withColumn("change", F.when(F.col("is_newest") & ~F.col("same"), change()))
        .withColumn("outcome", outcome())
    )


def with_effect(classified: DataFrame) -> DataFrame:
    """Add `effect_amount`: what a change adds to Silver, new minus before."""
    after = F.when(F.col("change").isin("inserted", "updated"), F.col("amount"))
    before = F.when(F.col("change").isin("updated", "deleted"), F.col("stored.amount"))
    nothing = F.lit(Decimal(0))
    moved = F.coalesce(after, nothing) - F.coalesce(before, nothing)
    return classified.withColumn("effect_amount", moved.cast(EFFECT))


# What is stored is looked up by the range of the run's keys, all values of it but the hash: values alone tell whether a
# row brings anything
# new.


STORED = {**STATE, "living": "boolean", "place": PLACE}


@dataclass(frozen=True)
class SilverRun:
    """One run: its number, its branches, what may change keys that no row of its files names, its keys."""

    spark: SparkSession
    branches: Branches
    run_seq: int
    mover: Mover | None = None
    has_repairs: bool = False
    row_count: int = 0
    low: int = 0
    high: int = -1

    @property
    def reload(self) -> Reload | None:
        return self.mover if isinstance(self.mover, Reload) else None

    @property
    def may_touch_any_key(self) -> bool:
        return self.mover is not None and self.mover.moves_loads

    @property
    def is_large_first(self) -> bool:
        """Tell whether many rows come to a layer that holds none."""
        if self.reload or self.row_count <= ROWS_A_PARTITION:
            return False
        return not any(map(self.branches.rows_at_most, ("transactions", "tombstones")))

    def numbered(self, rows: DataFrame) -> DataFrame:
        return rows.withColumn("run_seq", F.lit(self.run_seq))


def stored_of(run: SilverRun, table: str, keys: DataFrame) -> DataFrame:
    """Return the stored rows under these keys, as far as a row's outcome and effects depend on them."""
    if run.may_touch_any_key:
        rows = run.branches.published_rows(table)
        return moved_up(run.spark, rows, run.reload) if run.reload else rows
    of_state = STATE if run.mover else (*IMAGE, "row_order")
    of_history = (*STATE, "op", "line", "repairs")
    names = {"transactions": of_state, "tombstones": TOMBSTONES, "transaction_history": of_history}[table]
    return run.branches.published_rows_of(table, keys, names, between=(run.low, run.high), most=run.row_count)


def stored_rows(run: SilverRun, keys: DataFrame) -> DataFrame:
    """Return the living rows and the tombstones under these keys, or all, in the form `STORED`."""
    living = {"transactions": True, "tombstones": False}
    parts = [
        columns_or_null(stored_of(run, table, keys).withColumn("living", F.lit(is_living)), STORED)
        for table, is_living in living.items()
        if run.branches.rows_at_most(table)
    ]
    return reduce(DataFrame.unionByName, parts) if parts else columns_or_null(run.spark.range(0), STORED)


# ### Reloads
# Rows that a reload moves are in Silver, and only now get their place in the order: the start of their newest load.
# They stand beside the
# run's own, without an outcome.


def candidates(run: SilverRun, good: DataFrame, file_ids: Sequence[str]) -> DataFrame:
    """Return the rows that may become the state of their key: the run's own, and those that a reload moves."""
    rows = good.select(*STATE, "op", "line", F.lit(True).alias("is_input"))
    if run.reload is None:
        return rows
    earlier = [file for file in run.reload.starts if file not in file_ids]
    history = rows_in_effect(run, None).where(F.coalesce("row_order.repair.file_id", "file_id").isin(earlier))
    moved = history.select(*STATE, "op", "line", F.lit(False).alias("is_input"))
    return rows.unionByName(moved_up(run.spark, moved, run.reload))


# A large first load has hardly a key twice: to look up those costs less than to bring all rows together by key.


def repeated_keys(rows: DataFrame) -> DataFrame:
    """Return the keys that stand in several rows."""
    counted = rows.groupBy("dms_id").agg(F.count(F.lit(1)).alias("rows"))
    return checkpointed(counted.where("rows > 1").select("dms_id"))


def newest_orders(rows: DataFrame, keys: DataFrame, floor: str | None) -> DataFrame:
    """Return `dms_id, newest_order` of these keys, few of those that the rows hold."""
    of_keys = rows.where(~below(floor)).join(F.broadcast(keys), on="dms_id", how="left_semi")
    return checkpointed(of_keys.groupBy("dms_id").agg(F.max("row_order").alias("newest_order")))


def decide(
    run: SilverRun, good: DataFrame, floor: str | None, file_ids: Sequence[str]
) -> tuple[DataFrame, DataFrame, bool]:
    """Return the classified rows, the stored rows that they were held against, and whether rows kept their places."""
    rows = candidates(run, good, file_ids)
    keys = rows.select("dms_id")
    stored = stored_rows(run, keys)
    known = stored.join(keys.distinct(), on="dms_id", how="left_semi") if run.reload else stored
    known = known.select("dms_id", F.struct(*[name for name in STORED if name != "dms_id"]).alias("stored"))
    if run.is_large_first:
        repeated = repeated_keys(rows)
        if repeated.count() <= BROADCAST_KEYS:
            newest_of = newest_orders(rows, repeated, floor)
            return with_effect(classify(rows, known, floor=floor, newest_of=newest_of)), stored, True
    return checkpointed(with_effect(classify(rows, known, floor=floor))), stored, False


# Reference files have no money and no effects: a row is held against the newest row of its key, of files in effect.


def classify_reference(run: SilverRun, good: DataFrame, name: str) -> DataFrame:
    """Give the rows of a reference file their outcomes."""
    subject, table = REFERENCES[name], run.spark.table(run.branches.table(name))
    if run.branches.rows_at_most("decisions"):
        table = without(table, undone_files(run.spark.table(run.branches.table("decisions"))))
    of_keys = table.join(broadcast_if_small(good.select(subject.key), run.row_count), on=subject.key, how="left_semi")
    state = F.struct(*subject.values, "row_order", (F.col("op") != "D").alias("living"))
    newest = of_keys.groupBy(subject.key).agg(F.max_by(state, "row_order").alias("stored"))
    return checkpointed(classify(good, newest, subject=subject))


# ## Effects
# One row per key that a run changes, with its image before and after: Gold's feed, and the source of every cent.


def image(of: str = "") -> Column:
    return F.struct(*[F.col(f"{of}{name}").alias(name) for name in VALUES])


def effects(classified: DataFrame, *, run_seq: int, cause: str = "load") -> DataFrame:
    """Return one row per key whose value a row of this run changes, or gives it for another cause than its file."""
    changed = classified.where(F.col("change").isNotNull()).withColumns(
        {
            "run_seq": F.lit(run_seq),
            "cause": F.when(F.col("is_input") & F.lit(cause != "repair"), "file").otherwise(cause),
            "before": F.when(F.col("had"), image("stored.")),
            "after": F.when(F.col("op") != "D", image()),
        }
    )
    return conform(changed, EFFECTS)


# A reload leaves behind what lies below its floor and what no row in it, or after it, names: living rows are deleted,
# tombstones go.


@dataclass(frozen=True)
class Lost:
    """What a reload leaves behind: living rows with their money, and tombstones."""

    rows: int = 0
    amount: Decimal = Decimal(0)
    purged: int = 0


def left_behind(stored: DataFrame, classified: DataFrame, reload: Reload) -> DataFrame:
    """Return the stored rows below a reload's floor whose keys nothing names."""
    newest = classified.where("is_newest").select("dms_id")
    return stored.where(below(reload.floor)).join(newest, on="dms_id", how="left_anti")


def lost_of(left: DataFrame) -> tuple[DataFrame, DataFrame, Lost]:
    """Return the living rows and the tombstones among stored rows that go, and how many there are."""
    missing = checkpointed(left.where("living"))
    purged = checkpointed(left.where("NOT living").select("place"))
    ((rows, amount),) = missing.agg(F.count(F.lit(1)), total("amount")).collect()
    return missing, purged, Lost(rows, amount, purged.count())


def lost_by(
    run: SilverRun, classified: DataFrame, stored: DataFrame
) -> tuple[DataFrame | None, DataFrame | None, Lost]:
    """Return the living rows and the tombstones that a reload leaves behind, and how many there are."""
    return lost_of(left_behind(stored, classified, run.reload)) if run.reload else (None, None, Lost())


def missing_effects(missing: DataFrame, mover: Mover, *, run_seq: int) -> DataFrame:
    """Return the effects of a reload or an action on the living rows that go: no row has taken their place."""
    of_mover = {"run_seq": F.lit(run_seq), "cause": F.lit(mover.cause), "file_id": F.lit(mover.file_id)}
    gone = missing.select("dms_id", image().alias("before"), (-F.col("amount")).alias("effect_amount"))
    return columns_or_null(gone.withColumns(of_mover), EFFECTS)


# ## Undo and redo
# An action changes which files are in effect. Every key that its file names is made anew from the history: the newest
# row of the files in
# effect gives value, order and writer, wherever the file's own row stands. Where a floor or a load's position moves,
# all keys are.


def history_of(run: SilverRun, keys: DataFrame | None) -> DataFrame:
    """Return the rows of the history under these keys, or all."""
    if not run.branches.rows_at_most("transaction_history"):
        return columns_or_null(run.spark.range(0), HISTORY)
    table = run.spark.table(run.branches.table("transaction_history"))
    return table if keys is None else stored_of(run, "transaction_history", keys)


def rows_in_effect(run: SilverRun, keys: DataFrame | None, own: DataFrame | None = None) -> DataFrame:
    """Return the rows under these keys, or all, that count; after an action or a repair (its `own` rows)."""
    undone, mover = undone_files(run.spark.table(run.branches.table("decisions"))), run.mover
    if isinstance(mover, Action):
        undone = undone.where(F.col("file_id") != mover.file_id)
        if not mover.decision["in_effect"]:
            undone = undone.unionByName(local_rows(run.spark, [{"file_id": mover.file_id}], "file_id string"))
    rows, repairs = (history_of(run, each).select(*STATE, "op", "line", "repairs") for each in (keys, None))
    if own is not None:
        named = own.withColumn("repairs", F.col("row_order.repair.file_id")).select(*rows.columns)
        rows, repairs = rows.unionByName(named), repairs.unionByName(named)
    return in_effect(rows, undone, repairs) if run.has_repairs or own is not None else without(rows, undone)


def newest_rows(rows: DataFrame, floor: str | None) -> DataFrame:
    """Return the newest row of each key that does not lie below the floor."""
    values = F.struct(*[name for name in rows.columns if name != "dms_id"])
    newest = rows.where(~below(floor)).groupBy("dms_id").agg(F.max_by(values, "row_order").alias("newest"))
    return newest.select("dms_id", "newest.*")


# A key whose stored row is already the newest one stays as it is. A key that nothing names any more goes, without a
# tombstone.


def settle(run: SilverRun, action: Action, keys: DataFrame) -> DataFrame:
    """Return the keys that do not stay as they are: with their newest row, if there is one, and what is `stored`."""
    rows = moved_up(run.spark, rows_in_effect(run, keys), action).select(*STATE, "op")
    stored = stored_rows(run, keys).select(
        "dms_id", F.struct(*[name for name in STORED if name != "dms_id"]).alias("stored")
    )
    same_row = [F.col(name).eqNullSafe(F.col(f"stored.{name}")) for name in ("file_id", "row", "row_order")]
    moved = newest_rows(rows, action.floor).join(stored, on="dms_id", how="full").where(~reduce(and_, same_row))
    had, nothing = F.coalesce(F.col("stored.living"), F.lit(False)), F.lit(None).cast("string")
    return (
        moved.withColumns({"is_newest": F.col("file_id").isNotNull(), "op": F.coalesce("op", F.lit("D")), "had": had})
        .withColumn("same", is_same(TRANSACTIONS, F.col("had")))
        .withColumn("change", F.when(~F.col("same"), change()))
        .withColumns({"is_input": F.lit(False), "outcome": nothing})
    )


# ## Repairs
# A repair's rows stand where the quarantined rows stand that they name, behind which their own order decides; of
# several repairs of a row
# the newest counts. They are read as if they stood in the file that they repair.


def read_repair(begun: Run, repair: Repair) -> tuple[DataFrame, list[FileFigures]]:
    """Return the rows of a repair in their places, held to the figures of the KPI function; none of a waiver."""
    files = [] if "waives" in repair.item else [repair.item]
    staging, order = staging_of(begun.job, repair), F.col("row_order").withField("row", F.col("repaired_row"))
    placed = order.withField("repair", repair.order(F.col("row")))
    if not files:
        return columns_or_null(begun.spark.range(0), normalised_schema(REPAIR)), []
    with staged(files, staging):
        rows = read(begun.spark, [repair.placed], staging).transform(normalise, REPAIR)
        rows = checkpointed(rows.withColumn("row_order", placed))
        figures = figures_of([rows])
    check_against_kpis(files, figures)
    return rows, figures


# Beside the keys of its own rows a repair settles those that earlier repairs of the same rows have named. What is
# stored there counts by
# the newest row that the repair leaves in effect; a row of the repair that is not in effect itself is stale.


def settle_repair(run: SilverRun, repair: Repair, own: DataFrame, keys: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Return the classified rows of a repair, with what else becomes newest, and the stored rows that go."""
    in_place = moved_up(run.spark, rows_in_effect(run, keys, own), repair)
    rows = checkpointed(in_place.where(~below(repair.floor)))
    is_own, same_row = F.col("file_id") == repair.file_id, ["dms_id", "file_id", "row"]
    others, stored = newest_rows(rows.where(~is_own), None), checkpointed(stored_rows(run, keys))
    counted = rows.where(is_own).select("row", F.lit(True).alias("counts"))
    coming = own.select(*STATE, "op", "line").join(counted, on="row", how="left").fillna({"counts": False})
    moved = others.join(stored, on=same_row, how="left_anti").withColumn("counts", F.lit(True))
    parts = {True: coming, False: moved}
    columns = [*STATE, "op", "line", "counts"]
    candidates = reduce(
        DataFrame.unionByName,
        [found.select(*columns, F.lit(is_input).alias("is_input")) for is_input, found in parts.items()],
    )
    names = [name for name in STORED if name not in ("dms_id", "row_order")]
    known = stored.drop("row_order").join(others.select("dms_id", "row_order"), on="dms_id", how="left")
    known = known.select("dms_id", F.struct(*names, "row_order").alias("stored"))
    classified = checkpointed(with_effect(classify(candidates, known, floor=repair.floor)))
    gone = stored.join(others, on=same_row, how="left_anti")
    return classified, gone.join(classified.where("is_newest").select("dms_id"), on="dms_id", how="left_anti")


# ## Proof
# Two proofs, both at the cost of the change. On reading: the rows, the money and the dates of each file are what the
# KPI function, another engine,
# found in it (`glue/reading/figures.py`). On writing: the branches are read back, and must hold exactly what was
# decided.


# What a run decides is counted by file and outcome (`glue/lake/outcomes.py`). Rows of all tables come into one form for
# that; what a
# reload moves is its marker's, what an undo moves its action's. What was written is counted by the same function, from
# the files that the
# run's commits name.


# ## Writing
# History, quarantine, effects and state go to the run's branches; `transactions` and `tombstones` only where a key is
# new, its newest row
# is, or it is gone.


@dataclass(frozen=True)
class Decided:
    """What a run decided over transactions: each row's outcome, the stored rows that go, the counts."""

    classified: DataFrame
    missing: DataFrame | None
    purged: DataFrame | None
    counted: Sequence[OutcomeCount]
    sums: Sums
    lost: Lost
    in_key_order: bool  # over all partitions


# In key order, so that file statistics can prune: a run that comes in it already is not sorted again.


def write_state(run: SilverRun, decided: Decided) -> None:
    """Bring `transactions` to the newest row of each key."""
    newest, sums = decided.classified.where(F.col("is_newest")), decided.sums
    if replaced := sums["state_known"] + sums["deletions"] + decided.lost.rows:
        places = newest.where(F.col("had")).select("stored.place.*")
        places = places.unionByName(decided.missing.select("place.*")) if decided.missing is not None else places
        run.branches.remove("transactions", places, replaced)
    if sums["state_rows"]:
        state = conform(newest.where(F.col("op") != "D"), STATE)
        order = () if decided.in_key_order else ("dms_id",)
        run.branches.append("transactions", laid_out(state, sums["state_rows"], *order))


def write_tombstones(run: SilverRun, decided: Decided) -> None:
    """Leave a tombstone where a delete is the newest row of its key; take away those of keys that live again."""
    newest, sums = decided.classified.where(F.col("is_newest")), decided.sums
    if replaced := sums["tombstones_known"] + sums["revived"] + decided.lost.purged:
        places = newest.where(~F.col("stored.living")).select("stored.place.*")
        places = places.unionByName(decided.purged.select("place.*")) if decided.purged is not None else places
        run.branches.remove("tombstones", places, replaced)
    if sums["tombstones"]:
        fresh = conform(newest.where(F.col("op") == "D"), TOMBSTONES)
        run.branches.append("tombstones", laid_out(fresh, sums["tombstones"], "dms_id"))


def write_effects(run: SilverRun, decided: Decided) -> None:
    changed = effects(decided.classified, run_seq=run.run_seq, cause=run.mover.cause if run.mover else "file")
    if decided.missing is not None and run.mover is not None:
        changed = changed.unionByName(missing_effects(decided.missing, run.mover, run_seq=run.run_seq))
    run.branches.append("transaction_effects", laid_out(changed, decided.sums["changes"] + decided.lost.rows))


# History and quarantine keep rows in the order that is their own: where a load begins is not their business, and not
# all runs know it.


def in_own_place(rows: DataFrame) -> DataFrame:
    own, beginning = F.col("row_order.position"), F.lit(BEGINNING_OF_TIME).cast("timestamp")
    position = F.when(F.col("row_order.phase") == 0, beginning).otherwise(own)
    return rows.withColumn("row_order", F.col("row_order").withField("position", position))


def write_history(run: SilverRun, decided: Decided, count: int) -> None:
    rows = decided.classified.where("is_input").transform(in_own_place)
    rows = rows.withColumn("repairs", F.col("row_order.repair.file_id"))
    run.branches.append("transaction_history", laid_out(conform(run.numbered(rows), HISTORY), count))


def write_quarantine(run: SilverRun, bad: Sequence[DataFrame], count: int) -> None:
    kept = [columns_or_null(run.numbered(rows).transform(in_own_place), QUARANTINE) for rows in bad]
    run.branches.append("quarantine", laid_out(reduce(DataFrame.unionByName, kept), count))


def write_tables(
    run: SilverRun, decided: Decided, bad: Sequence[DataFrame], references: Mapping[str, DataFrame], reference_rows: int
) -> list[str]:
    """Write what the run decided to its branches; return the names of the tables written."""
    sums, lost = decided.sums, decided.lost
    rows_of: dict[str | None, int] = {None: 0, **dict.fromkeys(OUTCOMES, 0)}
    for row in decided.counted:
        rows_of[row["outcome"]] += row["row_count"]
    broken = rows_of["quarantined"]
    accepted = sum(rows_of.values()) - broken - rows_of[None] - reference_rows
    wanted = {
        "quarantine": (broken, partial(write_quarantine, run, bad, broken)),
        "transaction_history": (accepted, partial(write_history, run, decided, accepted)),
        "transaction_effects": (sums["changes"] + lost.rows, partial(write_effects, run, decided)),
        "tombstones": (sums["tombstones"] + sums["revived"] + lost.purged, partial(write_tombstones, run, decided)),
        "transactions": (sums["state_rows"] + sums["deletions"] + lost.rows, partial(write_state, run, decided)),
    }
    for name, rows in references.items():
        kept = laid_out(conform(run.numbered(rows), SILVER_TABLES[name].schema), reference_rows)
        wanted[name] = (1, partial(run.branches.append, name, kept))
    written = [name for name, (count, _) in wanted.items() if count]
    in_parallel({name: wanted[name][1] for name in written})
    return written


# ## One run
# The layer hands these functions to the commit protocol (`glue/lake/run.py`): `write` takes a run's files from staging
# to branches, `prove`
# holds the branches to what was decided; only then does anything reach the readers.


@dataclass(frozen=True)
class Work:
    """What a run has written: what it decided, the tables, the report on its files; and where loads stand after it."""

    decided: Decided
    written: Sequence[str]
    report: dict[str, FileReport]
    mover: Mover | None
    loads: Loads


def report_of(
    files: Sequence[FileItem], counted: Sequence[OutcomeCount], mover: Mover | None, lost: Lost
) -> dict[str, FileReport]:
    """Return what a run did with each of its files, as their passports tell it."""
    report = {**{file["file_id"]: no_rows() for file in files}, **of_files(counted)}
    if mover:
        of_mover = report[mover.owner_id]
        of_mover["effect"] = cents(Decimal(of_mover["effect"]) - lost.amount)
        of_mover["missing"] = lost.rows
        of_mover["moved"] = sum(row["changes"] for row in counted if row["outcome"] is None)
    return report


def accepted_references(files: Sequence[FileItem], report: Mapping[str, FileReport]) -> int:
    """Return how many accepted rows of a run belong to reference tables."""
    outcomes = [report[file["file_id"]]["outcomes"] for file in files if file["subject"] in REFERENCES]
    return sum(sum(found.values()) - found["quarantined"] for found in outcomes)


def read_checked(run: Run, staging: Staging) -> tuple[dict[str, DataFrame], list[FileFigures]]:
    """Read the staged files of a run, and hold them to the figures of the KPI function."""
    run.job.step("staged")
    rows = read_subjects(run.spark, run.files, staging)
    figures = figures_of(rows.values())
    check_against_kpis(run.files, figures)
    run.job.step("read", rows=sum(found["row_count"] for found in figures))
    size_scans(run.spark)
    return rows, figures


def write(begun: Run) -> Work:
    """Take the files of a run through staging to the branches of its tables, or carry out its action."""
    ledger, before = begun.job.ledger, Loads.of(begun.totals_before)
    for item in files_and_actions(begun.files)[1]:
        if "repairs" in item:
            return write_repair(begun, repair_of(ledger, item, before))
        return write_action(begun, action_of(ledger, item, before))
    loads = loads_after(ledger, begun.files, before)
    reload = reload_of(ledger, begun.files, loads)
    staging = staging_of(begun.job, reload)
    with staged(begun.files, staging):
        return write_staged(begun, loads, reload, staging)


def write_staged(begun: Run, loads: Loads, reload: Reload | None, staging: Staging) -> Work:
    spark, job, before, files = begun.spark, begun.job, begun.totals_before, begun.files
    forget(spark)
    given = sum(file["kpis"]["row_count"] for file in files)
    size_shuffles(spark, given + before["row_count"] if reload else given)
    floor = loads.floor
    rows, figures = read_checked(begun, staging)
    row_count = sum(found["row_count"] for found in figures)
    low, high = key_range(figures)
    run = SilverRun(
        spark, begun.branches, begun.run_seq, reload, has_repairs(before), row_count=row_count, low=low, high=high
    )
    good = {name: found.where(F.size("rules") == 0) for name, found in rows.items()}
    bad = [found.where(F.size("rules") > 0) for found in rows.values()]
    transactions = good.get("transactions", columns_or_null(spark.range(0), normalised_schema(TRANSACTIONS)))
    references = {name: classify_reference(run, good[name], name) for name in REFERENCES if name in good}
    classified, stored, in_place = decide(run, transactions, floor, [file["file_id"] for file in files])
    taken = [*map(reference_decisions, references.values()), *map(quarantined, bad)]
    counted = by_outcome(reduce(DataFrame.unionByName, [decisions(classified, reload), *taken]))
    missing, purged, lost = lost_by(run, classified, stored)
    if reload:
        limit_missing(reload, lost.rows, before["row_count"], Decimal(job.arguments.maximum_missing_share))
    report = report_of(files, counted, reload, lost)
    job.step("classified", **{name: sum(found["outcomes"][name] for found in report.values()) for name in OUTCOMES})
    in_order = in_place and in_key_order(figures)
    decided = Decided(classified, missing, purged, counted, summed(counted), lost, in_order)
    written = write_tables(run, decided, bad, references, accepted_references(files, report))
    job.step("written", tables=written)
    return Work(decided, written, report, reload, loads)


# An action is written the way a reload is: what it moves has no outcome. Its decision is a row of the run. A repair is
# a file and an action in one.


def settling(begun: Run, mover: Action | Repair, keys: DataFrame) -> SilverRun:
    """Return a run that settles keys."""
    ((named, low, high),) = keys.agg(F.count(F.lit(1)), F.min("dms_id"), F.max("dms_id")).collect()
    size_shuffles(begun.spark, begun.totals_before["row_count"] if mover.moves_loads else named)
    size_scans(begun.spark)
    span = {"low": low, "high": high} if named else {}
    return SilverRun(
        begun.spark, begun.branches, begun.run_seq, mover, has_repairs(begun.totals_before), row_count=named, **span
    )


def write_action(begun: Run, action: Action) -> Work:
    """Settle what an action moves, and write it to the branches of the run's tables."""
    spark, branches, ledger = begun.spark, begun.branches, begun.job.ledger
    forget(spark)
    history, (file,) = spark.table(branches.table("transaction_history")), ledger.files([action.file_id])
    keys = history.where(F.col("file_id") == action.file_id).select("dms_id")
    if has_repairs(begun.totals_before):
        keys = keys.unionByName(repaired_keys(history, file))
    run = settling(begun, action, keys := checkpointed(keys.distinct()))
    moved = checkpointed(with_effect(settle(run, action, keys)))
    newest, left = moved.where("is_newest"), moved.where("NOT is_newest").select("dms_id", "stored.*")
    counted = by_outcome(decisions(newest, action))
    missing, purged, lost = lost_of(left)
    report = {action.owner_id: no_rows(), **of_files(counted)}
    of_action = report[action.owner_id]
    of_action["effect"] = cents(Decimal(of_action["effect"]) - lost.amount)
    of_action["settled"] = counted_changes(moved, keys, run.row_count)
    of_action["decides"] = action.decision
    of_action["repairs"] = write_marks(branches, mark(spark, branches, ledger, action))
    begun.job.step("classified", **of_action["settled"])
    decided = Decided(newest, missing, purged, counted, summed(counted), lost, in_key_order=False)
    written = write_tables(run, decided, [], {}, 0)
    branches.append("decisions", decision_row(spark, action.decision, run.run_seq))
    begun.job.step("written", tables=["decisions", *written])
    return Work(decided, ["decisions", *written], report, action, action.loads)


def write_repair(begun: Run, repair: Repair) -> Work:
    """Settle what a repair names, write it to the branches of the run's tables, and mark what it closes."""
    spark, branches = begun.spark, begun.branches
    forget(spark)
    own, _ = read_repair(begun, repair)
    begun.job.step("read", rows=repair.item["kpis"]["row_count"])
    marks = mark(spark, branches, begun.job.ledger, repair, own)
    history = spark.table(branches.table("transaction_history"))
    keys = own.select("dms_id").unionByName(outdated_keys(history, repair.item["repairs"], own))
    run = settling(begun, repair, keys := checkpointed(keys.distinct()))
    classified, left = settle_repair(run, repair, own, keys)
    counted = by_outcome(decisions(classified, repair))
    missing, purged, lost = lost_of(left)
    report = report_of([repair.item], counted, repair, lost)
    report[repair.file_id]["repairs"] = write_marks(branches, marks)
    begun.job.step("classified", **report[repair.file_id]["outcomes"])
    decided = Decided(classified, missing, purged, counted, summed(counted), lost, in_key_order=False)
    written = write_tables(run, decided, [], {}, 0)
    begun.job.step("written", tables=written)
    return Work(decided, written, report, repair, repair.loads)


# The proof: rows and effects by file, tombstones, keys moved, and the rows and cents in the files that were added. The
# totals go into a
# snapshot without rows, so that the next proof costs what the next change costs.


def prove_rows(branches: Branches, work: Work) -> EffectsFound:
    """Hold rows, effects and tombstones to what was decided; return what the effects say."""
    written, sums, lost = work.written, work.decided.sums, work.decided.lost
    checks: dict[str, Callable[[], Any]] = {"rows": partial(read_back, branches, written)}
    if "transaction_effects" in written:
        checks["effects"] = partial(prove_effects, branches, work.mover.owner_id if work.mover else None)
    if "transactions" in written:
        checks["added"] = partial(branches.added, "transactions", "amount")
    found = in_parallel(checks)
    moved: EffectsFound = found.get("effects", EffectsFound())
    own = of_files(row for row in work.decided.counted if row["outcome"] is not None)
    require("rows by outcome", found=found["rows"], expected=own)
    by_file = {file: of_file["effect"] for file, of_file in work.report.items() if Decimal(of_file["effect"])}
    require("effects by file", found=moved.files, expected=by_file)
    tombstones = branches.rows_moved("tombstones") if "tombstones" in written else 0
    known = sums["tombstones_known"] + sums["revived"] + lost.purged
    require("tombstones", found=tombstones, expected=sums["tombstones"] - known)
    if "decisions" in written:
        require("decisions", found=branches.rows_moved("decisions"), expected=1)
    if "transactions" in written:
        require("keys moved", found=branches.rows_moved("transactions"), expected=moved.have - moved.had)
        added = (sums["state_rows"], sums["state_amount"])
        require("rows and money in the files added", found=found["added"], expected=added)
    return moved


def prove(run: Run, work: Work) -> SilverReport:
    """Hold the branches to what was decided; return what the run did with each file, and the totals after it."""
    moved, before = prove_rows(run.branches, work), run.totals_before
    row_count = before["row_count"] + moved.have - moved.had
    totals: LayerTotals = {
        "row_count": row_count,
        "total_amount": cents(Decimal(before["total_amount"]) + moved.effect),
    }
    if "transactions" in work.written:
        noted = {"run-seq": run.run_seq, "row-count": row_count, "total-amount": totals["total_amount"]}
        run.branches.note("transactions", {f"assay.{name}": str(value) for name, value in noted.items()})
    totals = with_last_repair(work.loads.in_totals(totals), before, run.run_seq, run.files)
    return {"files": work.report, "totals": totals}


# ## The job
# A published run moves its files on; Gold waits for them. What an action has decided now stands on the file, too.


# A run takes the files that have waited longest, as many as its workers hold. Where it fails, each file is read alone,
# to find the one
# that breaks it; where it dies, later runs take its files in halves (`glue/lake/isolation.py`). Each action has a run
# of its own.


def probe(job: Job, file: FileItem) -> None:
    """Read one file alone, wholly; an action reads none, and a repair is alone in any case."""
    if has_own_run(file):
        return
    staging = staging_of(job)
    with staged([file], staging):
        rows = read_subjects(job.spark, [file], staging)
        for found in rows.values():
            found.write.format("noop").mode("overwrite").save()
        check_against_kpis([file], figures_of(rows.values()))


def take(job: Job) -> None:
    take_all(job, probe)


def repeat(job: Job, killed: RunInProgress) -> None:
    run_again(job, killed, probe)


def report_of_rebuild(job: Job, before: LayerItem, totals: LayerTotals) -> SilverReport:
    published = cast(LayerTotals, before["published"])
    kept = Loads.of(published).in_totals(totals)
    return {"files": {}, "totals": with_last_repair(kept, published, before["run_seq"], [])}


LAYER = Layer(
    name="silver",
    tables=SILVER_TABLES,
    state_table="transactions",
    take=take,
    repeat=repeat,
    write=write,
    prove=prove,
    advance=advance,
    expected_totals=expected_totals,
    report_of_rebuild=report_of_rebuild,
    options={"maximum_missing_share": "0.1", "card_key_secret": "", "expected_total_amount": None},
    numbers=("expected_row_count", "run_rows", "workers"),
    settings=READER_SETTINGS,
)


# A notebook passes over the next cell: it is raw, and the script's alone.


if __name__ == "__main__":
    main(LAYER, arguments(LAYER, sys.argv[1:]))
