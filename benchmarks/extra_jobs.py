"""Runs Spark scripts to compare with as jobs of the same local cloud: same JVM settings, same storage, same start."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from benchmarks.cloud import BenchCloud, BenchmarkError, until
from benchmarks.job_runs import JobRun
from devcloud.local.deploy import ARTEFACT_BUCKET

SCRIPTS = Path(__file__).with_name("jobs")


def run_job(bench: BenchCloud, script: str) -> JobRun:
    """Run a script of the folder `jobs` and return its run; it gets the names of all that the stack has made."""
    glue, name = bench.target.glue, f"benchmark-{script.replace('_', '-')}"
    if not any(job == name for page in glue.get_paginator("list_jobs").paginate() for job in page["JobNames"]):
        _declare(bench, name, script)
    known = len(bench.job_runs(name))
    run_id = glue.start_job_run(JobName=name)["JobRunId"]
    until(lambda: _ended(bench, name, run_id), what=f"the end of {name}")
    return bench.job_runs(name, known=known)[0]


def _declare(bench: BenchCloud, name: str, script: str) -> None:
    stack = asdict(bench.target.stack)
    like = bench.target.glue.get_job(JobName=bench.job_name("silver"))["Job"]
    key = f"benchmark/{script}.py"
    bench.target.s3.upload_file(str(SCRIPTS / f"{script}.py"), ARTEFACT_BUCKET, key)
    arguments = {f"--{field}": value for field, value in stack.items()}
    bench.target.glue.create_job(
        Name=name,
        Role=like["Role"],
        Command={**like["Command"], "ScriptLocation": f"s3://{ARTEFACT_BUCKET}/{key}"},
        DefaultArguments={**arguments, "--conf": like["DefaultArguments"]["--conf"]},
        GlueVersion=like["GlueVersion"],
    )


def _ended(bench: BenchCloud, name: str, run_id: str) -> bool:
    run = bench.target.glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]
    if run["JobRunState"] in ("FAILED", "TIMEOUT", "STOPPED"):
        raise BenchmarkError(f"{name}: {run.get('ErrorMessage')}")
    return run["JobRunState"] == "SUCCEEDED"
