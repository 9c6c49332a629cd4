"""The words that files, tables, ledger and mails share, each with one spelling."""

from collections.abc import Mapping

from contract.limits import FILE_ROWS, WORKER_ROWS

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
