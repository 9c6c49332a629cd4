"""Runs a notebook in AWS's kernel through papermill, and asks the session API afterwards how it went.

The kernel prints that a session could not be created, or has died, and completes each cell as if it were good. So a run
counts only if the API knows exactly one session of it, and an answer for each cell.
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
import papermill
from notebook_magics import ROOT, magics, yaml_parse

from assay.notebooks import PLACEHOLDER

LAKE = "assay-notebooks-lake"
MAGICS = [
    cell.replace(PLACEHOLDER, LAKE)
    for cell in magics(
        yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8")), "SilverJob", ["contract", "glue"]
    )
]
CONF = re.search(r'"conf": "(.*)"', MAGICS[1])[1]  # type: ignore[index]


_NUMBERS = itertools.count(1)


class NotebookError(AssertionError):
    """A notebook did not run through."""


@dataclass(frozen=True)
class GlueKernel:
    """AWS's kernel against a local cloud."""

    project: Path
    environment: dict[str, str]
    glue: Any
    s3: Any

    def run(self, notebook: nbformat.NotebookNode, folder: Path, **parameters: Any) -> dict[str, str]:
        """Run a notebook; return what its cells show by their ids, and raise NotebookError if any did not run."""
        source, target = folder / "source.ipynb", folder / "executed.ipynb"
        nbformat.write(notebook, source)
        before = set(self.glue.list_sessions()["Ids"])
        failed = None
        with patch.dict(os.environ, self.environment):
            try:
                papermill.execute_notebook(
                    source, target, parameters=parameters, kernel_name="glue_pyspark", progress_bar=False
                )
            except papermill.PapermillExecutionError as error:
                failed = error
        executed = nbformat.read(target, as_version=4)
        created = [name for name in self.glue.list_sessions()["Ids"] if name not in before]
        self._require_good(executed, created, failed)
        return shown_by(executed)

    def create_session(self, arguments: dict[str, str]) -> str:
        """Create a session as the kernel does; return its id."""
        session_id = f"session-{next(_NUMBERS)}"
        workers = {"WorkerType": "G.1X", "NumberOfWorkers": 2}
        command = {"Name": "glueetl", "PythonVersion": "3"}
        role = "arn:aws:iam::123456789012:role/assay-notebook"
        self.glue.create_session(
            Id=session_id, Role=role, Command=command, GlueVersion="5.1", DefaultArguments=arguments, **workers
        )
        return session_id

    def error(self, session_id: str, code: str) -> str:
        """Run a statement that fails; return its error, and end the session."""
        while (status := self.glue.get_session(Id=session_id)["Session"]["Status"]) == "PROVISIONING":
            pass  # the call waits for a while
        assert status == "READY"
        number = self.glue.run_statement(SessionId=session_id, Code=code)["Id"]
        statement = {"State": "WAITING"}
        while statement["State"] in ("WAITING", "RUNNING"):
            statement = self.glue.get_statement(SessionId=session_id, Id=number)["Statement"]  # waits for a while, too
        output = statement["Output"]
        self.glue.stop_session(Id=session_id)
        return f"{output['ErrorName']}: {output['ErrorValue']}"

    def _require_good(
        self, executed: nbformat.NotebookNode, created: list[str], failed: papermill.PapermillExecutionError | None
    ) -> None:
        printed = [output.text for cell in executed.cells for output in cell.get("outputs", []) if _is_error(output)]
        if len(created) != 1:
            raise NotebookError(f"{len(created)} sessions instead of one:\n{''.join(printed)}")
        session = self.glue.get_session(Id=created[0])["Session"]
        statements = self.glue.list_statements(SessionId=created[0])["Statements"]
        for statement in statements:
            output = statement["Output"]
            if (statement["State"], output.get("Status")) != ("AVAILABLE", "ok"):
                lines = "\n".join(output.get("Traceback", []))
                raise NotebookError(f"{statement['State']}: {output.get('ErrorName')}\n{statement['Code']}\n{lines}")
        if failed is not None:
            raise NotebookError(str(failed))
        if session["Status"] != "STOPPED":
            raise NotebookError(f"the session ended {session['Status']}: {session.get('ErrorMessage')}")
        if len(statements) != len(_statements(executed)):
            raise NotebookError(f"{len(statements)} statements for {len(_statements(executed))} cells of code")
        if printed:
            raise NotebookError("".join(printed))


def notebook_of(*cells: str, parameters: str | None = None, head: list[str] | None = None) -> nbformat.NotebookNode:
    """Return a notebook with the session's magics, a parameters cell and these cells."""
    made = [nbformat.v4.new_code_cell(source) for source in (MAGICS if head is None else head)]
    if parameters is not None:
        made.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    made += [nbformat.v4.new_code_cell(source) for source in cells]
    return nbformat.v4.new_notebook(
        cells=made, metadata={"kernelspec": {"name": "glue_pyspark", "display_name": "", "language": "python"}}
    )


def _statements(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the cells of which something is sent to the session: those that are not magics alone."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and not _is_magics(cell.source)]


def _is_magics(source: str) -> bool:
    lines = [line for line in source.splitlines() if line and not line.startswith("#")]
    return source.startswith("%%configure") or all(line.startswith("%") for line in lines)


def _is_error(output: nbformat.NotebookNode) -> bool:
    return bool(output.output_type == "stream" and output.name == "stderr")


def shown_by(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Return what each cell of code shows, without what AWS's kernel says of its session."""
    return {cell.id: _text(cell) for cell in _statements(notebook)}


def _text(cell: nbformat.NotebookNode) -> str:
    printed = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    values = [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    of_kernel = r"\ATrying to create a Glue session.*has been created\.\n"
    of_java = r"^WARNING: sun\.reflect\..*\n"  # its start is printed where the kernel starts it
    told = re.sub(of_java, "", re.sub(of_kernel, "", printed, flags=re.DOTALL), flags=re.MULTILINE)
    return "\n".join([told.rstrip("\n"), *values]).strip("\n")
