"""Opens the project's notebooks in Jupyter Lab, on the loopback address: `python -m devcloud.notebook.lab`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from assay.target import find_project
from devcloud.local import lifecycle
from devcloud.notebook.kernels import GLUE, LOCAL, PLAIN, write_kernels


def main() -> None:
    project = find_project(Path.cwd())
    environment = {**os.environ, **write_kernels(project)}
    cloud = lifecycle.running(project)
    kernels = [LOCAL, PLAIN, GLUE] if cloud else [LOCAL, PLAIN]
    if cloud is None:
        print("No local cloud runs here: the notebooks use a local Spark with a warehouse of its own.")
        print("For the kernel `Glue PySpark`: assay up, then assay deploy, and call this again.", flush=True)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.root_dir": str(project),
        "LabApp.default_url": "/lab/tree/glue/notebooks/silver.ipynb",
        # Ctrl-C ends it without a question.
        "ServerApp.answer_yes": "True",
        "KernelSpecManager.allowed_kernelspecs": repr(set(kernels)),
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    os.execve(sys.executable, [sys.executable, "-m", "jupyterlab", *arguments, *sys.argv[1:]], environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
