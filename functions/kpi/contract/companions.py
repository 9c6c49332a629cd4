"""The objects that lie beside files of data and are none: whoever finds one ignores it, without a ledger item."""

import re
from dataclasses import dataclass

SIDE_CAR_ENDING = ".control.json"
PIN_NAME = "_dialect.json"
CALENDAR_NAME = "_expect.json"


@dataclass(frozen=True)
class Companion:
    """A kind of such objects: `name` is the form of the last part of their keys, `shown` the same for people."""

    shown: str
    name: str
    meaning: str


COMPANIONS = (
    Companion(f"*{SIDE_CAR_ENDING}", r".*\.control\.json", "the control totals of the file beside it"),
    Companion(PIN_NAME, r"_dialect\.json", "a pin"),
    Companion(CALENDAR_NAME, r"_expect\.json", "the calendar of the files that are expected in its folder"),
    Companion("_SUCCESS", "_SUCCESS", "says that Hadoop or Spark wrote the folder to its end"),
    Companion("_started_*, _committed_*", r"_(?:started|committed)_[A-Za-z0-9]+", "the commits of Databricks"),
    Companion("*.crc", r".*\.crc", "Hadoop's checksum of the file beside it"),
    Companion("*_$folder$", r".*_\$folder\$", "stands for a folder of Hadoop"),
    Companion("_metadata, _common_metadata", "_(?:common_)?metadata", "the footers of a folder's Parquet files"),
    Companion("*.csv.metadata", r".*\.csv\.metadata", "Athena's description of the result beside it"),
    Companion(
        "manifest, *_manifest, *-manifest.csv",
        r"manifest|.*_manifest|.*-manifest\.csv",
        "what Athena or Redshift wrote",
    ),
)
_NAME = re.compile("|".join(companion.name for companion in COMPANIONS), re.DOTALL)


def is_calendar(key: str) -> bool:
    """Return whether an object is a calendar that is read; beside cards nobody reads but who reads cards."""
    return key.endswith(f"/{CALENDAR_NAME}") and not key.startswith("cards/")


def is_companion(key: str) -> bool:
    """Return whether an object only goes with others; a key that ends in a slash stands for a folder."""
    name = key.rpartition("/")[2]
    return not name or _NAME.fullmatch(name) is not None
