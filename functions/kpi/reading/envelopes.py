"""Take the row out of a change envelope of Debezium (data contract, *Change envelopes*): image, operation, instant.

How the values of an image are written is said by the schema in the line, if there is one, and is settled once per file.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.columns import CHANGE_COLUMNS
from contract.envelopes import (
    BASE64,
    COMMIT_COLUMN,
    DAYS,
    DECIMAL,
    DECIMAL_CHARACTERS,
    DECIMAL_SCHEMA,
    EXACT_TYPES,
    MOST_SCALE,
    OPERATION_COLUMN,
    OPERATIONS_OF_DEBEZIUM,
    SOURCE_INSTANTS,
    TENS,
    UNIT_DIGITS,
    UNITS_OF_SCHEMAS,
    UNREAD,
    WITH_SCHEMA,
)
from contract.kinds import AMOUNT, INSTANT
from contract.limits import EARLIEST_US, LAST_US
from contract.patterns import AMOUNT_FORM
from contract.subjects import Subject
from contract.vocabulary import DEBEZIUM

from reading.ambiguity import ambiguous, shown
from reading.dialect import named_shape
from reading.file_name import Name
from reading.json_objects import Members, Number, Pairs, plain_name
from reading.layout import Layout, Shape
from reading.rejection import Reason, RejectedError
from reading.visible import visible

_BASE64 = re.compile(BASE64)
_AMOUNT = re.compile(AMOUNT_FORM)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_CHANGES = {COMMIT_COLUMN, *(name for column in CHANGE_COLUMNS for name in (column.name, *column.aliases))}


class RepeatedNameError(Exception):
    """A name occurs twice in an object that is read."""


class OtherTypeError(Exception):
    """A part of an envelope is neither an object nor null."""


def is_envelope(pairs: Pairs) -> bool:
    """Return whether an object has the parts of an envelope."""
    names = {plain_name(name) for name, _ in _payload(pairs)}
    return "op" in names and bool(names & {"before", "after"})


def row_of(pairs: Pairs) -> Pairs:
    """Return the row of an envelope: operation, instant, and the members of its image.

    Raises RepeatedNameError or OtherTypeError where it cannot be told.
    """
    payload = _members(_payload(pairs))
    _members(pairs)
    op = payload.get("op")
    image = payload.get("before" if op == "d" else "after")
    _members(image)
    operation = OPERATIONS_OF_DEBEZIUM.get(op, UNREAD) if isinstance(op, str) else None
    told = [(OPERATION_COLUMN, operation), (COMMIT_COLUMN, _committed_at(_members(payload.get("source"))))]
    # Members that are called like the columns of changes are none of the row's.
    return [*told, *((name, value) for name, value in image or () if plain_name(name) not in _OF_CHANGES)]


def _payload(pairs: Pairs) -> Pairs:
    """Return the payload of an object that has one beside its schema and nothing else, or the object itself."""
    found = {plain_name(name): value for name, value in pairs}
    is_packed = len(pairs) == len(found) == len(WITH_SCHEMA) and set(found) == set(WITH_SCHEMA)
    return found["payload"] if is_packed and isinstance(found["payload"], Members) else pairs


def _members(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Members):
        raise OtherTypeError
    found = {plain_name(name): member for name, member in value}
    if len(found) < len(value):
        raise RepeatedNameError
    return found


def _committed_at(source: Mapping[str, Any]) -> str | None:
    name = next((name for name in SOURCE_INSTANTS if source.get(name) is not None), None)
    return instant_text(source[name], SOURCE_INSTANTS[name]) if name else None


def instant_text(value: Any, unit: str) -> str:
    """Return the instant that a number of units since 1970 is, to the microsecond."""
    if not isinstance(value, Number) or not re.fullmatch(f"-?[0-9]{{1,{UNIT_DIGITS[unit]}}}", value):
        return UNREAD
    number = int(value)
    if not -(2**63) <= number < 2**63:
        return UNREAD
    us = number * 86_400_000_000 if unit == DAYS else number * 10**6 // 10 ** TENS[unit]
    if not EARLIEST_US <= us <= LAST_US:
        return UNREAD
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%d %H:%M:%S.%f")


def decimal_text(value: Any, scale: int) -> str:
    """Return the decimal that bytes in base64 are; a number is one already."""
    if isinstance(value, Number):
        return str(value)
    if len(value) > DECIMAL_CHARACTERS or not _BASE64.fullmatch(value):
        return UNREAD
    number = int.from_bytes(base64.b64decode(value), "big", signed=True)
    digits = f"{abs(number):0{scale + 1}}"
    return ("-" if number < 0 else "") + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def decoder(encoding: str) -> Callable[[Any], str]:
    """Return what gives the text of a value, not null, that is written so."""
    name, _, scale = encoding.partition(" ")
    if name == DECIMAL:
        return lambda value: decimal_text(value, int(scale))
    return lambda value: instant_text(value, name)


def encodings_of(pairs: Pairs, subject: Subject) -> dict[str, str]:
    """Return how the known columns of an envelope are written, as its schema says, where that is not as a row's are.

    Raises RejectedError for money in a type that is not exact.
    """
    found = {}
    for told in _image_fields(dict(pairs).get("schema")):
        column = subject.known.get(subject.canonical_name(str(told.get("field"))))
        if column is None:
            continue
        if column.kind is AMOUNT and told.get("type") not in EXACT_TYPES:
            raise RejectedError(Reason("unsupported_column_type", _inexact(column.name, str(told.get("type")))))
        if told.get("name") == DECIMAL_SCHEMA:
            found[column.name] = f"{DECIMAL} {_scale(told)}"
        elif (unit := UNITS_OF_SCHEMAS.get(str(told.get("name")))) and column.kind is INSTANT:
            found[column.name] = unit
    return dict(sorted(found.items()))


def _inexact(name: str, kind: str) -> str:
    return (
        f"The schema says that {shown(name)} is of the type {visible(kind, most=40)}, in which no money is exact. Set "
        "the connector's `decimal.handling.mode` to `precise` or `string`."
    )


def _scale(told: Mapping[str, Any]) -> int:
    said = dict(told["parameters"]).get("scale") if isinstance(told.get("parameters"), Members) else None
    if not isinstance(said, str) or not re.fullmatch("[0-9]{1,2}", said) or int(said) > MOST_SCALE:
        text = f"The schema's decimals have no scale from 0 to {MOST_SCALE}, which their bytes cannot be read without."
        raise RejectedError(Reason("unsupported_column_type", text))
    return int(said)


def _image_fields(schema: Any) -> list[dict[str, Any]]:
    """Return the fields of the image as the schema of an envelope has them."""
    parts = _fields(schema)
    image = next((part for part in parts if part.get("field") in ("after", "before")), {})
    return _fields(image)


def _fields(struct: Any) -> list[dict[str, Any]]:
    fields = dict(struct).get("fields") if isinstance(struct, (Members, dict)) else None
    return [dict(field) for field in fields if isinstance(field, Members)] if isinstance(fields, list) else []


class Envelopes:
    """Gives the rows of a file of envelopes: what the schema of its first one says holds for all of them."""

    def __init__(self, first: Pairs, name: Name) -> None:
        self._name = name
        self._schema = dict(first).get("schema")
        self._encodings = encodings_of(first, name.subject)
        self._decoders = {column: decoder(encoding) for column, encoding in self._encodings.items()}

    def row(self, pairs: Pairs) -> Pairs:
        """Return the row of an envelope as `row_of` does; raise RejectedError if its schema says otherwise."""
        schema = next((value for name, value in pairs if name == "schema"), None)
        if schema != self._schema and is_envelope(pairs):
            if encodings_of(pairs, self._name.subject) != self._encodings:
                raise ambiguous(
                    "all its values are written as its first schema says",
                    "each as that in its own line",
                    settled_by=_SPLIT,
                )
            self._schema = schema
        return row_of(pairs)

    def rows(self, sample: Sequence[Pairs]) -> list[Pairs]:
        """Return the rows of the first block, those that can be told."""
        rows = []
        for pairs in sample:
            try:
                rows.append(row_of(pairs))
            except (RepeatedNameError, OtherTypeError):
                continue
        return rows

    def shape(self, names: list[str], records: Sequence[Sequence[str | None]]) -> Shape:
        """Return how the rows are to be read; raise RejectedError for values that have two readings."""
        pin, subject = self._name.pin, self._name.subject
        plain = replace(self._name, pin=replace(pin, settles_commit=False, decimal=None))
        known = ["commit_at" if name == COMMIT_COLUMN else name for name in names]
        shape = named_shape(plain, known, records)
        _refuse_untold(shape.layout.places, records, subject, self._encodings)
        return replace(
            shape,
            layout=replace(shape.layout, names=tuple(names)),
            dialect=DEBEZIUM,
            null_texts=pin.null_texts if pin.settles_null else (),
            encodings=self._encodings,
        )

    def texts(self, name: str, values: Sequence[Any]) -> Sequence[str | None]:
        """Return the values of a column as texts."""
        of_value = self._decoders.get(name, str)
        return [None if value is None else of_value(value) for value in values]


def shape_of_tombstones() -> Shape:
    """Return how a file is to be read that holds no envelope, only what Kafka keeps behind some."""
    return Shape(Layout((OPERATION_COLUMN, COMMIT_COLUMN), {"op": 0, "commit_at": 1}), dialect=DEBEZIUM)


def envelopes_of(sample: Sequence[Pairs], name: Name) -> Envelopes | None:
    """Return what reads a file whose first block holds envelopes; raise RejectedError if it may hold rows instead."""
    found = [pairs for pairs in sample if is_envelope(pairs)]
    if not found:
        return None
    of_row = {plain_name(each) for each, _ in found[0]}
    if set(name.subject.required) <= {name.subject.canonical_name(each) for each in of_row}:
        raise ambiguous(
            "its objects are change envelopes, whose rows are in 'after' and 'before'",
            "they are rows, since they have all required columns",
            settled_by="other names in the objects",
        )
    return Envelopes(found[0], name)


def _refuse_untold(
    places: Mapping[str, int], records: Sequence[Sequence[str | None]], subject: Subject, encodings: Mapping[str, str]
) -> None:
    """Raise RejectedError where values without a schema have two readings: numbers as instants, bytes as money."""
    for name, place in places.items():
        values = [value for record in records if (value := record[place])]
        if name in encodings or name == "commit_at":
            continue
        if subject.known[name].kind is INSTANT and (found := [value for value in values if isinstance(value, Number)]):
            one, other = (f"{found[0]} in {shown(name)} is {instant_text(found[0], unit)}" for unit in _UNITS)
            raise ambiguous(f"{one} in milliseconds", f"{other} in microseconds", settled_by=_SCHEMAS)
        odd = [value for value in values if not isinstance(value, Number) and _is_bytes(value)]
        if subject.known[name].kind is AMOUNT and 2 * len(odd) > len(values):
            one, other = (f"{odd[0]} in {shown(name)} is {decimal_text(odd[0], scale)}" for scale in (2, 0))
            raise ambiguous(f"{one} of scale 2", f"{other} of scale 0", settled_by=_SCHEMAS)


_UNITS = ("milliseconds", "microseconds")
_SCHEMAS = "schemas in the messages (`value.converter.schemas.enable`), or have values written as texts"
_SPLIT = "a file for each schema"


def _is_bytes(value: str) -> bool:
    return not _AMOUNT.fullmatch(value) and len(value) <= DECIMAL_CHARACTERS and bool(_BASE64.fullmatch(value))
