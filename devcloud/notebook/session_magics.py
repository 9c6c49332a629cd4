"""An IPython extension: the magics that set up a Glue session are known, and do nothing, in a kernel without one."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell

LINE_MAGICS = ("glue_version", "worker_type", "number_of_workers", "idle_timeout", "extra_py_files")
CELL_MAGICS = ("configure",)


def load_ipython_extension(shell: InteractiveShell) -> None:
    for name in LINE_MAGICS:
        shell.register_magic_function(_pass_over, "line", name)  # type: ignore[arg-type]  # its decorator is mistyped
    for name in CELL_MAGICS:
        shell.register_magic_function(_pass_over, "cell", name)  # type: ignore[arg-type]  # its decorator is mistyped


def _pass_over(line: str, cell: str | None = None) -> None:
    """Ignore a setting: this kernel has its own Spark."""
