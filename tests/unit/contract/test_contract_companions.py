"""Which objects are data and which only go with it, told by their keys alone."""

import pytest
from contract.companions import is_companion

COMPANIONS = (
    *("a.csv.control.json", "_dialect.json", "_SUCCESS", "_started_123", "_committed_123", "_committed_vacuum123"),
    *(".part-00000.csv.crc", "_SUCCESS.crc", "day=1_$folder$", "_$folder$", "_metadata", "_common_metadata"),
    *("a1b2.csv.metadata", "manifest", "unload_manifest", "a1b2-manifest.csv", ""),
)
DATA = (
    *("a.csv", "_SUCCESS.csv", "_success", "my_SUCCESS", "_started_", "_committed_payments.csv", "crc", "a.crc.csv"),
    *("_$folder$.csv", "metadata", "a.parquet.metadata", "manifest.csv", "manifesto", "_load.json", "part-00000.csv"),
    *("my_dialect.json", "control.json"),
)


@pytest.mark.parametrize("folder", ["transactions/", "transactions/manifest/", "cards/_SUCCESS/a\n/"])
@pytest.mark.parametrize(
    ("name", "is_one"), [*((name, True) for name in COMPANIONS), *((name, False) for name in DATA)]
)
def test_companion_is_told_by_the_last_part_of_its_key__any_folder(folder: str, name: str, is_one: bool) -> None:
    assert is_companion(folder + name) is is_one
