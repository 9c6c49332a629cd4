"""The README's pictures: a passport as a terminal shows it, in SVG without anything from elsewhere."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from make_pictures import passport_picture

ITEM: dict[str, Any] = {
    "key": "transactions/demo/<a> & b.csv",
    "status": "published",
    "format": {"kind": "csv"},
    "kpis": {"row_count": 4_000, "total_amount": "161234.56", "distinct_keys": 4_000, "duplicate_keys": 0},
    "silver": {"outcomes": {"inserted": 4_000}, "amounts": {"inserted": "161234.56"}, "effect_amount": "161234.56"},
}


def test_picture_is_of_the_passport__its_figures_and_its_title() -> None:
    svg = passport_picture(ITEM)
    root = ElementTree.fromstring(svg)  # noqa: S314 - made here
    text = "".join(root.itertext()).replace("\xa0", " ")
    assert "The passport of transactions/demo/<a> & b.csv" in text
    assert "total amount of the file = sum over all outcomes: 161,234.56 = 161,234.56" in text
    assert re.findall(r"https?://[^\"' )]+", svg) == ["http://www.w3.org/2000/svg"]


def test_picture_is_the_same__made_twice() -> None:
    assert passport_picture(ITEM) == passport_picture(ITEM)
