"""Runs a statement in Athena, which reads the same tables and charges for what it scans."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa  # type: ignore[import-untyped]
from botocore.exceptions import ClientError

from assay import console
from assay.errors import UserError
from assay.target import Target

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import (
        ColumnInfoTypeDef,
        QueryExecutionTypeDef,
        RowTypeDef,
        StartQueryExecutionInputTypeDef,
    )

HINT = "correct the statement, in Athena's SQL; list the tables there are: assay query"
RESULTS = "staging/athena/"  # in the lake bucket, where objects expire after a day
POLL_S = 1
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
DOLLARS_PER_TERABYTE = Decimal(5)
MEGABYTE, TERABYTE = 10**6, 10**12
LEAST_MEGABYTES = 10

A_SELECT = re.compile(r"(?:\s|\(|--[^\n]*\n|(?>/\*.*?\*/))*+(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)
NAMES = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/)
    |(?<![\w."])(?P<of_schema>"?)(?P<schema>\w+)(?P=of_schema)\s*\.\s*(?P<of_table>"?)(?P<table>\w+)(?P=of_table)
    |"(?:[^"]|"")*" """,
    re.DOTALL | re.VERBOSE,
)


class Kind(NamedTuple):
    """How values of one of Athena's types are read; it sends all of them as text."""

    arrow: pa.DataType
    read: Callable[[str], Any]


def _instant(text: str) -> datetime:
    """Read `2010-01-01 12:00:00.000000 UTC`, where the zone may be a region or an offset too."""
    local, _, zone = text.rpartition(" ")
    if zone[0] in "+-":
        return datetime.fromisoformat(local + zone).astimezone(UTC)
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


TEXT = Kind(pa.string(), str)  # of numbers with a floating point, too: they are printed as Athena writes them
KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), Kind(pa.int64(), int)),
    "boolean": Kind(pa.bool_(), lambda text: text == "true"),
    "date": Kind(pa.date32(), date.fromisoformat),
    "timestamp": Kind(pa.timestamp("us"), datetime.fromisoformat),
    "timestamp with time zone": Kind(pa.timestamp("us", "UTC"), _instant),
}


def ask(target: Target, statement: str, work_group: str) -> pa.RecordBatchReader:
    """Run one SELECT, say what it cost, and give its result page by page; an interruption stops the query."""
    if target.is_local:
        raise UserError("the local cloud has no Athena", "leave out --engine, or name an AWS profile (--profile)")
    if not A_SELECT.match(statement):
        raise UserError("only one SELECT can be asked", 'for instance: assay query "SELECT * FROM gold.daily_totals"')
    query_id = _start(target, statement, work_group)
    try:
        ended = _await(target.athena, query_id)
    except KeyboardInterrupt:
        target.athena.stop_query_execution(QueryExecutionId=query_id)
        raise
    _report(ended)
    return _rows(target.athena, query_id)


def _start(target: Target, statement: str, work_group: str) -> str:
    databases = {"silver": target.stack.silver_database, "gold": target.stack.gold_database}
    tables = {(schema, name) for schema, database in databases.items() for name in _tables(target, database)}
    arguments: StartQueryExecutionInputTypeDef = {
        "QueryString": with_databases(statement, databases, tables),
        "QueryExecutionContext": {"Catalog": "AwsDataCatalog", "Database": databases["gold"]},
        "WorkGroup": work_group,
    }
    try:
        if not _has_place_for_results(target.athena, work_group):
            arguments["ResultConfiguration"] = {"OutputLocation": f"s3://{target.stack.lake_bucket}/{RESULTS}"}
        return target.athena.start_query_execution(**arguments)["QueryExecutionId"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "InvalidRequestException":
            raise
        said = error.response["Error"]["Message"]
        raise UserError(f"Athena refused: {said}", "correct the statement, or name another --work-group") from None


def _has_place_for_results(athena: AthenaClient, work_group: str) -> bool:
    found = athena.get_work_group(WorkGroup=work_group)["WorkGroup"].get("Configuration", {})
    managed = found.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)
    return managed or "OutputLocation" in found.get("ResultConfiguration", {})


def with_databases(statement: str, databases: Mapping[str, str], tables: Collection[tuple[str, str]]) -> str:
    """Name the tables in a statement as the catalog does; what only looks like one (text, aliases) stays as it is."""

    def named(found: re.Match[str]) -> str:
        if found["text"] or not found["schema"]:
            return found[0]
        schema, table = found["schema"].lower(), found["table"].lower()
        return f'"{databases[schema]}"."{table}"' if (schema, table) in tables else found[0]

    return NAMES.sub(named, statement)


def _tables(target: Target, database: str) -> Iterator[str]:
    for page in target.glue.get_paginator("get_tables").paginate(DatabaseName=database):
        yield from (table["Name"] for table in page["TableList"])


def _await(athena: AthenaClient, query_id: str) -> QueryExecutionTypeDef:
    pause = Event()
    while True:
        found = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if found["Status"]["State"] in ENDED:
            return found
        pause.wait(POLL_S)


def _report(ended: QueryExecutionTypeDef) -> None:
    """Say what a query cost; raise UserError if it did not succeed."""
    scanned = ended.get("Statistics", {}).get("DataScannedInBytes", 0)
    status = ended["Status"]
    if status["State"] != "FAILED":  # failed ones are free
        console.note(f"Athena scanned {Decimal(scanned) / MEGABYTE:,.1f} MB: about ${cost(scanned):f}")
    if status["State"] == "SUCCEEDED":
        return
    error = status.get("AthenaError", {})
    said = status.get("StateChangeReason") or error.get("ErrorMessage") or "it gave no reason"
    if status["State"] == "CANCELLED":
        raise UserError(f"the query was stopped in Athena: {said}", "ask again")
    raise UserError(f"Athena: {said}", "ask again" if error.get("Retryable") else HINT)


def cost(scanned: int) -> Decimal:
    """Return the list price in dollars; whole megabytes are charged, ten at least."""
    megabytes = max(-(-scanned // MEGABYTE), LEAST_MEGABYTES)
    return DOLLARS_PER_TERABYTE * megabytes * MEGABYTE / TERABYTE


def _rows(athena: AthenaClient, query_id: str) -> pa.RecordBatchReader:
    pages = iter(athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id))
    first = next(pages)["ResultSet"]
    columns = first["ResultSetMetadata"]["ColumnInfo"]
    kinds = [_kind(column) for column in columns]
    schema = pa.schema([(column["Name"], kind.arrow) for column, kind in zip(columns, kinds, strict=True)])
    # The first row of a SELECT's first page holds the names of the columns.
    rest = chain([first["Rows"][1:]], (page["ResultSet"]["Rows"] for page in pages))
    return pa.RecordBatchReader.from_batches(schema, (_batch(rows, kinds, schema) for rows in rest))


def _kind(column: ColumnInfoTypeDef) -> Kind:
    if column["Type"] == "decimal":
        return Kind(pa.decimal128(column["Precision"], column["Scale"]), Decimal)
    return KINDS.get(column["Type"], TEXT)


def _batch(rows: list[RowTypeDef], kinds: list[Kind], schema: pa.Schema) -> pa.RecordBatch:
    texts = ([datum.get("VarCharValue") for datum in row["Data"]] for row in rows)
    read = [[None if text is None else kind.read(text) for text, kind in zip(row, kinds, strict=True)] for row in texts]
    columns = [pa.array([row[place] for row in read], kind.arrow) for place, kind in enumerate(kinds)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
