"""The forms of text as regular expressions, one source for each, in the subset that Python, Java and Rust share.

They have no anchors, since the engines' differ: whoever uses one adds its own (`fullmatch` in Python, `^(?:…)$` in
Rust, `^(?:…)\\z` in Java). Digits are ASCII: `\\d` means other things to each engine.
"""

INTEGER_FORM = r"-?[0-9]{1,19}(?:\.0+)?"

GROUPED_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
UNSIGNED_AMOUNT = rf"(?:{GROUPED_DIGITS}(?:\.[0-9]+)?|\.[0-9]+)"
AMOUNT_FORM = rf"(?:(?:\$[-+]?|[-+]\$?)?{UNSIGNED_AMOUNT}|\(\$?{UNSIGNED_AMOUNT}\))"
EXACT_DECIMALS = r"[0-9]*(?:\.[0-9]{0,2}0*)?"
"""An amount's digits and point alone, of an amount that is exact in two decimals."""
STORABLE_DIGITS = r"0*[0-9]{0,16}(?:\.[0-9]{0,2}0*)?"
"""The same, of an amount that DECIMAL(18,2) holds."""

HOUR = r"(?:[01]?[0-9]|2[0-3])"
SIXTIETH = r"[0-5][0-9]"
TIME_OF_DAY = rf"({HOUR}):({SIXTIETH})(?::({SIXTIETH})(?:\.([0-9]{{1,9}}))?)?"
UTC_OFFSET = r"(?:Z|[-+](?:0[0-9]|1[0-7]):?[0-5][0-9]|[-+]18:?00)"
ISO_DAY = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
ISO_FORM = rf"{ISO_DAY}(?:[ T]{TIME_OF_DAY}({UTC_OFFSET})?)?"
"""Groups: year, month, day, hour, minute, second, fraction, offset."""
MONTH_FIRST_FORM = rf"([0-9]{{1,2}})/([0-9]{{1,2}})/([0-9]{{4}})(?: {TIME_OF_DAY})?"
"""Groups: month, day, year, hour, minute, second, fraction."""
COMMIT_FORM = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}"
"""A commit timestamp as AWS DMS writes it, by which its column is found."""

ZIP_FORM = r"[0-9]{1,5}(?:\.0)?"
MCC_FORM = r"[0-9]{1,4}(?:\.0)?"
CHANNEL_FORM = r"(swipe|chip|online)(?: transaction)?"
"""Of the text in lower case. Group: the channel."""

CARD_NUMBER_FORM = r"[0-9]{13,19}"
"""A card number, its last digit being the check digit of ISO/IEC 7812-1, annex B."""
CARD_NUMBER_IN_TEXT = r"[0-9](?:[ -]?[0-9]){12,18}"
"""What may be a card number inside of other text, also in groups; digits before or behind make it none."""
SECURITY_CODE_FORM = r"[0-9]{3,4}(?:\.0)?"

CSV_FIELD = r'(?:"[^"]*(?:""[^"]*)*"|[^",]*)'
"""A field of a record: without any quote, or in quotes as a whole, where `""` means one. Java needs its repetitions
possessive (`.replace("*", "*+")`), or long records exhaust its stack."""
