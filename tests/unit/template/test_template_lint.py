"""What the official linters say; neither opens the state machine's file, so tests/unit/workflow do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sam_template import ROOT, TEMPLATE

TOOLS = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"}


@pytest.mark.parametrize(
    "command",
    [[TOOLS / "cfn-lint", "--", TEMPLATE], [TOOLS / "sam", "validate", "--lint", "--template", TEMPLATE]],
    ids=["cfn-lint", "sam validate"],
)
def test_template_is_clean(command: list[Path | str]) -> None:
    linted = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    assert linted.returncode == 0, linted.stdout + linted.stderr
