"""What Gold must hold for a set of files: facts, totals and members, by natural values instead of surrogate keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any

from order_model import File, Image, placed, state

Group = tuple[date, Any]
Totals = dict[Group, tuple[int, int]]

NATURAL = {
    "dim_channel": ("channel",),
    "dim_location": ("merchant_city", "merchant_state", "zip"),
    "dim_merchant": ("merchant_id",),
    "dim_mcc": ("mcc",),
}
ATTRIBUTES = {"dim_merchant": ("mcc", "merchant_city", "merchant_state")}


def values(image: Image, names: Collection[str]) -> tuple[Any, ...]:
    return tuple(getattr(image, name) for name in names)


def living(files: Collection[File]) -> dict[int, Image]:
    return {key: found.row.image for key, found in state(files).items() if found.row.op != "D"}


def facts(files: Collection[File]) -> dict[int, dict[str, Any]]:
    """Return each living transaction with the natural values of all its dimensions."""
    return {
        key: {
            "transacted_at": image.transacted_at,
            "cents": image.cents,
            "card_id": image.card_id,
            "client_id": image.client_id,
            "has_error": image.errors is not None,
            **{name: values(image, natural) for name, natural in NATURAL.items()},
        }
        for key, image in living(files).items()
    }


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


def totals(files: Collection[File]) -> dict[str, Totals]:
    """Return count and cents of each group of the three aggregates."""
    sums: dict[str, dict[Group, list[int]]] = {
        name: defaultdict(list) for name in ("daily_totals", "monthly_merchant_totals", "monthly_client_totals")
    }
    for image in living(files).values():
        assert image.transacted_at is not None
        assert image.cents is not None
        day = image.transacted_at.date()
        sums["daily_totals"][day, image.channel or "unknown"].append(image.cents)
        sums["monthly_merchant_totals"][day.replace(day=1), image.merchant_id].append(image.cents)
        sums["monthly_client_totals"][day.replace(day=1), image.client_id].append(image.cents)
    return {name: {group: (len(cents), sum(cents)) for group, cents in groups.items()} for name, groups in sums.items()}
