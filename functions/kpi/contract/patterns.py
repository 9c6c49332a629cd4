"""The forms of text as regular expressions, one source for each, in the subset that Python, Java and Rust share.

They have no anchors, since the engines' differ: whoever uses one adds its own (`fullmatch` in Python, `^(?:…)$` in
Rust, `^(?:…)\\z` in Java). Digits are ASCII: `\\d` means other things to each engine.
"""

INTEGER_FORM = r"-?[0-9]{1,19}(?:\.0+)?"

NO_BREAK = r"\u00a0\u202f"
"""No-break spaces, which spreadsheets and locales write for blanks; for use inside of brackets."""
BLANKS = rf"[ {NO_BREAK}]*"
MINUS = r"[-\u2212\u2013]"
"""A hyphen, the minus sign, and the dash that word processors put for it."""
GROUPED_DIGITS = rf"(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]{{1,3}}(?:[{NO_BREAK}][0-9]{{3}})+|[0-9]+)"
UNSIGNED_AMOUNT = rf"(?:{GROUPED_DIGITS}(?:\.[0-9]+)?|\.[0-9]+)"
DOLLAR = rf"\${BLANKS}"
SIGN = rf"(?:{MINUS}|\+){BLANKS}"
SIGNED_AMOUNT = rf"(?:{DOLLAR}(?:{SIGN})?|{SIGN}(?:{DOLLAR})?)?{UNSIGNED_AMOUNT}"
AMOUNT_IN_PARENTHESES = rf"(?:{DOLLAR}\({UNSIGNED_AMOUNT}\)|\((?:{DOLLAR})?{UNSIGNED_AMOUNT}\))"
AMOUNT_FORM = rf"{BLANKS}(?:{SIGNED_AMOUNT}|{AMOUNT_IN_PARENTHESES}|{DOLLAR}{MINUS}){BLANKS}"
"""The last of the three is how spreadsheets write zero in books of account: a dash behind the currency."""
NEGATIVE_MARK = rf"(?:{MINUS}|\()"
"""What an amount below zero holds, and no other."""
EXACT_DECIMALS = r"[0-9]*(?:\.[0-9]{0,2}0*)?"
"""An amount's digits and point alone, of an amount that is exact in two decimals."""
STORABLE_DIGITS = r"0*[0-9]{0,16}(?:\.[0-9]{0,2}0*)?"
"""The same, of an amount that DECIMAL(18,2) holds."""

HOUR = r"(?:[01]?[0-9]|2[0-3])"
SIXTIETH = r"[0-5][0-9]"
CLOCK = rf"({HOUR}):({SIXTIETH})(?::({SIXTIETH})(?:\.([0-9]{{1,9}}))?)?"
HALF_OF_DAY = rf"[ {NO_BREAK}]?([AaPp])[Mm]"
TIME_OF_DAY = rf"{CLOCK}(?:{HALF_OF_DAY})?"
"""With a half of the day only the hours 1 to 12 are any: that is for the readers to see."""
UTC_OFFSET = r"(?:Z| UTC| ?[-+](?:(?:0[0-9]|1[0-7])(?::?[0-5][0-9])?|18(?::?00)?))"
ISO_DAY = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
ISO_FORM = rf"{ISO_DAY}(?:[ T]{TIME_OF_DAY}({UTC_OFFSET})?)?"
"""Groups: year, month, day, hour, minute, second, fraction, half of the day, offset."""
MONTH_FIRST_FORM = rf"([0-9]{{1,2}})/([0-9]{{1,2}})/([0-9]{{4}})(?: {TIME_OF_DAY})?"
"""Groups: month, day, year, hour, minute, second, fraction, half of the day."""
COMMIT_FORM = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}"
"""A commit timestamp as AWS DMS writes it, by which its column is found."""

ZIP_FORM = r"[0-9]{1,5}(?:\.0+)?"
MCC_FORM = r"[0-9]{1,4}(?:\.0+)?"
CHANNEL_FORM = r"(swipe|chip|online)(?: transaction)?"
"""Of the text in lower case. Group: the channel."""

CARD_NUMBER_FORM = r"[0-9]{13,19}"
"""A card number, its last digit being the check digit of ISO/IEC 7812-1, annex B."""
CARD_NUMBER_IN_TEXT = rf"[0-9](?:[ {NO_BREAK}\u2010\u2011\u2013\u2212-]{{0,3}}[0-9]){{12,}}"
"""A run of digits in other text that may hold a card number: blanks, hyphens and dashes may stand between them."""
CARD_NUMBER_RUN = 200
"""A longer run is nothing that a person writes: it is masked without a look at what is in it."""
DATE_AHEAD = r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
"""How the digits of a timestamp begin, and those of no card: no issuer has these numbers."""
GIVEN_NAME = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|tid-[0-9]+|[0-9a-f]{64}"
"""What programs call files by: a UUID, the id of a transaction of Databricks, and a SHA-256, as the ledger has."""
SECURITY_CODE_FORM = r"[0-9]{3,4}(?:\.0)?"

CSV_FIELD = r'(?:"[^"]*(?:""[^"]*)*"|[^",]*)'
"""A field of a record: without any quote, or in quotes as a whole, where `""` means one. Java needs its repetitions
possessive (`.replace("*", "*+")`), or long records exhaust its stack."""
EMPTY_FIELD = r'(?:"[ \t]*"|[ \t]*)'
EMPTY_RECORD = rf"{EMPTY_FIELD}(?:,{EMPTY_FIELD})*"
"""A line that holds nothing but empty fields: a blank line. Java needs its repetitions possessive, too."""
LINE_END_SIGN = r"[\r\x1a\x00]"
"""What belongs to the end of a line, however often it stands before the line feed or at the end of the file: the CR of
Windows, the Ctrl-Z of DOS, NULs that fill a file up."""


def csv_field(delimiter: str) -> str:
    """Return the field of a record whose fields another sign separates."""
    return CSV_FIELD.replace(",", delimiter)


def empty_record(delimiter: str) -> str:
    """Return the blank line of a file whose fields another sign separates."""
    return EMPTY_RECORD.replace(",", f"[{delimiter}]")
