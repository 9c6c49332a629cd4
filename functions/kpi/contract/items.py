"""The ledger's items, and what runs write down, with the meaning of each attribute beside its type.

DynamoDB holds text as S, counts as N, truth as BOOL, lists as L and the rest as M. Instants are text, UTC,
`YYYY-MM-DDTHH:MM:SS.ffffffZ`; money is text with two decimals, never a number.
"""

from typing import Annotated, Literal, NotRequired, TypedDict

from contract.closings import MonthMoved
from contract.partitions import PartitionOffsets

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
