"""Writes the contract in the Open Data Contract Standard 3.2: the files of each subject, and all tables of the lake."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from contract.aggregates import AGGREGATES, MEASURES
from contract.columns import CHANGE_COLUMNS, SourceColumn
from contract.descriptions import column_description
from contract.dimensions import ALL_DIMENSIONS
from contract.kinds import Fault
from contract.rules import Rule, rules_of
from contract.subjects import SUBJECTS, Subject
from contract.tables import TABLES, LakeTable
from contract.vocabulary import CAUSES, CHANNELS, OPERATIONS, OUTCOMES

STRUCT_FIELD = re.compile(r"(\w+): ((?:[^,<>]|<(?:[^<>]|<[^<>]*>)*>|\([^)]*\))+)(?:, |$)")
"""A field of a struct: its name, and its type, which may hold commas in brackets."""
LOGICAL_TYPES: Mapping[str, str] = {
    "bigint": "integer",
    "int": "integer",
    "string": "string",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "decimal": "number",
    "array": "array",
    "struct": "object",
}
INTEGER_FORMATS: Mapping[str, str] = {"bigint": "i64", "int": "i32"}
DIMENSION_OF_FAULT: Mapping[Fault, str] = {
    Fault.MISSING: "completeness",
    Fault.NOT_GIVEN: "completeness",
    Fault.IN_FUTURE: "timeliness",
    Fault.UNKNOWN: "accuracy",
    Fault.IMPOSSIBLE: "accuracy",
    Fault.ABOVE_LIMIT: "accuracy",
    Fault.BELOW_LIMIT: "accuracy",
}
"""The standard's dimension of data quality; `conformity` of all others."""
WORDS: Mapping[str, Iterable[str]] = {
    "channel": CHANNELS,
    "op": OPERATIONS,
    "outcome": OUTCOMES,
    "cause": CAUSES,
}
"""The columns of the tables of Silver that hold one of few words."""
DESCRIPTION: Mapping[str, Any] = {
    "purpose": "What may be uploaded, what becomes of each row, and the tables of Silver and Gold.",
    "usage": "Upload files under the first folder of their subject; read the tables, to which only the jobs write.",
    "limitations": "Rows that break a rule are quarantined; a file is rejected for the reasons of the data contract.",
    "authoritativeDefinitions": [{"url": "docs/data-contract.md", "type": "businessDefinition"}],
}


def logical_type(sql_type: str) -> dict[str, Any]:
    """Return what the standard says of a type: its logical type, with what it consists of."""
    name = re.split(r"[<(]", sql_type)[0]
    result: dict[str, Any] = {"logicalType": LOGICAL_TYPES[name]}
    if name in INTEGER_FORMATS:
        result["logicalTypeOptions"] = {"format": INTEGER_FORMATS[name]}
    elif name == "timestamp":
        result["logicalTypeOptions"] = {"timezone": True, "defaultTimezone": "Etc/UTC"}
    elif name == "array":
        result["items"] = typed(sql_type[len("array<") : -1])
    elif name == "struct":
        fields = STRUCT_FIELD.findall(sql_type[len("struct<") : -1])
        result["properties"] = [{"name": field, **typed(of_field)} for field, of_field in fields]
    return result


def typed(sql_type: str) -> dict[str, Any]:
    return {**logical_type(sql_type), "physicalType": sql_type}


def quality(rules: Iterable[Rule]) -> dict[str, Any]:
    """Return the rules as checks; a broken one puts the row into quarantine."""
    checks = [
        {
            "name": rule.name,
            "type": "text",
            "description": f"Broken when: {rule.description or f'the value is {rule.fault} {rule.limit}'}.",
            "dimension": DIMENSION_OF_FAULT.get(rule.fault, "conformity"),
            "severity": "error",
            "method": "quarantine",
        }
        for rule in rules
    ]
    return {"quality": checks} if checks else {}


def file_property(subject: Subject, column: SourceColumn) -> dict[str, Any]:
    """Return a column of the files of a subject."""
    kind = column.kind
    result: dict[str, Any] = {
        "name": column.name,
        "description": column.description,
        **{name: value for name, value in logical_type(kind.silver_type).items() if name == "logicalType"},
        "physicalType": "; ".join(kind.parquet),
        "required": column.required,
    }
    if kind.silver_type.startswith("array"):
        result["items"] = typed(kind.silver_type[len("array<") : -1])
    if column.name == subject.key:
        result |= {"primaryKey": True, "primaryKeyPosition": 1}
    if kind.is_secret:
        result["classification"] = "restricted"
    if column.aliases:
        result["synonyms"] = [{"synonym": alias} for alias in column.aliases]
    custom = {"kind": kind.name, "forms": kind.forms, "becomes": kind.becomes, "pattern": kind.pattern}
    result["customProperties"] = [{"property": name, "value": value} for name, value in custom.items() if value]
    return result | quality(rule for rule in rules_of(subject) if rule.column == column.name)


def file_object(subject: Subject) -> dict[str, Any]:
    """Return the files of a subject."""
    return {
        "id": f"bronze_{subject.name}",
        "name": f"bronze_{subject.name}",
        "physicalName": f"{subject.name}/",
        "logicalType": "object",
        "physicalType": "file",
        "description": subject.description,
        "dataGranularityDescription": "One row per version of a key, or per change.",
        "properties": [file_property(subject, column) for column in (*subject.columns, *CHANGE_COLUMNS)],
        **quality(rule for rule in rules_of(subject) if rule.fault == Fault.STRUCTURE),
    }


def table_property(table: LakeTable, name: str) -> dict[str, Any]:
    """Return a column of a table."""
    result = {"name": name, "description": column_description(name), **typed(table.schema[name])}
    if name in table.key:
        result |= {"required": True, "primaryKey": True, "primaryKeyPosition": table.key.index(name) + 1}
    if re.search(rf"\b{name}\b", table.partitioning.partition("(")[2]):
        result |= {"partitioned": True, "partitionKeyPosition": 1}
    if table.layer == "silver" and name in WORDS:
        result["enum"] = [{"value": word} for word in WORDS[name]]
    if table.name in AGGREGATES and name in MEASURES:
        result["semanticType"] = "measure"
    target = next((each for each in ALL_DIMENSIONS.values() if each.key == name and each.name != table.name), None)
    if target:
        result["relationships"] = [{"type": "foreignKey", "to": f"gold_{target.name}.{name}"}]
    return result


def table_object(table: LakeTable) -> dict[str, Any]:
    """Return a table of the lake."""
    return {
        "id": f"{table.layer}_{table.name}",
        "name": f"{table.layer}_{table.name}",
        "physicalName": f"{table.layer}.{table.name}",
        "logicalType": "object",
        "physicalType": "table",
        "dataGranularityDescription": table.description,
        "properties": [table_property(table, name) for name in table.schema],
    }


def contract_yaml(root: Path) -> str:
    """Return the contract as a document of the standard."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    document = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "assay",
        "name": "Assay",
        "version": project["version"],
        "status": "active",
        "domain": "financial transactions",
        "description": DESCRIPTION,
        "schema": [*map(file_object, SUBJECTS.values()), *map(table_object, TABLES.values())],
    }
    head = "# Generated from functions/kpi/contract by tools/write_contract.py; edit the contract, not this file.\n"
    return head + str(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=118, default_flow_style=False)
    )
