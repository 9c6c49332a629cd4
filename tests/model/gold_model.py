"""What Gold must hold for a set of files: facts, totals and members, by natural values instead of surrogate keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from typing import Any

from contract.aggregates import AGGREGATES, Period
from contract.dimensions import DIMENSIONS, VERSIONED_DIMENSIONS
from order_model import NEVER, Card, File, Image, Version, placed, state

Totals = dict[tuple[Any, ...], tuple[int, int]]

NATURAL = {name: dimension.natural for name, dimension in DIMENSIONS.items()}
ATTRIBUTES = {name: each.attributes for name, each in DIMENSIONS.items() if each.described_by == "transactions"}
NO_END = datetime(9999, 12, 31)
CardVersion = tuple[int, Card, datetime, datetime]
"""A card, what it is, and the instants between which it is that."""
VERSIONED = {name: dimension.natural for name, dimension in VERSIONED_DIMENSIONS.items()}
FIRST_DAYS: dict[Period, Callable[[date], date | None]] = {
    Period.DAY: lambda day: day,
    Period.WEEK: lambda day: day - timedelta(days=day.isoweekday() - 1),
    Period.MONTH: lambda day: day.replace(day=1),
    Period.QUARTER: lambda day: date(day.year, (1, 4, 7, 10)[(day.month - 1) // 3], 1),
    Period.ALL_TIME: lambda day: None,
}


def values(image: Image, names: Collection[str]) -> tuple[Any, ...]:
    return tuple(getattr(image, name) for name in names)


def living(files: Collection[File]) -> dict[int, Image]:
    return {key: found.row.image for key, found in state(files).items() if found.row.op != "D"}


def card_versions(files: Collection[File]) -> set[CardVersion]:
    """Return the versions of all cards: each begins with a row that differs from the one before, and ends with another.

    Of several rows of one instant only the last counts; the first version that is known was always valid.
    """
    rows: dict[int, list[Version]] = defaultdict(list)
    for found in placed(files, "cards")[1]:
        of_card = rows[found.row.key]
        if of_card and of_card[-1].order[0] == found.order[0]:
            of_card.pop()
        of_card.append(found)
    return {version for card, found in rows.items() for version in _versions_of(card, found)}


def _versions_of(card: int, rows: list[Version]) -> list[CardVersion]:
    told = [(None if row.op == "D" else row.image, order[0]) for order, _, row in rows]
    changes = [each for number, each in enumerate(told) if number == 0 or each[0] != told[number - 1][0]]
    ends = [*(begins for _, begins in changes[1:]), NO_END]
    spans = [(image, begins, end) for (image, begins), end in zip(changes, ends, strict=True) if image is not None]
    return [(card, image, NEVER if number == 0 else begins, end) for number, (image, begins, end) in enumerate(spans)]


def facts(files: Collection[File]) -> dict[int, dict[str, Any]]:
    """Return each living transaction with the natural values of all its dimensions."""
    versions = card_versions(files)
    return {
        key: {
            "transacted_at": image.transacted_at,
            "cents": image.cents,
            "card_id": image.card_id,
            "client_id": image.client_id,
            "has_error": image.errors is not None,
            "card": next((each for each in versions if is_valid(each, image)), None),
            **{name: values(image, natural) for name, natural in NATURAL.items()},
        }
        for key, image in living(files).items()
    }


def is_valid(version: CardVersion, image: Image) -> bool:
    card, _, begins, ends = version
    return image.card_id == card and image.transacted_at is not None and begins <= image.transacted_at < ends


def named_by(files: Collection[File]) -> list[Image]:
    """Return the images of the accepted rows that are no deletes, from the oldest to the newest, loads undeclared."""
    _, rows = placed([file for file in files if file.kind != "marker"])
    return [row.image for _, _, row in rows if row.op != "D"]


def members(files: Collection[File]) -> dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]:
    """Return the members that accepted rows name, with the attributes that the newest such row gives them."""
    found: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]] = {}
    for name, natural in NATURAL.items():
        attributes = ATTRIBUTES.get(name, ())
        named = {values(image, natural): values(image, attributes) for image in named_by(files)}
        nothing = values(Image(), natural)
        found[name] = {**named, nothing: values(Image(), attributes)}
    return found


def days(files: Collection[File]) -> set[date | None]:
    """Return the days on which accepted rows say something was transacted, and the unknown one."""
    return {None} | {image.transacted_at.date() for image in named_by(files) if image.transacted_at}


def member(image: Image, dimension: str) -> Any:
    """Return the natural value of an image's member in a dimension, as an aggregate's group has it."""
    if dimension == "channel":
        return image.channel or "unknown"
    name = f"dim_{dimension}"
    return getattr(image, VERSIONED[name]) if name in VERSIONED else values(image, NATURAL[name])


def totals(files: Collection[File]) -> dict[str, Totals]:
    """Return count and cents of each group of the aggregates."""
    sums: dict[str, dict[tuple[Any, ...], list[int]]] = {name: defaultdict(list) for name in AGGREGATES}
    for image in living(files).values():
        assert image.transacted_at is not None
        assert image.cents is not None
        for name, aggregate in AGGREGATES.items():
            first_day = FIRST_DAYS[aggregate.period](image.transacted_at.date())
            group = (first_day, *(member(image, dimension) for dimension in aggregate.dimensions))
            sums[name][group].append(image.cents)
    return {name: {group: (len(cents), sum(cents)) for group, cents in groups.items()} for name, groups in sums.items()}
