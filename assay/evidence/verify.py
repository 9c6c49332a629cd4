"""Checks a pack of evidence: nobody has changed a run, a file, a passport or a table's total since it was written down.

`python3 verify.py` checks the pack in whose folder it lies, with Python 3.10 or later and nothing else. It exits 1 if
anything differs, and names it. `assay verify` makes the same checks of what it finds in the stack.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.evidence import sha256

from assay.evidence.chain import Evidence, Fault
from assay.evidence.checks import check


def load(folder: Path) -> Evidence:
    """Read a pack."""

    def read(name: str) -> Any:
        return json.loads((folder / name).read_bytes())

    about, keys = read("pack.json"), read("keys.json")
    return Evidence(
        layers=read("layers.json"),
        items=read("ledger.json"),
        reports={path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("reports/*/*.json")},
        passports={path.stem: path.read_bytes() for path in folder.glob("passports/*.json")},
        bronze=read("bronze.json"),
        tables=read("tables.json"),
        cut=read("current.json"),
        keys={arn: base64.b64decode(text) for arn, text in keys.items()},
        signing_key=about["signing_key"],
        month=about["month"],
    )


def faults_of_pack(folder: Path) -> Iterator[Fault]:
    """Hold the files of a pack to the hashes that it was made with."""
    for name, expected in json.loads((folder / "pack.json").read_bytes())["files"].items():
        path = folder / name
        if not path.is_file() or sha256(path.read_bytes()) != expected:
            yield Fault(name, "it is not what was packed" if path.is_file() else "it is missing from the pack")


def main() -> int:
    folder = Path(__file__).resolve().parent
    chains, faults = check(load(folder))
    for chain in chains:
        print(chain)
    for fault in (*faults_of_pack(folder), *faults):
        print(f"FAULT {fault.what}: {fault.why}")
        faults = [*faults, fault]
    print("Something was changed." if faults else "Nothing was changed.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
