"""`assay notebooks upload` against a stack in moto: the packages lie where the written copies look for them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from deployed_stack import NAMES, DeployedStack
from documented_answers import conform

ROOT = Path(__file__).parents[3]


def test_upload_brings_packages_and_writes_copies_for_the_stack__each_address_exists(
    stack: DeployedStack, tmp_path: Path
) -> None:
    for part in ("functions", "tests", "template.yaml"):
        (tmp_path / part).symlink_to(ROOT / part)
    (tmp_path / "glue").mkdir()
    for part in ("__init__.py", "lake", "reading"):
        (tmp_path / "glue" / part).symlink_to(ROOT / "glue" / part)
    (tmp_path / "glue" / "notebooks").mkdir()
    for notebook in (ROOT / "glue" / "notebooks").glob("*.ipynb"):
        (tmp_path / "glue" / "notebooks" / notebook.name).symlink_to(notebook)

    result = stack.assay("notebooks", "upload")

    assert result.exit_code == 0, result.output
    listed = stack.client("s3").list_objects_v2(Bucket=NAMES["LakeBucket"])["Contents"]
    uploaded = {f"s3://{NAMES['LakeBucket']}/{found['Key']}" for found in listed}
    assert {f"s3://{NAMES['LakeBucket']}/notebooks/{name}.zip" for name in ("contract", "glue")} <= uploaded
    for name in ("silver", "gold"):
        copy = json.loads((tmp_path / "glue" / "notebooks" / "ready" / f"{name}.ipynb").read_text())
        magics = "".join(copy["cells"][1]["source"])
        wanted = re.search(r"^%extra_py_files (.*)$", magics, re.MULTILINE)
        assert wanted is not None
        assert set(wanted[1].split(",")) <= uploaded
        assert f"ready    glue/notebooks/ready/{name}.ipynb" in result.stdout
    assert "Glue PySpark" in result.stdout
    told = conform("notebooks upload", stack.assay("notebooks", "upload", "--json").stdout)
    assert set(told["uploaded"]) <= uploaded
