"""The limits of the data contract: what is larger, longer or earlier than these is refused, cut or broken."""

EARLIEST_YEAR = 1900
EARLIEST_INSTANT = "1900-01-01 00:00:00"
"""No date, commit timestamp, `as-of` or start of a load may lie before it."""
BEGINNING_OF_TIME = "1800-01-01 00:00:00"
"""Minus infinity as the tables write it: the position of an undeclared full load, the start of a first version."""
END_OF_TIME = "9999-12-31 00:00:00"
"""The end of a version that no later one ends."""
FUTURE_DAYS = 1
"""A date may be so many days later than its object's last-modified instant."""

RECORD_LINES = 64
"""A record of a CSV file has at most so many lines."""
LINE_BYTES = 64 << 20
"""A line of a CSV file, or what may become one record of several lines, has at most so many bytes."""
SAMPLE_RECORDS = 1_000
"""The first block: so many records are looked at to tell how a file is written."""
CODES_BYTES = 16 << 20
"""A JSON file of `mcc_codes` has at most so many bytes."""
MARKER_BYTES = 4 << 20
MARKER_FILES = 2_000
"""A marker lists at most so many files."""
RUN_FILES = 2_000
"""A run takes at most so many files: its list lies in one DynamoDB item, which ends at 400 KB."""

AMOUNT_DIGITS = 16
"""An amount has at most so many significant digits before its point."""
AMOUNT_DECIMALS = 2
SEQUENCER_CHARACTERS = 32
"""Sequencers are padded on the right with zeros to so many characters."""
FAILURE_CHARACTERS = 2_000
"""The reason of a failure is cut to so many: the mail that carries it must stay below 8 KB."""
REASON_CHARACTERS = 300
"""A reason of a rejection, and a warning, has at most so many characters."""
EXAMPLE_RULES = 3
"""A file with too many broken rows shows the first row of so many rules, the most frequent ones."""
TOLD_RULES = 5
"""So many rules are named with the number of their rows; the others are counted."""
EXAMPLE_BLOCKS = 16
"""So many blocks of a rejected file are read again for its examples."""
