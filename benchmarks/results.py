"""Keeps what was measured: raw samples as JSON, with the machine, the versions and the command."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cloud import ROOT

FOLDER = Path(__file__).with_name("results")
BENCH_PYTHON = ROOT / ".venv" / "bench" / "bin" / "python"
PACKAGES = ("pyspark", "moto", "polars", "pyiceberg")
OTHERS = ("awswrangler", "deltalake", "duckdb", "pandas", "pyarrow")


def save(name: str, figures: dict[str, Any], *, profile: str) -> None:
    """Keep the samples that there are so far; a measurement that is stopped leaves those, beside an older whole one."""
    FOLDER.mkdir(exist_ok=True)
    about = {
        "measurement": name,
        "profile": profile,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        **surroundings(),
    }
    _unfinished(name, profile).write_text(json.dumps({**about, **figures}, indent=1) + "\n")


def finish(name: str, *, profile: str) -> None:
    """Let what was saved last, now whole, take the place of the older result."""
    _unfinished(name, profile).replace(_whole(name, profile))


def load(name: str, profile: str) -> dict[str, Any] | None:
    """Return the result of a measurement that ran to its end, if there was one."""
    path = _whole(name, profile)
    return dict(json.loads(path.read_text())) if path.exists() else None


def _whole(name: str, profile: str) -> Path:
    return FOLDER / f"{name}-{profile}.json"


def _unfinished(name: str, profile: str) -> Path:
    return FOLDER / f"{name}-{profile}.unfinished.json"


def surroundings() -> dict[str, Any]:
    """Return the machine, the versions and the command."""
    return {"machine": machine(), "versions": versions(), "command": " ".join(["python", "-m", *_command()])}


def machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    release = platform.release().partition("-")[0]
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, {platform.system()} {release}"


def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    ask = f"import importlib.metadata as m; print(*[m.version(n) for n in {OTHERS!r}])"
    told = subprocess.run([BENCH_PYTHON, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    return {"python": platform.python_version(), **found, **dict(zip(OTHERS, told, strict=True))}


def _command() -> list[str]:
    return ["benchmarks", *sys.argv[1:]]


def spread(samples: list[float], digits: int = 2) -> str:
    """Return median and range as text."""
    if not samples:
        return "not measured"
    low, high = min(samples), max(samples)
    return f"{median(samples):.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"  # noqa: RUF001


def ratio(above: list[float], below: list[float]) -> list[float]:
    """Return the ratios of samples taken side by side, in their rounds."""
    return [one / other for one, other in zip(above, below, strict=False)]
