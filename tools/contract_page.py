"""Renders the tables of `docs/data-contract.md` from the contract: the rooms that its prose leaves open, by name."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from contract import patterns
from contract.aggregates import AGGREGATES
from contract.closings import ClosedItem, ClosedMonthsItem
from contract.columns import SourceColumn
from contract.companions import COMPANIONS
from contract.descriptions import column_description
from contract.dimensions import DIMENSIONS, VERSIONED_DIMENSIONS
from contract.formats import FOREIGN_FORMATS, HTML, JSON_FORMATS, JSON_OF_CARDS, XML
from contract.items import FileItem, RangeItem
from contract.kinds import Kind
from contract.partitions import PartitionItem, PartitionsItem
from contract.rules import CHANGE_RULES, Rule, rules_of, value_rules
from contract.runs import BreakerItem, LayerItem
from contract.sql_types import ORDER_FIELDS, ROW_ORDER
from contract.subjects import REFERENCES, SUBJECTS, TRANSACTIONS
from contract.sweeps import ActionsItem, CalendarsItem, LateItem, SweepItem
from contract.tables import BEFORE_AFTER, GOLD_TABLES, IMAGE, SILVER_TABLES, TABLES, LakeTable
from contract.vocabulary import DIALECTS, OUTCOMES, REASON_CODES

PUBLIC_FORMS = ("INTEGER_FORM", "AMOUNT_FORM", "ISO_FORM", "MONTH_FIRST_FORM", "COMMIT_FORM", "ZIP_FORM", "MCC_FORM")
"""The patterns that the page shows; the others are their parts, or found by the prose."""


def table(header: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the header's cells are separated by `|`."""
    titles = [title.strip() for title in header.split("|")]
    lines = [titles, ["---"] * len(titles), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(re.sub(r"\|  (?=\|)", "| ", f"| {' | '.join(line)} |") for line in lines)


def code(names: Iterable[str]) -> str:
    """Return names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def sentence(text: str) -> str:
    """Return a text of the contract as a cell: without its full stop."""
    return text.removesuffix(".")


def column_rows(columns: Iterable[SourceColumn]) -> list[tuple[str, ...]]:
    """Return the rows that describe columns of files."""
    return [
        (f"`{each.name}`", each.kind.name, code(each.aliases), "yes" * each.required, sentence(each.description))
        for each in columns
    ]


def companions() -> str:
    return table("name | what it is", ((code(each.shown.split(", ")), each.meaning) for each in COMPANIONS))


def source_columns() -> str:
    return table("column | kind | aliases | required | meaning", column_rows(TRANSACTIONS.known.values()))


def reference_columns() -> str:
    rows = [(f"`{subject.name}`", *row) for subject in REFERENCES.values() for row in column_rows(subject.columns)]
    return table("subject | column | kind | aliases | required | meaning", rows)


def headerless_orders() -> str:
    rows = [(f"`{subject.name}`", code(subject.headerless)) for subject in SUBJECTS.values()]
    return table("subject | columns of a file without a header, in this order", rows)


def rule_rows(rules: Iterable[Rule]) -> list[tuple[str, ...]]:
    """Return the rows that describe rules; a comparison without words of its own says what it compares with."""
    return [
        (f"`{rule.name}`", rule.description or f"there is a value, and it is {compared(rule)}", "yes" * rule.on_deletes)
        for rule in rules
    ]


def compared(rule: Rule) -> str:
    """Return what a value that breaks a comparison is, in words."""
    return f"{str(rule.fault).removesuffix('_limit')} `{rule.limit}`"


def row_rules() -> str:
    return table("rule | broken when | tried on deletes", rule_rows(rules_of(TRANSACTIONS)))


def reference_rules() -> str:
    rows = [
        (f"`{subject.name}`", *row)
        for subject in REFERENCES.values()
        for row in rule_rows(rule for rule in value_rules(subject) if rule not in CHANGE_RULES)
    ]
    return table("subject | rule | broken when | tried on deletes", rows)


def kinds_of(columns: Iterable[SourceColumn]) -> dict[str, Kind]:
    """Return the kinds of columns by name, in the order in which they come."""
    return {column.kind.name: column.kind for column in columns}


def kind_rows(kinds: Iterable[Kind]) -> list[tuple[str, ...]]:
    return [(each.name, each.forms, each.becomes, f"`{each.silver_type}`") for each in kinds]


KINDS_OF_TRANSACTIONS = kinds_of(TRANSACTIONS.known.values())
ALL_KINDS = kinds_of(column for subject in SUBJECTS.values() for column in subject.known.values())


def text_forms() -> str:
    return table("kind | forms | becomes | type in Silver", kind_rows(KINDS_OF_TRANSACTIONS.values()))


def reference_forms() -> str:
    kinds = [kind for name, kind in ALL_KINDS.items() if name not in KINDS_OF_TRANSACTIONS]
    return table("kind | forms | becomes | type in Silver", kind_rows(kinds))


def regular_expressions() -> str:
    forms = {name: str(getattr(patterns, name)) for name in PUBLIC_FORMS}
    width = max(map(len, forms))
    return "\n".join(("```text", *(f"{name:{width}}  {form}" for name, form in forms.items()), "```"))


def parquet_types() -> str:
    by_types: dict[tuple[str, ...], list[str]] = {}
    for kind in ALL_KINDS.values():
        by_types.setdefault(tuple(map(str, kind.parquet)), []).append(kind.name)
    return table("kinds | types read", [(", ".join(names), "; ".join(types)) for types, names in by_types.items()])


def foreign_formats() -> str:
    """Return the table of formats that are refused; those that share their remedy share a row."""
    by_remedy: dict[str, list[str]] = {}
    for each in (*FOREIGN_FORMATS, *JSON_FORMATS, JSON_OF_CARDS, XML, HTML):
        by_remedy.setdefault(each.remedy, []).append(each.name)
    return table("the file is | what to do", [("; ".join(names), remedy) for remedy, names in by_remedy.items()])


def meanings(header: str, texts: Mapping[str, str]) -> str:
    """Return the table of a vocabulary: each word with what it means."""
    return table(header, [(f"`{word}`", text) for word, text in texts.items()])


def schema_text(lake_table: LakeTable) -> str:
    """Return the columns of a table with their types; those of the image, and known structs, by their names."""
    schema = dict(lake_table.schema)
    has_image = list(schema)[: len(IMAGE)] == list(IMAGE)
    rest = list(schema.items())[len(IMAGE) if has_image else 0 :]
    short = {ROW_ORDER: "", BEFORE_AFTER: f" struct<image without {next(iter(IMAGE))}>"}
    columns = [f"`{name}{short.get(sql_type, f' {sql_type}')}`" for name, sql_type in rest]
    return ", ".join(["*image*"] * has_image + columns)


def lake_tables(tables: Iterable[LakeTable]) -> str:
    rows = [
        (f"`{each.layer}.{each.name}`", sentence(each.description), code(each.key), schema_text(each))
        for each in tables
    ]
    return table("table | what it holds | key | columns", rows)


def named_structs() -> str:
    order, image = (
        ", ".join(f"{name} {sql_type}" for name, sql_type in each.items()) for each in (ORDER_FIELDS, IMAGE)
    )
    return table("name | columns", [("`row_order`, a struct", f"`{order}`"), ("*image*", f"`{image}`")])


def table_columns() -> str:
    types: dict[str, list[str]] = {}
    for lake_table in TABLES.values():
        for name, sql_type in lake_table.schema.items():
            types.setdefault(name, []).append("struct" if sql_type.startswith("struct") else sql_type)
    rows = [
        (f"`{name}`", code(dict.fromkeys(each)), sentence(column_description(name))) for name, each in types.items()
    ]
    return table("column | type | meaning", rows)


def dimension_members() -> str:
    rows = [
        (f"`{each.name}`", code(each.natural), code(each.attributes), f"`{each.described_by}`" * bool(each.attributes))
        for each in DIMENSIONS.values()
    ]
    rows += [
        (f"`{each.name}`", f"`{each.natural}`", "all other columns, by version", f"`{each.subject}`")
        for each in VERSIONED_DIMENSIONS.values()
    ]
    return table("dimension | natural key | attributes | taken from rows of", rows)


def aggregate_groups() -> str:
    rows = [
        (f"`{each.name}`", each.period.name.lower().replace("_", " "), code(each.dimensions))
        for each in AGGREGATES.values()
    ]
    return table("aggregate | period | dimensions", rows)


def plain_type(hint: Any) -> tuple[Any, str, bool]:
    """Return a hint without its wrappers, the meaning that it carries, and whether the attribute is always there."""
    is_required = get_origin(hint) is not NotRequired
    inner = hint if is_required else get_args(hint)[0]
    if get_origin(inner) is Annotated:
        return inner.__origin__, str(inner.__metadata__[0]), is_required
    return inner, code(get_args(inner)) if get_origin(inner) is Literal else "", is_required


def dynamo_type(hint: Any) -> str:
    """Return the DynamoDB type of a hint."""
    if get_origin(hint) is list:
        return f"L of {dynamo_type(get_args(hint)[0])}"
    if get_origin(hint) is set:
        return f"{dynamo_type(get_args(hint)[0])}S"
    if get_origin(hint) is dict:
        return f"M of {dynamo_type(get_args(hint)[1])}"
    if is_typeddict(hint):
        return "M"
    if get_origin(hint) is set:
        return "SS"
    return {bool: "BOOL", int: "N"}.get(hint, "S")


def nested_attributes(hint: Any) -> str:
    """Return the attributes of a map, or of the maps in a list; nothing for plain values."""
    inner = get_args(hint)[0] if get_origin(hint) is list else hint
    if not is_typeddict(inner):
        return ""
    plain = {name: plain_type(each) for name, each in get_type_hints(inner, include_extras=True).items()}
    texts = [
        f"`{name}` {dynamo_type(each)}" + f" ({meaning})" * bool(meaning) for name, (each, meaning, _) in plain.items()
    ]
    return ": " + "; ".join(texts)


def item_attributes(item: type) -> str:
    """Return the table of an item's attributes."""
    hints = {name: plain_type(hint) for name, hint in get_type_hints(item, include_extras=True).items()}
    rows = [
        (f"`{name}`", dynamo_type(hint), "yes" * is_required, meaning + nested_attributes(hint))
        for name, (hint, meaning, is_required) in hints.items()
    ]
    return table("attribute | type | always there | meaning", rows)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "companions": companions,
    "columns": source_columns,
    "headerless": headerless_orders,
    "dialects": lambda: meanings("dialect | told by", DIALECTS),
    "foreign formats": foreign_formats,
    "reasons": lambda: meanings("code | when", REASON_CODES),
    "rules": row_rules,
    "forms": text_forms,
    "patterns": regular_expressions,
    "parquet": parquet_types,
    "outcomes": lambda: meanings("outcome | meaning", OUTCOMES),
    "structs": named_structs,
    "silver tables": lambda: lake_tables(SILVER_TABLES.values()),
    "gold tables": lambda: lake_tables(GOLD_TABLES.values()),
    "dimensions": dimension_members,
    "aggregates": aggregate_groups,
    "table columns": table_columns,
    "file item": lambda: item_attributes(FileItem),
    "layer item": lambda: item_attributes(LayerItem),
    "breaker item": lambda: item_attributes(BreakerItem),
    "range item": lambda: item_attributes(RangeItem),
    "sweep item": lambda: item_attributes(SweepItem),
    "calendars item": lambda: item_attributes(CalendarsItem),
    "actions item": lambda: item_attributes(ActionsItem),
    "late item": lambda: item_attributes(LateItem),
    "closed months item": lambda: item_attributes(ClosedMonthsItem),
    "closed item": lambda: item_attributes(ClosedItem),
    "partition item": lambda: item_attributes(PartitionItem),
    "partitions item": lambda: item_attributes(PartitionsItem),
    "reference columns": reference_columns,
    "reference rules": reference_rules,
    "reference forms": reference_forms,
}
"""What the page leaves to this module, by the name in its marker."""
