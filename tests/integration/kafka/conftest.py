"""A Kafka broker and an S3 in this machine's memory, and bridges as processes of their own."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from kafka_bench import Bench, bench
from moto.server import ThreadedMotoServer

from devcloud.kafka.broker import Broker, running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the broker's TLS, which it has signed itself, in a file behind its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    at = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = made.add_extension(at, critical=False).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "broker.pem"
    of_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(of_key + signed.public_bytes(Encoding.PEM))
    return path


@pytest.fixture(scope="session")
def broker(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running(tmp_path_factory.mktemp("kafka"), certificate) as broker:
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
