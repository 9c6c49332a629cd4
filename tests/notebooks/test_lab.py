"""`make notebook` opens Jupyter Lab on the loopback address, with the project's kernels alone, and ends on Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from threading import Event

import pytest

SECONDS = 60
NOTEBOOKS = Path(__file__).parents[2] / "glue" / "notebooks"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text("")
    return tmp_path


def answer_of(request: urllib.request.Request) -> bytes:
    """Ask until there is an answer: Jupyter prints its address before it listens."""
    until, pause = time.monotonic() + SECONDS, Event()
    while True:
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - the loopback address
                return bytes(answer.read())
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
        pause.wait(0.1)


def test_any_jupyter_of_the_environment_has_the_kernel_that_the_layers_notebooks_name(tmp_path: Path) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    listing = [sys.executable, "-m", "jupyter", "kernelspec", "list", "--json"]
    listed = subprocess.run(listing, env={**plain, "HOME": str(tmp_path)}, capture_output=True, text=True, check=True)
    known = json.loads(listed.stdout)["kernelspecs"]
    for layer in ("silver", "gold"):
        named = json.loads((NOTEBOOKS / f"{layer}.ipynb").read_text())["metadata"]["kernelspec"]
        assert named["display_name"] == known[named["name"]]["spec"]["display_name"]
        assert str(NOTEBOOKS.parents[1]) in known[named["name"]]["spec"]["argv"]


def test_lab_has_the_projects_kernels_and_listens_on_loopback__ends_on_ctrl_c(project: Path) -> None:
    command = [sys.executable, "-m", "devcloud.notebook.lab", "--no-browser", "--ServerApp.allow_root=True"]
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as lab:
        assert lab.stdout is not None
        try:
            lines = []
            for line in lab.stdout:
                lines.append(line)
                if address := re.search(r"(http://127\.0\.0\.1:\d+)/\S*token=(\w+)", line):
                    break
            assert address, "".join(lines)
            asked = urllib.request.Request(  # noqa: S310 - the loopback address
                f"{address[1]}/api/kernelspecs", headers={"Authorization": f"token {address[2]}"}
            )
            kernels = json.loads(answer_of(asked))["kernelspecs"]
            assert {name: kernel["spec"]["display_name"] for name, kernel in kernels.items()} == {
                "assay": "Assay (local Spark)",
                "python3": "Python 3 (ipykernel)",
            }
            os.kill(lab.pid, signal.SIGINT)
            lab.stdout.read()
            assert lab.wait(SECONDS) == 0
        finally:
            lab.kill()
