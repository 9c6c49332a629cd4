"""Hold the template against checkov's rules; what it finds must stand in `accepted_findings.toml`, with a reason.

checkov reads the template as CloudFormation gets it: merge keys and SAM's resources written out, those that SAM adds
(roles, permissions) included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from devcloud.local.cloudformation import translate

ROOT = Path(__file__).parents[1]
CHECKOV = ROOT / ".venv/checkov/bin/checkov"
ACCEPTED = Path(__file__).with_name("accepted_findings.toml")
ANY_REGION = {"AWS_DEFAULT_REGION": "us-east-1"}

Finding = tuple[str, str]
"""A check of checkov's and the name of a resource in the template."""


def written_out(template: str) -> str:
    """Return a template as CloudFormation gets it, as JSON."""
    document = yaml_parse(template)
    for resource in document["Resources"].values():
        for name in {"CodeUri", "DefinitionUri"} & set(resource.get("Properties", {})):
            resource["Properties"][name] = "s3://artefacts/built"  # as `sam deploy` leaves it
    return json.dumps(json.loads(translate(json.dumps(document, default=str), parameters={})), indent=1)


def findings(template: str) -> set[Finding]:
    """Run checkov on a template; raise if it could not read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "template.json")
        path.write_text(template)
        options = ["--framework", "cloudformation", "--skip-download", "--output", "json", "--file", str(path)]
        ran = subprocess.run([CHECKOV, *options], capture_output=True, text=True, check=False)
    found = json.loads(ran.stdout)
    if "results" not in found or found["summary"]["parsing_errors"] or not found["summary"]["passed"]:
        raise RuntimeError(f"checkov could not read the template:\n{ran.stdout}{ran.stderr}")
    return of_report(found["results"]["failed_checks"])


def of_report(failed: Iterable[Mapping[str, Any]]) -> set[Finding]:
    """Return the findings of checkov's report, which names a resource behind its type."""
    return {(each["check_id"], each["resource"].rpartition(".")[2]) for each in failed}


def accepted(text: str) -> set[Finding]:
    """Read the findings that are left as they are; each needs a reason."""
    entries: Sequence[Mapping[str, Any]] = tomllib.loads(text)["accepted"]
    return {(entry["check"], name) for entry in entries if entry["reason"] for name in entry["resources"]}


def differences(found: set[Finding], known: set[Finding]) -> list[str]:
    """Say what is found and not accepted, and what is accepted and not found."""
    new = [
        f"{resource} fails {check}: mend it, or accept it with a reason" for check, resource in sorted(found - known)
    ]
    old = [f"{resource} passes {check}: it need not be accepted" for check, resource in sorted(known - found)]
    return new + old


def main() -> int:
    """Print the differences; return 1 if there are any."""
    os.environ.update(ANY_REGION)
    found = findings(written_out((ROOT / "template.yaml").read_text(encoding="utf-8")))
    wrong = differences(found, accepted(ACCEPTED.read_text(encoding="utf-8")))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
