"""Show text of others: no card number in it, every character to be seen, none that acts on a terminal or hides."""

import unicodedata

from reading.card_numbers import masked_key

ELLIPSIS = "…"
TEXT_CHARACTERS = 300
_UNSEEN_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
"""Controls, formats, unassigned, private and half characters, separators (Unicode 15, table 4-4)."""
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Fillers and the empty braille cell: letters and marks that print as nothing."""


def visible(text: str, *, most: int = TEXT_CHARACTERS) -> str:
    """Return text of at most `most` characters, with `<U+XXXX>` for what a reader could not tell or see.

    That is every control, format, zero-width and no-break character, every blank but the space, variation selectors,
    and the signs that look like a minus without being one. A card number is masked before the text is cut.
    """
    shown: list[str] = []
    length = 0
    for sign in masked_key(text):
        piece = f"<U+{ord(sign):04X}>" if _is_unseen(sign) else sign
        length += len(piece)
        if length > most:
            return _shortened(shown, most)
        shown.append(piece)
    return "".join(shown)


def _is_unseen(sign: str) -> bool:
    if " " <= sign <= "~":
        return False
    category = unicodedata.category(sign)
    return (
        category in _UNSEEN_CATEGORIES
        or category == "Pd"
        or sign in _BLANK_LETTERS
        or sign == "\u2212"
        or "VARIATION SELECTOR" in unicodedata.name(sign, "")
    )


def _shortened(pieces: list[str], most: int) -> str:
    """Return the first whole pieces that leave room for the ellipsis."""
    length = sum(map(len, pieces))
    while pieces and length > most - len(ELLIPSIS):
        length -= len(pieces.pop())
    return "".join([*pieces, ELLIPSIS])
