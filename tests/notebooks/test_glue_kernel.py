"""AWS's own kernel runs notebooks on the local cloud; a run that only looks good is found out."""

from __future__ import annotations

from pathlib import Path

import pytest
from glue_notebook import CONF, LAKE, MAGICS, GlueKernel, NotebookError, notebook_of


def test_notebook_runs_cell_by_cell__with_packages_catalog_and_parameters(
    glue_kernel: GlueKernel, tmp_path: Path
) -> None:
    glue_kernel.glue.create_database(DatabaseInput={"Name": "shown"})
    notebook = notebook_of(
        "from contract.kinds import *\nfrom glue.lake import spark as of_the_lake\nprint(name, len(name))",
        "spark.sql('CREATE TABLE glue_catalog.shown.t (id int, amount decimal(18,2)) USING iceberg')\n"
        "spark.sql('INSERT INTO glue_catalog.shown.t VALUES (1, 0.10), (2, 0.20)')\n"
        "spark.table('glue_catalog.shown.t').orderBy('id').show()",
        "%%sql\nSELECT sum(amount) AS total FROM glue_catalog.shown.t",
        "spark.table('glue_catalog.shown.t').toPandas().shape",
        parameters="name = ''",
    )
    shown = [text for text in glue_kernel.run(notebook, tmp_path, name="silver").values() if text]
    table = "+---+------+\n| id|amount|\n+---+------+\n|  1|  0.10|\n|  2|  0.20|\n+---+------+"
    assert shown == ["silver 6", table, "+-----+\n|total|\n+-----+\n| 0.30|\n+-----+", "(2, 2)"]


def test_run_is_red__a_cell_fails(glue_kernel: GlueKernel, tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match=r"ZeroDivisionError(?s:.*)half\(1\)"):
        glue_kernel.run(notebook_of("def half(x):\n    return x / 0", "half(1)", "print('never')"), tmp_path)


def test_run_is_red__glue_version_is_not_the_jobs(glue_kernel: GlueKernel, tmp_path: Path) -> None:
    head = [MAGICS[0].replace("5.1", "4.0"), MAGICS[1]]
    with pytest.raises(NotebookError, match=r"0 sessions instead of one(?s:.*)Glue version 4.0 is not emulated"):
        glue_kernel.run(notebook_of("print('never')", head=head), tmp_path)


def test_run_is_red__an_extra_file_is_missing(glue_kernel: GlueKernel, tmp_path: Path) -> None:
    head = [MAGICS[0].replace("glue.zip", "missing.zip"), MAGICS[1]]
    with pytest.raises(
        NotebookError, match=f"FAILED: ExtraFileError: s3://{LAKE}/notebooks/missing.zip does not exist"
    ):
        glue_kernel.run(notebook_of("print('never')", head=head), tmp_path)


def test_run_is_red__the_session_is_lost(glue_kernel: GlueKernel, tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="ERROR: SessionLost\nimport os"):
        glue_kernel.run(notebook_of("print('before')", "import os\nos._exit(3)", "print('never')"), tmp_path)


def test_session_has_no_more_than_its_arguments_say__no_formats_or_no_catalog(glue_kernel: GlueKernel) -> None:
    without_formats = glue_kernel.create_session({"--conf": CONF})
    without_catalog = glue_kernel.create_session({"--datalake-formats": "iceberg"})
    table = "spark.table('glue_catalog.shown.t')"
    assert "Cannot find catalog plugin class for catalog 'glue_catalog'" in glue_kernel.error(without_formats, table)
    assert "[REQUIRES_SINGLE_PART_NAMESPACE]" in glue_kernel.error(without_catalog, table)
