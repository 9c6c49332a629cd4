"""Write what the documents take from the contract: the tables of the data contract, and its Open Data Contract.

In `docs/data-contract.md` a table stands between `<!-- generated: NAME -->` and `<!-- end -->`; the prose around it is
written by hand. `docs/assay.odcs.yaml` is written as a whole. `--check` compares and writes nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "functions" / "kpi"))

from tools.contract_odcs import contract_yaml
from tools.contract_page import BLOCKS

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/data-contract.md"
STANDARD = "docs/assay.odcs.yaml"
BLOCK = re.compile(r"<!-- generated: (?P<name>[a-z ]+) -->\n.*?<!-- end -->", re.DOTALL)


class BlockError(Exception):
    """The page and the generator do not name the same tables."""


def filled(page: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """Return the page with its generated tables; raise BlockError unless it has each of them once."""
    names = [match["name"] for match in BLOCK.finditer(page)]
    if sorted(names) != sorted(blocks) or page.count("<!-- generated") != len(names):
        missing, unknown = set(blocks) - set(names), set(names) - set(blocks)
        raise BlockError(
            f"{PAGE}: tables missing {sorted(missing)}, unknown {sorted(unknown)}, each must be there once"
        )
    return BLOCK.sub(
        lambda match: f"<!-- generated: {match['name']} -->\n{blocks[match['name']]()}\n<!-- end -->", page
    )


def differing_tables(page: str, generated: str) -> list[str]:
    """Return the names of the tables in which two states of the page differ."""
    before, after = ({match["name"]: match[0] for match in BLOCK.finditer(text)} for text in (page, generated))
    return [name for name in after if before[name] != after[name]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a file differs; write nothing")
    is_check = parser.parse_args().check
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    wanted = {PAGE: filled(page, BLOCKS), STANDARD: contract_yaml(ROOT)}
    stale = []
    for path, text in wanted.items():
        file = ROOT / path
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        tables = ", ".join(differing_tables(page, text)) if path == PAGE else ""
        stale.append(path + f" (tables: {tables})" * bool(tables))
        if not is_check:
            file.write_text(text, encoding="utf-8")
    if stale:
        print(("differs from the contract, run `make export`: " if is_check else "written: ") + ", ".join(stale))
    return 1 if is_check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
