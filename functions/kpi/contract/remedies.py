"""What a sender can do about rows that break a rule, one sentence for each kind of value and fault."""

from collections.abc import Mapping

from contract.kinds import AMOUNT, CHANNEL, INSTANT, INTEGER, MCC, OPERATION, ZIP, Fault
from contract.rules import Rule
from contract.subjects import Subject

_OF_STRUCTURE: Mapping[str, str] = {
    "malformed_quotes": "Quote whole fields, right behind the separator, and write each quote inside twice.",
    "malformed_json": "Write one whole JSON object (RFC 8259) on each line, at most 16 levels deep.",
    "repeated_name": "Write each name once in an object: which of two values counts is not defined.",
    "value_of_other_type": "Write texts, numbers or null in known columns; flatten what is nested.",
    "other_table": "Name the table that is meant in a _dialect.json: table.",
    "too_few_fields": "Write each row with as many fields as the header; another separator is pinned as delimiter.",
    "too_many_fields": "Quote fields that hold a separator, and end no row in one that the header lacks.",
}
_OF_KIND: Mapping[tuple[str, Fault], str] = {
    (INSTANT.name, Fault.UNREADABLE): (
        "Write YYYY-MM-DD HH:MM:SS or MM/DD/YYYY; DD/MM/YYYY is read with the pin date_order, DD.MM.YYYY is not."
    ),
    (INSTANT.name, Fault.IN_FUTURE): "No row may be later than its object plus a day: mend it at its source.",
    (INSTANT.name, Fault.NOT_GIVEN): "Write YYYY-MM-DD HH:MM:SS in each row of this column.",
    (AMOUNT.name, Fault.UNREADABLE): "Write amounts such as -1234.50; decimal commas are read with the pin decimal.",
    (AMOUNT.name, Fault.MALFORMED): "Write amounts such as -1234.50; decimal commas are read with the pin decimal.",
    (AMOUNT.name, Fault.TOO_PRECISE): "Have the sender round to cents: nothing is rounded here.",
    (AMOUNT.name, Fault.TOO_LARGE): "At most 16 digits stand before the point: mend it at its source.",
    (INTEGER.name, Fault.UNREADABLE): "Write whole numbers in digits, without separators or exponents.",
    (CHANNEL.name, Fault.UNKNOWN): "Write swipe, chip or online, with or without Transaction behind.",
    (ZIP.name, Fault.IMPOSSIBLE): "Write up to five digits as plain text, or nothing.",
    (MCC.name, Fault.UNREADABLE): "Write up to four digits as plain text, or nothing.",
    (OPERATION.name, Fault.NOT_GIVEN): "Write I, U or D in each row of this column.",
}
_OF_FAULT: Mapping[Fault, str] = {
    Fault.MISSING: "The value is required in each row: have the sender fill it in.",
    Fault.ABOVE_LIMIT: "The contract sets this limit: mend the value at its source.",
    Fault.BELOW_LIMIT: "The contract sets this limit: mend the value at its source.",
}
OTHERWISE = "The data contract says what is read: mend the values at their source."


def remedy(rule: Rule, subject: Subject) -> str:
    """Return what to do about rows that break a rule."""
    if rule.fault is Fault.STRUCTURE:
        return _OF_STRUCTURE[rule.name]
    kind = subject.known[rule.column].kind.name
    return _OF_KIND.get((kind, rule.fault)) or _OF_FAULT.get(rule.fault, OTHERWISE)
