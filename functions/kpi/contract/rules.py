"""The rules of rows, as data, in the order in which a quarantined row names those that it breaks.

The rules of a column follow from its kind, so a new column needs no line here. A comparison with a limit is one line in
`COMPARISONS`; both engines obey it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.columns import CHANGE_COLUMNS, SourceColumn
from contract.kinds import Fault
from contract.subjects import Subject


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
