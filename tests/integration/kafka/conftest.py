"""A Kafka broker and an S3 in this machine's memory, and bridges as processes of their own."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka_bench import Bench, bench
from moto.server import ThreadedMotoServer

from devcloud.kafka.broker import Broker, running


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def cloud() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def stand(broker: Broker, cloud: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A topic and a bucket of the test's own."""
    with bench(broker, cloud, tmp_path, request.node.name) as stand:
        yield stand
