"""Lets a Glue session import what Glue's own image has and what `--extra-py-files` brings, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

# The modules of Glue 5.1's Python that this environment may hold, too. What is not on this list is missing on AWS.
GLUE_MODULES = frozenset({
    "PIL", "_distutils_hack", "aiobotocore", "aiohttp", "attr", "attrs", "awsglue", "boto3", "botocore", "certifi",
    "charset_normalizer", "click", "contourpy", "cycler", "dateutil", "fontTools", "fsspec", "idna", "jmespath",
    "joblib", "kiwisolver", "lxml", "matplotlib", "nltk", "numpy", "packaging", "pandas", "patsy", "pkg_resources",
    "plotly", "py4j", "pyarrow", "pymysql", "pyparsing", "pyspark", "pytz", "redshift_connector", "regex",
    "requests", "s3fs", "s3transfer", "scipy", "seaborn", "setuptools", "six", "sklearn", "statsmodels", "tenacity",
    "threadpoolctl", "tqdm", "typing_extensions", "tzdata", "urllib3", "wrapt", "yaml",
})  # fmt: skip


class ImportGate:
    """A finder in front of all others: it refuses the modules that a Glue session would not find."""

    def __init__(self, extra: Sequence[str]) -> None:
        self._extra = list(extra)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the extra files; None where the usual finders may look."""
        if "." in name or _is_glues(name):
            return None
        spec = PathFinder.find_spec(name, self._extra)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return spec


def close_gate(extra: Sequence[str]) -> None:
    """Let this process import only Glue's modules and those of the extra files.

    What was imported so far and is not Glue's is forgotten, but goes on working where it is in use. Of the search path
    only the standard library and the installed packages stay.
    """
    for name in [name for name in sys.modules if not _is_glues(name)]:
        del sys.modules[name]
    installed = tuple(f"{prefix}/lib" for prefix in (sys.prefix, sys.base_prefix))
    sys.path[:] = [*extra, *(folder for folder in sys.path if folder.startswith(installed))]
    sys.meta_path.insert(0, ImportGate(extra))


def _is_glues(name: str) -> bool:
    top = name.partition(".")[0]
    # The module of build settings has the platform in its name, so it is not among the standard library's.
    is_standard = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
    return is_standard or top in GLUE_MODULES or top == "__main__"
