"""Both notebooks run as they are, parameters injected, and end in the totals that the goldens hold."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import papermill
import pytest
from glue_pipeline import Pipeline, csv, make_services
from moto.server import ThreadedMotoServer
from pyiceberg.catalog import load_catalog

from devcloud.local import spark as local_spark

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "data" / "golden" / "notebooks.txt"
pytestmark = [
    # papermill, its kernel client and boto3 leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
FIRST = csv(
    "1,$14.57,2023-01-01 00:01:00,Swipe Transaction,5,",
    '2,"$1,412.64",2023-01-01 10:00,Chip Transaction,5,"Bad PIN,Insufficient Balance"',
    "3,$-77.00,1/2/2023 0:01,Online Transaction,6,",
    "4,12.345,2023-01-02,chip,6,",
    "5,5.00,2023-01-02,,,",
)
SECOND = csv(
    "1,$14.57,2023-01-01 00:01:00,Swipe Transaction,5,",
    "3,($70.00),2023-01-02 00:01,online,6,",
    "6,0.10,2023-01-03,swipe,7,",
    "6,0.20,2023-01-03,swipe,7,",
    "7,7.00,2023-01-03,tap,7,",
)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline on a server of its own; the variables that lead there are inherited by the kernels."""
    for name in (
        "SPARK_LOCAL_DIRS",
        "PYSPARK_SUBMIT_ARGS",
        *local_spark.aws_environment(""),
        *local_spark.java_environment(),
    ):
        monkeypatch.setenv(name, "")  # so that what is set below goes again
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    local_spark.configure_environment(
        endpoint=f"http://{host}:{port}", warehouse="s3://lake/warehouse/", home=tmp_path / "spark"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "glue" / "shared"), str(ROOT)]))
    make_services()
    yield Pipeline(spark=None).create()
    server.stop()


def execute(pipeline: Pipeline, layer: str, folder: Path) -> None:
    names = {"lake_bucket": pipeline.lake_bucket, "ledger_table": pipeline.ledger_table}
    names |= {"silver_database": pipeline.database("silver")}
    names |= {"gold_database": pipeline.database("gold")} if layer == "gold" else {}
    papermill.execute_notebook(
        ROOT / "glue" / "notebooks" / f"{layer}.ipynb",
        folder / f"{layer}.ipynb",
        parameters=names,
        kernel_name="python3",
        progress_bar=False,
    )


def summary(pipeline: Pipeline, file_ids: list[str]) -> str:
    """Return what became of the files, and Gold's totals, as text."""
    catalog = load_catalog("glue", type="glue", **{
        "glue.endpoint": os.environ["AWS_ENDPOINT_URL"], "s3.endpoint": os.environ["AWS_ENDPOINT_URL"],
        "s3.access-key-id": "local", "s3.secret-access-key": "local", "s3.region": "us-east-1",
    })  # fmt: skip
    lines = []
    for file_id in file_ids:
        item = pipeline.item(file_id)
        outcomes = " ".join(f"{name}={count}" for name, count in sorted(item["silver"]["outcomes"].items()) if count)
        lines.append(f"{item['key']} {item['status']} {outcomes} effect={item['silver']['effect_amount']}")
    totals = catalog.load_table(f"{pipeline.database('gold')}.daily_totals").scan().to_arrow().to_pylist()
    lines += sorted(
        f"{row['transacted_on']} {row['channel']} {row['row_count']} {row['total_amount']}" for row in totals
    )
    bad = catalog.load_table(f"{pipeline.database('silver')}.quarantine").scan().to_arrow().to_pylist()
    lines += sorted(f"quarantined line {row['line']}: {','.join(row['rules'])}" for row in bad)
    return "".join(f"{line}\n" for line in lines)


def test_notebooks_bring_files_to_gold__two_increments_of_which_one_is_repeated(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    first = pipeline.upload("transactions/1.csv", FIRST, as_of="2024-01-01T00:00:00Z")
    second = pipeline.upload("transactions/2.csv", SECOND, as_of="2024-02-01T00:00:00Z")
    execute(pipeline, "silver", tmp_path)
    execute(pipeline, "gold", tmp_path)
    assert summary(pipeline, [first, second]) == GOLDEN.read_text()
