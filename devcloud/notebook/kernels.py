"""The kernels of a project's notebooks: Jupyter finds them in the project's state folder, and nothing of the user's.

A kernel's environment is made when it starts (`launch.py`), so a local cloud that was started meanwhile is found.
`python -m devcloud.notebook.kernels` puts the one for the layers' notebooks into this Python's environment: any Jupyter
that is started from there finds it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from assay.target import find_project
from devcloud.local.lifecycle import FOLDER

# The first two are the names that the committed notebooks carry: they open in these kernels without a question.
LOCAL, PLAIN, GLUE = "assay", "python3", "glue_pyspark"
_DISPLAY_NAMES = {LOCAL: "Assay (local Spark)", GLUE: "Glue PySpark"}


def state_folder(project: Path) -> Path:
    return (project / FOLDER / "jupyter").resolve()


def write_kernels(project: Path) -> dict[str, str]:
    """Write the kernels' specifications; return the variables with which Jupyter or papermill finds them."""
    folder = state_folder(project)
    for name in _DISPLAY_NAMES:
        _write_kernel(name, project, folder / "share")
    places = {"JUPYTER_PATH": "share", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data"}
    places |= {"JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}
    return {variable: str(folder / place) for variable, place in places.items()}


def _write_kernel(name: str, project: Path, share: Path) -> None:
    command = [sys.executable, "-m", "devcloud.notebook.launch", name, str(project.resolve())]
    spec = {"argv": [*command, "-f", "{connection_file}"], "display_name": _DISPLAY_NAMES[name], "language": "python"}
    file = share / "kernels" / name / "kernel.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(spec, indent=2) + "\n")


if __name__ == "__main__":
    _write_kernel(LOCAL, find_project(Path.cwd()), Path(sys.prefix) / "share" / "jupyter")
