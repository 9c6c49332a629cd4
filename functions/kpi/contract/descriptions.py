"""What the columns of the tables mean, for the documents; those of an image say what the column of the files says."""

from collections.abc import Mapping

from contract.dimensions import DIMENSIONS
from contract.subjects import SUBJECTS

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
