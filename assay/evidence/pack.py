"""Packs the evidence of a month for an auditor, with a script that checks it without the stack."""

from __future__ import annotations

import ast
import base64
import inspect
import json
import pkgutil
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import contract
from contract import evidence as hashes
from contract.evidence import came_at, sha256

from assay.errors import UserError
from assay.evidence import chain, checks, signature, verify
from assay.evidence.chain import Evidence
from assay.target import find_project

PARTS = (hashes, signature, chain, checks, verify)
DOCUMENTS = ("docs/data-contract.md", "docs/assay.odcs.yaml")
README = """Evidence of {stack}, {month}

python3 verify.py       checks all of this, offline: nothing but Python 3.10 or later is needed

report.html             the month on one page, for people; open it in a browser
layers.json             the ledger's items of both layers; `head` is the hash of the newest run's report
ledger.json             the ledger's items of the month: files, and decisions on files
passports/              what became of each of these files, written at its end
reports/                the report of each run since the chain began: it names the run before it by its hash
bronze.json             what S3 says of each object version: ETag, size, checksums
current.json            the readers' cut: the runs, and the snapshots of all tables that belong together
tables.json             rows and money of the tables, and the effects by run
keys.json               public keys, if heads are signed
contract/               the data contract
pack.json               the hash of every file here

Compare the heads that verify.py prints with those that you were told before, or check who signed them: whoever could
write to all of this could also have made a chain of their own.
"""


def of_month(evidence: Evidence, month: str) -> Evidence:
    """Return the evidence of the files that came, and the decisions that were made, in a month (`2026-06`)."""
    items = {file_id: item for file_id, item in evidence.items.items() if came_at(item).startswith(month)}
    return replace(
        evidence,
        items=items,
        passports={file_id: body for file_id, body in evidence.passports.items() if file_id in items},
        bronze={file_id: found for file_id, found in evidence.bronze.items() if file_id in items},
        month=month,
    )


def write(evidence: Evidence, folder: Path, stack: str, report: Callable[[Path], object] | None = None) -> None:
    """Write a pack into a folder, which must be empty or new; `report` draws the month to a file in it."""
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty", "name a folder that does not exist")
    for name, body in _files(evidence, stack):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    if report is not None:
        report(folder / "report.html")
    project = find_project(Path.cwd())
    for document in (project / name for name in DOCUMENTS):
        if document.is_file():
            shutil.copy(document, folder / "contract")
    packed = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): sha256(path.read_bytes()) for path in packed}
    about = {"stack": stack, "month": evidence.month, "signing_key": evidence.signing_key, "files": found}
    (folder / "pack.json").write_bytes(_json(about))


def _files(evidence: Evidence, stack: str) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", README.format(stack=stack, month=evidence.month).encode()
    yield "verify.py", script().encode()
    parts: Mapping[str, Any] = {
        "layers": evidence.layers,
        "ledger": evidence.items,
        "bronze": evidence.bronze,
        "current": evidence.cut,
        "tables": evidence.tables,
        "keys": {arn: base64.b64encode(key).decode() for arn, key in evidence.keys.items()},
    }
    yield from ((f"{name}.json", _json(part)) for name, part in parts.items())
    yield from evidence.reports.items()
    yield from ((f"passports/{file_id}.json", body) for file_id, body in evidence.passports.items())
    for module in pkgutil.iter_modules(contract.__path__):
        name = f"contract/{module.name}.py"
        yield name, (Path(contract.__path__[0]) / f"{module.name}.py").read_bytes()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1).encode()


def script() -> str:
    """Return the modules that check evidence as one script without imports but the standard library's."""
    docstring = ast.get_docstring(ast.parse(inspect.getsource(verify)))
    return "\n\n".join([f'"""{docstring}\n"""', "from __future__ import annotations", *map(_inlined, PARTS)]) + "\n"


def _inlined(module: ModuleType) -> str:
    """Return a module's source without its docstring, and without imports from this project."""
    source = inspect.getsource(module)
    lines = source.splitlines()
    first, *rest = ast.parse(source).body
    own = [node for node in rest if isinstance(node, ast.ImportFrom) and _is_inlined(str(node.module))]
    for node in reversed([first, *own]):
        del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines).strip()


def _is_inlined(module: str) -> bool:
    return module.partition(".")[0] in ("assay", "contract", "__future__")
