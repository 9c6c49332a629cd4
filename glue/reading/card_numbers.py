"""Masks what may be card numbers, by Spark and line by line: only their last four digits leave Bronze.

A run of digits, with blanks and hyphens between them, may hold a card number: some of its groups that follow each other
are 13 to 19 digits with their check digit (ISO/IEC 7812-1, annex B). Digits behind a decimal point begin none, nor do
those of a date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from contract.patterns import CARD_NUMBER_IN_TEXT, CARD_NUMBER_RUN, DATE_AHEAD
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue.lake.spark import once

FEWEST_DIGITS, MOST_DIGITS, LAST_DIGITS = 13, 19, 4
DIGITS_TWICE = str.maketrans("0123456789", "0246813579")  # the digit sum of twice the digit
# Possessive, or long runs exhaust Java's stack.
RUN = r"(?<![0-9])(?<![0-9]\.)" + CARD_NUMBER_IN_TEXT.replace("{0,3}", "{0,3}+").replace("{12,}", "{12,}+")
RUN_AHEAD = RUN.replace("{12,}+", "{12}")
PIECE = rf"{RUN}|(?:[^0-9]++|(?!{RUN_AHEAD})[0-9]++)++"


def has_card_number(digits: str) -> bool:
    """Tell whether digits are as many as those of a card, end in their check digit, and are no timestamp."""
    if not FEWEST_DIGITS <= len(digits) <= MOST_DIGITS or re.match(DATE_AHEAD, digits):
        return False
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(DIGITS_TWICE))) % 10 == 0


def masked_text(text: str) -> str:
    """Return a text in which no card number is left but for its last four digits."""
    return re.sub(RUN, lambda run: masked_run(run[0]), text)


def masked_run(run: str) -> str:
    """Return a run of digits with its card numbers masked; of a digit in several of them none may be shown by one."""
    groups = re.findall("[0-9]+", run)
    digits, ends = "".join(groups), [0]
    for group in groups:
        ends.append(ends[-1] + len(group))
    is_long = len(run) > CARD_NUMBER_RUN
    pairs = [(first, end) for place, first in enumerate(ends) for end in ends[place + 1 : place + 1 + MOST_DIGITS]]
    spans = [(0, len(digits))] if is_long else [span for span in pairs if has_card_number(digits[slice(*span)])]
    shown = list(digits)
    for first, end in spans:
        shown[first : end - LAST_DIGITS] = "*" * (end - LAST_DIGITS - first)
    left = iter(shown)
    return re.sub("[0-9]", lambda _: next(left), run)


def with_masked(rows: DataFrame, names: Sequence[str]) -> DataFrame:
    """Mask columns of text; by one expression for all, since describing it to Spark takes a fifth of a second."""
    if not names:
        return rows
    both = rows.withColumn("masked", F.transform(F.array(*names), masked))
    return both.withColumns({name: F.col("masked")[place] for place, name in enumerate(names)}).drop("masked")


def masked(text: Column) -> Column:
    """Return a text in which no card number is left but for its last four digits; most texts take one look."""
    pieces = F.regexp_extract_all(text, F.lit(PIECE), F.lit(0))
    shown = F.transform(pieces, lambda piece: F.when(piece.rlike(rf"^{RUN}\z"), shown_run(piece)).otherwise(piece))
    may_hold = (F.length(text) >= FEWEST_DIGITS) & text.rlike(RUN_AHEAD)
    return F.when(may_hold, F.concat_ws("", shown)).otherwise(text)


def shown_run(run: Column) -> Column:
    """Return a run of digits as `masked_run` does: taken apart into groups, each with what stands behind it."""
    groups = F.regexp_extract_all(run, F.lit("[0-9]++[^0-9]*+"), F.lit(0))
    shown = once(groups, lambda found: F.concat_ws("", shown_groups(found, spans_of(found))))
    whole = F.regexp_replace(run, "[0-9](?=(?:[^0-9]*+[0-9]){4})", "*")
    return F.when(F.length(run) > CARD_NUMBER_RUN, whole).otherwise(shown)


def digits_of(groups: Column) -> Column:
    return F.regexp_replace(F.concat_ws("", groups), "[^0-9]", "")


def spans_of(groups: Column) -> Column:
    """Return the card numbers in groups of digits: the first and the last group of each, and its digits' end."""

    def spans_from(first: Column) -> Column:
        counts = F.sequence(F.lit(1), F.least(F.size(groups) - first, F.lit(MOST_DIGITS)))
        spans = F.transform(
            counts,
            lambda count: F.struct(
                first.alias("first"),
                (first + count - 1).alias("last"),
                digits_of(F.slice(groups, first + 1, count)).alias("digits"),
                F.length(digits_of(F.slice(groups, F.lit(1), first + count))).alias("end"),
            ),
        )
        return F.filter(spans, lambda span: is_card_number(span["digits"]))

    return F.flatten(F.transform(groups, lambda _, first: spans_from(first)))


def is_card_number(digits: Column) -> Column:
    """Tell of digits what `has_card_number` tells; zeros in front do not change the sum."""
    pairs = F.lpad(digits, MOST_DIGITS + 1, "0")
    twice = F.translate(F.regexp_replace(pairs, "(.)(.)", "$1"), "0123456789", "0246813579")
    signs = F.regexp_extract_all(F.concat(twice, F.regexp_replace(pairs, "(.)(.)", "$2")), F.lit("."), F.lit(0))
    total = F.aggregate(signs, F.lit(0), lambda before, sign: before + F.ascii(sign) - ord("0"))
    is_long = F.length(digits).between(FEWEST_DIGITS, MOST_DIGITS)
    return F.when(is_long, (total % 10 == 0) & ~digits.rlike(f"^{DATE_AHEAD}")).otherwise(F.lit(False))


def shown_groups(groups: Column, spans: Column) -> Column:
    """Return groups of digits with those of card numbers masked, but for the last four of each."""

    def shown(group: Column, at: Column, found: Column) -> Column:
        around = F.filter(found, lambda span: (span["first"] <= at) & (at <= span["last"]))
        own = F.length(F.regexp_replace(group, "[^0-9]", ""))
        until = F.length(digits_of(F.slice(groups, F.lit(1), at + 1)))
        behind = F.array_max(F.transform(around, lambda span: span["end"])) - until
        hidden = F.least(own, own + behind - LAST_DIGITS)
        masks = F.regexp_replace(group.substr(F.lit(1), hidden), ".", "*")
        is_masked = (F.size(around) > 0) & (hidden > 0)
        return F.when(is_masked, F.concat(masks, group.substr(hidden + 1, F.length(group)))).otherwise(group)

    return once(spans, lambda found: F.transform(groups, lambda group, at: shown(group, at, found)))
