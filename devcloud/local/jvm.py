"""A JVM with Spark loaded, waiting for the Python process of the next Glue job run.

PySpark starts a JVM unless PYSPARK_GATEWAY_PORT names one. Here the JVM is started beforehand; a script, unmodified,
connects to it, and its `SparkSession.builder.getOrCreate()` finds the settings that the JVM was started with.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Event

import pyspark
from py4j.java_gateway import GatewayParameters, JavaGateway
from py4j.protocol import Py4JError

from devcloud.local import spark

_POLL_SECONDS = 0.05
# A Java system property that tells whether a script's session is open in a JVM.
STATE_PROPERTY = "assay.session"
OPEN, CLOSED = "open", "closed"


class JvmStartError(RuntimeError):
    """The JVM ended before it was ready."""

    def __init__(self, *, log: Path) -> None:
        super().__init__(f"the JVM did not start, see {log}")


class Jvm:
    """One gateway JVM. It ends when this process ends, because its standard input ends then."""

    def __init__(
        self, conf: Mapping[str, str], *, environment: Mapping[str, str], log: Path, java_options: list[str]
    ) -> None:
        """Start the JVM and wait until it has told its port."""
        self.conf = dict(conf)
        self.log = log
        self._java_options = java_options
        with tempfile.TemporaryDirectory(prefix="assay-jvm-") as folder:
            address = Path(folder) / "gateway"
            self._process = self._launch({**environment, "_PYSPARK_DRIVER_CONN_INFO_PATH": str(address)})
            self._port, self._secret = self._await(address)

    def _launch(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
        args = spark.submit_command(self.conf, java_options=self._java_options)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(submit), *args],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(environment),
                start_new_session=True,
            )

    def _await(self, address: Path) -> tuple[int, str]:
        waiting = Event()
        while not address.exists():
            if self._process.poll() is not None:
                raise JvmStartError(log=self.log)
            waiting.wait(_POLL_SECONDS)
        # Written whole by a rename: port, length of the secret, secret.
        told = address.read_bytes()
        return int.from_bytes(told[:4], "big"), told[8:].decode()

    def environment(self) -> dict[str, str]:
        """Return what makes PySpark use this JVM."""
        return {"PYSPARK_GATEWAY_PORT": str(self._port), "PYSPARK_GATEWAY_SECRET": self._secret}

    def is_clean(self) -> bool:
        """Return whether the JVM lives and the last script stopped its session; else it cannot serve another."""
        if self._process.poll() is not None:
            return False
        gateway = JavaGateway(gateway_parameters=GatewayParameters(port=self._port, auth_token=self._secret))
        try:
            return bool(gateway.jvm.System.getProperty(STATE_PROPERTY) == CLOSED)
        except Py4JError:
            return False
        finally:
            gateway.close()

    def finish(self) -> None:
        """Let the JVM end by itself, with all that it does at its end."""
        self._process.stdin.close()  # type: ignore[union-attr]  # opened as a pipe above
        self._process.wait()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()  # type: ignore[union-attr]  # opened as a pipe above
