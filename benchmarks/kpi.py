"""The KPI function: time, CPU time and peak memory of whole processes, beside programs with the same figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from benchmarks import results
from benchmarks.cloud import BenchmarkError
from benchmarks.profiles import Profile
from benchmarks.samples import Samples
from devcloud.local.environment import aws_environment

READERS = Path(__file__).with_name("kpi_readers.py")
COST = Path(__file__).with_name("process_cost.py")
KINDS = ("csv", "csv.gz", "parquet", "jsonl")
OURS = ("function", "bytes", "import")
OTHERS = ("pandas", "pandas float", "awswrangler")
OTHERS_OF_JSON = ("polars float", "pandas float")
"""Their readers of JSON lines know no exact money."""


def measure_reader(reader: str, path: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run one reader in a process of its own, with the packages that it belongs to."""
    python = str(results.BENCH_PYTHON) if reader in OTHERS else sys.executable
    command = [sys.executable, str(COST), python, str(READERS), reader, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}, check=True)
    cost: dict[str, Any] = json.loads(done.stdout)
    if cost.pop("code"):
        raise BenchmarkError(f"{reader} failed on {path.name}")
    return cost


def in_turns(
    readers: Iterable[str], path: Path, *, runs: int, environment: dict[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """Measure readers in turns, so that another load on the machine falls on all alike."""
    found: dict[str, list[dict[str, Any]]] = {reader: [] for reader in readers}
    for _ in range(runs):
        for reader, samples in found.items():
            samples.append(measure_reader(reader, path, environment))
    return found


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Serve S3 for awswrangler, which reads nothing else, from a process of its own; give the variables for it."""
    code = "from moto.server import ThreadedMotoServer as S; s = S('127.0.0.1', 0, verbose=False); s.start(); "
    code += "print(s.get_host_and_port()[1], flush=True); input()"
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        environment = aws_environment(f"http://localhost:{process.stdout.readline().strip()}")
        _client(environment).create_bucket(Bucket="benchmark")
        yield environment
    finally:
        process.kill()
        process.communicate()


def _client(environment: dict[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def result_name(rows: int) -> str:
    """Return the name of the result of files of so many rows; names sort by size."""
    return f"kpi-{rows:08d}"


def measure(folder: Path, profile: Profile, *, seed: int) -> None:
    """Compare on the smaller file; on the larger the function and the bytes alone, others would need the machine."""
    with s3_server() as environment:
        for count in profile.kpi_rows:
            name, found = result_name(count), {}
            for kind in KINDS:
                path = Samples.of(folder / name, count, seed=seed).history(kind)
                small = count == profile.kpi_compared
                if small:
                    _client(environment).upload_file(str(path), "benchmark", path.name)
                others = OTHERS_OF_JSON if kind == "jsonl" else OTHERS
                readers = (*OURS, *others) if small else OURS[:2]
                measured = in_turns(
                    readers,
                    path,
                    runs=profile.kpi_runs if small else max(1, profile.kpi_runs - 2),
                    environment=environment,
                )
                found[kind] = {"bytes": path.stat().st_size, "readers": measured}
                results.save(name, {"rows": count, "files": found}, profile=profile.name)
                path.unlink()
            results.finish(name, profile=profile.name)
