"""Fixtures: a stack in moto, fresh for each test or shared by those that only read."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed_stack import DeployedStack, account, deploy
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bare(server: str, tmp_path: Path) -> Iterator[DeployedStack]:
    """An account in which nothing is deployed."""
    with account(server, tmp_path) as bare:
        yield bare


@pytest.fixture
def stack(bare: DeployedStack) -> DeployedStack:
    """A deployed stack without any file."""
    deploy(bare)
    return bare


@pytest.fixture(scope="module")
def shared_stack(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedStack]:
    """A deployed stack for the tests of a module that only read; Iceberg tables take seconds to write."""
    with account(server, tmp_path_factory.mktemp("project")) as bare:
        deploy(bare)
        yield bare


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[str]:
    """The local cloud's server: in this process one would share the interpreter with what is measured."""
    command = [sys.executable, "-m", "devcloud.local.server", "--state-folder", tmp_path / "cloud"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["endpoint"]
        process.terminate()
