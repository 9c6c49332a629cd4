"""Texts that each pattern of the contract must accept, and texts that it must refuse, whichever engine reads it."""

import re
from collections.abc import Sequence

LINE_ENDS = ("\n", "\r", "\r\n", "\u0085", "\u2028", "\0")
ARABIC_SEVEN, FULL_WIDTH_SEVEN = "\u0667", "\uff17"

ACCEPTED: dict[str, Sequence[str]] = {
    "INTEGER_FORM": ("0", "-0", "7", "-7", "007", "7.0", "-7.000", "9" * 19, "-" + "9" * 19),
    "AMOUNT_FORM": (
        *("0", "12", "1,412.64", ".5", "0.50", "12.3400", "1,412,000", "999,999.9", "0,000", "1234567.8"),
        *("$12", "$-77.00", "$+1", "-$5", "+$5", "-5", "+5.25", "($77.00)", "(77)", "($1,000.5)", "(.5)", "-.5"),
        *("$ 5", "$  -5", "-$ 5", "- 5", "+ $ 5", "$(77.00)", "$ (1,000.25)", "($ 5)", " $5 ", "$-", "$ -", "$ \u2013"),
        *("\u22125", "\u2013$5", "\u00a0$\u202f5\u00a0", "1\u202f412\u00a0000.50", "-\u00a05"),
    ),
    "EXACT_DECIMALS": ("", "1", ".", "1.", ".5", "12.34", "12.3400000", "9" * 40),
    "NEGATIVE_MARK": ("-", "\u2212", "\u2013", "("),
    "HALF_OF_DAY": ("AM", " pm", "\u202fPm", "\u00a0aM"),
    "STORABLE_DIGITS": ("", "0", "1", ".5", "12.34", "9" * 16, "000" + "9" * 16 + ".990"),
    "ISO_FORM": (
        *("2010-01-01", "0000-00-00", "2010-01-01 00:01", "2010-01-01 0:01", "2010-01-01T23:59:59"),
        *("2010-01-01 00:01:00.5", "2010-01-01 00:01:00.123456789", "2010-01-01 00:01Z", "2010-01-01T1:01:00+05:30"),
        *("2010-01-01 00:01:00-0530", "2010-01-01 00:01:00+18:00", "2010-01-01 00:01:00-1800"),
        *("2010-01-01 00:01+05", "2010-01-01 00:01:00.5-05", "2010-01-01 00:01 UTC", "2010-01-01 00:01:00 -0700"),
        *("2010-01-01 00:01 +01:00", "2010-01-01 1:01 PM", "2010-01-01T12:00:00.5am", "2010-01-01 1:01 aM -07"),
        "2010-01-01 01:01:01\u202fPM",
    ),
    "MONTH_FIRST_FORM": (
        "1/1/2010",
        "12/31/2010 0:01",
        "1/01/2010 23:59:59.9",
        "99/99/0000",
        "1/1/2010 1:05 PM",
        "1/1/2010 12:00\u00a0am",
    ),
    "COMMIT_FORM": ("2023-11-05 10:00:00.123456", "9999-99-99 99:99:99.000000"),
    "UTC_OFFSET": (
        "Z",
        "+00:00",
        "-0000",
        "+17:59",
        "-18:00",
        "+1800",
        "+01",
        "-18",
        " UTC",
        " -0700",
        " +01:00",
        " +05",
    ),
    "ZIP_FORM": ("0", "2139", "02139", "02139.0", "1.0", "02139.00", "1.0000000000"),
    "MCC_FORM": ("0", "742", "5411", "5411.0", "5411.00", "7.0000000000"),
    "CHANNEL_FORM": ("swipe", "chip transaction", "online transaction"),
    "CARD_NUMBER_IN_TEXT": ("4" * 13, "4" * 19, "4111 1111 1111 1111", "4111-1111-1111-1111", "4111 1111-11111111"),
    "CARD_NUMBER_FORM": ("4" * 13, "4" * 16, "4" * 19),
    "SECURITY_CODE_FORM": ("123", "0123", "123.0"),
    "EMPTY_RECORD": ("", " \t", ",", ",,,", ' ,"",\t', '""', '"  ",""', '"",  '),
    "LINE_END_SIGN": ("\x1a", "\0", "\r"),
    "CSV_FIELD": ("", "a", " a b ", '""', '"a"', '"a,b"', '"say ""so"""', '""""', '"a\nb"', "a\rb", "ß€"),
}
REFUSED: dict[str, Sequence[str]] = {
    "INTEGER_FORM": ("", "-", "+7", " 7", "7 ", "7.", "7.5", "7.05", "0x7", "1e3", "1_000", "9" * 20, "--7", "7.0.0"),
    "AMOUNT_FORM": (
        *("", "$", "-", ".", "5.", "$.", "()", "($)", "1,2", "1,23,456", ",100", "1,000,", "1234,567", "12.3.4"),
        *("(-5)", "($-5)", "-(5)", "$(-5)", "$($5)", "--5", "$$5", "5-", "5$", "USD 5", "1e3", "€5", "5,00€", "1 000"),
        *("\u22125\u2212", "\u20145", "( 5 )", "(5", "5)", "\u00a0", "$ +", "- -5", "-$-", "-$", "$()", "($-)"),
        *("1\u00a0234,567", "1\u202f00", "1\u00a0\u00a0000", "\u20095", "\ufeff5"),
    ),
    "EXACT_DECIMALS": ("12.345", "1.2.3", "1,000", "-1", "a"),
    "NEGATIVE_MARK": ("", "+", "\u2014", "--", ")"),
    "HALF_OF_DAY": ("", "A", "  PM", "a.m.", "\u2009PM", "M"),
    "STORABLE_DIGITS": ("9" * 17, "1.234", "1,0", "-1"),
    "ISO_FORM": (
        *("", "2010-1-1", "10-01-01", "2010/01/01", "2010-01-01 ", "2010-01-01  00:01", "2010-01-01 24:00"),
        *("2010-01-01 00:60", "2010-01-01 00:01:60", "2010-01-01 00:01:00.", "2010-01-01 00:01:00.1234567890"),
        *("2010-01-01 00:01 Z", "2010-01-01Z", "2010-01-01 00:01z", "2010-01-01t00:01", "2010-01-01 00:01+18:01"),
        *("2010-01-01 00:01+19:00", "2010-01-01 00:01+5:30", "2010-01-01 00:01+5", "2010-01-01 00:01:00,5"),
        *("2010-01-01 00:01UTC", "2010-01-01 00:01  UTC", "2010-01-01 00:01 utc", "2010-01-01 UTC", "2010-01-01 PM"),
        *("2010-01-01 1 PM", "2010-01-01 1:01  PM", "2010-01-01 1:01 P", "2010-01-01 1:01 p.m.", "2010-01-01 1:01 XM"),
    ),
    "MONTH_FIRST_FORM": (
        "1/1/10",
        "1-1-2010",
        "1/1/2010T0:01",
        "1/1/2010 0:01Z",
        "111/1/2010",
        "1/1/2010 24:00",
        "",
        *("1/1/2010 PM", "1/1/2010 1:05 PM UTC"),
    ),
    "COMMIT_FORM": ("2023-11-05 10:00:00", "2023-11-05T10:00:00.123456", "2023-11-05 10:00:00.1234567", ""),
    "UTC_OFFSET": ("", "z", "+18:01", "-19:00", "+1", "05:30", "+05:60", "UTC", " Z", "  UTC", "+18:30", " 05"),
    "ZIP_FORM": ("", "021390", "02139.001", "2139.", "02139-1234", "-1", "K1A"),
    "MCC_FORM": ("", "54110", "5411.", "-5", "5411.5"),
    "CHANNEL_FORM": ("", "Swipe", "swipe  transaction", "contactless", "chip transactions", "\u0131nline"),
    "CARD_NUMBER_IN_TEXT": ("4" * 12, "4" * 20, "4111  1111 1111 1111", "4111.1111.1111.1111", " 4111111111111111", ""),
    "CARD_NUMBER_FORM": ("4" * 12, "4" * 20, "4111 1111 1111 1111", ""),
    "SECURITY_CODE_FORM": ("12", "12345", "123.00", ""),
    "EMPTY_RECORD": ("a", ",a", '"', '""""', ' ""', '"" ', '"a"', ";", "\u00a0", ',"'),
    "LINE_END_SIGN": ("", "\n", " ", "\r\r", "\x04", "0"),
    "CSV_FIELD": ('"', 'a"', '"a', '"a"b', ' "a"', '"a" ', "a,b", '"""', '"a""', 'a""b'),
}
NOT_OF_TEXT = tuple(name for name in ACCEPTED if name != "CSV_FIELD")


def with_digits(name: str) -> list[tuple[str, int]]:
    """Return the accepted texts that hold a digit, each with the place of its first one."""
    places = [(text, re.search("[0-9]", text)) for text in ACCEPTED[name]]
    return [(text, found.start()) for text, found in places if found]


def examples() -> list[tuple[str, str, bool]]:
    """Return pattern, text, and whether the pattern accepts it; line ends and digits of other scripts are refused."""
    found = [(name, text, True) for name, texts in ACCEPTED.items() for text in texts]
    found += [(name, text, False) for name, texts in REFUSED.items() for text in texts]
    for name in NOT_OF_TEXT:
        first, last = ACCEPTED[name][0], ACCEPTED[name][-1]
        found += [(name, last + end, False) for end in LINE_ENDS]
        found += [(name, "\n" + last, False), (name, first + "\n" + last, False)]
        for seven in (ARABIC_SEVEN, FULL_WIDTH_SEVEN):
            found += [(name, last + seven, False), (name, seven + last, False)]
            found += [(name, text[:at] + seven + text[at + 1 :], False) for text, at in with_digits(name)]
    return found
